use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The share by which calls are slower than the quota, as they do not arrive as evenly as they leave.
const ROOM: f64 = 1.02;

/// Spreads calls evenly over run time, so that a quota is never passed.
#[derive(Debug)]
pub struct Pacer {
    pace: Option<Pace>,
}

#[derive(Debug)]
struct Pace {
    interval: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pacer {
    /// At most so many calls a second, without bursts.
    pub fn of_quota(calls_per_sec: u32) -> Self {
        let interval = Duration::from_secs(1).mul_f64(ROOM) / calls_per_sec.max(1);
        Self { pace: Some(Pace { interval, next: Mutex::new(None) }) }
    }

    /// As fast as calls come: for drivers whose time is not the runtime's.
    pub fn off() -> Self {
        Self { pace: None }
    }

    /// Waits for a call's turn, in the order of asking.
    pub async fn turn(&self) {
        if let Some(pace) = &self.pace {
            let turn = pace.take();
            sleep_until(turn).await;
        }
    }
}

impl Pace {
    fn take(&self) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let turn = next.map_or(now, |next| next.max(now));
        *next = Some(turn + self.interval);
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_leave_no_faster_than_the_quota_also_after_a_rest() {
        let pacer = Pacer::of_quota(10);
        tokio::time::sleep(Duration::from_mins(1)).await;
        let started = Instant::now();
        let mut turns = Vec::new();
        for _ in 0..=100 {
            pacer.turn().await;
            turns.push(started.elapsed());
        }
        assert!(turns.windows(11).all(|ten| ten[10] >= ten[0] + Duration::from_secs(1)), "{turns:?}");
        assert!(turns[100] <= Duration::from_millis(10_500), "within 1.05 of the quota: {:?}", turns[100]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pacer_that_is_off_never_waits() {
        let started = Instant::now();
        let pacer = Pacer::off();
        for _ in 0..100 {
            pacer.turn().await;
        }
        assert_eq!(started.elapsed(), Duration::ZERO);
    }
}
