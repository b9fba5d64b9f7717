//! A worker that the console shows: a few buyers with names that mean harm, and acts that are noted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use stallkeeper_ledger::{
    Decision, EventKey, EventState, HeldReason, Hour, Loss, LossReason, Meter, MeterTerms, ProductKey,
    Record, RecordKey, RecordState, Scale, SubUnits, UsageEvent,
};
use stallkeeper_lifecycle::{
    Binding, Fact, FactKind, MarketplaceName, Subscription, SubscriptionKey, Terms, Timestamp, Trial, View,
    Word,
};
use stallkeeper_persistence::usage::{EventLine, LedgerHealth, LossLine, RecordFilter, RecordLine, UsageSum};
use stallkeeper_persistence::{
    Actor, HistoryEntry, HistoryRecord, Job, JobCounts, JobKind, JobPosition, JobRecord, JobState, Page,
    QuarantineEntry, QuarantineKey, QuarantineRecord, QuarantineState, StoreError, SubscriptionRecord,
};
use stallkeeper_web::Problem;
use stallkeeper_web::console::{
    ActError, ConsoleActs, ConsoleReads, LaneLine, Listing, Live, MeteredProduct, Operator, QueueLine,
    QueueState, Search,
};

/// A tenant's name that would run, if a page let it.
pub(crate) const HOSTILE: &str = "<script>alert('acme')</script>\u{202e}\"&";

/// 2026-12-03T14:05:09Z
pub(crate) const NOW: Timestamp = Timestamp::from_micros(1_796_306_709_000_000);

#[derive(Default)]
pub(crate) struct FakeWorker {
    /// What was done, with the operator's name first.
    pub(crate) acts: Arc<Mutex<Vec<String>>>,
    /// Whether the database is down.
    pub(crate) is_down: bool,
}

pub(crate) fn key(id: &str) -> SubscriptionKey {
    format!("aws/3f9k2prod/customer/{id}").parse().unwrap()
}

fn ago(minutes: u64) -> Timestamp {
    NOW.minus(Duration::from_mins(minutes))
}

fn buyer(id: &str, tenant: Option<&str>, leaves: Option<u64>) -> SubscriptionRecord {
    let mut subscription = Subscription::default();
    let at = |minutes, id: &str, kind| Fact::at_time(ago(minutes), id.parse().unwrap(), kind);
    let offer = "offer-7q2".parse().ok();
    subscription.log.insert(at(9_000, "n-1", FactKind::SubscribeSuccess { offer, trial: Trial::No }));
    if let Some(minutes) = leaves {
        subscription.log.insert(at(minutes, "n-2", FactKind::UnsubscribePending));
    }
    subscription.binding = tenant.map(|tenant| Binding { tenant: tenant.parse().unwrap(), user: None });
    SubscriptionRecord { key: key(id), subscription, updated_at: ago(leaves.unwrap_or(300)) }
}

fn buyers() -> Vec<SubscriptionRecord> {
    vec![
        buyer("X01AcmeCorp", Some("acme"), None),
        buyer("X02Harm", Some(HOSTILE), Some(21)),
        buyer("X03Nobody", None, None),
        buyer("X04Soon", Some("borealis"), Some(52)),
    ]
}

fn hour(back: i64) -> Hour {
    Hour::new(Hour::of(NOW).number() - back)
}

fn record(id: &str, back: i64, dimension: &str, units: i64, state: RecordState) -> RecordLine {
    let key = RecordKey {
        subscription: key(id),
        hour: hour(back),
        dimension: dimension.parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
    };
    let open = Record::open(key.clone(), &Meter::new(key.subscription), Scale::WHOLE);
    let is_frozen = matches!(state, RecordState::Frozen { .. });
    let expires_at = is_frozen.then(|| NOW.plus(Duration::from_secs(1_734)));
    RecordLine {
        number: back,
        record: Record { counted: SubUnits::new(units).unwrap(), state, expires_at, ..open },
    }
}

fn records() -> Vec<RecordLine> {
    let settled = |back: i64| RecordState::Settled {
        at: ago(60),
        record_id: format!("8f2c{back:04}-77aa-4c1e-9a50-1b2c3d4e5f60"),
    };
    let mut lines: Vec<RecordLine> = (4..46)
        .rev()
        .filter(|back| back % 7 != 3)
        .map(|back| record("X02Harm", back, "api-calls", 700 + (back * 137) % 900, settled(back)))
        .collect();
    lines.extend(
        (5..40).rev().step_by(3).map(|back| record("X02Harm", back, "seats", 12 + back % 5, settled(back))),
    );
    lines.push(record("X02Harm", 2, "api-calls", 1_210, RecordState::Frozen { at: ago(90) }));
    lines.push(record("X02Harm", 1, "api-calls", 640, RecordState::Open));
    lines.push(record("X02Harm", 0, "api-calls", 210, RecordState::Open));
    lines
}

fn losses() -> Vec<LossLine> {
    let loss = |number, back, units, reason, detail: &str| LossLine {
        number,
        loss: Loss {
            subscription: key("X02Harm"),
            dimension: "api-calls".parse().unwrap(),
            hour: hour(back),
            parts: SubUnits::new(units).unwrap(),
            scale: Scale::WHOLE,
            reason,
            at: ago(200),
            event: None,
            detail: detail.to_owned(),
        },
        recovered_at: None,
    };
    vec![loss(9, 3, 420, LossReason::Expired, HOSTILE), loss(8, 24, 300, LossReason::WrittenOff, "")]
}

fn held() -> Vec<EventLine> {
    let event = |id: &str, reason, hours| UsageEvent {
        key: EventKey {
            product: "search".parse().unwrap(),
            tenant: HOSTILE.parse().unwrap(),
            id: id.parse().unwrap(),
        },
        subscription: key("X02Harm"),
        dimension: "api-calls".parse().unwrap(),
        api_name: "api-calls".parse().unwrap(),
        scale: Scale::WHOLE,
        quantity: SubUnits::new(37).unwrap(),
        counted: SubUnits::new(37).unwrap(),
        occurred_at: ago(400),
        received_at: ago(20),
        user: None,
        tags: stallkeeper_ledger::TagSet::default(),
        state: EventState::Held { reason, until: NOW.plus(Duration::from_hours(hours)) },
    };
    vec![
        EventLine { number: 1, event: event("req-'\"<b>", HeldReason::Late, 1) },
        EventLine { number: 2, event: event("req-2", HeldReason::BeforeActivation, 20) },
    ]
}

fn history() -> Vec<HistoryRecord> {
    let line =
        |number, minutes, what: &str, word: &str, actor: Actor, anomaly: Option<&str>, detail: &str| {
            let entry = HistoryEntry {
                key: key("X02Harm"),
                at: ago(minutes),
                what: what.to_owned(),
                happened_at: Some(ago(minutes + 1)),
                event: Some("n-1".parse().unwrap()),
                outcome: "applied".to_owned(),
                word: word.to_owned(),
                anomaly: anomaly.map(str::to_owned),
                actor,
                detail: detail.to_owned(),
            };
            HistoryRecord { number, entry }
        };
    let tenant = serde_json::json!({ "tenant": HOSTILE }).to_string();
    vec![
        line(4, 20, "unsubscribe-pending", "ending", Actor::Marketplace, None, "{}"),
        line(
            3,
            700,
            "usage-carried",
            "active",
            Actor::Operator("mia".to_owned()),
            None,
            "{\"quantity\":\"37\"}",
        ),
        line(2, 8_990, "bound", "active", Actor::Operator("<i>ben</i>".to_owned()), None, &tenant),
        line(
            1,
            9_000,
            "subscribe-success",
            "unclaimed",
            Actor::Marketplace,
            Some("success-lost"),
            "{\"offer\":\"offer-7q2\"}",
        ),
    ]
}

fn message(with_body: bool) -> QuarantineRecord {
    let body = b"{\"action\": \"<script>\x1b[2J\0\"}\nsecond line".to_vec();
    let key = QuarantineKey::of("aws".parse().unwrap(), &body);
    let entry = QuarantineEntry {
        key,
        message_id: "0b4c6f7a".to_owned(),
        reason: "unknown-action".to_owned(),
        detail: "the action <script> is not known".to_owned(),
        body: if with_body { body } else { Vec::new() },
        sent_at: None,
        at: ago(95),
    };
    QuarantineRecord { entry, state: QuarantineState::Held, seen: 3, last_seen_at: ago(12), settled: None }
}

fn job() -> JobRecord {
    let job = Job {
        key: key("X02Harm"),
        kind: JobKind::Wake,
        target: String::new(),
        payload: "{}".to_owned(),
        version: 1,
        attempts: 12,
    };
    let error = Some("the marketplace answered <500>".to_owned());
    JobRecord { job, state: JobState::Failed, due_at: ago(5), leased_until: None, last_error: error }
}

impl FakeWorker {
    fn up(&self) -> Result<(), StoreError> {
        if self.is_down {
            Err(StoreError::Unavailable("connection refused to 10.0.0.7".into()))
        } else {
            Ok(())
        }
    }

    fn note(&self, by: &Operator, act: &str) -> Result<String, ActError> {
        self.up()?;
        self.acts.lock().unwrap().push(format!("{} {act}", by.name()));
        Ok(act.to_owned())
    }
}

#[async_trait]
impl ConsoleReads for FakeWorker {
    fn now(&self) -> Timestamp {
        NOW
    }

    fn listings(&self) -> Vec<Listing> {
        let listing = |marketplace: &str, code: &str, product: &str| Listing {
            marketplace: marketplace.parse().unwrap(),
            code: code.parse().unwrap(),
            product: product.to_owned(),
        };
        vec![
            listing("aws", "3f9k2prod", "Example Search"),
            listing("aws-china", "cnprod", "Example Search CN"),
        ]
    }

    fn view(&self, record: &SubscriptionRecord) -> View {
        record.subscription.view(NOW, Terms::default())
    }

    fn meter_terms(&self, _key: &SubscriptionKey) -> Option<Arc<MeterTerms>> {
        None
    }

    async fn live(&self) -> Live {
        let aws: MarketplaceName = "aws".parse().unwrap();
        let working =
            QueueState::Working { since_answer: Some(Duration::from_secs(4)), in_flight: 3, blocked: 0 };
        let failing = QueueState::Failing("access denied: sqs:ReceiveMessage is not allowed".to_owned());
        Live {
            problems: vec![Problem {
                part: "queue aws-china".to_owned(),
                problem: "access denied: sqs:ReceiveMessage is not allowed".to_owned(),
                remedy: "let the worker's role receive from the queue".to_owned(),
            }],
            queues: vec![
                QueueLine { marketplace: aws.clone(), state: working },
                QueueLine { marketplace: "aws-china".parse().unwrap(), state: failing },
            ],
            lanes: vec![LaneLine {
                name: "123456789012 us-east-1".to_owned(),
                marketplaces: vec![aws],
                calls_per_sec: 10,
                trouble: None,
            }],
        }
    }

    async fn last_received_at(&self, marketplace: &MarketplaceName) -> Result<Option<Timestamp>, StoreError> {
        Ok((marketplace.as_str() == "aws").then(|| ago(3)))
    }

    async fn word_counts(&self) -> Result<Vec<(Word, u64)>, StoreError> {
        self.up()?;
        let counts = BTreeMap::from([
            (Word::Active, 1_284),
            (Word::Unclaimed, 3),
            (Word::Ending, 2),
            (Word::Ended, 10_000),
        ]);
        Ok(Word::ALL.into_iter().map(|word| (word, counts.get(&word).copied().unwrap_or(0))).collect())
    }

    async fn closing(&self, _limit: u32) -> Result<Vec<SubscriptionRecord>, StoreError> {
        let mut all = buyers();
        all.retain(|record| self.view(record).word == Word::Ending);
        all.reverse();
        Ok(all)
    }

    async fn expiring(&self, _limit: u32) -> Result<Vec<RecordLine>, StoreError> {
        Ok(records().into_iter().filter(|line| line.record.is_frozen()).collect())
    }

    async fn ledger_health(&self) -> Result<LedgerHealth, StoreError> {
        self.up()?;
        Ok(LedgerHealth {
            unsent: 1,
            most_urgent: Some((ago(90), NOW.plus(Duration::from_secs(1_734)))),
            windows: 2,
            held_late: 1,
            held_early: 1,
            next_held_end: Some(NOW.plus(Duration::from_hours(1))),
            expired: 1,
            ..LedgerHealth::default()
        })
    }

    async fn subscriptions(
        &self,
        search: &Search,
        page: &Page<SubscriptionKey>,
    ) -> Result<Vec<SubscriptionRecord>, StoreError> {
        self.up()?;
        let mut found = buyers();
        found.retain(|record| match search {
            Search::All | Search::Listing(..) => true,
            Search::Tenant(tenant) => record.tenant() == Some(tenant),
            Search::Word(word) => self.view(record).word == *word,
            Search::IdPrefix(prefix) => record.key.holder.id().starts_with(prefix.as_str()),
        });
        found.retain(|record| page.after.as_ref().is_none_or(|after| record.key > *after));
        Ok(found)
    }

    async fn subscription(&self, key: &SubscriptionKey) -> Result<Option<SubscriptionRecord>, StoreError> {
        self.up()?;
        Ok(buyers().into_iter().find(|record| record.key == *key))
    }

    async fn history(
        &self,
        _key: &SubscriptionKey,
        _page: &Page<i64>,
    ) -> Result<Vec<HistoryRecord>, StoreError> {
        Ok(history())
    }

    async fn jobs_of(&self, _key: &SubscriptionKey) -> Result<Vec<JobRecord>, StoreError> {
        Ok(vec![job()])
    }

    async fn records(
        &self,
        filter: &RecordFilter,
        _page: &Page<(i64, i64)>,
    ) -> Result<Vec<RecordLine>, StoreError> {
        let is_asked = |line: &RecordLine| (filter.from..filter.to).contains(&line.record.key.hour);
        Ok(records().into_iter().filter(is_asked).collect())
    }

    async fn sums(&self, _key: &SubscriptionKey) -> Result<Vec<UsageSum>, StoreError> {
        let parts = |parts| SubUnits::new(parts).unwrap();
        let dimension = "api-calls".parse().unwrap();
        Ok(vec![UsageSum { dimension, recorded: parts(41_020), billed: parts(38_240), lost: parts(720) }])
    }

    async fn held(&self, _key: Option<&SubscriptionKey>, _limit: u32) -> Result<Vec<EventLine>, StoreError> {
        self.up()?;
        Ok(held())
    }

    async fn losses(
        &self,
        _key: Option<&SubscriptionKey>,
        _page: &Page<i64>,
    ) -> Result<Vec<LossLine>, StoreError> {
        Ok(losses())
    }

    async fn quarantine(
        &self,
        state: QuarantineState,
        _page: &Page<QuarantineKey>,
    ) -> Result<Vec<QuarantineRecord>, StoreError> {
        Ok(if state == QuarantineState::Held { vec![message(false)] } else { Vec::new() })
    }

    async fn quarantined(&self, key: &QuarantineKey) -> Result<Option<QuarantineRecord>, StoreError> {
        Ok(Some(message(true)).filter(|record| record.entry.key == *key))
    }

    async fn quarantine_held(&self) -> Result<u64, StoreError> {
        Ok(1)
    }

    async fn jobs(&self, state: JobState, _page: &Page<JobPosition>) -> Result<Vec<JobRecord>, StoreError> {
        Ok(if state == JobState::Failed { vec![job()] } else { Vec::new() })
    }

    async fn job_counts(&self) -> Result<JobCounts, StoreError> {
        Ok(JobCounts { parked: 4, due: 2, failed: 1 })
    }

    async fn metered(&self) -> Result<Vec<MeteredProduct>, StoreError> {
        let held = Some((Actor::Operator("ben".to_owned()), ago(7)));
        let product = |key: &str, held| MeteredProduct { key: key.parse().unwrap(), held };
        Ok(vec![product("search", None), product("archive", held)])
    }
}

#[async_trait]
impl ConsoleActs for FakeWorker {
    async fn bind(
        &self,
        by: &Operator,
        key: &SubscriptionKey,
        binding: Option<Binding>,
    ) -> Result<String, ActError> {
        let whom = binding.map_or("nobody".to_owned(), |binding| binding.tenant.to_string());
        self.note(by, &format!("bound {key} to {whom}"))
    }

    async fn replay(&self, _by: &Operator, _key: &QuarantineKey) -> Result<String, ActError> {
        Err(ActError::Refused("the message stays held: unknown action <script>".to_owned()))
    }

    async fn discard(&self, by: &Operator, key: &QuarantineKey) -> Result<String, ActError> {
        self.note(by, &format!("discarded a message of {}", key.marketplace))
    }

    async fn decide(&self, by: &Operator, event: &EventKey, decision: Decision) -> Result<String, ActError> {
        self.note(by, &format!("{decision:?} {}", event.id))
    }

    async fn hold(&self, by: &Operator, product: &ProductKey) -> Result<String, ActError> {
        self.note(by, &format!("held {product}"))
    }

    async fn release(&self, by: &Operator, product: &ProductKey) -> Result<String, ActError> {
        self.note(by, &format!("released {product}"))
    }

    async fn retry_job(
        &self,
        by: &Operator,
        key: &SubscriptionKey,
        kind: JobKind,
    ) -> Result<String, ActError> {
        self.note(by, &format!("retried {kind} of {key}"))
    }
}
