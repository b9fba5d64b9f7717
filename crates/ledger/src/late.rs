use stallkeeper_lifecycle::Timestamp;

use crate::close::{Held, Look, Rest};
use crate::place::{carried, is_of_earlier_period};
use crate::{
    Change, EventState, HeldReason, Hour, LossReason, Meter, MeterTerms, Phase, Record, UsageEvent,
    Watermarks, place, take,
};

/// What an operator decides on usage that came too late for its hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is billed in the first hour that is open.
    Carry,
    /// It is not billed.
    WriteOff,
}

/// Why a decision cannot be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecisionError {
    /// It is not held, or for another reason.
    #[error("it is not held as late")]
    NotHeld,
    /// No hour of its month and period is open.
    #[error("no open hour of its month and period is left; it can only be written off")]
    NoHour,
}

/// Decides on held usage by what its subscription has come to; answers the events that changed.
pub(crate) fn settle_held(held: Held, look: &mut Look<'_>) -> Vec<UsageEvent> {
    let mut changed = Vec::new();
    let mut first_left = None;
    for event in held.events {
        match outcome(&event, look) {
            None => {
                if let EventState::Held { until, .. } = event.state {
                    first_left = Some(first_left.map_or(until, |first: Timestamp| first.min(until)));
                }
            }
            Some(state) => {
                let event = apply(event, state, look);
                if let EventState::Held { until, .. } = event.state {
                    first_left = Some(first_left.map_or(until, |first: Timestamp| first.min(until)));
                }
                changed.push(event);
            }
        }
    }
    // More of them may be decided on at once; those that go on waiting are behind none that do not.
    look.meter.held =
        if held.rest == Rest::More && !changed.is_empty() { Some(look.now) } else { first_left };
    changed
}

/// What becomes of a held event now; `None` where it goes on waiting.
fn outcome(event: &UsageEvent, look: &Look<'_>) -> Option<EventState> {
    let EventState::Held { reason, until } = event.state else { return None };
    let lost = |reason| Some(EventState::Lost { reason });
    match (reason, look.meter.phase) {
        (HeldReason::BeforeActivation, Phase::Waiting) if until > look.now => None,
        (HeldReason::BeforeActivation, Phase::Over { at, .. })
            if event.occurred_at >= at && until > look.now =>
        {
            None
        }
        (HeldReason::BeforeActivation, Phase::Waiting | Phase::Over { .. }) => {
            lost(LossReason::NotSubscribed)
        }
        (HeldReason::BeforeActivation, Phase::Failed) => lost(LossReason::PaymentFailed),
        (HeldReason::BeforeActivation, Phase::Running | Phase::Ending { .. }) => {
            let placed = place(&look.meter, look.terms, &event.api_name, event.occurred_at, look.now);
            match placed {
                // Its window has passed, and the word of that is still to come.
                Ok(EventState::Held { reason: HeldReason::BeforeActivation, .. }) => None,
                Ok(placed) => Some(placed),
                Err(_) => lost(LossReason::Late),
            }
        }
        (HeldReason::Late, Phase::Running | Phase::Ending { .. })
            if is_of_earlier_period(&look.meter, event.occurred_at) =>
        {
            lost(LossReason::EarlierPeriod)
        }
        (HeldReason::Late, Phase::Waiting | Phase::Running) if until > look.now => None,
        // No operator can be waited for: it goes where usage goes that comes now.
        (HeldReason::Late, Phase::Ending { .. }) if until > look.now => {
            let placed = place(&look.meter, look.terms, &event.api_name, event.occurred_at, look.now);
            placed.ok().or(lost(LossReason::Late))
        }
        (HeldReason::Late, _) => lost(LossReason::Late),
    }
}

fn apply(mut event: UsageEvent, state: EventState, look: &mut Look<'_>) -> UsageEvent {
    event.state = state;
    look.losses.extend(take(&mut event, &mut look.meter, look.terms, &mut look.records, look.now));
    if let EventState::Counted { hour } = event.state {
        let touched =
            look.records.keys().filter(|key| key.hour == hour && key.dimension == event.api_name).cloned();
        look.touched.extend(touched.collect::<Vec<_>>());
    }
    event
}

/// Carries out an operator's decision on one held event, with the meter's open records at hand.
///
/// # Errors
/// [`DecisionError`]; nothing changes then.
pub fn decide_held(
    event: &UsageEvent,
    decision: Decision,
    meter: &Meter,
    open: Vec<Record>,
    terms: &MeterTerms,
    now: Timestamp,
) -> Result<Change, DecisionError> {
    let EventState::Held { reason: HeldReason::Late, .. } = event.state else {
        return Err(DecisionError::NotHeld);
    };
    let state = match decision {
        Decision::WriteOff => EventState::Lost { reason: LossReason::WrittenOff },
        Decision::Carry => carry(event, meter, now)?,
    };
    let product = Watermarks::new();
    let mut look = Look::new(meter, open, terms, &product, now);
    let event = apply(event.clone(), state, &mut look);
    Ok(look.finish(vec![event]))
}

fn carry(event: &UsageEvent, meter: &Meter, now: Timestamp) -> Result<EventState, DecisionError> {
    let takes_usage = match meter.phase {
        Phase::Running => true,
        Phase::Ending { deadline, .. } => now < deadline,
        Phase::Waiting | Phase::Over { .. } | Phase::Failed => false,
    };
    if !takes_usage || is_of_earlier_period(meter, event.occurred_at) {
        return Err(DecisionError::NoHour);
    }
    match carried(meter, &event.api_name, Hour::of(event.occurred_at)) {
        state @ EventState::Counted { .. } => Ok(state),
        EventState::Held { .. } | EventState::Lost { .. } => Err(DecisionError::NoHour),
    }
}
