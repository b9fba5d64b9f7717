//! Lines that several pages have.

use stallkeeper_ledger::{EventKey, EventState, HeldReason, LossReason, MeterTerms, UsageEvent};
use stallkeeper_lifecycle::{Access, SubscriptionKey, Timestamp, View, Word};
use stallkeeper_persistence::usage::LossLine;
use stallkeeper_persistence::{JobRecord, JobState, SubscriptionRecord};

use super::super::deliveries::{DeliveryLine, DeliveryState};
use super::super::words::{KeyLink, Left, Moment, Tone, distance, hour, tone};
use super::super::{ConsoleApi, Listing};
use crate::safe;
use crate::usage::name_of;

/// A word and how it looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Badge {
    pub(super) text: String,
    pub(super) class: &'static str,
}

impl Badge {
    pub(super) fn new(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: text.into(), class: tone.class() }
    }

    pub(super) fn of_word(word: Word) -> Self {
        Self::new(word.as_str(), tone(word))
    }

    /// A word as it is stored, which may be a newer version's.
    pub(super) fn of_stored_word(text: &str) -> Self {
        let word = Word::ALL.into_iter().find(|word| word.as_str() == text);
        word.map_or_else(|| Self::new(safe(text), Tone::Quiet), Self::of_word)
    }
}

/// The product's name, where a configured listing has the code.
pub(super) fn product_of(listings: &[Listing], key: &SubscriptionKey) -> Option<String> {
    let is_its = |listing: &&Listing| listing.marketplace == key.marketplace && listing.code == key.product;
    listings.iter().find(is_its).map(|listing| safe(&listing.product))
}

/// A subscription in a listing.
pub(super) struct SubscriptionRow {
    pub(super) link: KeyLink,
    pub(super) product: Option<String>,
    pub(super) word: Badge,
    pub(super) access: Badge,
    pub(super) tenant: Option<String>,
    pub(super) left: Option<Left>,
    pub(super) changed: Moment,
}

impl SubscriptionRow {
    pub(super) fn of(api: &dyn ConsoleApi, listings: &[Listing], record: &SubscriptionRecord) -> Self {
        let (view, now) = (api.view(record), api.now());
        Self {
            link: KeyLink::of(&record.key),
            product: product_of(listings, &record.key),
            word: Badge::of_word(view.word),
            access: access(view.access),
            tenant: tenant(&view),
            left: deadline(&view).map(|end| Left::until(end, now)),
            changed: Moment::of(record.updated_at, now),
        }
    }
}

pub(super) fn access(access: Access) -> Badge {
    match access {
        Access::Full => Badge::new("full", Tone::Good),
        Access::Limited => Badge::new("limited", Tone::Warn),
        Access::None => Badge::new("none", Tone::Quiet),
    }
}

pub(super) fn tenant(view: &View) -> Option<String> {
    view.binding.as_ref().map(|binding| safe(binding.tenant.as_str()))
}

/// When its final-usage window closes, while it is open.
pub(super) fn deadline(view: &View) -> Option<Timestamp> {
    match view.standing {
        stallkeeper_lifecycle::Standing::Ending { deadline, .. } => Some(deadline),
        _ => None,
    }
}

/// Usage that is not billed.
pub(super) struct LossRow {
    pub(super) link: KeyLink,
    pub(super) hour: String,
    pub(super) dimension: String,
    pub(super) quantity: String,
    pub(super) reason: &'static str,
    pub(super) more: String,
    pub(super) found: Moment,
    /// When it turned out to be billed all the same.
    pub(super) recovered: Option<Moment>,
}

impl LossRow {
    pub(super) fn of(line: &LossLine, terms: Option<&MeterTerms>, now: Timestamp) -> Self {
        let loss = &line.loss;
        let event = loss.event.as_ref().map(|event| format!("event {}", event_name(event)));
        let detail = Some(loss.detail.clone()).filter(|detail| !detail.is_empty());
        Self {
            link: KeyLink::of(&loss.subscription),
            hour: hour(loss.hour.start()),
            dimension: safe(&name_of(&loss.dimension, terms)),
            quantity: loss.parts.display(loss.scale),
            reason: reason(loss.reason),
            more: safe(&[event, detail].into_iter().flatten().collect::<Vec<_>>().join("; ")),
            found: Moment::of(loss.at, now),
            recovered: line.recovered_at.map(|at| Moment::of(at, now)),
        }
    }
}

fn event_name(key: &EventKey) -> String {
    format!("{}/{}/{}", key.product, key.tenant, key.id)
}

/// Why usage is not billed, in a few words.
fn reason(reason: LossReason) -> &'static str {
    match reason {
        LossReason::Conflict => "the marketplace holds another record of that hour",
        LossReason::Rejected => "the marketplace refused it",
        LossReason::Expired => "not sent in time",
        LossReason::NotSubscribed => "the marketplace knows no subscription",
        LossReason::WindowClosed => "after the final-usage window",
        LossReason::EarlierPeriod => "of an earlier period",
        LossReason::MonthClosed => "its month was closed",
        LossReason::Fraction => "less than a unit was left over",
        LossReason::Late => "late, and not decided on in time",
        LossReason::WrittenOff => "written off",
        LossReason::PaymentFailed => "the buyer's payment failed",
    }
}

/// Usage that waits for a decision or an activation.
pub(super) struct HeldRow {
    pub(super) link: KeyLink,
    pub(super) product: String,
    pub(super) tenant: String,
    pub(super) id: String,
    pub(super) tenant_shown: String,
    pub(super) id_shown: String,
    pub(super) dimension: String,
    pub(super) quantity: String,
    pub(super) occurred: Moment,
    pub(super) left: Left,
    /// Whether an operator decides on it.
    pub(super) is_late: bool,
}

impl HeldRow {
    /// The row of an event that is held.
    pub(super) fn of(event: &UsageEvent, now: Timestamp) -> Option<Self> {
        let EventState::Held { reason, until } = event.state else { return None };
        Some(Self {
            link: KeyLink::of(&event.subscription),
            product: event.key.product.to_string(),
            tenant: event.key.tenant.to_string(),
            id: event.key.id.to_string(),
            tenant_shown: safe(event.key.tenant.as_str()),
            id_shown: safe(event.key.id.as_str()),
            dimension: safe(event.dimension.as_str()),
            quantity: event.quantity.display(event.scale),
            occurred: Moment::of(event.occurred_at, now),
            left: Left::until(until, now),
            is_late: reason == HeldReason::Late,
        })
    }
}

/// A stored job.
pub(super) struct JobRow {
    pub(super) link: KeyLink,
    pub(super) key: String,
    pub(super) kind: &'static str,
    pub(super) state: Badge,
    pub(super) plan: String,
    pub(super) attempts: i32,
    pub(super) error: String,
    /// Whether it can be tried again.
    pub(super) is_failed: bool,
}

impl JobRow {
    pub(super) fn of(record: &JobRecord, now: Timestamp) -> Self {
        let (tone, plan) = match (record.state, record.leased_until) {
            (JobState::Parked, _) => (Tone::Quiet, "for nobody, as no endpoint is configured".to_owned()),
            (JobState::Failed, _) => (Tone::Bad, "given up".to_owned()),
            (JobState::Due, Some(until)) if until > now => (Tone::Good, "runs now".to_owned()),
            (JobState::Due, _) => (Tone::Good, format!("due {}", distance(record.due_at, now))),
        };
        Self {
            link: KeyLink::of(&record.job.key),
            key: record.job.key.to_string(),
            kind: record.job.kind.as_str(),
            state: Badge::new(record.state.as_str(), tone),
            plan,
            attempts: record.job.attempts,
            error: record.last_error.as_deref().map(safe).unwrap_or_default(),
            is_failed: record.state == JobState::Failed,
        }
    }
}

/// A delivery to a system of the seller's.
pub(super) struct DeliveryRow {
    pub(super) id: String,
    pub(super) id_shown: String,
    pub(super) event: String,
    pub(super) endpoint: String,
    pub(super) at: Moment,
    pub(super) attempts: u32,
    pub(super) state: Badge,
    pub(super) why: String,
    /// Whether sending it again makes sense.
    pub(super) is_failed: bool,
}

impl DeliveryRow {
    pub(super) fn of(line: &DeliveryLine, now: Timestamp) -> Self {
        let (state, why) = match &line.state {
            DeliveryState::Waiting(at) => {
                (Badge::new("waiting", Tone::Warn), format!("again {}", distance(*at, now)))
            }
            DeliveryState::Delivered => (Badge::new("delivered", Tone::Good), String::new()),
            DeliveryState::Superseded => {
                (Badge::new("superseded", Tone::Quiet), "a newer one took its place".to_owned())
            }
            DeliveryState::Failed(why) => (Badge::new("failed", Tone::Bad), safe(why)),
        };
        Self {
            id: line.id.clone(),
            id_shown: safe(&line.id),
            event: safe(&line.event),
            endpoint: safe(&line.endpoint),
            at: Moment::of(line.at, now),
            attempts: line.attempts,
            is_failed: matches!(line.state, DeliveryState::Failed(_)),
            state,
            why,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_of_a_loss_has_words_of_its_own() {
        let mut words: Vec<_> = LossReason::ALL.into_iter().map(reason).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), LossReason::ALL.len());
    }

    #[test]
    fn a_word_of_a_newer_version_is_shown_as_it_is_but_steers_nothing() {
        assert_eq!(Badge::of_stored_word("active"), Badge::of_word(Word::Active));
        assert_eq!(Badge::of_stored_word("dreaming\u{202e}").text, "dreaming\\u{202e}");
    }
}
