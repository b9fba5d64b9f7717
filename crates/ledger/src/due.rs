use std::time::Duration;

use stallkeeper_lifecycle::Timestamp;

use crate::{Carry, Hour, Meter, MeterTerms, News, Phase, Seal};

/// When something happens to a meter by time alone, but for a final-usage window's soft cut, which depends on
/// all that leave.
///
/// After a look it is later than that look, unless more held usage is to be decided on than one look takes.
pub fn next_look(meter: &Meter, terms: &MeterTerms, now: Timestamp) -> Option<Timestamp> {
    let closes = |hour: Hour| hour.end().plus(terms.profile.settle_delay);
    let open = meter.open.map(|(oldest, _)| {
        let begins_at = meter.begins_at(oldest);
        let is_of_earlier_period = oldest < meter.first_hour;
        match meter.phase {
            // Once it has begun, the window's soft cut is what it waits for.
            Phase::Ending { seal: Seal::Sealed, .. } if begins_at > now => begins_at,
            _ if is_of_earlier_period && begins_at > now => begins_at,
            _ => closes(oldest),
        }
    });
    let idle = meter.sends_zeros(terms).then(|| closes(meter.closed_before.max(meter.first_hour)));
    let left = meter.carries.values().map(|carry| carry_look(meter, terms, *carry)).min();
    let news = (meter.news == News::Some).then_some(now);
    open.into_iter().chain(idle).chain(left).chain(meter.held).chain(news).min()
}

/// When a leftover is looked at: the next hour's close where it is a unit or more, else its month's.
fn carry_look(meter: &Meter, terms: &MeterTerms, carry: Carry) -> Timestamp {
    let of_month = carry.hour.month().next().start().plus(Duration::from_hours(1));
    let of_next = if carry.is_unit() { carry.hour.next().max(meter.closed_before).end() } else { of_month };
    of_next.min(of_month).plus(terms.profile.settle_delay)
}
