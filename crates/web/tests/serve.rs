//! How serving ends.

use std::time::Duration;

use axum::Router;
use stallkeeper_web::serve;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn a_client_that_sends_half_a_request_does_not_keep_it_from_stopping() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    client.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n").await.unwrap();
    let stop = CancellationToken::new();
    let stopping = async {
        // Serving has to have taken the connection, or there is nothing to wait for.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    let serving = tokio::time::timeout(Duration::from_secs(10), serve(listener, Router::new(), stop.clone()));
    let (served, ()) = tokio::join!(serving, stopping);
    served.unwrap().unwrap();
}
