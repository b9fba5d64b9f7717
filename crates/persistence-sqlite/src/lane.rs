use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stallkeeper_persistence::Work;
use tokio::sync::oneshot;

/// Who may write before whom, where several wait for the one connection that writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// What queues hold, and people who wait for an answer.
    Notifications,
    /// Stored work, which has deadlines.
    FinalWindows,
    /// Usage that the app reports.
    Usage,
    /// What can wait.
    Housekeeping,
}

const LANES: usize = 4;

impl From<Work> for Lane {
    fn from(work: Work) -> Self {
        match work {
            Work::Notifications => Self::Notifications,
            Work::FinalWindows => Self::FinalWindows,
            Work::Usage => Self::Usage,
            Work::Housekeeping => Self::Housekeeping,
        }
    }
}

/// A lock that goes to the first in the foremost lane.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lanes {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    taken: bool,
    waiting: [VecDeque<oneshot::Sender<Turn>>; LANES],
}

/// The right to write, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    /// `None` once it has gone to the next.
    lanes: Option<Lanes>,
}

impl Lanes {
    /// Waits for its turn; whoever stops waiting loses his place.
    pub(crate) async fn turn(&self, lane: Lane) -> Turn {
        let receiver = {
            let mut state = self.lock();
            if !state.taken {
                state.taken = true;
                return Turn { lanes: Some(self.clone()) };
            }
            let (sender, receiver) = oneshot::channel();
            if let Some(queue) = state.waiting.get_mut(lane as usize) {
                queue.push_back(sender);
            }
            receiver
        };
        match receiver.await {
            Ok(turn) => turn,
            // A sender is only dropped together with all lanes, and this one holds them.
            Err(_) => std::future::pending().await,
        }
    }

    /// Hands the turn to the first who still waits.
    fn pass_on(self) {
        let mut turn = Turn { lanes: Some(self.clone()) };
        let mut state = self.lock();
        while let Some(next) = state.waiting.iter_mut().find_map(VecDeque::pop_front) {
            match next.send(turn) {
                Ok(()) => return,
                Err(refused) => turn = refused,
            }
        }
        state.taken = false;
        turn.lanes = None;
    }

    /// Nothing panics while it is held, so a poisoned lock still holds a sound state.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(lanes) = self.lanes.take() {
            lanes.pass_on();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use stallkeeper_persistence::Work;

    use super::{Lane, Lanes, Turn};

    fn polled<F: Future<Output = Turn>>(waiting: std::pin::Pin<&mut F>) -> Option<Turn> {
        match waiting.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(turn) => Some(turn),
            Poll::Pending => None,
        }
    }

    #[test]
    fn the_foremost_work_is_served_before_what_came_earlier() {
        let lanes = Lanes::default();
        let first = polled(pin!(lanes.turn(Work::Housekeeping.into()))).unwrap();
        let mut housekeeping = pin!(lanes.turn(Work::Housekeeping.into()));
        let mut usage = pin!(lanes.turn(Work::Usage.into()));
        let mut window = pin!(lanes.turn(Work::FinalWindows.into()));
        let mut notification = pin!(lanes.turn(Work::Notifications.into()));
        assert!(polled(housekeeping.as_mut()).is_none());
        assert!(polled(usage.as_mut()).is_none());
        assert!(polled(window.as_mut()).is_none());
        assert!(polled(notification.as_mut()).is_none());

        drop(first);
        assert!(polled(housekeeping.as_mut()).is_none());
        assert!(polled(usage.as_mut()).is_none());
        assert!(polled(window.as_mut()).is_none());
        drop(polled(notification.as_mut()).unwrap());
        assert!(polled(housekeeping.as_mut()).is_none());
        assert!(polled(usage.as_mut()).is_none());
        drop(polled(window.as_mut()).unwrap());
        assert!(polled(housekeeping.as_mut()).is_none());
        drop(polled(usage.as_mut()).unwrap());
        assert!(polled(housekeeping.as_mut()).is_some());
    }

    #[test]
    fn within_a_lane_the_first_come_is_served_first() {
        let lanes = Lanes::default();
        let held = polled(pin!(lanes.turn(Lane::Notifications))).unwrap();
        let mut first = pin!(lanes.turn(Lane::Notifications));
        let mut second = pin!(lanes.turn(Lane::Notifications));
        assert!(polled(first.as_mut()).is_none());
        assert!(polled(second.as_mut()).is_none());
        drop(held);
        assert!(polled(second.as_mut()).is_none());
        drop(polled(first.as_mut()).unwrap());
        assert!(polled(second.as_mut()).is_some());
    }

    #[test]
    fn whoever_stops_waiting_holds_nobody_up() {
        let lanes = Lanes::default();
        let held = polled(pin!(lanes.turn(Lane::Notifications))).unwrap();
        let mut gone_before = Box::pin(lanes.turn(Lane::Notifications));
        let mut gone_after = Box::pin(lanes.turn(Lane::Notifications));
        let mut patient = pin!(lanes.turn(Lane::Housekeeping));
        assert!(polled(gone_before.as_mut()).is_none());
        assert!(polled(gone_after.as_mut()).is_none());
        assert!(polled(patient.as_mut()).is_none());

        drop(gone_before);
        drop(held);
        drop(gone_after);
        assert!(polled(patient.as_mut()).is_some());
    }
}
