use std::time::Duration;

use stallkeeper_lifecycle::Timestamp;

use crate::profile::whole_second_from;
use crate::{
    ApiDimension, EventState, HeldReason, Hour, LateUsage, LossReason, Meter, MeterTerms, Phase, Refusal,
    hard_cut,
};

/// How far an app's clock may run ahead.
const CLOCK_LEAD: Duration = Duration::from_mins(5);

/// Where usage goes.
pub type Placement = EventState;

/// Where usage of a moment goes: to its own hour while that is open, else where the rules allow.
///
/// # Errors
/// Usage that the app has to be told about, as it is not taken.
pub fn place(
    meter: &Meter,
    terms: &MeterTerms,
    dimension: &ApiDimension,
    occurred_at: Timestamp,
    now: Timestamp,
) -> Result<Placement, Refusal> {
    if occurred_at > now.plus(CLOCK_LEAD) {
        return Err(Refusal::Future);
    }
    if terms.meter_from.is_some_and(|from| Hour::of(occurred_at) < from) {
        return Err(Refusal::BeforeMeterFrom);
    }
    let own = own_hour(meter, occurred_at);
    // Also where it would go to a later hour, usage is not older than what the marketplace takes.
    let hour = Hour::of(occurred_at);
    let since = meter.period_start.filter(|_| hour == own);
    let until = terms.profile.hour_too_old_at(hour, since);
    if until <= now {
        return Err(Refusal::TooOld);
    }
    let lost = |reason| Ok(EventState::Lost { reason });
    match meter.phase {
        Phase::Waiting => Ok(EventState::Held { reason: HeldReason::BeforeActivation, until }),
        Phase::Failed => lost(LossReason::PaymentFailed),
        // Whoever uses it after the end may have come back, and the marketplace's word of it is on its way.
        Phase::Over { at: end, .. } | Phase::Ending { deadline: end, .. } if occurred_at >= end => {
            Ok(EventState::Held { reason: HeldReason::BeforeActivation, until })
        }
        Phase::Over { .. } => lost(LossReason::WindowClosed),
        Phase::Ending { deadline, .. } if now >= deadline || own.start() >= deadline => {
            lost(LossReason::WindowClosed)
        }
        Phase::Running | Phase::Ending { .. } if is_of_earlier_period(meter, occurred_at) => {
            lost(LossReason::EarlierPeriod)
        }
        Phase::Running | Phase::Ending { .. } if hour.month() != own.month() => lost(LossReason::MonthClosed),
        Phase::Running | Phase::Ending { .. } if own >= meter.first_open(dimension) => {
            Ok(EventState::Counted { hour: own })
        }
        Phase::Running => match terms.profile.late_usage {
            LateUsage::Refuse => Err(Refusal::HourClosed),
            LateUsage::Hold => Ok(EventState::Held { reason: HeldReason::Late, until }),
            LateUsage::CarryForward => Ok(carried(meter, dimension, own)),
        },
        Phase::Ending { .. } => Ok(carried(meter, dimension, own)),
    }
}

/// The hour that usage belongs to: that of its moment, or the first that its period may use.
fn own_hour(meter: &Meter, occurred_at: Timestamp) -> Hour {
    let from = meter.period_start.map_or(occurred_at, |start| whole_second_from(start).max(occurred_at));
    Hour::of(from).max(meter.first_hour)
}

/// Whether usage is from before the period at hand, where there was another. Before the first period it is
/// the buyer's first use, that came before the marketplace's word.
pub(crate) fn is_of_earlier_period(meter: &Meter, occurred_at: Timestamp) -> bool {
    meter.period > 1 && meter.period_start.is_some_and(|start| occurred_at < start)
}

/// Usage whose hour is frozen, put into the first that is open: within the month, and in a final-usage
/// window only where that hour begins in time.
pub(crate) fn carried(meter: &Meter, dimension: &ApiDimension, own: Hour) -> EventState {
    let open = meter.first_open(dimension);
    if open.month() != own.month() {
        return EventState::Lost { reason: LossReason::MonthClosed };
    }
    match meter.deadline() {
        Some(deadline) if open.start() >= hard_cut(deadline) => {
            EventState::Lost { reason: LossReason::WindowClosed }
        }
        _ => EventState::Counted { hour: open },
    }
}
