use serde::Serialize;
use stallkeeper_lifecycle::{Access, Advisory, End, Entry, Period, Standing, Timestamp, Trial, View};
use stallkeeper_persistence::{SubscriptionRecord, TermsOf};

use crate::config::Config;
use crate::table::Rfc3339;

/// A subscription as it looks now; the JSON of `subscriptions list`.
#[derive(Debug, Serialize)]
pub(super) struct SubscriptionLine {
    /// `marketplace/product/kind/id`
    pub(super) key: String,
    /// The configured marketplace.
    pub(super) marketplace: String,
    /// The listing's code there.
    pub(super) product_code: String,
    /// The seller's own key of the product; null where no listing has the code.
    pub(super) product: Option<String>,
    /// `unknown`, `registered`, `unclaimed`, `active`, `failed`, `suspended`, `ending` or `ended`.
    pub(super) word: &'static str,
    /// `none`, `limited` or `full`.
    pub(super) access: &'static str,
    /// The seller's tenant.
    pub(super) tenant: Option<String>,
    /// The seller's user.
    pub(super) user: Option<String>,
    /// The stretch that it is in, or that ended last.
    pub(super) period: Option<PeriodLine>,
    /// Since when it is failed, suspended, ending or ended.
    pub(super) since: Option<Rfc3339>,
    /// Of an ended one: `lapsed` (the window passed), `said` (by the marketplace) or `final` (nothing reopens it).
    pub(super) end: Option<&'static str>,
    /// When the final-usage window closes.
    pub(super) deadline: Option<Rfc3339>,
    /// Until when sending usage may still be tried.
    pub(super) attempts_until: Option<Rfc3339>,
    /// Since when AWS has warned about the buyer.
    pub(super) advisory_since: Option<Rfc3339>,
    /// Its agreement.
    pub(super) agreement: Option<String>,
    /// When it was last written.
    pub(super) updated_at: Rfc3339,
}

/// One stretch from subscribing to ending.
#[derive(Debug, Serialize)]
pub(super) struct PeriodLine {
    /// Counts up from 1.
    pub(super) number: u32,
    /// When it began; null where its beginning was never heard of.
    pub(super) started_at: Option<Rfc3339>,
    /// `new`, `resumed` (inside the window of the one before) or `unseen` (its end was heard of first).
    pub(super) entry: &'static str,
    /// The newest offer.
    pub(super) offer: Option<String>,
    /// `yes`, `no` or `unknown`.
    pub(super) trial: &'static str,
    /// The newest plan.
    pub(super) plan: Option<String>,
    /// The newest expiry.
    pub(super) expires_at: Option<Rfc3339>,
}

impl SubscriptionLine {
    /// The subscription as a look at `now` finds it: a window that has passed is an end, even if nothing woke yet.
    pub(super) fn of(record: &SubscriptionRecord, config: &Config, now: Timestamp) -> Self {
        let key = &record.key;
        let view = record.subscription.view(now, config.terms(key));
        let dates = Dates::of(&view.standing);
        Self {
            key: key.to_string(),
            marketplace: key.marketplace.to_string(),
            product_code: key.product.to_string(),
            product: config
                .listing(&key.marketplace, &key.product)
                .map(|(product, _)| product.key.to_string()),
            word: view.word.as_str(),
            access: view.access.as_str(),
            tenant: view.binding.as_ref().map(|binding| binding.tenant.to_string()),
            user: user(&view),
            period: view.standing.period().map(PeriodLine::of),
            since: dates.since.map(Rfc3339),
            end: dates.end,
            deadline: dates.deadline.map(Rfc3339),
            attempts_until: dates.attempts_until.map(Rfc3339),
            advisory_since: match view.advisory {
                Advisory::Clear => None,
                Advisory::Issued { at } => Some(Rfc3339(at)),
            },
            agreement: view.agreement.map(|agreement| agreement.to_string()),
            updated_at: Rfc3339(record.updated_at),
        }
    }

    /// Access in words.
    pub(super) fn access_in_words(&self) -> String {
        let words = match self.access {
            access if access == Access::Limited.as_str() => ": no new billable work",
            _ => "",
        };
        format!("{}{words}", self.access)
    }
}

fn user(view: &View) -> Option<String> {
    view.binding.as_ref()?.user.as_ref().map(ToString::to_string)
}

/// The dates of a standing.
#[derive(Default)]
struct Dates {
    since: Option<Timestamp>,
    end: Option<&'static str>,
    deadline: Option<Timestamp>,
    attempts_until: Option<Timestamp>,
}

impl Dates {
    fn of(standing: &Standing) -> Self {
        match standing {
            Standing::None | Standing::Subscribed(_) => Self::default(),
            Standing::Failed { at } => Self { since: Some(*at), ..Self::default() },
            Standing::Suspended { since, .. } => Self { since: Some(*since), ..Self::default() },
            Standing::Ending { since, deadline, attempts_until, .. } => Self {
                since: Some(*since),
                end: None,
                deadline: Some(*deadline),
                attempts_until: Some(*attempts_until),
            },
            Standing::Ended { at, end, attempts_until, .. } => Self {
                since: Some(*at),
                end: Some(match end {
                    End::Lapsed => "lapsed",
                    End::Said => "said",
                    End::Final => "final",
                }),
                deadline: None,
                attempts_until: *attempts_until,
            },
        }
    }
}

impl PeriodLine {
    fn of(period: &Period) -> Self {
        Self {
            number: period.number,
            started_at: period.started_at.map(Rfc3339),
            entry: match period.entry {
                Entry::New => "new",
                Entry::Resumed => "resumed",
                Entry::Unseen => "unseen",
            },
            offer: period.offer.as_ref().map(ToString::to_string),
            trial: match period.trial {
                Trial::Unknown => "unknown",
                Trial::No => "no",
                Trial::Yes => "yes",
            },
            plan: period.plan.as_ref().map(|plan| plan.id.to_string()),
            expires_at: period.expires_at.map(Rfc3339),
        }
    }
}
