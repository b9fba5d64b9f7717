use std::collections::{BTreeMap, BTreeSet};
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
///
/// Several may share a name, as long as each asks one question at a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Followers {
    known: Arc<Mutex<Known>>,
    changed: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Known {
    /// By the number of their latest question.
    followers: BTreeMap<u64, Follower>,
    questions: u64,
}

#[derive(Debug)]
struct Follower {
    name: String,
    /// The latest move that they said they know of.
    moves: u64,
    /// Whether their question waits for an answer.
    is_asking: bool,
    asked_at: Instant,
}

/// A question that waits for its answer.
#[derive(Debug)]
pub(crate) struct Question {
    followers: Followers,
    number: u64,
}

impl Followers {
    /// Notes that somebody asks, and what they know; they count as present while the question stands and a
    /// while after.
    pub(crate) fn ask(&self, name: &str, moves: u64) -> Question {
        let number = self.known().ask(name, moves);
        self.changed.notify_waiters();
        Question { followers: self.clone(), number }
    }

    /// Waits until everybody present knows of so many moves, or too long; answers the names of those who did
    /// not come back in time.
    pub(crate) async fn confirm(&self, moves: u64) -> Vec<String> {
        let deadline = Instant::now() + CONFIRM_WITHIN;
        self.known().forget(Duration::ZERO);
        loop {
            let changed = self.changed.notified();
            let Some(recheck) = self.known().behind(moves) else { break };
            let until = deadline.min(recheck);
            if tokio::time::timeout_at(until, changed).await.is_err() && until == deadline {
                break;
            }
        }
        let unconfirmed = self.known().unconfirmed(moves);
        if !unconfirmed.is_empty() {
            tracing::warn!(
                moves,
                ?unconfirmed,
                "somebody who follows the clock did not confirm its move in time"
            );
        }
        unconfirmed
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Notes a question, and answers its number.
    fn ask(&mut self, name: &str, moves: u64) -> u64 {
        // Whoever stays away during a move is remembered until it is answered.
        self.forget(CONFIRM_WITHIN);
        if let Some(before) = self.before(name, moves) {
            self.followers.remove(&before);
        }
        self.questions += 1;
        if self.followers.len() < FOLLOWERS_MAX {
            let follower =
                Follower { name: name.to_owned(), moves, is_asking: true, asked_at: Instant::now() };
            self.followers.insert(self.questions, follower);
        }
        self.questions
    }

    /// The answered question that somebody comes back from: of that name, and of those the last that asked for
    /// less, so that whoever is further behind is still waited for.
    fn before(&self, name: &str, moves: u64) -> Option<u64> {
        let answered = self.followers.iter().filter(|(_, one)| one.name == name && !one.is_asking);
        answered.max_by_key(|(_, one)| (one.moves <= moves, one.moves)).map(|(number, _)| *number)
    }

    /// Forgets those who have been absent for longer than this.
    fn forget(&mut self, absent_for: Duration) {
        let now = Instant::now();
        self.followers.retain(|_, one| one.is_asking || now < one.absent_at() + absent_for);
    }

    /// When somebody who is behind counts as absent at the earliest; none where nobody is behind.
    fn behind(&self, moves: u64) -> Option<Instant> {
        let now = Instant::now();
        let behind = self.followers.values().filter(|one| one.moves < moves);
        behind
            .map(|one| if one.is_asking { now + CONFIRM_WITHIN } else { one.absent_at() })
            .filter(|absent_at| now < *absent_at)
            .min()
    }

    fn unconfirmed(&self, moves: u64) -> Vec<String> {
        let behind = self.followers.values().filter(|one| one.moves < moves);
        let names: BTreeSet<&String> = behind.map(|one| &one.name).collect();
        names.into_iter().cloned().collect()
    }
}

impl Follower {
    fn absent_at(&self) -> Instant {
        self.asked_at + ABSENT_AFTER
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        if let Some(follower) = self.followers.known().followers.get_mut(&self.number) {
            follower.is_asking = false;
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
    async fn whoever_did_not_come_back_in_time_is_named() {
        let followers = Followers::default();
        let _stuck = followers.ask("stuck", 0);
        drop(followers.ask("gone", 0));
        let _knows = followers.ask("worker", 1);
        assert_eq!(followers.confirm(1).await, ["gone", "stuck"]);
        assert_eq!(followers.confirm(2).await, ["stuck", "worker"]);
    }

    #[tokio::test(start_paused = true)]
    async fn two_of_one_name_are_both_waited_for() {
        let followers = Followers::default();
        let (one, other) = (followers.ask("1", 0), followers.ask("1", 0));
        let come_back = async {
            drop((one, other));
            tokio::time::sleep(Duration::from_millis(100)).await;
            let one = followers.ask("1", 1);
            tokio::time::sleep(Duration::from_millis(600)).await;
            let other = followers.ask("1", 1);
            tokio::time::sleep(Duration::from_secs(10)).await;
            drop((one, other));
        };
        let (took, ()) = tokio::join!(confirms_within(&followers, 1), come_back);
        assert_eq!(took, Duration::from_millis(700));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_knows_does_not_stand_for_another_of_that_name() {
        let followers = Followers::default();
        let _behind = followers.ask("1", 0);
        drop(followers.ask("1", 1));
        let _knows = followers.ask("1", 1);
        assert_eq!(followers.confirm(1).await, ["1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_never_comes_back_holds_a_move_up_no_longer_than_the_limit() {
        let followers = Followers::default();
        let _stuck = followers.ask("worker", 0);
        assert_eq!(confirms_within(&followers, 1).await, CONFIRM_WITHIN);
    }
}
