use std::collections::BTreeMap;

use metrics::counter;
use stallkeeper_ledger::{Loss, LossReason};

/// How many losses are told one by one; the rest as a sum. All are listed in the store.
const LINES_MAX: usize = 20;

/// Counts losses and tells of each; they come here once, when they are found.
pub(crate) fn tell(losses: &[Loss]) {
    for loss in losses {
        counter!("stallkeeper_usage_lost_total", "reason" => loss.reason.as_str()).increment(1);
    }
    for loss in losses.iter().take(LINES_MAX) {
        tracing::warn!(
            subscription = %loss.subscription, dimension = %loss.dimension, hour = %loss.hour,
            quantity = loss.parts.display(loss.scale), reason = %loss.reason, detail = loss.detail,
            "usage is lost: it will not be billed"
        );
    }
    if losses.len() > LINES_MAX {
        let mut by_reason: BTreeMap<LossReason, usize> = BTreeMap::new();
        for loss in losses.iter().skip(LINES_MAX) {
            *by_reason.entry(loss.reason).or_default() += 1;
        }
        tracing::warn!(
            more = losses.len() - LINES_MAX,
            ?by_reason,
            "more usage is lost; `stallkeeper usage list` shows all of it"
        );
    }
}
