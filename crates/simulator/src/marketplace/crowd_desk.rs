use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use time::OffsetDateTime;
use tokio::sync::watch;

use crate::marketplace::crowd::{CrowdError, CrowdProgress};
use crate::marketplace::entry::{Entry, Standing};
use crate::marketplace::notice::Notice;

/// Counts what a crowd makes.
#[derive(Debug, Default)]
pub(crate) struct CrowdDesk {
    state: Mutex<State>,
    progress: watch::Sender<Option<CrowdProgress>>,
}

#[derive(Debug, Default)]
struct State {
    /// Crowds are numbered from 1.
    run: u32,
    planned: u64,
    published: u64,
    running: bool,
    /// The hours that end before the crowd does, by subscription: each will make one notification.
    awaited: HashMap<Arc<str>, OffsetDateTime>,
}

impl CrowdDesk {
    /// Opens the desk for a crowd, and answers its number.
    pub(crate) fn open(&self, planned: u64) -> Result<u32, CrowdError> {
        let mut state = self.state();
        if state.running {
            let (planned, published) = (state.planned, state.published);
            return Err(CrowdError::Running { planned, published });
        }
        *state = State { run: state.run + 1, planned, running: true, ..State::default() };
        self.show(&state);
        Ok(state.run)
    }

    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.running = false;
        self.show(&state);
    }

    /// Counts what was published, if it is about the crowd that runs.
    pub(crate) fn count(&self, notice: &Notice) {
        let Some(crowd) = notice.crowd else { return };
        let mut state = self.state();
        if state.running && state.run == crowd {
            state.published += 1;
            if state.awaited.get(&notice.subscription).is_some_and(|deadline| *deadline <= notice.at) {
                state.awaited.remove(&notice.subscription);
            }
            self.show(&state);
        }
    }

    /// Notes whether an hour is running that ends before the crowd does.
    pub(crate) fn await_end(&self, entry: &Entry, until: Option<OffsetDateTime>) {
        let mut state = self.state();
        match (entry.standing, until) {
            (Standing::Ending { deadline }, Some(until)) if deadline <= until => {
                state.awaited.insert(Arc::clone(&entry.id), deadline);
            }
            _ => {
                state.awaited.remove(&entry.id);
            }
        }
    }

    /// How many notifications were published, and how many more may be made by acts.
    pub(crate) fn budget(&self) -> (u64, u64) {
        let state = self.state();
        let spoken_for = state.published + state.awaited.len() as u64;
        (state.published, state.planned.saturating_sub(spoken_for))
    }

    /// How far it is; none before the first crowd.
    pub(crate) fn progress(&self) -> watch::Receiver<Option<CrowdProgress>> {
        self.progress.subscribe()
    }

    fn show(&self, state: &State) {
        let progress =
            CrowdProgress { planned: state.planned, published: state.published, done: !state.running };
        self.progress.send_replace(Some(progress));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
