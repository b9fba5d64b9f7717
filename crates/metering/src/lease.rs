use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::usage::Lease;
use stallkeeper_persistence::{Store, StoreError};

/// The right to send through a lane, which one worker has at a time.
pub(crate) struct LaneLease {
    store: Arc<dyn Store>,
    name: String,
    holder: String,
    length: Duration,
    until: Mutex<Option<Timestamp>>,
}

impl LaneLease {
    pub(crate) fn new(store: Arc<dyn Store>, lane: &str, holder: String, length: Duration) -> Self {
        Self { store, name: format!("metering {lane}"), holder, length, until: Mutex::new(None) }
    }

    /// Takes the lease, or takes it again once half of it is over; `false` where another worker has it.
    pub(crate) async fn take(&self, now: Timestamp) -> Result<bool, StoreError> {
        let until = now.plus(self.length);
        if self.held().is_some_and(|held| held > now.plus(self.length / 2) && held <= until) {
            return Ok(true);
        }
        let lease = Lease { name: self.name.clone(), holder: self.holder.clone(), until };
        let is_ours = self.store.take_lease(&lease, now).await?;
        self.set(is_ours.then_some(until));
        Ok(is_ours)
    }

    /// Whether nobody else can have it yet.
    pub(crate) fn covers(&self, now: Timestamp) -> bool {
        self.held().is_some_and(|until| now < until)
    }

    /// Gives it back, so that another worker need not wait for its end.
    pub(crate) async fn give_back(&self) -> Result<(), StoreError> {
        if self.held().is_some() {
            self.set(None);
            self.store.give_lease_back(&self.name, &self.holder).await?;
        }
        Ok(())
    }

    fn held(&self) -> Option<Timestamp> {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, until: Option<Timestamp>) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}
