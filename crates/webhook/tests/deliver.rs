//! What becomes of delivery jobs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use metrics_exporter_prometheus::PrometheusBuilder;
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_outbox::{JobError, JobRunner as _};
use stallkeeper_persistence::{
    Delivery, DeliveryFilter, DeliveryRecord, DeliveryStore, Job, JobKind, Page, StoreError,
};
use stallkeeper_runtime::FakeClock;
use stallkeeper_webhook::{
    Accepted, Channel, Channels, Deliverer, DeliveryError, EventFilter, Message, Payload,
};
use time::macros::datetime;

const MINUTE: Duration = Duration::from_mins(1);

/// Answers one status always, and keeps what it was sent.
struct Answers(u16, Mutex<Vec<Message>>);

#[async_trait]
impl Channel for Answers {
    async fn deliver(&self, message: &Message, _at: i64) -> Result<Accepted, DeliveryError> {
        self.1.lock().unwrap().push(message.clone());
        match self.0 {
            status @ 200..300 => Ok(Accepted { status }),
            status => Err(DeliveryError::Status { status, body: String::new() }),
        }
    }

    fn address(&self) -> String {
        String::new()
    }
}

/// A log in memory, which may be out of reach.
#[derive(Default)]
struct Log {
    kept: Mutex<Vec<Delivery>>,
    is_away: bool,
}

#[async_trait]
impl DeliveryStore for Log {
    async fn note_delivery(&self, delivery: &Delivery) -> Result<(), StoreError> {
        if self.is_away {
            return Err(StoreError::Unavailable("gone".into()));
        }
        self.kept.lock().unwrap().push(delivery.clone());
        Ok(())
    }

    async fn deliveries(&self, _: &DeliveryFilter, _: &Page<i64>) -> Result<Vec<DeliveryRecord>, StoreError> {
        Ok(Vec::new())
    }

    async fn deliveries_of(
        &self,
        _: &SubscriptionKey,
        _: &Page<i64>,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        Ok(Vec::new())
    }

    async fn delivery(&self, _: &str) -> Result<Option<DeliveryRecord>, StoreError> {
        Ok(None)
    }

    async fn prune_deliveries(&self, _: Timestamp, _: u32) -> Result<u64, StoreError> {
        Ok(0)
    }
}

struct House {
    channel: Arc<Answers>,
    log: Arc<Log>,
    clock: FakeClock,
    deliverer: Deliverer,
}

fn house(status: u16, log: Log) -> House {
    let (channel, log) = (Arc::new(Answers(status, Mutex::default())), Arc::new(log));
    let clock = FakeClock::new(datetime!(2026-11-22 12:00 UTC));
    let mut channels = Channels::default();
    channels.add("app", EventFilter::all(), channel.clone());
    let deliverer = Deliverer::new(channels, log.clone(), Arc::new(clock.clone()));
    House { channel, log, clock, deliverer }
}

fn noon() -> Timestamp {
    datetime!(2026-11-22 12:00 UTC).into()
}

fn ending(target: &str, attempts: i32) -> Job {
    let payload = Payload {
        event: "subscription.ending".to_owned(),
        sequence: 4,
        announced_at: noon(),
        deadline: Some(noon().plus(60 * MINUTE)),
        body: r#"{"type":"subscription.ending"}"#.to_owned(),
    };
    Job {
        key: "aws/p/customer/a".parse().unwrap(),
        kind: JobKind::DeliverEnding,
        target: target.to_owned(),
        payload: serde_json::to_string(&payload).unwrap(),
        version: 1,
        attempts,
    }
}

#[tokio::test]
async fn what_an_endpoint_takes_is_done_and_logged() {
    let house = house(204, Log::default());
    house.deliverer.run(&ending("app", 3)).await.unwrap();
    let kept = house.log.kept.lock().unwrap().pop().unwrap();
    assert_eq!((kept.outcome, kept.attempt, kept.sequence), (Ok(204), 3, 4));
    assert_eq!((kept.endpoint.as_str(), kept.event.as_str()), ("app", "subscription.ending"));
    assert_eq!(kept.message, house.channel.1.lock().unwrap().pop().unwrap().id.to_string());
}

#[tokio::test]
async fn every_attempt_sends_the_same_message() {
    let house = house(500, Log::default());
    for attempt in 1..=2 {
        let refused = house.deliverer.run(&ending("app", attempt)).await.unwrap_err();
        assert!(matches!(refused, JobError::Retry(_)), "{refused:?}");
        house.clock.advance(MINUTE);
    }
    let sent = house.channel.1.lock().unwrap();
    assert_eq!(sent.first(), sent.last());
    let outcomes: Vec<_> = house.log.kept.lock().unwrap().iter().map(|kept| kept.outcome.clone()).collect();
    assert_eq!(outcomes, [Err("answered 500".to_owned()), Err("answered 500".to_owned())]);
}

#[tokio::test]
async fn an_open_window_is_told_until_its_deadline_and_not_after() {
    let house = house(500, Log::default());
    house.clock.advance(59 * MINUTE);
    assert!(matches!(house.deliverer.run(&ending("app", 1)).await, Err(JobError::Retry(_))));
    house.clock.advance(MINUTE);
    assert!(matches!(house.deliverer.run(&ending("app", 2)).await, Err(JobError::GiveUp(_))));
    assert_eq!(house.channel.1.lock().unwrap().len(), 1, "nothing is sent after it");
}

#[tokio::test]
async fn a_window_that_nobody_took_news_of_for_five_minutes_is_an_alarm_at_each_attempt() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let house = house(500, Log::default());
    let alarms = || {
        let text = metrics.render();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("stallkeeper_endings_overdue_total{endpoint=\"app\"} "));
        line.map_or(0, |count| count.parse().unwrap())
    };
    house.clock.advance(4 * MINUTE);
    assert!(house.deliverer.run(&ending("app", 1)).await.is_err());
    assert_eq!(alarms(), 0);
    for attempt in 2..=3 {
        house.clock.advance(MINUTE);
        assert!(house.deliverer.run(&ending("app", attempt)).await.is_err());
        assert_eq!(alarms(), attempt - 1);
    }
}

#[tokio::test]
async fn an_endpoint_that_is_gone_or_not_configured_any_more_is_given_up() {
    for (status, target) in [(410, "app"), (200, "crm")] {
        let given_up = house(status, Log::default()).deliverer.run(&ending(target, 1)).await.unwrap_err();
        assert!(matches!(given_up, JobError::GiveUp(_)), "{given_up:?}");
    }
}

#[tokio::test]
async fn a_log_that_cannot_be_written_holds_no_delivery_up() {
    let house = house(200, Log { is_away: true, ..Log::default() });
    house.deliverer.run(&ending("app", 1)).await.unwrap();
}
