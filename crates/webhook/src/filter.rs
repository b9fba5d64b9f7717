use std::collections::BTreeSet;

use crate::{Event, UnknownEvent};

/// Which events an endpoint wants. A test is always wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventFilter(BTreeSet<Event>);

/// Why a filter is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// An endpoint that wants nothing is a mistake.
    #[error("no event is named")]
    Empty,
    /// No event has that name.
    #[error(transparent)]
    Unknown(#[from] UnknownEvent),
    /// No event's name begins so.
    #[error("no event is meant by {0:?}")]
    NoneMeant(String),
}

impl EventFilter {
    /// All events.
    pub fn all() -> Self {
        Self(Event::ALL.into())
    }

    /// The events that are meant by names, by groups such as `subscription.*`, or by `*`.
    ///
    /// # Errors
    /// A name or group that means no event, and a list without any.
    pub fn parse<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, FilterError> {
        let mut wanted = BTreeSet::new();
        for pattern in patterns {
            wanted.extend(meant(pattern)?);
        }
        if wanted.is_empty() {
            return Err(FilterError::Empty);
        }
        wanted.insert(Event::Test);
        Ok(Self(wanted))
    }

    /// Whether the endpoint wants the event.
    pub fn wants(&self, event: Event) -> bool {
        self.0.contains(&event)
    }
}

fn meant(pattern: &str) -> Result<Vec<Event>, FilterError> {
    if pattern == "*" {
        return Ok(Event::ALL.into());
    }
    let Some(group) = pattern.strip_suffix(".*") else {
        return Ok(vec![pattern.parse()?]);
    };
    let in_group = |event: &Event| event.as_str().split_once('.').is_some_and(|(name, _)| name == group);
    let events: Vec<_> = Event::ALL.into_iter().filter(in_group).collect();
    if events.is_empty() {
        return Err(FilterError::NoneMeant(pattern.chars().take(100).collect()));
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_means_its_events_and_no_others() {
        let filter = EventFilter::parse(["subscription.*", "usage.lost"]).unwrap();
        assert!(filter.wants(Event::SubscriptionEnding) && filter.wants(Event::UsageLost));
        assert!(!filter.wants(Event::EntitlementUpdated));
    }

    #[test]
    fn a_test_is_wanted_whatever_the_filter() {
        assert!(EventFilter::parse(["usage.lost"]).unwrap().wants(Event::Test));
    }

    #[test]
    fn a_star_means_all() {
        assert_eq!(EventFilter::parse(["*"]).unwrap(), EventFilter::all());
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for pattern in ["subscription.gone", "sub.*", "subscription*", ".*", "", "Usage.lost"] {
            assert!(EventFilter::parse([pattern]).is_err(), "{pattern:?}");
        }
        assert_eq!(EventFilter::parse([]), Err(FilterError::Empty));
    }
}
