use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use stallkeeper_runtime::sleep_or_cancelled;
use stallkeeper_web::MetricsText;
use tokio_util::sync::CancellationToken;

/// Buckets of histograms that measure seconds.
const SECONDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 10.0];
/// Buckets of histograms that count items.
const ITEMS: [f64; 7] = [1.0, 4.0, 16.0, 32.0, 64.0, 128.0, 256.0];
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Collects the process's metrics from now on.
pub(super) fn install() -> anyhow::Result<PrometheusHandle> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_items".to_owned()), &ITEMS))
        .and_then(PrometheusBuilder::install_recorder)
        .context("metrics cannot be collected")
}

/// What renders the metrics as text.
pub(super) fn text(handle: &PrometheusHandle) -> MetricsText {
    let handle = handle.clone();
    Arc::new(move || handle.render())
}

/// Keeps the collected samples bounded while nobody reads them.
pub(super) async fn upkeep(handle: PrometheusHandle, stop: CancellationToken) {
    while sleep_or_cancelled(&stop, UPKEEP_EVERY).await.is_continue() {
        handle.run_upkeep();
    }
}
