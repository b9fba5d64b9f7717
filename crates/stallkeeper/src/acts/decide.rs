use stallkeeper_ledger::{Decision, EventKey};
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::usage::{DecideError, decide};
use stallkeeper_persistence::{Actor, Store, StoreError};

use crate::config::Config;

/// How often a decision is tried whose transaction met another.
const CONFLICTS_MAX: u32 = 20;

/// Carries out a decision on one held event.
///
/// # Errors
/// [`DecideError`]; nothing changes then.
pub async fn decide_one(
    key: &EventKey,
    decision: Decision,
    actor: &Actor,
    config: &Config,
    store: &dyn Store,
    now: Timestamp,
) -> Result<(), DecideError> {
    let mut conflicts = 0;
    loop {
        match decide(store, key, decision, actor, now, config).await {
            Err(DecideError::Store(StoreError::Conflict(_))) if conflicts < CONFLICTS_MAX => conflicts += 1,
            ended => return ended,
        }
    }
}
