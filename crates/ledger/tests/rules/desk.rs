//! One subscription's ledger, kept in memory and driven through the rules, one step after another.

use std::collections::BTreeMap;
use std::time::Duration;

use stallkeeper_ledger::{
    Aggregate, Answer, Answered, ApiDimension, Change, Decision, DecisionError, DimensionTerms, EventKey,
    EventState, Held, Hour, Loss, LossReason, MARGIN_MIN, Meter, MeterTerms, Outgoing, Profile, Record,
    RecordKey, RecordState, Refusal, Rest, Scale, Submission, Target, UsageEvent, Watermarks, ZeroRecords,
    answered, attempted, check, choose, close, decide_held, follow, next_look, take,
};
use stallkeeper_lifecycle::{
    End, Entry, FINAL_WINDOW, Period, Standing, SubscriptionKey, TenantId, Timestamp, Trial,
};

/// As many held events as one look decides on.
const HELD_MAX: usize = 40;

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn hour(text: &str) -> Hour {
    Hour::of(time(text))
}

pub(crate) fn minutes(minutes: u64) -> Duration {
    Duration::from_mins(minutes)
}

pub(crate) fn api(dimension: &str) -> ApiDimension {
    format!("api-{dimension}").parse().unwrap()
}

pub(crate) fn subscription() -> SubscriptionKey {
    "aws/code/customer/buyer-1".parse().unwrap()
}

pub(crate) fn tenant() -> TenantId {
    "tenant-1".parse().unwrap()
}

/// Requests (whole), seats (whole, the largest counts) and storage (two places); hours without usage are not
/// reported.
pub(crate) fn terms() -> MeterTerms {
    let dimension = |name: &str, places, aggregate| {
        let terms = DimensionTerms { api_name: api(name), scale: Scale::new(places).unwrap(), aggregate };
        (name.parse().unwrap(), terms)
    };
    MeterTerms {
        product: "product-1".parse().unwrap(),
        profile: Profile::AWS,
        region: "us-east-1".parse().unwrap(),
        dimensions: BTreeMap::from([
            dimension("requests", 0, Aggregate::Sum),
            dimension("seats", 0, Aggregate::Max),
            dimension("storage", 2, Aggregate::Sum),
        ]),
        sources: std::collections::BTreeSet::new(),
        zero_records: ZeroRecords::Skip,
        meter_from: None,
    }
}

pub(crate) fn with_sources(terms: MeterTerms, sources: &[&str]) -> MeterTerms {
    MeterTerms { sources: sources.iter().map(|source| source.parse().unwrap()).collect(), ..terms }
}

pub(crate) fn period(started_at: Option<Timestamp>) -> Period {
    Period {
        number: 1,
        started_at,
        entry: Entry::New,
        offer: None,
        trial: Trial::Unknown,
        plan: None,
        expires_at: None,
    }
}

pub(crate) fn subscribed(started_at: Timestamp) -> Standing {
    Standing::Subscribed(period(Some(started_at)))
}

pub(crate) fn ending(started_at: Timestamp, since: Timestamp) -> Standing {
    let deadline = since.plus(FINAL_WINDOW);
    Standing::Ending { period: period(Some(started_at)), since, deadline, attempts_until: deadline }
}

pub(crate) fn ended(started_at: Timestamp, at: Timestamp) -> Standing {
    Standing::Ended { at, end: End::Said, period: Some(period(Some(started_at))), attempts_until: None }
}

/// What the ledger holds of one subscription.
pub(crate) struct Desk {
    pub(crate) terms: MeterTerms,
    pub(crate) now: Timestamp,
    pub(crate) margin: Duration,
    pub(crate) meter: Meter,
    pub(crate) records: BTreeMap<RecordKey, Record>,
    pub(crate) events: BTreeMap<EventKey, UsageEvent>,
    pub(crate) losses: Vec<Loss>,
    pub(crate) product: Watermarks,
    pub(crate) look_at: Option<Timestamp>,
    attempts: i64,
}

impl Desk {
    /// A tenant is bound; nothing was heard of the marketplace.
    pub(crate) fn new(terms: MeterTerms, now: Timestamp) -> Self {
        let meter =
            follow(None, &subscription(), &Standing::None, None, Some(&tenant()), &terms, now).unwrap();
        Self {
            terms,
            now,
            margin: MARGIN_MIN,
            meter,
            records: BTreeMap::new(),
            events: BTreeMap::new(),
            losses: Vec::new(),
            product: Watermarks::new(),
            look_at: None,
            attempts: 0,
        }
    }

    /// Subscribed at that time, which it is.
    pub(crate) fn subscribed(terms: MeterTerms, now: &str) -> Self {
        let mut desk = Self::new(terms, time(now));
        desk.hear(&subscribed(time(now)));
        desk
    }

    pub(crate) fn at(&mut self, now: &str) -> &mut Self {
        self.now = time(now);
        self
    }

    /// The marketplace's word, and the look that follows.
    pub(crate) fn hear(&mut self, standing: &Standing) -> Change {
        self.follow(standing);
        self.look()
    }

    /// The marketplace's word, and no look.
    pub(crate) fn follow(&mut self, standing: &Standing) {
        let (key, tenant) = (subscription(), tenant());
        let after = follow(Some(&self.meter), &key, standing, None, Some(&tenant), &self.terms, self.now);
        self.meter = after.unwrap_or_else(|| self.meter.clone());
        self.look_at = next_look(&self.meter, &self.terms, self.now);
    }

    pub(crate) fn submission(&self, dimension: &str, quantity: &str, occurred_at: Timestamp) -> Submission {
        Submission {
            id: format!("event-{}", self.events.len()).parse().unwrap(),
            tenant: tenant(),
            product: self.terms.product.clone(),
            dimension: dimension.parse().unwrap(),
            quantity: quantity.to_owned(),
            occurred_at,
            user: None,
            tags: BTreeMap::new(),
            subscription: None,
        }
    }

    pub(crate) fn uses(&mut self, dimension: &str, quantity: &str, at: &str) -> Result<EventState, Refusal> {
        self.submit(&self.submission(dimension, quantity, time(at)))
    }

    pub(crate) fn submit(&mut self, submission: &Submission) -> Result<EventState, Refusal> {
        let meter = self.meter.clone();
        let target = choose(submission, &[Target { meter: &meter, terms: &self.terms }])?;
        let mut event = check(submission, target, self.now)?;
        // As the store does: only open records are at hand.
        let records = std::mem::take(&mut self.records).into_iter();
        let (mut open, rest): (BTreeMap<_, _>, BTreeMap<_, _>) =
            records.partition(|(_, record)| record.is_open());
        self.records = rest;
        self.losses.extend(take(&mut event, &mut self.meter, &self.terms, &mut open, self.now));
        for record in open.into_values() {
            self.put(record);
        }
        let state = event.state;
        self.events.insert(event.key.clone(), event);
        self.look_at = next_look(&self.meter, &self.terms, self.now);
        Ok(state)
    }

    /// Writes a record where the rules may write one.
    fn put(&mut self, record: Record) {
        if let Some(before) = self.records.get(&record.key) {
            assert!(before.is_open() || before.period == record.period, "two periods share {}", record.key);
            assert!(before.is_open() || !record.is_open(), "{} was frozen and is open again", record.key);
            assert!(
                before.report.is_none() || before.report == record.report,
                "{} was frozen and says something else",
                record.key
            );
        }
        self.records.insert(record.key.clone(), record);
    }

    fn held(&self) -> Held {
        let until = |event: &UsageEvent| match event.state {
            EventState::Held { until, .. } => Some(until),
            _ => None,
        };
        let mut held: Vec<UsageEvent> =
            self.events.values().filter(|event| until(event).is_some()).cloned().collect();
        held.sort_by_key(until);
        let rest = if held.len() > HELD_MAX { Rest::More } else { Rest::None };
        held.truncate(HELD_MAX);
        Held { events: held, rest }
    }

    pub(crate) fn look(&mut self) -> Change {
        let is_live = |record: &&Record| record.is_open() || record.is_frozen();
        let live = self.records.values().filter(is_live).cloned().collect();
        let change = close(&self.meter, live, self.held(), &self.terms, &self.product, self.now, self.margin);
        self.apply(change.clone());
        change
    }

    fn apply(&mut self, change: Change) {
        self.meter = change.meter;
        for record in change.records {
            self.put(record);
        }
        for event in change.events {
            self.events.insert(event.key.clone(), event);
        }
        self.losses.extend(change.losses);
        self.look_at = change.look_at;
    }

    /// An operator's decision on the newest held event.
    pub(crate) fn decide(&mut self, decision: Decision) -> Result<(), DecisionError> {
        let held = self.events.values().rfind(|event| matches!(event.state, EventState::Held { .. }));
        let event = held.or(self.events.values().last()).unwrap();
        let open = self.records.values().filter(|record| record.is_open()).cloned().collect();
        let change = decide_held(event, decision, &self.meter, open, &self.terms, self.now)?;
        self.apply(change);
        Ok(())
    }

    /// A source's word for this tenant, and the look that follows.
    pub(crate) fn complete(&mut self, source: &str, through: &str) -> Change {
        self.meter.hears(&source.parse().unwrap(), time(through));
        self.look()
    }

    /// A source's word for the whole product, and the look that follows.
    pub(crate) fn all_complete(&mut self, source: &str, through: &str) -> Change {
        self.product.insert(source.parse().unwrap(), time(through));
        self.look()
    }

    /// Notes an attempt of a record.
    pub(crate) fn attempts(&mut self, key: &RecordKey) -> i64 {
        self.attempts += 1;
        attempted(self.records.get_mut(key).unwrap(), self.attempts, self.now);
        self.attempts
    }

    pub(crate) fn answers(&mut self, key: &RecordKey, attempt: i64, answer: Answer) -> Answered {
        let answered = answered(self.records.get_mut(key).unwrap(), attempt, answer, self.now);
        if let Answered::Lost(loss) = &answered {
            self.losses.push((**loss).clone());
        }
        if answered == Answered::Recovered {
            let of_record = |loss: &Loss| {
                let ends = [
                    LossReason::Conflict,
                    LossReason::Rejected,
                    LossReason::Expired,
                    LossReason::NotSubscribed,
                ];
                let is_of = loss.hour == key.hour && loss.dimension == key.dimension && loss.event.is_none();
                is_of && ends.contains(&loss.reason)
            };
            self.losses.retain(|loss| !of_record(loss));
        }
        answered
    }

    /// Sends every frozen record, and the marketplace takes it.
    pub(crate) fn settle(&mut self) {
        let frozen = self.records.values().filter(|record| record.is_frozen());
        let keys: Vec<RecordKey> = frozen.map(|record| record.key.clone()).collect();
        for key in keys {
            let attempt = self.attempts(&key);
            self.answers(&key, attempt, Answer::Accepted { record_id: format!("id-{attempt}") });
        }
    }

    pub(crate) fn outgoing(&self) -> Vec<Outgoing> {
        (1..).zip(self.records.values()).filter_map(|(number, record)| Outgoing::of(number, record)).collect()
    }

    pub(crate) fn key(&self, dimension: &str, in_hour: &str) -> RecordKey {
        RecordKey {
            subscription: subscription(),
            hour: hour(in_hour),
            dimension: api(dimension),
            region: self.terms.region.clone(),
        }
    }

    #[track_caller]
    pub(crate) fn record(&self, dimension: &str, in_hour: &str) -> &Record {
        self.records.get(&self.key(dimension, in_hour)).unwrap()
    }

    /// The frozen quantity and time of an hour.
    #[track_caller]
    pub(crate) fn reported(&self, dimension: &str, in_hour: &str) -> (i64, String) {
        let report = self.record(dimension, in_hour).report.as_ref().unwrap();
        (report.quantity, report.stamp.to_string())
    }

    /// The word of an hour's state; none where there is no record.
    pub(crate) fn word(&self, dimension: &str, in_hour: &str) -> Option<&'static str> {
        self.records.get(&self.key(dimension, in_hour)).map(|record| RecordState::word(&record.state))
    }

    /// What is lost, each with its reason: dimension, quantity, reason.
    pub(crate) fn lost(&self) -> Vec<(String, String, LossReason)> {
        let line = |loss: &Loss| (loss.dimension.to_string(), loss.parts.display(loss.scale), loss.reason);
        self.losses.iter().map(line).collect()
    }
}
