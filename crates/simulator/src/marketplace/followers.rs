use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// How long somebody counts as a follower who does not ask again.
const ABSENT_AFTER: Duration = Duration::from_secs(3);
/// How long a move waits at most for those who follow.
const CONFIRM_WITHIN: Duration = Duration::from_secs(5);
const FOLLOWERS_MAX: usize = 1_000;

/// Those whose own clocks follow the marketplace's: a move is done when each of them knows of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Followers {
    known: Arc<Mutex<BTreeMap<String, Follower>>>,
    changed: Arc<Notify>,
}

#[derive(Debug)]
struct Follower {
    /// The latest move that they said they know of.
    moves: u64,
    /// How many of their questions wait for an answer.
    asking: usize,
    asked_at: Instant,
}

/// A question that waits for its answer.
#[derive(Debug)]
pub(crate) struct Question {
    followers: Followers,
    name: String,
}

impl Followers {
    /// Notes that somebody asks, and what they know; they count as present while the question stands and a
    /// while after.
    pub(crate) fn ask(&self, name: &str, moves: u64) -> Question {
        let now = Instant::now();
        {
            let mut known = self.known();
            known.retain(|_, follower| follower.is_present(now));
            if known.len() < FOLLOWERS_MAX || known.contains_key(name) {
                let follower =
                    known.entry(name.to_owned()).or_insert(Follower { moves, asking: 0, asked_at: now });
                follower.moves = moves;
                follower.asking += 1;
                follower.asked_at = now;
            }
        }
        self.changed.notify_waiters();
        Question { followers: self.clone(), name: name.to_owned() }
    }

    /// Waits until everybody present knows of so many moves, or too long.
    pub(crate) async fn confirm(&self, moves: u64) {
        let deadline = Instant::now() + CONFIRM_WITHIN;
        loop {
            let changed = self.changed.notified();
            let Some(recheck) = self.behind(moves) else { return };
            let until = deadline.min(recheck);
            if tokio::time::timeout_at(until, changed).await.is_err() && until == deadline {
                tracing::warn!(moves, "somebody who follows the clock did not confirm its move in time");
                return;
            }
        }
    }

    /// When somebody who is behind counts as absent at the earliest; none where nobody is behind.
    fn behind(&self, moves: u64) -> Option<Instant> {
        let now = Instant::now();
        let known = self.known();
        let behind = known.values().filter(|follower| follower.moves < moves && follower.is_present(now));
        let absent_at = behind.map(|follower| match follower.asking {
            0 => follower.asked_at + ABSENT_AFTER,
            _ => now + CONFIRM_WITHIN,
        });
        absent_at.min()
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Follower>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Follower {
    fn is_present(&self, now: Instant) -> bool {
        self.asking > 0 || now.saturating_duration_since(self.asked_at) < ABSENT_AFTER
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        if let Some(follower) = self.followers.known().get_mut(&self.name) {
            follower.asking = follower.asking.saturating_sub(1);
            follower.asked_at = Instant::now();
        }
        self.followers.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn confirms_within(followers: &Followers, moves: u64) -> Duration {
        let start = Instant::now();
        followers.confirm(moves).await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_waited_for_where_nobody_follows() {
        assert_eq!(confirms_within(&Followers::default(), 1).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_knows_already_is_not_waited_for() {
        let followers = Followers::default();
        let _question = followers.ask("worker", 4);
        assert_eq!(confirms_within(&followers, 4).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_move_waits_for_the_one_who_is_told_and_comes_back() {
        let followers = Followers::default();
        let told = followers.ask("worker", 0);
        let comes_back = async {
            drop(told);
            tokio::time::sleep(Duration::from_millis(700)).await;
            let question = followers.ask("worker", 1);
            tokio::time::sleep(Duration::from_secs(10)).await;
            drop(question);
        };
        let (took, ()) = tokio::join!(confirms_within(&followers, 1), comes_back);
        assert_eq!(took, Duration::from_millis(700));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_stays_away_is_given_up_after_a_while() {
        let followers = Followers::default();
        drop(followers.ask("worker", 0));
        assert_eq!(confirms_within(&followers, 1).await, ABSENT_AFTER);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_never_comes_back_holds_a_move_up_no_longer_than_the_limit() {
        let followers = Followers::default();
        let _stuck = followers.ask("worker", 0);
        assert_eq!(confirms_within(&followers, 1).await, CONFIRM_WITHIN);
    }
}
