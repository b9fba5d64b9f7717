use std::time::Duration;

use stallkeeper_runtime::Backoff;

use crate::{Source, StoreError};

/// How often a transaction that met another is tried at once.
const ATTEMPTS_MAX: u32 = 8;
const RETRY_INITIAL: Duration = Duration::from_millis(5);
const RETRY_CAP: Duration = Duration::from_millis(500);

/// The tries of a transaction that others may be in the way of: eight, with growing delays.
#[derive(Debug)]
pub struct Retries {
    backoff: Backoff,
    conflicts: u32,
}

impl Default for Retries {
    fn default() -> Self {
        Self { backoff: Backoff::new(RETRY_INITIAL, RETRY_CAP), conflicts: 0 }
    }
}

impl Retries {
    /// Takes note of a conflict and waits before the next try.
    ///
    /// # Errors
    /// The conflict, where that was the last try.
    pub async fn met(&mut self, conflict: Source) -> Result<(), StoreError> {
        self.conflicts = self.conflicts.saturating_add(1);
        if self.conflicts >= ATTEMPTS_MAX {
            return Err(StoreError::Conflict(conflict));
        }
        tracing::debug!(error = %conflict, "a transaction met another, trying again");
        tokio::time::sleep(self.backoff.next_delay()).await;
        Ok(())
    }
}
