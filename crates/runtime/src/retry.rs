//! How long to wait before the next attempt.
//!
//! The only file that knows the crate `backoff`, and only as a policy for delays: the sleeping is done here,
//! where it can be cancelled.

use std::{ops::ControlFlow, time::Duration};

use backoff::{ExponentialBackoff, ExponentialBackoffBuilder, backoff::Backoff as _};
use tokio_util::sync::CancellationToken;

/// A delay is drawn from its middle value plus or minus this share.
const JITTER: f64 = 0.5;
const GROWTH: f64 = 2.0;

/// Growing delays with jitter, without end.
#[derive(Debug)]
pub struct Backoff {
    policy: ExponentialBackoff,
    cap: Duration,
}

impl Backoff {
    /// Delays that start around `initial`, double each time and never pass `cap`.
    pub fn new(initial: Duration, cap: Duration) -> Self {
        Self { policy: policy(initial, cap), cap }
    }

    /// The delay before the next attempt.
    pub fn next_delay(&mut self) -> Duration {
        // The policy has no maximal elapsed time, so it always answers; the cap is the safe reading if not.
        self.policy.next_backoff().unwrap_or(self.cap).min(self.cap)
    }

    /// Starts again from the initial delay, after a success.
    pub fn reset(&mut self) {
        self.policy.reset();
    }
}

/// The delay before a message that was received `receive_count` times is delivered again:
/// around `base` after the first receive, doubling with each, never above `cap`.
pub fn redelivery_delay(receive_count: u32, base: Duration, cap: Duration) -> Duration {
    let doublings = receive_count.saturating_sub(1).min(31);
    let middle = base.saturating_mul(1 << doublings);
    Backoff::new(middle, cap).next_delay()
}

/// Sleeps for `delay`; [`ControlFlow::Break`] means that `cancelled` came first.
pub async fn sleep_or_cancelled(cancelled: &CancellationToken, delay: Duration) -> ControlFlow<()> {
    tokio::select! {
        biased;
        () = cancelled.cancelled() => ControlFlow::Break(()),
        () = tokio::time::sleep(delay) => ControlFlow::Continue(()),
    }
}

fn policy(initial: Duration, cap: Duration) -> ExponentialBackoff {
    // The middle value stays low enough that the jitter above it still ends at the cap.
    let highest_middle = cap.div_f64(1.0 + JITTER);
    ExponentialBackoffBuilder::new()
        .with_initial_interval(initial.min(highest_middle))
        .with_max_interval(highest_middle)
        .with_multiplier(GROWTH)
        .with_randomization_factor(JITTER)
        .with_max_elapsed_time(None)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn delays_grow_and_never_pass_the_cap() {
        let mut backoff = Backoff::new(SECOND, MINUTE);
        let delays: Vec<_> = (0..200).map(|_| backoff.next_delay()).collect();
        assert!(delays[0] <= SECOND.mul_f64(1.5), "the first delay is about the initial one: {delays:?}");
        assert!(delays.iter().all(|delay| *delay <= MINUTE));
        assert!(delays.iter().skip(10).all(|delay| *delay >= Duration::from_secs(19)), "{delays:?}");
    }

    #[test]
    fn delays_differ_between_workers() {
        let capped = || redelivery_delay(30, SECOND, MINUTE);
        let drawn: std::collections::BTreeSet<_> = (0..20).map(|_| capped()).collect();
        assert!(drawn.len() > 1, "jitter is gone: {drawn:?}");
    }

    #[test]
    fn a_success_starts_over() {
        let mut backoff = Backoff::new(SECOND, MINUTE);
        for _ in 0..10 {
            backoff.next_delay();
        }
        backoff.reset();
        assert!(backoff.next_delay() <= SECOND.mul_f64(1.5));
    }

    #[test]
    fn redelivery_waits_longer_with_each_receive() {
        let hour = Duration::from_hours(1);
        for count in 1..8 {
            let middle = SECOND * 2_u32.pow(count - 1);
            let delay = redelivery_delay(count, SECOND, hour);
            assert!(delay >= middle.mul_f64(0.49) && delay <= middle.mul_f64(1.51), "{count}: {delay:?}");
        }
    }

    #[test]
    fn redelivery_is_bounded_for_every_count() {
        for count in [0, 1, 31, 32, 33, 1_000, u32::MAX] {
            assert!(redelivery_delay(count, SECOND, MINUTE) <= MINUTE);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_sleep_ends_at_once() {
        let token = CancellationToken::new();
        assert_eq!(sleep_or_cancelled(&token, SECOND).await, ControlFlow::Continue(()));
        token.cancel();
        let before = tokio::time::Instant::now();
        assert_eq!(sleep_or_cancelled(&token, MINUTE).await, ControlFlow::Break(()));
        assert_eq!(before.elapsed(), Duration::ZERO);
    }
}
