use std::io;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long requests that run at a stop may still take: a client that sends half a request never ends.
const DRAIN: Duration = Duration::from_secs(1);

/// Serves until `stop`; requests that run then are finished, or cut after a second.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(listener: TcpListener, routes: Router, stop: CancellationToken) -> io::Result<()> {
    let serving = axum::serve(listener, routes).with_graceful_shutdown(stop.clone().cancelled_owned());
    let out_of_time = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        biased;
        served = serving => served,
        () = out_of_time => Ok(()),
    }
}
