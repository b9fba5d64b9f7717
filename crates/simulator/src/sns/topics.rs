use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use time::OffsetDateTime;

use super::envelope::Signed;
use super::error::SnsError;
use super::message::Message;
use super::signer::{SignatureVersion, Signer};
use super::subscription::{BodyForm, Subscription};
use super::topic::Topic;
use crate::Delivery;

const TOPICS_MAX: usize = 10_000;
const SUBSCRIPTIONS_MAX: usize = 10_000;
/// How many topics or subscriptions one page lists.
const PAGE: usize = 100;

/// All topics; clones share them.
#[derive(Clone, Debug)]
pub struct Topics {
    delivery: Delivery,
    signer: Arc<Signer>,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    /// By ARN.
    topics: BTreeMap<String, Topic>,
    /// By ARN, which starts with the topic's.
    subscriptions: BTreeMap<String, Subscription>,
    /// Ids of messages: of its own, so that nothing but publications moves it on.
    messages: fastrand::Rng,
    /// Ids of everything else.
    others: fastrand::Rng,
}

/// A message that went out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// SNS' id of it.
    pub message_id: String,
    /// How many copies were put into queues: 0 where nobody subscribed or it was lost.
    pub copies: usize,
}

/// A page of a listing: ARNs with what they name.
pub(super) struct Page<T> {
    pub(super) items: Vec<(String, T)>,
    /// The ARN that the next page goes on after.
    pub(super) next: Option<String>,
}

impl Topics {
    /// No topic yet.
    pub fn new(delivery: Delivery, signer: Arc<Signer>) -> Self {
        let inner = Inner {
            topics: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            messages: fastrand::Rng::with_seed(0),
            others: fastrand::Rng::with_seed(1),
        };
        Self { delivery, signer, inner: Arc::new(Mutex::new(inner)) }
    }

    /// Ids by another seed from now on; the same seed and the same publications give the same ids.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        {
            let mut inner = self.inner();
            inner.messages = fastrand::Rng::with_seed(seed);
            inner.others = fastrand::Rng::with_seed(seed.wrapping_add(1));
        }
        self
    }

    /// What signs their messages.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Makes a topic of that ARN (the marketplace's topics belong to its own account); safe to repeat.
    pub fn create(&self, arn: &str) {
        self.inner().topics.entry(arn.to_owned()).or_default();
    }

    /// Subscribes a queue; safe to repeat.
    pub fn subscribe(&self, topic_arn: &str, queue_arn: &str) {
        let subscription = Subscription {
            topic_arn: topic_arn.to_owned(),
            queue_arn: queue_arn.to_owned(),
            form: BodyForm::Envelope,
        };
        if let Err(error) = self.add_subscription(subscription) {
            tracing::warn!(
                topic = topic_arn,
                queue = queue_arn,
                error = &error as &dyn std::error::Error,
                "a queue is not subscribed"
            );
        }
    }

    /// Publishes a message at a moment: signs the envelope and delivers it to every subscriber; none where
    /// there is no such topic.
    ///
    /// `what` is the word by which faults may lose it.
    pub fn publish(
        &self,
        topic_arn: &str,
        message: &str,
        at: OffsetDateTime,
        what: &str,
    ) -> Option<Published> {
        self.send(topic_arn, &Message::new(message), at, what).ok()
    }

    pub(super) fn send(
        &self,
        topic_arn: &str,
        message: &Message,
        at: OffsetDateTime,
        what: &str,
    ) -> Result<Published, SnsError> {
        let (message_id, version, subscribers) = self.inner().address(topic_arn)?;
        // Signing takes its time, so nobody else waits for it: the lock is open again.
        let bodies = self.bodies(topic_arn, &message_id, message, at, version, &subscribers)?;
        let copies = subscribers.iter().zip(bodies);
        let copies = copies
            .map(|((_, subscriber), body)| self.delivery.deliver(&subscriber.queue_arn, &body, what))
            .sum();
        Ok(Published { message_id, copies })
    }

    fn bodies(
        &self,
        topic_arn: &str,
        message_id: &str,
        message: &Message,
        at: OffsetDateTime,
        version: SignatureVersion,
        subscribers: &[(String, Subscription)],
    ) -> Result<Vec<String>, SnsError> {
        if subscribers.iter().all(|(_, subscriber)| subscriber.form == BodyForm::Raw) {
            return Ok(subscribers.iter().map(|_| message.text.clone()).collect());
        }
        let signed = Signed::new(&self.signer, version, topic_arn, message_id, message, at)?;
        let body = |(arn, subscriber): &(String, Subscription)| match subscriber.form {
            BodyForm::Raw => Ok(message.text.clone()),
            BodyForm::Envelope => signed.body(arn),
        };
        subscribers.iter().map(body).collect()
    }

    /// Makes a topic with attributes; the same again changes nothing.
    pub(super) fn add_topic(&self, arn: &str, asked: &BTreeMap<String, String>) -> Result<(), SnsError> {
        let topic = Topic::new(asked)?;
        let mut inner = self.inner();
        if let Some(existing) = inner.topics.get(arn) {
            let same = existing.agrees_with(&topic, asked);
            let why = "Topic already exists with different attributes";
            return if same { Ok(()) } else { Err(SnsError::reason("Attributes", why)) };
        }
        if inner.topics.len() >= TOPICS_MAX {
            return Err(SnsError::TopicLimitExceeded);
        }
        inner.topics.insert(arn.to_owned(), topic);
        Ok(())
    }

    /// Removes a topic with its subscriptions; one that is not there is gone already.
    pub(super) fn remove_topic(&self, arn: &str) {
        let mut inner = self.inner();
        if inner.topics.remove(arn).is_some() {
            inner.subscriptions.retain(|_, subscription| subscription.topic_arn != arn);
        }
    }

    pub(super) fn topic_attributes(&self, arn: &str) -> Result<Vec<(&'static str, String)>, SnsError> {
        let inner = self.inner();
        let confirmed = inner.of_topic(arn).count();
        Ok(inner.topic(arn)?.attributes(arn, confirmed))
    }

    pub(super) fn set_topic_attribute(&self, arn: &str, name: &str, value: &str) -> Result<(), SnsError> {
        let mut inner = self.inner();
        let topic = inner.topics.get_mut(arn).ok_or(SnsError::NotFound("Topic"))?;
        topic.set(name, value)
    }

    pub(super) fn list_topics(&self, after: &str) -> Page<()> {
        page(self.inner().topics.keys().map(|arn| (arn, ())), after)
    }

    /// Subscribes, or finds the same subscription; answers its ARN.
    pub(super) fn add_subscription(&self, asked: Subscription) -> Result<String, SnsError> {
        let mut inner = self.inner();
        inner.topic(&asked.topic_arn)?;
        let existing =
            inner.of_topic(&asked.topic_arn).find(|(_, existing)| existing.queue_arn == asked.queue_arn);
        if let Some((arn, existing)) = existing {
            let why = "Subscription already exists with different attributes";
            return if *existing == asked {
                Ok(arn.clone())
            } else {
                Err(SnsError::reason("Attributes", why))
            };
        }
        if inner.subscriptions.len() >= SUBSCRIPTIONS_MAX {
            return Err(SnsError::SubscriptionLimitExceeded);
        }
        let arn = format!("{}:{}", asked.topic_arn, uuid(&mut inner.others));
        inner.subscriptions.insert(arn.clone(), asked);
        Ok(arn)
    }

    /// Removes a subscription; one that is not there is gone already.
    pub(super) fn remove_subscription(&self, arn: &str) {
        let mut inner = self.inner();
        let removed = inner.subscriptions.remove(arn);
        if let Some(topic) = removed.and_then(|removed| inner.topics.get_mut(&removed.topic_arn)) {
            topic.removed += 1;
        }
    }

    pub(super) fn subscription_attributes(&self, arn: &str) -> Result<Vec<(&'static str, String)>, SnsError> {
        let inner = self.inner();
        let subscription = inner.subscriptions.get(arn).ok_or(SnsError::NotFound("Subscription"))?;
        Ok(subscription.attributes(arn))
    }

    pub(super) fn set_subscription_attribute(
        &self,
        arn: &str,
        name: &str,
        value: &str,
    ) -> Result<(), SnsError> {
        let mut inner = self.inner();
        let subscription = inner.subscriptions.get_mut(arn).ok_or(SnsError::NotFound("Subscription"))?;
        subscription.form = BodyForm::from_attribute(name, value)?;
        Ok(())
    }

    pub(super) fn list_subscriptions(&self, after: &str) -> Page<Subscription> {
        let inner = self.inner();
        page(inner.subscriptions.iter().map(|(arn, subscription)| (arn, subscription.clone())), after)
    }

    pub(super) fn list_subscriptions_of(
        &self,
        topic_arn: &str,
        after: &str,
    ) -> Result<Page<Subscription>, SnsError> {
        let inner = self.inner();
        inner.topic(topic_arn)?;
        Ok(page(inner.of_topic(topic_arn).map(|(arn, subscription)| (arn, subscription.clone())), after))
    }

    /// An id for something that is no message.
    pub(super) fn request_id(&self) -> String {
        uuid(&mut self.inner().others)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a message needs to be sent: its id, how it is signed, and to whom it goes.
type Address = (String, SignatureVersion, Vec<(String, Subscription)>);

impl Inner {
    fn topic(&self, arn: &str) -> Result<&Topic, SnsError> {
        self.topics.get(arn).ok_or(SnsError::NotFound("Topic"))
    }

    fn of_topic(&self, topic_arn: &str) -> impl Iterator<Item = (&String, &Subscription)> {
        let from = self.subscriptions.range(format!("{topic_arn}:")..);
        from.take_while(move |(_, subscription)| subscription.topic_arn == topic_arn)
    }

    fn address(&mut self, topic_arn: &str) -> Result<Address, SnsError> {
        let version = self.topic(topic_arn)?.signature_version();
        let subscribers = self.of_topic(topic_arn).map(|(arn, one)| (arn.clone(), one.clone())).collect();
        Ok((uuid(&mut self.messages), version, subscribers))
    }
}

fn page<'a, T>(items: impl Iterator<Item = (&'a String, T)>, after: &str) -> Page<T> {
    let mut rest = items.skip_while(|(arn, _)| arn.as_str() <= after);
    let items: Vec<_> = rest.by_ref().take(PAGE).map(|(arn, item)| (arn.clone(), item)).collect();
    let next = rest.next().and_then(|_| items.last()).map(|(arn, _)| arn.clone());
    Page { items, next }
}

/// A random UUID (version 4) by a seeded source.
fn uuid(rng: &mut fastrand::Rng) -> String {
    let bits = rng.u128(..);
    let (high, low) = (bits >> 64, bits & u128::from(u64::MAX));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0x0fff,
        0x8000 | ((low >> 48) & 0x3fff),
        low & 0xffff_ffff_ffff,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_the_form_of_a_random_uuid() {
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..1000 {
            let id = uuid(&mut rng);
            let parts: Vec<_> = id.split('-').map(str::len).collect();
            assert_eq!(parts, [8, 4, 4, 4, 12], "{id}");
            assert!(id.as_bytes()[14] == b'4' && b"89ab".contains(&id.as_bytes()[19]), "{id}");
        }
    }

    #[test]
    fn pages_follow_each_other_until_all_is_listed() {
        let arns: Vec<_> = (0..2 * PAGE).map(|number| format!("arn:{number:04}")).collect();
        let all = || arns.iter().map(|arn| (arn, ()));
        let first = page(all(), "");
        let second = page(all(), first.next.as_deref().unwrap());
        assert_eq!((first.items.len(), second.items.len()), (PAGE, PAGE));
        assert_eq!(second.items[0].0, arns[PAGE]);
        assert_eq!(second.next, None);
    }
}
