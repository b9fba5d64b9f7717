use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How many bytes a request's head may have.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// How long to wait where no connection can be taken, as when the process has no file left for it.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// How long requests that run at a stop may still take.
const DRAIN: Duration = Duration::from_secs(1);

/// What connections of people whom nobody knows may take, so that they leave files to what the worker is for.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionBounds {
    /// How many there are at once; others wait to be taken.
    pub at_once: usize,
    /// How long one may take to send a request's head; it is closed then.
    pub head: Duration,
    /// How long one may last: it is for one request.
    pub life: Duration,
}

impl Default for ConnectionBounds {
    fn default() -> Self {
        Self { at_once: 256, head: Duration::from_secs(10), life: Duration::from_mins(1) }
    }
}

/// Serves anybody until `stop`, by HTTP/1.1 as proxies speak it, one request for each connection, so that nobody keeps
/// a place by asking now and then; requests that run then are finished, or cut after a second. A listener that takes no
/// connection is asked again.
pub async fn serve_outsiders(
    listener: TcpListener,
    routes: Router,
    bounds: ConnectionBounds,
    stop: CancellationToken,
) {
    let (places, running) = (Arc::new(Semaphore::new(bounds.at_once)), GracefulShutdown::new());
    let mut connections = JoinSet::new();
    let taking = async {
        loop {
            // It is never closed.
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let stream = take(&listener).await;
            let (routes, watcher) = (routes.clone(), running.watcher());
            while connections.try_join_next().is_some() {}
            connections.spawn(async move {
                talk(stream, routes, bounds, watcher).await;
                drop(place);
            });
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = taking => {}
    }
    drop(listener);
    // Connections that go on after that end with their set.
    let _drained = tokio::time::timeout(DRAIN, running.shutdown()).await;
}

async fn take(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "no connection of a buyer can be taken"
                );
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn talk(stream: TcpStream, routes: Router, bounds: ConnectionBounds, watcher: Watcher) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(bounds.head)
        .max_buf_size(HEAD_BYTES_MAX)
        .keep_alive(false);
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    // One that reads no answer is cut, too.
    let Ok(talked) = tokio::time::timeout(bounds.life, watcher.watch(connection)).await else { return };
    if let Err(error) = talked {
        // Outsiders close connections as they like.
        tracing::debug!(error = &error as &dyn std::error::Error, "a buyer's connection broke");
    }
}
