use serde::{Deserialize, Serialize};

use crate::{Access, Anomaly, Binding, Flag, Position, Standing, Timestamp, View, Word};

/// Something that a change of a subscription asks to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Tell the seller's app.
    Announce(Box<Announcement>),
    /// Look again at that time: a window closes then.
    WakeAt(Timestamp),
    /// Ask the marketplace what the holder is entitled to.
    QueryEntitlements,
    /// Ask the marketplace whether the license of that `License Updated` is provisioned.
    ConfirmLicense(Position),
    /// Ask the marketplace how the subscription really stands.
    Reconcile(ReconcileReason),
    /// Tell a person.
    Alarm(Flag),
}

/// Why the marketplace should be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReconcileReason {
    /// A fact came that is older than the tombstone.
    TooOld,
    /// The facts contradict each other.
    Odd(Anomaly),
    /// The final-usage window passed without a last word.
    NoLastWord,
}

/// What the app is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// What happened.
    pub event: Announced,
    /// Counts up for each subscription: a receiver drops what is older than what it has.
    pub sequence: u64,
    /// Where the subscription stands now.
    pub view: View,
    /// Whom it was bound to until now, where that was another one or is nobody any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<Binding>,
}

/// The names of announcements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Announced {
    /// A tenant is bound, the marketplace has not confirmed yet.
    Registered,
    /// Subscribed, and bound to nobody.
    Unclaimed,
    /// Subscribed and bound.
    Activated,
    /// The payment failed.
    Failed,
    /// Frozen, reversibly.
    Suspended,
    /// Active again after a suspension, or inside the final-usage window.
    Resumed,
    /// The final-usage window is open.
    Ending,
    /// Over.
    Ended,
    /// The same standing with other data.
    Changed,
}

impl Announced {
    /// The name under which it is delivered.
    pub fn name(self) -> &'static str {
        match self {
            Self::Registered => "subscription.registered",
            Self::Unclaimed => "subscription.unclaimed",
            Self::Activated => "subscription.activated",
            Self::Failed => "subscription.failed",
            Self::Suspended => "subscription.suspended",
            Self::Resumed => "subscription.resumed",
            Self::Ending => "subscription.ending",
            Self::Ended => "subscription.ended",
            Self::Changed => "subscription.changed",
        }
    }
}

/// What a change from one view to another asks to be done, but for what single facts ask for.
///
/// `before` is what was last announced, so that a standing that lapsed unseen is caught up with.
pub fn diff(before: Option<&View>, after: &View, sequence: u64) -> Vec<Effect> {
    if before == Some(after) || (before.is_none() && after.word == Word::Unknown) {
        return Vec::new();
    }
    let event = announced(before, after);
    let former = before.and_then(|view| view.binding.clone()).filter(|_| !is_bound_as(before, after));
    let announcement = Announcement { event, sequence, view: after.clone(), former };
    let mut effects = vec![Effect::Announce(Box::new(announcement))];
    let deadline_before = before.and_then(|view| deadline(&view.standing));
    if let Some(deadline) = deadline(&after.standing)
        && deadline_before != Some(deadline)
    {
        effects.push(Effect::WakeAt(deadline));
    }
    if lapsed(after) && !before.is_some_and(lapsed) {
        effects.push(Effect::Reconcile(ReconcileReason::NoLastWord));
    }
    effects
}

fn is_bound_as(before: Option<&View>, after: &View) -> bool {
    before.is_some_and(|before| before.binding == after.binding)
}

fn deadline(standing: &Standing) -> Option<Timestamp> {
    match standing {
        Standing::Ending { deadline, .. } => Some(*deadline),
        _ => None,
    }
}

fn lapsed(view: &View) -> bool {
    matches!(view.standing, Standing::Ended { end: crate::End::Lapsed, .. })
}

fn announced(before: Option<&View>, after: &View) -> Announced {
    let word_before = before.map_or(Word::Unknown, |view| view.word);
    let access_before = before.map_or(Access::None, |view| view.access);
    if word_before == after.word && access_before == after.access && period(before) == period(Some(after)) {
        return Announced::Changed;
    }
    match after.word {
        Word::Unknown => Announced::Changed,
        Word::Registered => Announced::Registered,
        Word::Unclaimed => Announced::Unclaimed,
        Word::Active => match word_before {
            Word::Suspended | Word::Ending => Announced::Resumed,
            _ => Announced::Activated,
        },
        Word::Failed => Announced::Failed,
        Word::Suspended => Announced::Suspended,
        Word::Ending => Announced::Ending,
        Word::Ended => Announced::Ended,
    }
}

fn period(view: Option<&View>) -> Option<u32> {
    view.and_then(|view| view.standing.period()).map(|period| period.number)
}
