use stallkeeper_lifecycle::{AgreementId, Change, Fact, SubscriptionKey, Timestamp};

use crate::{Actor, InboxKey, QuarantineEntry, QuarantineKey, Settled};

/// Something that goes through the commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// When the worker took it.
    pub received_at: Timestamp,
    /// What it is.
    pub content: Content,
}

/// What goes through the commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A notification that was understood.
    Received(Received),
    /// A notification that was not.
    Refused(Refused),
    /// A change that no notification brought.
    Act(Act),
}

/// A notification that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// What makes it the same one when it comes again.
    pub inbox: InboxKey,
    /// Whom it is about: a subscription, or an agreement whose licenses it is about.
    pub key: SubscriptionKey,
    /// The agreement that a license's event names: from then on the license takes its facts.
    pub agreement: Option<AgreementId>,
    /// What it says.
    pub fact: Fact,
    /// Its bytes, as they came.
    pub body: Vec<u8>,
    /// The quarantined message that it replays, which is settled with it.
    pub replays: Option<Replay>,
}

/// Which quarantined message is replayed, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// The message.
    pub key: QuarantineKey,
    /// Who asked for it.
    pub actor: Actor,
}

/// A notification that was not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// How it is put aside.
    pub entry: QuarantineEntry,
}

/// A change that no notification brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// The subscription.
    pub key: SubscriptionKey,
    /// What changes.
    pub change: Change,
    /// Who does it.
    pub actor: Actor,
}

/// What became of something that went through the commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is stored, and this is what became of it.
    Settled(Settled),
    /// It was stored before, and that is what became of it then.
    Duplicate(Settled),
    /// It is stored in quarantine.
    Quarantined,
}
