use std::collections::BTreeMap;
use std::time::Duration;

/// How many Regions are told apart.
const REGIONS_MAX: usize = 64;
/// What a Region that was not called for a while can spend at once: a second's worth of calls.
const FULL: Duration = Duration::from_secs(1);

/// How many calls a second one account may make in each Region. Time is the run's, not the marketplace's: moving
/// the marketplace's clock makes nobody's calls rarer.
#[derive(Clone, Debug)]
pub struct CallRate {
    per_sec: Option<u32>,
    credits: BTreeMap<String, Credit>,
}

#[derive(Clone, Copy, Debug)]
struct Credit {
    left: Duration,
    at: Duration,
}

impl CallRate {
    /// So many calls a second, and as many at once after a pause; no limit without a number.
    pub fn new(per_sec: Option<u32>) -> Self {
        Self { per_sec, credits: BTreeMap::new() }
    }

    /// Whether a call in a Region is taken at a time of the run (counted from any start); a call that is refused
    /// costs nothing.
    pub fn take(&mut self, region: &str, run_time: Duration) -> bool {
        let Some(per_sec) = self.per_sec else { return true };
        let Some(cost) = FULL.checked_div(per_sec) else { return false };
        if !self.credits.contains_key(region) && self.credits.len() >= REGIONS_MAX {
            // Whoever has all of it back is like a newcomer.
            self.credits.retain(|_, credit| credit.after(run_time) < FULL);
            if self.credits.len() >= REGIONS_MAX {
                return false;
            }
        }
        let fresh = Credit { left: FULL, at: run_time };
        let credit = self.credits.entry(region.to_owned()).or_insert(fresh);
        let left = credit.after(run_time).checked_sub(cost);
        if let Some(left) = left {
            *credit = Credit { left, at: run_time.max(credit.at) };
        }
        left.is_some()
    }
}

impl Credit {
    fn after(self, run_time: Duration) -> Duration {
        self.left.saturating_add(run_time.saturating_sub(self.at)).min(FULL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(rate: &mut CallRate, region: &str, at_millis: u64, calls: usize) -> usize {
        (0..calls).filter(|_| rate.take(region, Duration::from_millis(at_millis))).count()
    }

    #[test]
    fn a_second_s_worth_of_calls_is_taken_at_once() {
        assert_eq!(taken(&mut CallRate::new(Some(10)), "us-east-1", 0, 30), 10);
    }

    #[test]
    fn a_call_comes_back_every_tenth_of_a_second() {
        let mut rate = CallRate::new(Some(10));
        taken(&mut rate, "us-east-1", 0, 10);
        assert_eq!(taken(&mut rate, "us-east-1", 99, 10), 0);
        assert_eq!(taken(&mut rate, "us-east-1", 100, 10), 1);
        assert_eq!(taken(&mut rate, "us-east-1", 400, 10), 3);
    }

    #[test]
    fn a_pause_saves_up_no_more_than_a_second_s_worth() {
        let mut rate = CallRate::new(Some(10));
        taken(&mut rate, "us-east-1", 0, 10);
        assert_eq!(taken(&mut rate, "us-east-1", 60_000, 30), 10);
    }

    #[test]
    fn regions_do_not_share_a_quota() {
        let mut rate = CallRate::new(Some(10));
        assert_eq!(taken(&mut rate, "us-east-1", 0, 20), 10);
        assert_eq!(taken(&mut rate, "eu-west-1", 0, 20), 10);
    }

    #[test]
    fn without_a_number_every_call_is_taken() {
        assert_eq!(taken(&mut CallRate::new(None), "us-east-1", 0, 1000), 1000);
    }

    #[test]
    fn many_regions_are_forgotten_once_they_have_their_quota_back() {
        let mut rate = CallRate::new(Some(10));
        let call_all = |rate: &mut CallRate, at: u64, from: usize| {
            (from..from + 100).map(|number| taken(rate, &format!("r-{number}"), at, 1)).sum::<usize>()
        };
        assert_eq!(call_all(&mut rate, 0, 0), 64);
        assert_eq!(call_all(&mut rate, 1000, 100), 64);
    }
}
