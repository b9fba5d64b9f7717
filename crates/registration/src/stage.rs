use stallkeeper_lifecycle::{Standing, Timestamp, View, Word};
use url::Url;

/// How buyers become tenants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// They say here who they are, and the app names a tenant.
    Hosted,
    /// They go on to the seller's own sign-up or log-in.
    HandOff(Url),
}

/// What a buyer is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// He is asked to confirm what he sets up, and by whom it is used.
    Asked,
    /// He said all, and the marketplace has not told yet that he subscribed.
    AwaitingSubscription,
    /// He is subscribed, and the seller's app names his tenant.
    AwaitingTenant,
    /// He can use it.
    Active,
    /// The marketplace could not take his money.
    PaymentFailed,
    /// It is frozen.
    Suspended,
    /// He left, and what he used is settled until then.
    Ending(Timestamp),
    /// He left; where he has just subscribed anew, the marketplace has not told yet.
    Ended,
}

impl Stage {
    /// Whether it changes without the buyer's doing.
    pub fn is_waiting(self) -> bool {
        matches!(self, Self::AwaitingSubscription | Self::AwaitingTenant | Self::PaymentFailed | Self::Ended)
    }

    /// A name for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::AwaitingSubscription => "awaiting-subscription",
            Self::AwaitingTenant => "awaiting-tenant",
            Self::Active => "active",
            Self::PaymentFailed => "payment-failed",
            Self::Suspended => "suspended",
            Self::Ending(_) => "ending",
            Self::Ended => "ended",
        }
    }
}

/// What a buyer is shown whose subscription looks so; nothing where it was never heard of.
pub fn stage(view: Option<&View>, has_said_all: bool) -> Stage {
    let word = view.map_or(Word::Unknown, |view| view.word);
    match (word, view.map(|view| &view.standing)) {
        (Word::Failed, _) => Stage::PaymentFailed,
        (Word::Suspended, _) => Stage::Suspended,
        (Word::Ending, Some(Standing::Ending { deadline, .. })) => Stage::Ending(*deadline),
        (Word::Ended | Word::Ending, _) => Stage::Ended,
        (Word::Active, _) => Stage::Active,
        (Word::Unknown | Word::Unclaimed, _) if !has_said_all => Stage::Asked,
        (Word::Unknown | Word::Registered, _) => Stage::AwaitingSubscription,
        (Word::Unclaimed, _) => Stage::AwaitingTenant,
    }
}
