use stallkeeper_lifecycle::{Licensee, Standing, SubscriptionKey, TenantId, Timestamp};

use crate::profile::whole_second_from;
use crate::{Hour, Meter, MeterTerms, News, Phase, Seal};

/// Takes over where a subscription stands; `None` where its meter stays as it is, or none is needed.
///
/// A new stretch begins where the subscription's period begins later than the one that is known; an earlier
/// beginning is better knowledge of the same one.
pub fn follow(
    before: Option<&Meter>,
    key: &SubscriptionKey,
    standing: &Standing,
    licensee: Option<&Licensee>,
    tenant: Option<&TenantId>,
    terms: &MeterTerms,
    now: Timestamp,
) -> Option<Meter> {
    let is_nothing = *standing == Standing::None && tenant.is_none();
    if before.is_none() && is_nothing {
        return None;
    }
    let mut meter = before.cloned().unwrap_or_else(|| Meter::new(key.clone()));
    meter.tenant = tenant.cloned();
    meter.licensee = licensee.cloned().or(meter.licensee);
    enter(&mut meter, standing, terms, now);
    if before == Some(&meter) {
        return None;
    }
    meter.news = News::Some;
    Some(meter)
}

fn enter(meter: &mut Meter, standing: &Standing, terms: &MeterTerms, now: Timestamp) {
    let was = meter.phase;
    if let Some(period) = standing.period() {
        if begins_anew(meter, period.started_at) {
            begin(meter, period.started_at, terms, now);
        } else if period.started_at.is_some() {
            meter.period_start = period.started_at;
        }
    }
    meter.phase = phase(standing, meter.phase);
    if let (Phase::Over { at, until }, Phase::Failed) = (was, meter.phase) {
        remember_window(meter, until.unwrap_or(at));
    }
    let was_leaving = matches!(was, Phase::Ending { .. } | Phase::Over { .. });
    if was_leaving && meter.phase == Phase::Running {
        // What is frozen or open of the stretch before keeps its hours.
        meter.first_hour = meter.first_hour.max(free_from(meter));
    }
}

fn begins_anew(meter: &Meter, started_at: Option<Timestamp>) -> bool {
    match (meter.period, meter.period_start, started_at) {
        (0, _, _) => true,
        (_, Some(known), Some(started_at)) => started_at > known,
        (_, None, Some(started_at)) => match meter.phase {
            Phase::Ending { since, .. } => started_at > since,
            Phase::Over { at, .. } => started_at > at,
            Phase::Failed => meter.windows.contains_key(&meter.period),
            Phase::Waiting | Phase::Running => false,
        },
        (_, _, None) => false,
    }
}

fn begin(meter: &mut Meter, started_at: Option<Timestamp>, terms: &MeterTerms, now: Timestamp) {
    let window = match meter.phase {
        // Re-subscribed inside the window: the marketplace takes what is left as before.
        Phase::Ending { deadline, .. } if started_at.is_some_and(|start| start < deadline) => None,
        Phase::Ending { until, .. } => Some(until),
        Phase::Over { at, until } => {
            Some(until.unwrap_or(at)).filter(|until| started_at.is_none_or(|start| start >= *until))
        }
        Phase::Failed => {
            let until = meter.windows.remove(&meter.period);
            until.filter(|until| started_at.is_none_or(|start| start >= *until))
        }
        Phase::Waiting | Phase::Running => None,
    };
    if let Some(window) = window {
        remember_window(meter, window);
    }
    let start = started_at.unwrap_or(now);
    let free = free_from(meter);
    meter.period = meter.period.saturating_add(1);
    meter.period_start = started_at;
    meter.first_hour = Hour::of(whole_second_from(start)).max(free);
    if let Some(from) = terms.meter_from {
        meter.first_hour = meter.first_hour.max(from);
    }
    meter.closed_before = meter.closed_before.max(meter.first_hour);
}

/// Until when the records of the stretch at hand may be sent, which is over.
fn remember_window(meter: &mut Meter, until: Timestamp) {
    meter.windows.insert(meter.period, until);
    while meter.windows.len() > WINDOWS_MAX {
        meter.windows.pop_first();
    }
}

/// How many earlier stretches' windows are remembered; the records of older ones are too old by then.
const WINDOWS_MAX: usize = 8;

/// The first hour of which nothing is frozen or open.
fn free_from(meter: &Meter) -> Hour {
    let taken = meter.taken.values().map(|hour| hour.next()).max();
    let open = meter.open.map(|(_, newest)| newest.next());
    taken.into_iter().chain(open).fold(meter.closed_before, Hour::max)
}

fn phase(standing: &Standing, before: Phase) -> Phase {
    match standing {
        Standing::None => Phase::Waiting,
        Standing::Subscribed(_) | Standing::Suspended { .. } => Phase::Running,
        Standing::Failed { .. } => Phase::Failed,
        Standing::Ending { since, deadline, attempts_until, .. } => {
            let seal = match before {
                Phase::Ending { since: known, seal, .. } if known == *since => seal,
                _ => Seal::Open,
            };
            Phase::Ending { since: *since, deadline: *deadline, until: *attempts_until, seal }
        }
        Standing::Ended { at, attempts_until, .. } => Phase::Over { at: *at, until: *attempts_until },
    }
}
