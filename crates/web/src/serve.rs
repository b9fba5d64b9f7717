use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::ServiceExt;
use axum::extract::Request;
use axum::response::Response;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::Service;

/// How long requests that run at a stop may still take: a client that sends half a request never ends.
const DRAIN: Duration = Duration::from_secs(1);

/// Serves until `stop`; requests that run then are finished, or cut after a second.
///
/// # Errors
/// When the listener breaks.
pub async fn serve<S>(listener: TcpListener, routes: S, stop: CancellationToken) -> io::Result<()>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    let serving = axum::serve(listener, routes.into_make_service())
        .with_graceful_shutdown(stop.clone().cancelled_owned());
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
