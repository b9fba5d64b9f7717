use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stallkeeper_runtime::hex;
use tokio::time::Instant;

use super::Operator;
use crate::tokens::{Digest, digest_of};

/// How long somebody stays signed in, whatever he does.
pub(super) const SESSION_LASTS: Duration = Duration::from_hours(10);

/// And without doing anything.
const IDLE_MAX: Duration = Duration::from_hours(2);

/// How many are signed in at once; who signs in beyond that signs the longest idle one out.
const SESSIONS_MAX: usize = 64;

/// How many attempts may fail in a while; then nobody can sign in until it is over.
const FAILURES_MAX: usize = 10;

/// The while.
const FAILURES_WITHIN: Duration = Duration::from_mins(1);

/// Who is signed in, in this process's memory only: a restart signs everybody out.
///
/// A session is found by the digest of the text in its cookie, so the memory holds nothing that anybody could send.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<Digest, Session>>);

struct Session {
    operator: Operator,
    began: Instant,
    seen: Instant,
}

impl Session {
    fn is_over(&self, now: Instant) -> bool {
        now - self.began >= SESSION_LASTS || now - self.seen >= IDLE_MAX
    }
}

impl Sessions {
    /// Signs somebody in; answers the text for his cookie.
    pub(super) fn open(&self, operator: Operator, random: &[u8; 32]) -> String {
        let (text, now) = (hex(random), Instant::now());
        let mut sessions = self.lock();
        sessions.retain(|_, session| !session.is_over(now));
        if sessions.len() >= SESSIONS_MAX {
            let idle = sessions.iter().min_by_key(|(_, session)| session.seen).map(|(digest, _)| *digest);
            idle.map(|digest| sessions.remove(&digest));
        }
        sessions.insert(digest_of(&text), Session { operator, began: now, seen: now });
        text
    }

    /// Who is signed in with this cookie.
    pub(super) fn find(&self, text: &str) -> Option<Operator> {
        let (digest, now) = (digest_of(text), Instant::now());
        let mut sessions = self.lock();
        let session = sessions.get_mut(&digest)?;
        if session.is_over(now) {
            sessions.remove(&digest);
            return None;
        }
        session.seen = now;
        Some(session.operator.clone())
    }

    /// Signs somebody out.
    pub(super) fn close(&self, text: &str) {
        self.lock().remove(&digest_of(text));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Failed attempts of late, whoever made them: the worker may stand behind a proxy that hides who calls.
#[derive(Default)]
pub(super) struct Failures(Mutex<VecDeque<Instant>>);

impl Failures {
    /// How long nobody can sign in, because too many attempts failed.
    pub(super) fn wait(&self) -> Option<Duration> {
        let now = Instant::now();
        let mut failures = self.lock();
        while failures.front().is_some_and(|at| now - *at >= FAILURES_WITHIN) {
            failures.pop_front();
        }
        if failures.len() < FAILURES_MAX {
            return None;
        }
        failures.front().map(|at| FAILURES_WITHIN.saturating_sub(now - *at))
    }

    /// One more failed.
    pub(super) fn note(&self) {
        let mut failures = self.lock();
        if failures.len() >= FAILURES_MAX {
            failures.pop_front();
        }
        failures.push_back(Instant::now());
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn mia() -> Operator {
        Operator::new("mia").unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_after_hours_or_without_use_or_at_sign_out() {
        let sessions = Sessions::default();
        let cookie = sessions.open(mia(), &[1; 32]);
        assert_eq!(sessions.find(&cookie), Some(mia()));
        assert_eq!(sessions.find("another"), None);
        for _ in 0..9 {
            advance(Duration::from_hours(1)).await;
            assert_eq!(sessions.find(&cookie), Some(mia()));
        }
        advance(Duration::from_hours(1)).await;
        assert_eq!(sessions.find(&cookie), None, "it lasts ten hours");
        let cookie = sessions.open(mia(), &[2; 32]);
        advance(IDLE_MAX).await;
        assert_eq!(sessions.find(&cookie), None, "nobody used it");
        let cookie = sessions.open(mia(), &[3; 32]);
        sessions.close(&cookie);
        assert_eq!(sessions.find(&cookie), None, "signed out");
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_are_bounded_and_the_longest_idle_one_goes() {
        let sessions = Sessions::default();
        let mut cookies = Vec::new();
        for number in 0..=SESSIONS_MAX {
            advance(Duration::from_secs(1)).await;
            cookies.push(sessions.open(mia(), &[u8::try_from(number).unwrap(); 32]));
        }
        assert_eq!(sessions.find(&cookies[0]), None);
        assert!(cookies[1..].iter().all(|cookie| sessions.find(cookie).is_some()));
    }

    #[tokio::test(start_paused = true)]
    async fn after_ten_failures_within_a_minute_nobody_signs_in_for_a_while() {
        let failures = Failures::default();
        for _ in 0..FAILURES_MAX {
            assert_eq!(failures.wait(), None);
            failures.note();
            advance(Duration::from_secs(1)).await;
        }
        assert_eq!(failures.wait(), Some(Duration::from_secs(50)));
        advance(Duration::from_secs(50)).await;
        assert_eq!(failures.wait(), None);
    }
}
