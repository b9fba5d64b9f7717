use std::sync::Arc;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use stallkeeper_lifecycle::{Announced, Announcement, SubscriptionKey, Timestamp};
use stallkeeper_outbox::{FanOut, JobError};
use stallkeeper_persistence::{Job, JobKind, NewJob};
use stallkeeper_runtime::WallClock;

use crate::{Channels, Event, Payload, target_of};

/// Makes a delivery for each receiver that wants to hear of an announcement.
pub struct Publisher {
    channels: Channels,
    clock: Arc<dyn WallClock>,
}

impl Publisher {
    /// A publisher to these receivers.
    pub fn new(channels: Channels, clock: Arc<dyn WallClock>) -> Self {
        Self { channels, clock }
    }

    /// A delivery for each receiver that wants it.
    fn deliveries(
        &self,
        key: &SubscriptionKey,
        (kind, event): (JobKind, Event),
        payload: &Payload,
    ) -> Result<Vec<NewJob>, JobError> {
        let text = serde_json::to_string(payload).map_err(|error| JobError::GiveUp(error.into()))?;
        let due_at = payload.announced_at;
        let delivery = |endpoint: &str| NewJob {
            key: key.clone(),
            kind,
            target: target_of(kind, endpoint, payload.sequence),
            due_at,
            payload: text.clone(),
        };
        Ok(self.channels.wanting(event).map(delivery).collect())
    }

    fn of_announcement(&self, job: &Job, now: Timestamp) -> Result<Vec<NewJob>, JobError> {
        let announcement: Announcement = read(&job.payload)?;
        let mut jobs = Vec::new();
        for told in told(&announcement) {
            let payload = Payload::of(&job.key, told.1, &announcement, now);
            jobs.extend(self.deliveries(&job.key, told, &payload)?);
        }
        Ok(jobs)
    }

    fn of_loss(&self, job: &Job, now: Timestamp) -> Result<Vec<NewJob>, JobError> {
        let payload = Payload::of_loss(&read(&job.payload)?, number(job)?, now);
        self.deliveries(&job.key, (JobKind::DeliverLoss, Event::UsageLost), &payload)
    }

    fn of_risk(&self, job: &Job, now: Timestamp) -> Result<Vec<NewJob>, JobError> {
        let payload = Payload::of_risk(&read(&job.payload)?, number(job)?, now);
        self.deliveries(&job.key, (JobKind::DeliverRisk, Event::UsageAtRisk), &payload)
    }
}

#[async_trait]
impl FanOut for Publisher {
    async fn fan_out(&self, job: &Job) -> Result<Vec<NewJob>, JobError> {
        let now = Timestamp::from(self.clock.now());
        match job.kind {
            JobKind::PublishLoss => self.of_loss(job, now),
            JobKind::PublishRisk => self.of_risk(job, now),
            _ => self.of_announcement(job, now),
        }
    }
}

/// What tells one loss or risk from the next.
fn number(job: &Job) -> Result<u64, JobError> {
    u64::from_str_radix(&job.target, 16).map_err(|error| JobError::GiveUp(error.into()))
}

/// What cannot be read was written by a newer version, perhaps, which will run it.
fn read<T: DeserializeOwned>(payload: &str) -> Result<T, JobError> {
    serde_json::from_str(payload).map_err(|error| JobError::Retry(error.into()))
}

/// What an announcement is told as. Each kind of delivery is superseded by newer ones of its own only.
fn told(announcement: &Announcement) -> Vec<(JobKind, Event)> {
    let kind =
        if announcement.event == Announced::Ending { JobKind::DeliverEnding } else { JobKind::Deliver };
    let mut told = vec![(kind, announcement.event.into())];
    let is_somebodys = announcement.view.binding.is_some() && announcement.event != Announced::Registered;
    if is_somebodys || announcement.former.is_some() {
        told.push((JobKind::DeliverEntitlement, Event::EntitlementUpdated));
    }
    told
}

#[cfg(test)]
mod tests {
    use stallkeeper_lifecycle::Binding;
    use stallkeeper_runtime::FakeClock;
    use time::macros::datetime;

    use super::*;
    use crate::payload::tests::{announcement, key};
    use crate::{Accepted, Channel, DeliveryError, EventFilter, Message};

    struct Nowhere;

    #[async_trait]
    impl Channel for Nowhere {
        async fn deliver(&self, _: &Message, _: i64) -> Result<Accepted, DeliveryError> {
            Ok(Accepted { status: 200 })
        }

        fn address(&self) -> String {
            String::new()
        }
    }

    fn publisher() -> Publisher {
        let mut channels = Channels::default();
        for (name, events) in [("app", "*"), ("billing", "subscription.ended"), ("crm", "subscription.*")] {
            channels.add(name, EventFilter::parse([events]).unwrap(), Arc::new(Nowhere));
        }
        Publisher::new(channels, Arc::new(FakeClock::new(datetime!(2026-11-22 12:00 UTC))))
    }

    async fn jobs(announcement: &Announcement) -> Vec<(JobKind, String)> {
        let payload = serde_json::to_string(announcement).unwrap();
        let (kind, target) = (JobKind::Publish, String::new());
        let job = Job { key: key(), kind, target, payload, version: 1, attempts: 1 };
        let jobs = publisher().fan_out(&job).await.unwrap();
        jobs.into_iter().map(|job| (job.kind, job.target)).collect()
    }

    fn to(kind: JobKind, names: &[&str]) -> Vec<(JobKind, String)> {
        names.iter().map(|name| (kind, (*name).to_owned())).collect()
    }

    #[tokio::test]
    async fn an_announcement_goes_to_every_endpoint_that_wants_it_and_to_no_other() {
        assert_eq!(jobs(&announcement(Announced::Unclaimed, 1)).await, to(JobKind::Deliver, &["app", "crm"]));
        assert_eq!(
            jobs(&announcement(Announced::Ended, 2)).await,
            to(JobKind::Deliver, &["app", "billing", "crm"])
        );
    }

    #[tokio::test]
    async fn an_open_window_has_deliveries_that_no_other_news_supersedes() {
        assert_eq!(
            jobs(&announcement(Announced::Ending, 1)).await,
            to(JobKind::DeliverEnding, &["app", "crm"])
        );
    }

    #[tokio::test]
    async fn a_bound_subscription_also_tells_that_an_entitlement_changed() {
        let mut bound = announcement(Announced::Activated, 1);
        bound.view.binding = Some(Binding { tenant: "acme".parse().unwrap(), user: None });
        let mut expected = to(JobKind::Deliver, &["app", "crm"]);
        expected.extend(to(JobKind::DeliverEntitlement, &["app"]));
        assert_eq!(jobs(&bound).await, expected);
    }

    #[tokio::test]
    async fn who_had_the_subscription_before_is_told_of_too() {
        let former = Some(Binding { tenant: "acme".parse().unwrap(), user: None });
        let unbound = Announcement { former, ..announcement(Announced::Unclaimed, 2) };
        let mut expected = to(JobKind::Deliver, &["app", "crm"]);
        expected.extend(to(JobKind::DeliverEntitlement, &["app"]));
        assert_eq!(jobs(&unbound).await, expected);
    }

    #[tokio::test]
    async fn usage_at_risk_is_told_until_its_time_is_over() {
        let payload = r#"{"subscription":"aws/p/customer/a","dimension":"hits","hour":1790000000000000,"parts":5,
            "scale":0,"until":1790080000000000}"#;
        let (kind, target, payload) = (JobKind::PublishRisk, "0a".to_owned(), payload.to_owned());
        let job = Job { key: key(), kind, target, payload, version: 1, attempts: 1 };
        let jobs = publisher().fan_out(&job).await.unwrap();
        assert_eq!(jobs.iter().map(|job| job.target.as_str()).collect::<Vec<_>>(), ["app/a"]);
        let payload: Payload = serde_json::from_str(&jobs[0].payload).unwrap();
        assert_eq!(payload.deadline, Some(Timestamp::from_micros(1_790_080_000_000_000)));
        let body: serde_json::Value = serde_json::from_str(&payload.body).unwrap();
        assert_eq!((&body["type"], &body["data"]["quantity"]), (&"usage.at_risk".into(), &"5".into()));
    }

    #[tokio::test]
    async fn news_of_two_losses_stand_side_by_side() {
        let loss = r#"{"subscription":"aws/p/customer/a","dimension":"hits","hour":HOUR,"parts":5,"scale":0,
            "reason":"rejected","at":1790000000000000}"#;
        let mut targets = Vec::new();
        for target in ["0a", "0b"] {
            let (payload, key) = (loss.replace("HOUR", "1790000000000000"), key());
            let (kind, target) = (JobKind::PublishLoss, target.to_owned());
            let job = Job { key, kind, target, payload, version: 1, attempts: 1 };
            targets.extend(publisher().fan_out(&job).await.unwrap().into_iter().map(|job| job.target));
        }
        assert_eq!(targets, ["app/a", "app/b"]);
    }
}
