use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use stallkeeper_lifecycle::{Advisory, End, Entry, Period, Standing, Timestamp, View, Word};
use stallkeeper_persistence::{HistoryRecord, SubscriptionRecord};

use super::AccessApi;
use super::body::{ACCESS, TRIAL, text, trial};
use crate::openapi::Moment;

/// A subscription as it looks now.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Subscription")]
pub(super) struct SubscriptionLine {
    key: String,
    marketplace: String,
    /// The listing's code.
    product_code: String,
    /// The seller's own key of the product; none where no listing has the code.
    product: Option<String>,
    #[schemars(extend("enum" = Word::ALL.map(Word::as_str)))]
    word: &'static str,
    #[schemars(extend("enum" = ACCESS))]
    access: &'static str,
    tenant: Option<String>,
    user: Option<String>,
    period: Option<PeriodLine>,
    /// Since when it is failed, suspended, ending or ended.
    #[schemars(with = "Option<Moment>")]
    since: Option<String>,
    /// How it ended, where it did.
    #[schemars(extend("enum" = ["lapsed", "said", "final", null]))]
    end: Option<&'static str>,
    /// While it is ending: when it ends.
    #[schemars(with = "Option<Moment>")]
    deadline: Option<String>,
    /// Since when somebody should talk to the buyer, as the marketplace says.
    #[schemars(with = "Option<Moment>")]
    advisory_since: Option<String>,
    agreement: Option<String>,
    /// How often the app was told something about it.
    sequence: u64,
    #[schemars(with = "Moment")]
    updated_at: String,
}

/// One stretch from subscribing to ending.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Period")]
struct PeriodLine {
    number: u32,
    #[schemars(with = "Option<Moment>")]
    started_at: Option<String>,
    #[schemars(extend("enum" = ["new", "resumed", "unseen"]))]
    entry: &'static str,
    offer: Option<String>,
    #[schemars(extend("enum" = TRIAL))]
    trial: &'static str,
    plan: Option<String>,
    #[schemars(with = "Option<Moment>")]
    expires_at: Option<String>,
}

/// A line of history.
#[derive(Serialize, JsonSchema)]
pub(super) struct HistoryLine {
    number: i64,
    #[schemars(with = "Option<Moment>")]
    happened_at: Option<String>,
    #[schemars(with = "Moment")]
    received_at: String,
    what: String,
    outcome: String,
    word: String,
    anomaly: Option<String>,
    actor: String,
    event: Option<String>,
    /// The rest as it is stored; times in it are microseconds since 1970.
    detail: Value,
}

impl SubscriptionLine {
    pub(super) fn of(record: &SubscriptionRecord, api: &AccessApi, now: Timestamp) -> Self {
        let key = &record.key;
        let view = record.subscription.view(now, api.terms.terms(key));
        let (since, end, deadline) = dates(&view.standing);
        Self {
            key: key.to_string(),
            marketplace: key.marketplace.to_string(),
            product_code: key.product.to_string(),
            product: api.product_of(key).map(ToString::to_string),
            word: view.word.as_str(),
            access: view.access.as_str(),
            tenant: view.binding.as_ref().map(|binding| binding.tenant.to_string()),
            user: user(&view),
            period: view.standing.period().map(PeriodLine::of),
            since: since.map(text),
            end,
            deadline: deadline.map(text),
            advisory_since: match view.advisory {
                Advisory::Clear => None,
                Advisory::Issued { at } => Some(text(at)),
            },
            agreement: view.agreement.map(String::from),
            sequence: record.subscription.sequence,
            updated_at: text(record.updated_at),
        }
    }
}

fn user(view: &View) -> Option<String> {
    view.binding.as_ref()?.user.as_ref().map(ToString::to_string)
}

fn dates(standing: &Standing) -> (Option<Timestamp>, Option<&'static str>, Option<Timestamp>) {
    match standing {
        Standing::None | Standing::Subscribed(_) => (None, None, None),
        Standing::Failed { at } => (Some(*at), None, None),
        Standing::Suspended { since, .. } => (Some(*since), None, None),
        Standing::Ending { since, deadline, .. } => (Some(*since), None, Some(*deadline)),
        Standing::Ended { at, end, .. } => {
            let end = match end {
                End::Lapsed => "lapsed",
                End::Said => "said",
                End::Final => "final",
            };
            (Some(*at), Some(end), None)
        }
    }
}

impl PeriodLine {
    fn of(period: &Period) -> Self {
        Self {
            number: period.number,
            started_at: period.started_at.map(text),
            entry: match period.entry {
                Entry::New => "new",
                Entry::Resumed => "resumed",
                Entry::Unseen => "unseen",
            },
            offer: period.offer.as_ref().map(ToString::to_string),
            trial: trial(period.trial),
            plan: period.plan.as_ref().map(|plan| plan.id.to_string()),
            expires_at: period.expires_at.map(text),
        }
    }
}

impl HistoryLine {
    pub(super) fn of(record: &HistoryRecord) -> Self {
        let entry = &record.entry;
        let detail = serde_json::from_str(&entry.detail);
        Self {
            number: record.number,
            happened_at: entry.happened_at.map(text),
            received_at: text(entry.at),
            what: entry.what.clone(),
            outcome: entry.outcome.clone(),
            word: entry.word.clone(),
            anomaly: entry.anomaly.clone(),
            actor: entry.actor.to_string(),
            event: entry.event.as_ref().map(ToString::to_string),
            detail: detail.unwrap_or_else(|_| Value::String(entry.detail.clone())),
        }
    }
}
