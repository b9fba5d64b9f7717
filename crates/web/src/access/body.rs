use schemars::JsonSchema;
use serde::Serialize;
use stallkeeper_entitlement::{Amount, Answer, Ask, Dimension, NotNow, Reason, Refused, RestsOn};
use stallkeeper_lifecycle::{Timestamp, Trial, Word};
use stallkeeper_persistence::GrantId;

use crate::openapi::{Decimal, Moment};
use crate::problem_document::ProblemDocument;

/// What access is told by.
pub(super) const ACCESS: [&str; 3] = ["none", "limited", "full"];
/// What a trial is told by.
pub(super) const TRIAL: [&str; 3] = ["yes", "no", "unknown"];

/// An answer to who may use what, but for its `as_of`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EntitlementOf")]
pub(super) struct EntitlementBody<'a> {
    tenant: &'a str,
    user: Option<&'a str>,
    product: &'a str,
    #[schemars(extend("enum" = ACCESS))]
    access: &'static str,
    #[schemars(extend("enum" = Reason::ALL.map(Reason::as_str)))]
    reason: &'static str,
    dimensions: Vec<DimensionBody<'a>>,
    plan: Option<&'a str>,
    /// Null where there is no subscription.
    #[schemars(extend("enum" = ["yes", "no", "unknown", null]))]
    trial: Option<&'static str>,
    /// The date until which it holds at least, or the end of the grant that decides.
    #[schemars(with = "Option<Moment>")]
    expires_at: Option<String>,
    /// Where to buy the product, where that would help.
    subscribe_url: Option<&'a str>,
    /// While the buyer leaves: when access ends.
    ending: Option<EndingBody>,
    subscriptions: Vec<RestsOnBody<'a>>,
    grants: Vec<&'a str>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EntitledDimension")]
struct DimensionBody<'a> {
    name: &'a str,
    /// The sum over licenses, where all values are numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Decimal")]
    quantity: Option<&'a str>,
    /// The different values, where one of them is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<Vec<&'a str>>,
    #[schemars(with = "Option<Moment>")]
    expires_at: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AccessEnding")]
struct EndingBody {
    #[schemars(with = "Moment")]
    deadline: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RestsOn")]
struct RestsOnBody<'a> {
    subscription: &'a str,
    #[schemars(extend("enum" = Word::ALL.map(Word::as_str)))]
    word: &'static str,
    #[schemars(extend("enum" = ACCESS))]
    access: &'static str,
}

impl<'a> EntitlementBody<'a> {
    pub(super) fn of(ask: &Ask<'a>, answer: &'a Answer) -> Self {
        Self {
            tenant: ask.tenant,
            user: ask.user,
            product: ask.product,
            access: answer.access.as_str(),
            reason: answer.reason.as_str(),
            dimensions: answer.dimensions.iter().map(DimensionBody::of).collect(),
            plan: answer.plan.as_deref(),
            trial: answer.trial.map(trial),
            expires_at: answer.expires_at.map(text),
            subscribe_url: answer.subscribe_url.as_deref(),
            ending: answer.ending.map(|deadline| EndingBody { deadline: text(deadline) }),
            subscriptions: answer.subscriptions.iter().map(RestsOnBody::of).collect(),
            grants: answer.grants.iter().map(GrantId::as_str).collect(),
        }
    }
}

impl<'a> DimensionBody<'a> {
    fn of(dimension: &'a Dimension) -> Self {
        let (quantity, values) = match &dimension.amount {
            Amount::Sum(sum) => (Some(sum.as_str()), None),
            Amount::Texts(texts) => (None, Some(texts.iter().map(String::as_str).collect())),
        };
        Self { name: &dimension.name, quantity, values, expires_at: dimension.expires_at.map(text) }
    }
}

impl<'a> RestsOnBody<'a> {
    fn of(rests_on: &'a RestsOn) -> Self {
        let RestsOn { key, word, access } = rests_on;
        Self { subscription: key, word: word.as_str(), access: access.as_str() }
    }
}

pub(super) fn text(at: Timestamp) -> String {
    at.to_string()
}

pub(super) fn trial(trial: Trial) -> &'static str {
    match trial {
        Trial::Unknown => "unknown",
        Trial::No => "no",
        Trial::Yes => "yes",
    }
}

/// JSON as bytes, for an answer whose tag is taken from them.
pub(super) fn json(body: &impl Serialize) -> Result<Vec<u8>, ProblemDocument> {
    let mut bytes = Vec::with_capacity(512);
    serde_json::to_writer(&mut bytes, body).map_err(|error| {
        tracing::error!(error = %error, "an answer cannot be written");
        ProblemDocument::unavailable("the answer cannot be written; the worker's log says why")
    })?;
    Ok(bytes)
}

impl From<NotNow> for ProblemDocument {
    fn from(error: NotNow) -> Self {
        Self::unavailable(error.to_string())
    }
}

impl From<Refused> for ProblemDocument {
    fn from(error: Refused) -> Self {
        match error {
            Refused::UnknownProduct(_) => Self::not_found(error.to_string()),
            Refused::Unreadable(_) => Self::unavailable(error.to_string()),
        }
    }
}
