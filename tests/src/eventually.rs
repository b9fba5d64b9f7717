//! The one way to wait.

use std::time::{Duration, Instant};

const BETWEEN_PROBES: Duration = Duration::from_millis(50);

/// Probes until the condition holds, and panics with what was waited for when it does not within the limit.
pub async fn eventually(what: &str, limit: Duration, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !condition().await {
        assert!(Instant::now() < deadline, "{what}: not so after {} s", limit.as_secs());
        tokio::time::sleep(BETWEEN_PROBES).await;
    }
}
