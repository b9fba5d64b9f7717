use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};

/// All jumps of the clock together stay below it, and so do all stretches: facts are kept apart for 15 days.
const MOVED_MAX: Duration = Duration::from_hours(4 * 24);
const MOVE_MAX: Duration = Duration::from_hours(8);
const MOVE_MIN_SECS: u64 = 120;

/// How much a run takes, and how much goes wrong in it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The fewest notifications that are published.
    pub notifications: u64,
    /// How often a worker is killed, each time with messages in its hands.
    pub kills: usize,
    /// How often Postgres is stopped and started.
    pub restarts: usize,
    /// How many workers share the queue and the database.
    pub workers: usize,
    /// The seed of the buyers, of the order of events and of what each event does.
    pub seed: u64,
}

/// Something that goes wrong, or changes, while workers work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A worker ends without a last word.
    Kill,
    /// A worker is told to stop, and another one starts.
    Relieve,
    /// Postgres stops for a moment: it ends its connections properly, or leaves a crash to recover from.
    Restart(Stop),
    /// Postgres ends all connections of all workers.
    Disconnect,
    /// The marketplace's clock jumps ahead, and with it the workers'.
    Jump(Duration),
    /// A crowd acts over hours, through which the clock moves with it.
    Stretch(Duration),
    /// Other faults than before, on the way into the queue and at each call to it.
    Weather,
}

/// How Postgres stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Fast,
    Immediate,
}

impl Plan {
    /// All that happens, in an order by chance.
    pub(super) fn events(&self, rng: &mut Rng) -> Vec<Event> {
        let some = |part: usize| (self.kills / part).max(1);
        let stop = |number| {
            if number % 2 == 0 { Event::Restart(Stop::Immediate) } else { Event::Restart(Stop::Fast) }
        };
        let mut events: Vec<Event> = (0..self.restarts).map(stop).collect();
        events.extend(moves(some(5), rng).into_iter().map(Event::Jump));
        events.extend(moves(some(10), rng).into_iter().map(Event::Stretch));
        for (event, count) in [
            (Event::Kill, self.kills),
            (Event::Relieve, some(10)),
            (Event::Disconnect, some(5)),
            (Event::Weather, some(3)),
        ] {
            events.extend(std::iter::repeat_n(event, count));
        }
        rng.shuffle(&mut events);
        events
    }
}

/// Minutes to hours each; all together stay below the limit.
fn moves(count: usize, rng: &mut Rng) -> Vec<Duration> {
    let share = MOVED_MAX / u32::try_from(count).unwrap_or(u32::MAX).max(1);
    let most = share.min(MOVE_MAX).as_secs().max(MOVE_MIN_SECS);
    // Of two draws the shorter: many end in the hour in which somebody leaves.
    let draw = |_| rng.u64(MOVE_MIN_SECS..=most).min(rng.u64(MOVE_MIN_SECS..=most));
    (0..count).map(draw).map(Duration::from_secs).collect()
}

/// Faults by chance, as the simulator takes them; a few of a hundred of each kind at the most.
pub(super) fn weather(rng: &mut Rng) -> Value {
    let mut up_to = |most: f64| rng.f64() * most;
    json!({
        "duplicate": up_to(0.08),
        "reorder": up_to(0.1),
        "error": up_to(0.04),
        "throttle": up_to(0.04),
        "drop_answer": up_to(0.04),
        "delay_max_ms": rng.u64(100..=2_000),
        "lose": { "unsubscribe-success": 0.05 },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan { notifications: 50_000, kills: 100, restarts: 5, workers: 3, seed: 1 };

    #[test]
    fn the_same_seed_gives_the_same_events() {
        let events = |seed| PLAN.events(&mut Rng::with_seed(seed));
        assert_eq!(events(7), events(7));
        assert_ne!(events(7), events(8));
    }

    #[test]
    fn every_kill_and_restart_is_in_and_restarts_are_of_both_kinds() {
        let events = PLAN.events(&mut Rng::with_seed(1));
        let count = |wanted: &Event| events.iter().filter(|event| *event == wanted).count();
        assert_eq!(count(&Event::Kill), 100);
        assert_eq!(count(&Event::Restart(Stop::Immediate)) + count(&Event::Restart(Stop::Fast)), 5);
        assert_eq!(count(&Event::Restart(Stop::Fast)), 2);
    }

    #[test]
    fn all_moves_of_the_clock_stay_within_what_facts_are_kept_for() {
        for (seed, count) in [(1, 1), (2, 20), (3, 400)] {
            let moved: Duration = moves(count, &mut Rng::with_seed(seed)).iter().sum();
            assert!(moved <= MOVED_MAX, "{count} moves: {moved:?}");
        }
    }
}
