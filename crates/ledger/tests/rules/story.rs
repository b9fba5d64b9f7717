//! A subscription's story, told to the rules, the marketplace in memory and the oracle at once.

use std::collections::BTreeMap;
use std::time::Duration;

use stallkeeper_ledger::{Decision, EventState, LateUsage, Phase, Profile, Scale, ZeroRecords, soft_cut};
use stallkeeper_lifecycle::{Standing, Timestamp};

use crate::desk::{Desk, ended, ending, subscribed, terms, time, with_sources};
use crate::market::{Luck, Market, sendable};
use crate::oracle::{Fate, Late, Oracle, Stage, newest};

pub(crate) const NAMES: [&str; 3] = ["requests", "seats", "storage"];

#[derive(Clone, Debug)]
pub(crate) enum Deed {
    Use { dimension: usize, units: u64, hundredths: u64, back_secs: i64 },
    Wait { secs: i64 },
    Complete { all: bool, back_secs: i64 },
    Subscribe { back_secs: i64 },
    Pend { back_secs: i64 },
    Leave { back_secs: i64 },
    Fail { back_secs: i64 },
    StartEarlier { secs: i64 },
    Look,
    Send { luck: Vec<Luck> },
    Deliver,
    Decide { carries: bool },
    Rescale { places: u8 },
    Margin { minutes: u64 },
}

/// Who does what is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worker {
    /// It looks when it is told to.
    Lazy,
    /// It does everything when it is due, but for sending.
    Prompt,
    /// It sends at once, too, and everything is taken.
    Faultless,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) profile: Profile,
    pub(crate) late: Late,
    pub(crate) zero_records: ZeroRecords,
    pub(crate) has_sources: bool,
    pub(crate) worker: Worker,
    pub(crate) begins: &'static str,
}

pub(crate) struct Story {
    kind: Kind,
    pub(crate) desk: Desk,
    pub(crate) market: Market,
    oracle: Oracle,
    /// The time of the marketplace's newest word.
    word: Timestamp,
    started: Timestamp,
    /// By period: the earliest word on its beginning.
    pub(crate) starts: BTreeMap<u32, Timestamp>,
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap()
}

fn secs(secs: i64) -> Duration {
    Duration::from_secs(secs.unsigned_abs())
}

impl Story {
    pub(crate) fn new(kind: Kind) -> Self {
        let late_usage = match kind.late {
            Late::Hold => LateUsage::Hold,
            Late::Carry => LateUsage::CarryForward,
            Late::Refuse => LateUsage::Refuse,
        };
        let profile = Profile { late_usage, ..kind.profile };
        let sources: &[&str] = if kind.has_sources { &["app"] } else { &[] };
        let terms = with_sources(
            stallkeeper_ledger::MeterTerms { profile, zero_records: kind.zero_records, ..terms() },
            sources,
        );
        let stamps_end = profile == (Profile { late_usage, ..Profile::AWS_CHINA });
        let (settle, age) = (micros(profile.settle_delay), micros(profile.age_limit));
        let now = time(kind.begins);
        Self {
            kind,
            desk: Desk::new(terms, now),
            market: Market::default(),
            oracle: Oracle::new(settle, age, stamps_end, kind.late),
            word: now.minus(secs(100_000)),
            started: now,
            starts: BTreeMap::new(),
        }
    }

    pub(crate) fn does(&mut self, deed: &Deed) {
        match deed {
            Deed::Use { dimension, units, hundredths, back_secs } => {
                let quantity = match dimension {
                    2 => format!("{units}.{hundredths:02}"),
                    _ => units.to_string(),
                };
                self.uses(NAMES[*dimension], &quantity, *back_secs);
            }
            Deed::Wait { secs: wait } => self.waits(self.desk.now.plus(secs(*wait))),
            Deed::Complete { all, back_secs } if self.kind.has_sources => self.complete(*all, *back_secs),
            Deed::Subscribe { back_secs } => self.subscribes(*back_secs),
            Deed::Pend { back_secs } => self.pends(*back_secs),
            Deed::Leave { back_secs } => self.leaves(*back_secs),
            Deed::Fail { back_secs } => self.fails(*back_secs),
            Deed::StartEarlier { secs: earlier } => self.starts_earlier(*earlier),
            Deed::Look => self.looks(),
            Deed::Send { luck } => self.sends(luck),
            Deed::Deliver => self.market.deliver(&mut self.desk),
            Deed::Decide { carries } => {
                let decision = if *carries { Decision::Carry } else { Decision::WriteOff };
                if !self.desk.events.is_empty() {
                    let _ = self.desk.decide(decision);
                }
            }
            Deed::Rescale { places } => {
                let storage = self.desk.terms.dimensions.get_mut(&"storage".parse().unwrap()).unwrap();
                storage.scale = Scale::new(2 + places).unwrap();
            }
            Deed::Margin { minutes } => self.desk.margin = Duration::from_mins(*minutes),
            Deed::Complete { .. } => {}
        }
        if self.kind.worker != Worker::Lazy {
            self.works();
        }
    }

    /// Whether a deed is nothing late and no fault: nobody uses anything while the buyer leaves.
    pub(crate) fn is_in_order(&self, deed: &Deed) -> bool {
        match deed {
            Deed::Use { .. } => self.oracle.stage == Stage::Running,
            // Final usage is there when the source says so; what was used since is not complete before.
            Deed::Complete { back_secs, .. } => *back_secs == 0 || self.oracle.stage == Stage::Running,
            _ => true,
        }
    }

    fn newest(&self) -> (BTreeMap<String, i64>, Option<i64>) {
        let records = self.desk.records.values();
        newest(
            records.map(|record| (record.key.dimension.as_str(), record.key.hour.number(), record.is_open())),
        )
    }

    fn uses(&mut self, dimension: &str, quantity: &str, back_secs: i64) {
        let back = secs(back_secs);
        let now = self.desk.now;
        let occurred = if back_secs < 0 { now.plus(back) } else { now.minus(back) };
        let frozen = self.newest().0.get(&format!("api-{dimension}")).copied();
        let expected = self.oracle.expects(occurred.as_micros(), now.as_micros(), frozen);
        let got = match self.desk.submit(&self.desk.submission(dimension, quantity, occurred)) {
            Err(_) => Fate::Refused,
            Ok(EventState::Held { .. }) => Fate::Held,
            Ok(EventState::Lost { .. }) => Fate::Lost,
            Ok(EventState::Counted { hour }) => Fate::Counted(hour.number()),
        };
        assert_eq!(got, expected, "{dimension} used at {occurred}, reported at {now}: {:?}", self.desk.meter);
    }

    fn waits(&mut self, until: Timestamp) {
        while self.kind.worker != Worker::Lazy {
            match self.due().filter(|due| *due < until) {
                Some(due) => self.desk.now = self.desk.now.max(due),
                None => break,
            }
            self.works();
        }
        self.desk.now = until;
    }

    /// When the next thing is due by time.
    fn due(&self) -> Option<Timestamp> {
        let now = self.desk.now;
        let meter = &self.desk.meter;
        let cut = meter.cut_by(now).map(|deadline| soft_cut(deadline, self.desk.margin));
        let lapse = meter.deadline();
        let frozen = self.desk.records.values().filter(|record| record.is_frozen());
        let expiry = frozen.filter_map(|record| record.expires_at).min();
        [self.desk.look_at, cut, lapse, expiry].into_iter().flatten().min()
    }

    /// Does what is due, as a worker that is awake.
    fn works(&mut self) {
        self.lapses();
        let mut looks = 0;
        while self.due().is_some_and(|due| due <= self.desk.now) {
            self.looks();
            looks += 1;
            assert!(looks <= 40, "it looks and looks at {}: {:?}", self.desk.now, self.desk.meter);
        }
        if self.kind.worker == Worker::Faultless {
            self.sends(&[Luck::Taken]);
        }
    }

    fn lapses(&mut self) {
        if let Phase::Ending { deadline, .. } = self.desk.meter.phase
            && deadline <= self.desk.now
        {
            self.over(deadline);
        }
    }

    fn over(&mut self, at: Timestamp) {
        self.oracle.stage = Stage::Over { at: at.as_micros() };
        self.desk.follow(&ended(self.started, at));
    }

    fn complete(&mut self, all: bool, back_secs: i64) {
        let through = self.desk.now.minus(secs(back_secs));
        let source: stallkeeper_ledger::SourceName = "app".parse().unwrap();
        if all {
            let known = self.desk.product.entry(source).or_insert(through);
            *known = through.max(*known);
        } else {
            self.desk.meter.hears(&source, through);
        }
        self.looks();
    }

    fn through(&self) -> Option<i64> {
        let source: stallkeeper_ledger::SourceName = "app".parse().unwrap();
        let (own, all) = (self.desk.meter.watermarks.get(&source), self.desk.product.get(&source));
        let through = own.max(all).map(|through| through.as_micros());
        through.filter(|_| self.kind.has_sources)
    }

    /// The time of a word, which comes after the one before.
    fn next_word(&mut self, back_secs: i64) -> Timestamp {
        let earliest = self.word.plus(Duration::from_micros(1));
        self.word = self.desk.now.minus(secs(back_secs)).max(earliest);
        self.word
    }

    fn subscribes(&mut self, back_secs: i64) {
        self.lapses();
        if self.oracle.stage != Stage::Running && self.word < self.desk.now {
            self.started = self.next_word(back_secs);
            self.oracle.begins(self.started.as_micros(), self.newest().1);
            self.starts.insert(self.oracle.periods, self.started);
            self.desk.follow(&subscribed(self.started));
        }
    }

    fn pends(&mut self, back_secs: i64) {
        if self.oracle.stage == Stage::Running && self.word < self.desk.now {
            let since = self.next_word(back_secs);
            let standing = ending(self.started, since).lapsed(self.desk.now);
            self.oracle.stage = match standing {
                Standing::Ending { deadline, .. } => Stage::Ending { deadline: deadline.as_micros() },
                Standing::Ended { at, .. } => Stage::Over { at: at.as_micros() },
                other => unreachable!("a window that has lapsed is {other:?}"),
            };
            self.desk.follow(&standing);
        }
    }

    fn leaves(&mut self, back_secs: i64) {
        let is_in = matches!(self.oracle.stage, Stage::Running | Stage::Ending { .. });
        if is_in && self.word < self.desk.now {
            let at = self.next_word(back_secs);
            self.over(at);
        }
    }

    fn fails(&mut self, back_secs: i64) {
        self.lapses();
        if matches!(self.oracle.stage, Stage::Waiting | Stage::Over { .. }) && self.word < self.desk.now {
            let at = self.next_word(back_secs);
            self.oracle.stage = Stage::Failed;
            self.desk.follow(&Standing::Failed { at });
        }
    }

    /// The period is known to have begun earlier.
    fn starts_earlier(&mut self, earlier: i64) {
        if self.oracle.stage == Stage::Running {
            self.started = self.started.minus(secs(earlier));
            self.oracle.start = self.started.as_micros();
            self.starts.insert(self.oracle.periods, self.started);
            self.desk.follow(&subscribed(self.started));
        }
    }

    fn looks(&mut self) {
        let now = self.desk.now;
        let held: Vec<_> = self.desk.events.values().filter(|event| event.state.word() == "held").collect();
        let is_all = held.len() <= 40;
        self.desk.look();
        let is_at_once = self.desk.look_at.is_some_and(|at| at <= now);
        assert!(!(is_at_once && is_all), "it asks to look again at {now}: {:?}", self.desk.meter);
        if !is_at_once {
            self.oracle.looks(now.as_micros(), self.through());
            self.a_second_look_changes_nothing();
        }
    }

    fn a_second_look_changes_nothing(&mut self) {
        let (meter, records, losses) =
            (self.desk.meter.clone(), self.desk.records.clone(), self.desk.losses.len());
        let change = self.desk.look();
        assert_eq!((change.events, change.losses), (vec![], vec![]));
        assert_eq!((&self.desk.meter, &self.desk.records), (&meter, &records));
        assert_eq!(self.desk.losses.len(), losses);
        let now = self.desk.now;
        let is_cut = |deadline| soft_cut(deadline, self.desk.margin) <= now;
        assert!(!meter.cut_by(now).is_some_and(is_cut), "it is found for its window again: {meter:?}");
        let is_complete = |end: Timestamp| self.through().is_some_and(|through| end.as_micros() <= through);
        let closes = meter.closes_by_word(&self.desk.terms);
        assert!(!closes.is_some_and(is_complete), "it is found for its word again: {meter:?}");
    }

    fn sends(&mut self, luck: &[Luck]) {
        for (key, luck) in sendable(&self.desk, self.desk.now).iter().zip(luck.iter().cycle()) {
            self.market.send(&mut self.desk, key, *luck);
        }
    }

    /// Everything that is to come has come.
    pub(crate) fn comes_to_its_end(&mut self) {
        self.waits(self.desk.now.plus(secs(1)));
        if self.kind.worker == Worker::Faultless {
            self.pends(0);
            self.works();
        } else {
            self.leaves(0);
        }
        self.market.deliver(&mut self.desk);
        for days in [1, 2, 40] {
            self.waits(self.desk.now.plus(Duration::from_hours(24 * days)));
            self.lapses();
            self.looks();
            while self.desk.look_at.is_some_and(|at| at <= self.desk.now) {
                self.looks();
            }
        }
    }
}
