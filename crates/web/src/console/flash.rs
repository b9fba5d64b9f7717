use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// How many messages wait to be shown at the most; the oldest goes for a newer one.
const FLASHES_MAX: usize = 128;

/// What came of an act, shown once on the next page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Flash {
    /// It was done.
    Done(String),
    /// It was refused.
    Refused(String),
}

impl Flash {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Done(text) | Self::Refused(text) => text,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }
}

/// Messages that wait for their visitors.
#[derive(Default)]
pub(super) struct Flashes(Mutex<VecDeque<(String, Flash)>>);

impl Flashes {
    pub(super) fn put(&self, visitor: &str, flash: Flash) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|(whose, _)| whose != visitor);
        if waiting.len() >= FLASHES_MAX {
            waiting.pop_front();
        }
        waiting.push_back((visitor.to_owned(), flash));
    }

    pub(super) fn take(&self, visitor: &str) -> Option<Flash> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = waiting.iter().position(|(whose, _)| whose == visitor)?;
        waiting.remove(place).map(|(_, flash)| flash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_shown_once_and_to_its_visitor_only() {
        let flashes = Flashes::default();
        flashes.put("mia", Flash::Done("first".to_owned()));
        flashes.put("mia", Flash::Refused("second".to_owned()));
        assert_eq!(flashes.take("ben"), None);
        assert_eq!(flashes.take("mia"), Some(Flash::Refused("second".to_owned())));
        assert_eq!(flashes.take("mia"), None);
    }

    #[test]
    fn no_more_wait_than_the_bound() {
        let flashes = Flashes::default();
        for number in 0..=FLASHES_MAX {
            flashes.put(&number.to_string(), Flash::Done(String::new()));
        }
        assert_eq!(flashes.take("0"), None);
        assert!(flashes.take("1").is_some());
    }
}
