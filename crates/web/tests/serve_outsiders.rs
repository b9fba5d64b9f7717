//! What connections of anybody may take.
#![expect(clippy::unwrap_used, reason = "a broken set-up fails the test")]

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use stallkeeper_web::{ConnectionBounds, serve_outsiders};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// Serves one connection at once; the clock stands still but for whoever waits.
async fn serving(at_once: usize) -> (SocketAddr, CancellationToken, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, bounds) =
        (CancellationToken::new(), ConnectionBounds { at_once, ..ConnectionBounds::default() });
    let routes = Router::new().route("/", get(async || "hello"));
    let (mut tasks, stopped) = (JoinSet::new(), stop.clone());
    tasks.spawn(async move { serve_outsiders(listener, routes, bounds, stopped).await });
    (address, stop, tasks)
}

async fn first_line(client: &mut TcpStream) -> String {
    let mut answer = vec![0; 15];
    client.read_exact(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test(start_paused = true)]
async fn half_a_request_is_not_waited_for() {
    let (address, _stop, _tasks) = serving(4).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: ").await.unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    assert!(!String::from_utf8(answer).unwrap().contains("200 OK"));
}

#[tokio::test(start_paused = true)]
async fn a_connection_too_many_waits_until_another_is_over() {
    let (address, _stop, _tasks) = serving(1).await;
    let idle = TcpStream::connect(address).await.unwrap();
    let mut second = TcpStream::connect(address).await.unwrap();
    second.write_all(REQUEST).await.unwrap();
    assert_eq!(first_line(&mut second).await, "HTTP/1.1 200 OK");
    assert_eq!(idle.try_read(&mut [0]).unwrap(), 0, "the first one is over, as it sent no request");
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_for_one_request() {
    let (address, _stop, _tasks) = serving(4).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(&[REQUEST, REQUEST].concat()).await.unwrap();
    let mut answers = Vec::new();
    client.read_to_end(&mut answers).await.unwrap();
    assert_eq!(String::from_utf8(answers).unwrap().matches("200 OK").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn idle_connections_keep_nothing_from_stopping() {
    let (address, stop, mut tasks) = serving(4).await;
    let _idle = TcpStream::connect(address).await.unwrap();
    stop.cancel();
    tasks.join_next().await.unwrap().unwrap();
}
