use std::time::Duration;

use stallkeeper_lifecycle::{Snapshot, Standing, Timestamp};

/// When a question is asked again whose answer left things open, as answers may lag behind a purchase.
const AGAIN: [Duration; 3] = [Duration::from_mins(1), Duration::from_mins(5), Duration::from_mins(30)];

/// How often it is asked after that about what is granted although its date has passed.
const OVERDUE_AGAIN: Duration = Duration::from_hours(24);

/// How far off a question may be.
const FAR: Duration = Duration::from_hours(24 * 366);

/// When to ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Next {
    /// Not before this time.
    pub(crate) at: Timestamp,
    /// How many answers in a row have left things open then.
    pub(crate) open_answers: u8,
}

/// What to do after an empty answer that may have come too early, the last of so many before it.
pub(crate) fn after_open(open_answers: u8, now: Timestamp) -> Option<Next> {
    let again = AGAIN.get(usize::from(open_answers))?;
    Some(Next { at: now.plus(*again), open_answers: open_answers.saturating_add(1) })
}

/// What to do after an answer about a subscription that stands so by its facts.
pub(crate) fn after(
    snapshot: &Snapshot,
    open_answers: u8,
    standing: &Standing,
    now: Timestamp,
) -> Option<Next> {
    if snapshot.entitlements.is_empty() {
        return if is_over(standing) { None } else { after_open(open_answers, now) };
    }
    let dates = || snapshot.entitlements.iter().filter_map(|entitlement| entitlement.expires_at);
    let coming = dates().filter(|date| *date > now).min();
    if !dates().any(|date| date <= now) {
        // A date so far off that no clock reaches it is one that no database has, either.
        let at = coming.map(|date| date.min(now.plus(FAR)));
        return at.map(|at| Next { at, open_answers: 0 });
    }
    let overdue = after_open(open_answers, now).unwrap_or(Next { at: now.plus(OVERDUE_AGAIN), open_answers });
    Some(Next { at: coming.map_or(overdue.at, |date| date.min(overdue.at)), ..overdue })
}

/// Whether facts say that there is nothing to be entitled to.
fn is_over(standing: &Standing) -> bool {
    match standing {
        Standing::Failed { .. } | Standing::Ending { .. } | Standing::Ended { .. } => true,
        Standing::None | Standing::Subscribed(_) | Standing::Suspended { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use stallkeeper_lifecycle::Entitlement;

    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn in_secs(secs: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(secs))
    }

    fn answer(dates: &[Timestamp]) -> Snapshot {
        let entitlement = |date: &Timestamp| Entitlement {
            dimension: "seats".to_owned(),
            value: "5".to_owned(),
            expires_at: Some(*date),
        };
        Snapshot { asked_at: NOW, entitlements: dates.iter().map(entitlement).collect() }
    }

    fn asked_again(snapshot: &Snapshot, open_answers: u8) -> Option<(Timestamp, u8)> {
        after(snapshot, open_answers, &Standing::None, NOW).map(|next| (next.at, next.open_answers))
    }

    #[test]
    fn an_empty_answer_is_asked_for_again_after_1_and_5_and_30_minutes_and_then_no_more() {
        let empty = answer(&[]);
        assert_eq!(asked_again(&empty, 0), Some((in_secs(60), 1)));
        assert_eq!(asked_again(&empty, 1), Some((in_secs(300), 2)));
        assert_eq!(asked_again(&empty, 2), Some((in_secs(1_800), 3)));
        assert_eq!(asked_again(&empty, 3), None);
    }

    #[test]
    fn an_empty_answer_about_what_is_over_is_the_last() {
        assert_eq!(after(&answer(&[]), 0, &Standing::Failed { at: NOW }, NOW), None);
    }

    #[test]
    fn what_is_granted_is_asked_for_again_when_its_first_date_comes() {
        assert_eq!(asked_again(&answer(&[in_secs(9), in_secs(7)]), 2), Some((in_secs(7), 0)));
    }

    #[test]
    fn what_is_granted_beyond_its_date_is_asked_for_soon_and_then_daily() {
        let overdue = answer(&[NOW]);
        assert_eq!(asked_again(&overdue, 0), Some((in_secs(60), 1)));
        assert_eq!(asked_again(&overdue, 3), Some((in_secs(86_400), 3)));
        assert_eq!(asked_again(&answer(&[NOW, in_secs(30)]), 3), Some((in_secs(30), 3)));
    }
}
