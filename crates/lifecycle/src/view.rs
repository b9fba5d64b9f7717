use serde::{Deserialize, Serialize};

use crate::standing::FINAL_WINDOW;
use crate::{
    Advisory, AgreementId, Binding, End, Entitlement, Entry, Folded, Period, Snapshots, Standing, Timestamp,
    Trial,
};

/// What everyone sees of a subscription at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// The one word for where it stands.
    pub word: Word,
    /// What the tenant may do.
    pub access: Access,
    /// Where it stands, with its data.
    pub standing: Standing,
    /// Whom it is bound to.
    pub binding: Option<Binding>,
    /// Whether AWS has warned about the buyer.
    pub advisory: Advisory,
    /// Its agreement, where the marketplace has such.
    pub agreement: Option<AgreementId>,
    /// Of a contract that gives access, what the marketplace last said that it entitles to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entitlements: Vec<Entitlement>,
}

/// The words that people and apps see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// Neither subscribed nor bound.
    Unknown,
    /// Bound, and nothing heard from the marketplace.
    Registered,
    /// Subscribed, and bound to nobody.
    Unclaimed,
    /// Subscribed and bound.
    Active,
    /// The payment failed.
    Failed,
    /// Frozen, reversibly.
    Suspended,
    /// The final-usage window is open.
    Ending,
    /// Over.
    Ended,
}

impl Word {
    /// All of them, in the order of a subscription's life.
    pub const ALL: [Self; 8] = [
        Self::Unknown,
        Self::Registered,
        Self::Unclaimed,
        Self::Active,
        Self::Failed,
        Self::Suspended,
        Self::Ending,
        Self::Ended,
    ];

    /// The word as text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Registered => "registered",
            Self::Unclaimed => "unclaimed",
            Self::Active => "active",
            Self::Failed => "failed",
            Self::Suspended => "suspended",
            Self::Ending => "ending",
            Self::Ended => "ended",
        }
    }
}

/// What a tenant may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Nothing.
    None,
    /// No new billable work.
    Limited,
    /// All that was bought.
    Full,
}

impl Access {
    /// The word as text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Limited => "limited",
            Self::Full => "full",
        }
    }
}

/// What a listing's configuration says about reading its subscriptions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// How the listing is priced.
    pub pricing: Pricing,
    /// What is left of access while final usage is reported.
    pub ending: EndingAccess,
}

/// How a listing is priced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pricing {
    /// Pay as you go: facts decide.
    #[default]
    Subscription,
    /// Paid up front: entitlement snapshots decide.
    Contract,
    /// Paid up front with metered overage: it takes both.
    ContractWithConsumption,
}

/// What is left of access while final usage is reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndingAccess {
    /// No new billable work.
    #[default]
    Limited,
    /// None at all.
    None,
    /// Everything until the window closes.
    Full,
}

/// Looks at a subscription at `now`.
pub fn view(
    folded: &Folded,
    binding: Option<&Binding>,
    snapshots: &Snapshots,
    now: Timestamp,
    terms: Terms,
) -> View {
    let standing = folded.standing.clone().lapsed(now);
    let standing = match terms.pricing {
        Pricing::Subscription => standing,
        Pricing::Contract => contract(&standing, folded.periods, snapshots),
        Pricing::ContractWithConsumption => contract_with_consumption(&standing, snapshots).lapsed(now),
    };
    let word = word(&standing, binding);
    let access = access(word, snapshots, terms);
    View {
        word,
        access,
        standing,
        binding: binding.cloned(),
        advisory: folded.advisory,
        agreement: folded.agreement.clone(),
        entitlements: entitlements(access, snapshots, terms.pricing),
    }
}

fn entitlements(access: Access, snapshots: &Snapshots, pricing: Pricing) -> Vec<Entitlement> {
    let granted = snapshots.granted().filter(|_| access != Access::None && pricing != Pricing::Subscription);
    granted.map(|granted| granted.entitlements.clone()).unwrap_or_default()
}

fn word(standing: &Standing, binding: Option<&Binding>) -> Word {
    match (standing, binding) {
        (Standing::None, None) => Word::Unknown,
        (Standing::None, Some(_)) => Word::Registered,
        (Standing::Subscribed(_), None) => Word::Unclaimed,
        (Standing::Subscribed(_), Some(_)) => Word::Active,
        (Standing::Failed { .. }, _) => Word::Failed,
        (Standing::Suspended { .. }, _) => Word::Suspended,
        (Standing::Ending { .. }, _) => Word::Ending,
        (Standing::Ended { .. }, _) => Word::Ended,
    }
}

fn access(word: Word, snapshots: &Snapshots, terms: Terms) -> Access {
    match word {
        Word::Active => match terms.pricing {
            Pricing::Subscription => Access::Full,
            Pricing::Contract | Pricing::ContractWithConsumption if snapshots.granted().is_some() => {
                Access::Full
            }
            Pricing::Contract | Pricing::ContractWithConsumption => Access::None,
        },
        Word::Ending => match terms.ending {
            EndingAccess::Limited => Access::Limited,
            EndingAccess::None => Access::None,
            EndingAccess::Full => Access::Full,
        },
        Word::Unknown | Word::Registered | Word::Unclaimed | Word::Failed | Word::Suspended | Word::Ended => {
            Access::None
        }
    }
}

/// A pure contract: a snapshot that was asked for after the last fact has the word.
fn contract(standing: &Standing, periods: u32, snapshots: &Snapshots) -> Standing {
    let Some(granted) = snapshots.granted() else { return standing.clone() };
    let newer = |at: Timestamp| granted.asked_at > at;
    let by_facts = match standing {
        Standing::Ending { .. } | Standing::Ended { end: End::Final, .. } => return standing.clone(),
        Standing::Ended { at, .. } | Standing::Failed { at } if !newer(*at) => return standing.clone(),
        Standing::Subscribed(period) | Standing::Suspended { period, .. } => Some(period.clone()),
        Standing::None | Standing::Failed { .. } | Standing::Ended { .. } => None,
    };
    let period = by_facts.unwrap_or_else(|| Period {
        number: periods.saturating_add(1),
        // Nobody said when it began, and a later answer would date it anew.
        started_at: None,
        entry: Entry::New,
        offer: None,
        trial: Trial::Unknown,
        plan: None,
        expires_at: None,
    });
    match (snapshots.confirmed_empty_at(), standing) {
        (Some(at), _) => Standing::Ended { at, end: End::Said, period: Some(period), attempts_until: None },
        (None, Standing::Suspended { .. }) => standing.clone(),
        (None, _) => Standing::Subscribed(period),
    }
}

/// A contract with consumption: the empty answer opens the window for its overage.
fn contract_with_consumption(standing: &Standing, snapshots: &Snapshots) -> Standing {
    match (standing, snapshots.granted(), snapshots.confirmed_empty_at()) {
        (Standing::Subscribed(period), Some(_), Some(since)) => {
            let deadline = since.plus(FINAL_WINDOW);
            Standing::Ending { period: period.clone(), since, deadline, attempts_until: deadline }
        }
        _ => standing.clone(),
    }
}
