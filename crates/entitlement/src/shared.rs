use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use stallkeeper_lifecycle::Timestamp;
use stallkeeper_runtime::WallClock;
use tokio::time::Instant;

use crate::{Answer, Ask, Catalog, Index, Refused};

/// Answers who may use what, from memory. Clones share it.
#[derive(Clone, Debug)]
pub struct Entitlements(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Arc<dyn WallClock>,
    max_age: Duration,
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    index: Index,
    fresh: Option<Fresh>,
}

/// Up to when everything is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fresh {
    /// By the business's clock.
    pub(crate) as_of: Timestamp,
    /// The same moment in run time, which does not jump.
    pub(crate) seen: Instant,
}

/// Something that was answered, and up to when everything was known then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnsweredAt<T> {
    /// The answer.
    pub answer: T,
    /// All that was stored by then was taken into account.
    pub as_of: Timestamp,
}

/// Why nothing can be answered now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    /// The subscriptions have not been read yet.
    #[error("the subscriptions are still being read from the database")]
    NotLoaded,
    /// What is known is too old to be relied on.
    #[error("the database was last read {} s ago, at {as_of}", age.as_secs())]
    Stale {
        /// Up to when everything is known.
        as_of: Timestamp,
        /// How long ago that is.
        age: Duration,
    },
}

impl Entitlements {
    pub(crate) fn new(clock: Arc<dyn WallClock>, catalog: &Arc<Catalog>, max_age: Duration) -> Self {
        let state = RwLock::new(State { index: Index::new(catalog), fresh: None });
        Self(Arc::new(Inner { clock, max_age, state }))
    }

    /// Looks at what is known, at the present moment. The look must be short: what is new waits for it.
    ///
    /// # Errors
    /// Where too little is known, or too old.
    pub fn look<T>(&self, look: impl FnOnce(&Index, Timestamp) -> T) -> Result<AnsweredAt<T>, NotNow> {
        let now = Timestamp::from(self.0.clock.now());
        // Nothing panics while it is held for writing but by a fault of the index, which would show itself.
        let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
        let fresh = state.fresh.ok_or(NotNow::NotLoaded)?;
        let age = fresh.seen.elapsed();
        if age > self.0.max_age {
            return Err(NotNow::Stale { as_of: fresh.as_of, age });
        }
        Ok(AnsweredAt { answer: look(&state.index, now), as_of: fresh.as_of })
    }

    /// May this tenant, or user, use that product now?
    ///
    /// # Errors
    /// Where too little is known, or too old.
    pub fn answer(&self, ask: &Ask<'_>) -> Result<AnsweredAt<Result<Answer, Refused>>, NotNow> {
        self.look(|index, now| index.answer(ask, now))
    }

    /// How long ago everything was known; none before it was for the first time.
    pub fn age(&self) -> Option<Duration> {
        let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
        state.fresh.map(|fresh| fresh.seen.elapsed())
    }

    /// Why nothing could be answered now; nothing where it could.
    pub fn trouble(&self) -> Option<NotNow> {
        self.look(|_, _| ()).err()
    }

    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Index) -> T) -> T {
        let mut state = self.0.state.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut state.index)
    }

    /// Knows nothing any more, so that nothing is answered until all is read anew.
    pub(crate) fn forget(&self) {
        let mut state = self.0.state.write().unwrap_or_else(PoisonError::into_inner);
        state.index = Index::new(&state.index.catalog_shared());
        state.fresh = None;
    }

    pub(crate) fn refresh(&self, fresh: Fresh) {
        let mut state = self.0.state.write().unwrap_or_else(PoisonError::into_inner);
        state.fresh = Some(fresh);
    }

    pub(crate) fn fresh_now(&self) -> Fresh {
        Fresh { as_of: Timestamp::from(self.0.clock.now()), seen: Instant::now() }
    }
}
