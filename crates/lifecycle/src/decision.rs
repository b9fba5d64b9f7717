use crate::diff::diff;
use crate::{
    Anomaly, Binding, Effect, Fact, FactKind, Flag, Folded, Inserted, Pricing, ReconcileReason, Snapshot,
    Standing, Subscription, Terms, Timestamp, Word, fold, view,
};

/// Something that may change a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The marketplace said something, and when.
    Fact(Fact),
    /// The marketplace said something on a feed without times.
    Received(FactKind),
    /// The buyer registered: he gets the subscription, unless another tenant has it.
    Register(Binding),
    /// An operator bound the subscription, whoever had it.
    Bind(Binding),
    /// An operator took the binding away.
    Unbind,
    /// The marketplace answered what the holder is entitled to.
    Snapshot(Snapshot),
    /// Time went by.
    Wake,
}

/// What became of one change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    /// It was taken in.
    Applied,
    /// It told nothing new.
    Unchanged,
    /// It is older than the tombstone, and changed nothing.
    TooOld,
    /// The subscription is another tenant's, and stays so.
    Taken,
}

/// One change and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What became of it.
    pub outcome: StepOutcome,
    /// The word after it.
    pub word: Word,
    /// What is odd about it, where it is a fact.
    pub anomaly: Option<Anomaly>,
}

/// What a batch of changes to one subscription comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// One for each change, in their order.
    pub steps: Vec<Step>,
    /// What is to be done now.
    pub effects: Vec<Effect>,
}

/// Takes changes into a subscription, in the order given, and says what follows from them together.
pub fn decide(
    subscription: &mut Subscription,
    changes: impl IntoIterator<Item = Change>,
    now: Timestamp,
    terms: Terms,
) -> Decision {
    let mut effects = Vec::new();
    let mut steps = Vec::new();
    let mut woken = Woken::No;
    for change in changes {
        if change == Change::Wake {
            woken = Woken::Yes;
        }
        let bound_before = subscription.binding.as_ref().map(|binding| binding.tenant.clone());
        let (outcome, fact) = take(subscription, change, now);
        if bound_before.as_ref() != subscription.binding.as_ref().map(|binding| &binding.tenant) {
            subscription.former = bound_before.or_else(|| subscription.former.take());
        }
        if outcome == StepOutcome::TooOld {
            effects.push(Effect::Reconcile(ReconcileReason::TooOld));
        }
        let (folded, flags) = fold(&subscription.log);
        let anomaly = fact.and_then(|fact| {
            flags.iter().find(|flag| flag.position == *fact.position()).map(|flag| flag.anomaly)
        });
        let seen = view(&folded, subscription.binding.as_ref(), &subscription.snapshots, now, terms);
        steps.push(Step { outcome, word: seen.word, anomaly });
    }
    effects.extend(settle(subscription, woken, now, terms));
    subscription.log.collapse();
    Decision { steps, effects }
}

fn take(subscription: &mut Subscription, change: Change, now: Timestamp) -> (StepOutcome, Option<Fact>) {
    match change {
        Change::Fact(fact) => insert(subscription, fact),
        Change::Received(kind) => {
            subscription.receipts = subscription.receipts.saturating_add(1);
            let fact = Fact::received(subscription.receipts, now, kind);
            insert(subscription, fact)
        }
        Change::Register(binding) => (register(&mut subscription.binding, binding), None),
        Change::Bind(binding) => (replace(&mut subscription.binding, Some(binding)), None),
        Change::Unbind => (replace(&mut subscription.binding, None), None),
        Change::Snapshot(snapshot) => {
            let news = subscription.snapshots.insert(snapshot);
            (if news { StepOutcome::Applied } else { StepOutcome::Unchanged }, None)
        }
        Change::Wake => (StepOutcome::Unchanged, None),
    }
}

fn insert(subscription: &mut Subscription, fact: Fact) -> (StepOutcome, Option<Fact>) {
    let outcome = match subscription.log.insert(fact.clone()) {
        Inserted::New => StepOutcome::Applied,
        Inserted::Known => StepOutcome::Unchanged,
        Inserted::TooOld => StepOutcome::TooOld,
    };
    (outcome, Some(fact))
}

fn register(slot: &mut Option<Binding>, binding: Binding) -> StepOutcome {
    match slot {
        Some(bound) if bound.tenant != binding.tenant => StepOutcome::Taken,
        _ => replace(slot, Some(binding)),
    }
}

fn replace(slot: &mut Option<Binding>, binding: Option<Binding>) -> StepOutcome {
    if *slot == binding {
        return StepOutcome::Unchanged;
    }
    *slot = binding;
    StepOutcome::Applied
}

/// Whether a timer went off, so that none is set any more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Woken {
    No,
    Yes,
}

/// Compares what the app was told with what is so now.
fn settle(subscription: &mut Subscription, woken: Woken, now: Timestamp, terms: Terms) -> Vec<Effect> {
    let (folded, flags) = fold(&subscription.log);
    let after = view(&folded, subscription.binding.as_ref(), &subscription.snapshots, now, terms);
    let mut effects = diff(subscription.announced.as_ref(), &after, subscription.sequence.saturating_add(1));
    let is_news = !effects.is_empty();
    let was_bound = subscription.announced.as_ref().is_some_and(|view| view.binding.is_some());
    let is_bound_anew = after.binding.is_some() && !was_bound;
    if let Standing::Ending { deadline, .. } = after.standing
        && woken == Woken::Yes
        && !effects.contains(&Effect::WakeAt(deadline))
    {
        // The clock was set back since the timer went off.
        effects.push(Effect::WakeAt(deadline));
    }
    if is_news {
        subscription.sequence = subscription.sequence.saturating_add(1);
        subscription.announced = Some(after);
    }
    effects.extend(query(subscription, &folded, terms.pricing, is_bound_anew));
    effects.extend(report(subscription, flags));
    effects
}

/// Events of licenses have no word of their own for changed entitlements, and of a contract that is older than the
/// worker there may be none at all: it is asked about when its holder becomes a tenant.
fn query(
    subscription: &mut Subscription,
    folded: &Folded,
    pricing: Pricing,
    is_bound_anew: bool,
) -> Option<Effect> {
    let licensed_at = folded.licensed_at.filter(|_| pricing != Pricing::Subscription);
    let changed_at = folded.entitlements_changed_at.max(licensed_at);
    let newer = changed_at > subscription.queried_for;
    let unheard_of =
        is_bound_anew && pricing != Pricing::Subscription && subscription.snapshots.granted().is_none();
    subscription.queried_for = subscription.queried_for.max(changed_at);
    (newer || unheard_of).then_some(Effect::QueryEntitlements)
}

fn report(subscription: &mut Subscription, flags: Vec<Flag>) -> Vec<Effect> {
    let effects = flags
        .iter()
        .filter(|flag| !subscription.reported.contains(flag))
        .flat_map(|flag| {
            let ask = match flag.anomaly {
                Anomaly::Unconfirmed => Effect::ConfirmLicense(flag.position.clone()),
                anomaly => Effect::Reconcile(ReconcileReason::Odd(anomaly)),
            };
            [Effect::Alarm(flag.clone()), ask]
        })
        .collect();
    subscription.reported = flags;
    effects
}
