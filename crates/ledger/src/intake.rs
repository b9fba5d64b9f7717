use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stallkeeper_lifecycle::{SubscriptionKey, TenantId, Timestamp, UserId};

use crate::{
    Aggregate, DimensionName, DimensionTerms, EventKey, EventState, Loss, LossReason, Meter, MeterTerms,
    ProductKey, Record, RecordKey, Refusal, SubUnits, TagSet, UsageEvent, UsageId, place,
};

/// Usage as the app reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// The app's id of it.
    pub id: UsageId,
    /// Who used it.
    pub tenant: TenantId,
    /// The product.
    pub product: ProductKey,
    /// What was used.
    pub dimension: DimensionName,
    /// A decimal number of units.
    pub quantity: String,
    /// When.
    pub occurred_at: Timestamp,
    /// Which of the tenant's people.
    pub user: Option<UserId>,
    /// By what it is split off for the buyer.
    pub tags: BTreeMap<String, String>,
    /// Which of the tenant's subscriptions, where there are several.
    pub subscription: Option<SubscriptionKey>,
}

/// Where a submission goes.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The meter.
    pub meter: &'a Meter,
    /// The configuration of its listing.
    pub terms: &'a MeterTerms,
}

impl Submission {
    /// Its identity.
    pub fn key(&self) -> EventKey {
        EventKey { product: self.product.clone(), tenant: self.tenant.clone(), id: self.id.clone() }
    }
}

/// Which of a tenant's meters a submission is about: the one that it names, or the only one.
///
/// Of several, those that are over do not count where another is not.
///
/// # Errors
/// None, or several.
pub fn choose<'a>(submission: &Submission, meters: &[Target<'a>]) -> Result<Target<'a>, Refusal> {
    let is_candidate = |target: &&Target<'a>| {
        target.meter.tenant.as_ref() == Some(&submission.tenant) && target.terms.product == submission.product
    };
    let candidates: Vec<Target<'a>> = meters.iter().filter(is_candidate).copied().collect();
    if let Some(named) = &submission.subscription {
        let found = candidates.iter().find(|target| target.meter.key == *named);
        return found.copied().ok_or_else(|| Refusal::UnknownSubscription(named.clone()));
    }
    let current: Vec<Target<'a>> =
        candidates.iter().filter(|target| !target.meter.is_over()).copied().collect();
    let of_interest = if current.is_empty() { &candidates } else { &current };
    match of_interest.as_slice() {
        [only] => Ok(*only),
        [] => Err(Refusal::UnknownTenant(submission.tenant.clone())),
        several => {
            let keys: Vec<String> =
                several.iter().take(8).map(|target| target.meter.key.to_string()).collect();
            Err(Refusal::Ambiguous(keys.join(", ")))
        }
    }
}

/// What a submission comes to on its meter, without counting it.
///
/// # Errors
/// A submission that the app has to be told about, as it is not taken.
pub fn check(submission: &Submission, target: Target<'_>, now: Timestamp) -> Result<UsageEvent, Refusal> {
    let Target { meter, terms } = target;
    let dimension = terms
        .dimensions
        .get(&submission.dimension)
        .ok_or_else(|| Refusal::UnknownDimension(submission.dimension.clone()))?;
    let quantity = SubUnits::parse(&submission.quantity, dimension.scale)?;
    let tags = TagSet::new(submission.tags.clone())?;
    let state = place(meter, terms, &dimension.api_name, submission.occurred_at, now)?;
    Ok(UsageEvent {
        key: submission.key(),
        subscription: meter.key.clone(),
        dimension: submission.dimension.clone(),
        api_name: dimension.api_name.clone(),
        scale: dimension.scale,
        occurred_at: submission.occurred_at,
        received_at: now,
        quantity,
        counted: quantity,
        user: submission.user.clone(),
        tags,
        state,
    })
}

/// Counts an event where [`check`] placed it: adds it to its hour's record, which is made where there is none.
///
/// Answers the loss where it is lost, as it is where the hour comes to more than can be counted.
pub fn take(
    event: &mut UsageEvent,
    meter: &mut Meter,
    terms: &MeterTerms,
    records: &mut BTreeMap<RecordKey, Record>,
    now: Timestamp,
) -> Option<Loss> {
    match event.state {
        EventState::Counted { hour } => {
            let key = RecordKey {
                subscription: meter.key.clone(),
                hour,
                dimension: event.api_name.clone(),
                region: terms.region.clone(),
            };
            let fresh = Record::open(key.clone(), meter, event.scale);
            let record = records.entry(key).or_insert(fresh);
            if !record.is_open() {
                return Some(event.lose(LossReason::Late, now));
            }
            let Some(counted) = add(record, event, aggregate_of(event, terms)) else {
                let detail = "the hour comes to more than can be counted".to_owned();
                return Some(Loss { detail, ..event.lose(LossReason::Rejected, now) });
            };
            event.counted = counted;
            meter.opened(hour);
            None
        }
        EventState::Held { until, .. } => {
            meter.holds(until);
            None
        }
        EventState::Lost { reason } => Some(event.lose(reason, now)),
    }
}

/// How the event's dimension is counted, also where the seller calls it something else by now.
fn aggregate_of(event: &UsageEvent, terms: &MeterTerms) -> Aggregate {
    let by_name = terms.dimensions.get(&event.dimension).filter(|named| named.api_name == event.api_name);
    let found = by_name.or_else(|| terms.by_api_name(&event.api_name).map(|(_, dimension)| dimension));
    found.map_or(Aggregate::Sum, |dimension: &DimensionTerms| dimension.aggregate)
}

/// Adds an event to a record; answers how much it added, and nothing where that cannot be counted.
///
/// Where the dimension's scale was changed within the hour, both are counted in the finer one's parts.
fn add(record: &mut Record, event: &mut UsageEvent, aggregate: Aggregate) -> Option<SubUnits> {
    if !(record.scale >= event.scale || record.rescale(event.scale)) {
        return None;
    }
    if !(event.scale == record.scale || event.rescale(record.scale)) {
        return None;
    }
    match aggregate {
        Aggregate::Sum => {
            record.counted = record.counted.checked_add(event.quantity)?;
            if !event.tags.is_empty() {
                let part = record.parts.entry(event.tags.clone()).or_default();
                *part = part.plus(event.quantity);
            }
            Some(event.quantity)
        }
        Aggregate::Max => {
            let more = event.quantity.minus(record.counted);
            record.counted = record.counted.max(event.quantity);
            Some(more)
        }
    }
}
