use std::collections::VecDeque;
use std::time::Duration;

use stallkeeper_lifecycle::Timestamp;

/// The shares of its time, in percent, at which something is warned of.
const SHARES: [u32; 2] = [75, 50];

/// How many warnings are remembered: those that are forgotten were of things long over.
const REMEMBERED_MAX: usize = 64;

/// What has an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// A frozen record's time.
    Record,
    /// A final-usage window.
    Window,
}

/// Something that has used up a share of its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) item: Item,
    pub(crate) until: Timestamp,
    pub(crate) percent: u32,
    pub(crate) left: Duration,
}

/// What was warned of.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    told: VecDeque<(Item, Timestamp, u32)>,
}

impl Deadlines {
    /// The highest share that something has used up since it began, where that was not told before.
    pub(crate) fn look(
        &mut self,
        item: Item,
        from: Timestamp,
        until: Timestamp,
        now: Timestamp,
    ) -> Option<Used> {
        let (whole, gone) = (until.since(from).as_micros(), now.since(from).as_micros());
        let percent = SHARES.into_iter().find(|share| gone * 100 >= whole * u128::from(*share))?;
        let is_told = |told: &(Item, Timestamp, u32)| told.0 == item && told.1 == until && told.2 >= percent;
        if self.told.iter().any(is_told) {
            return None;
        }
        if self.told.len() >= REMEMBERED_MAX {
            self.told.pop_front();
        }
        self.told.push_back((item, until, percent));
        Some(Used { item, until, percent, left: until.since(now) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_micros(secs * 1_000_000)
    }

    #[test]
    fn half_and_three_quarters_of_the_time_are_told_once_each() {
        let mut deadlines = Deadlines::default();
        let mut told = Vec::new();
        for now in [0, 1_799, 1_800, 1_801, 2_699, 2_700, 3_000, 4_000] {
            let used = deadlines.look(Item::Window, at(0), at(3_600), at(now));
            told.extend(used.map(|used| (now, used.percent, used.left.as_secs())));
        }
        assert_eq!(told, [(1_800, 50, 1_800), (2_700, 75, 900)]);
    }

    #[test]
    fn what_is_first_seen_late_is_told_once_with_its_highest_share() {
        let mut deadlines = Deadlines::default();
        assert_eq!(deadlines.look(Item::Record, at(0), at(100), at(90)).map(|used| used.percent), Some(75));
        assert_eq!(deadlines.look(Item::Record, at(0), at(100), at(91)), None);
    }

    #[test]
    fn each_window_is_told_of_by_itself_and_a_record_is_another_thing() {
        let mut deadlines = Deadlines::default();
        assert!(deadlines.look(Item::Window, at(0), at(100), at(60)).is_some());
        assert!(deadlines.look(Item::Window, at(0), at(101), at(60)).is_some());
        assert!(deadlines.look(Item::Record, at(0), at(100), at(60)).is_some());
        assert!(deadlines.look(Item::Window, at(0), at(100), at(61)).is_none(), "seen again between others");
    }
}
