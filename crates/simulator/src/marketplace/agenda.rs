use std::cmp::Reverse;
use std::collections::BinaryHeap;

use time::OffsetDateTime;

/// What will be said at a moment to come unless the buyer comes back before: the end of a subscription's hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Appointment {
    pub(crate) due: OffsetDateTime,
    /// Earlier made, earlier kept, where two are due at once.
    pub(crate) order: u64,
    /// The subscription's place in the books.
    pub(crate) place: usize,
}

/// All that will fall due, soonest first.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    appointments: BinaryHeap<Reverse<Appointment>>,
    made: u64,
}

impl Agenda {
    pub(crate) fn add(&mut self, due: OffsetDateTime, place: usize) {
        self.made += 1;
        self.appointments.push(Reverse(Appointment { due, order: self.made, place }));
    }

    /// When something is due next, although a buyer who came back may have made it void.
    pub(crate) fn next_due(&self) -> Option<OffsetDateTime> {
        self.appointments.peek().map(|Reverse(appointment)| appointment.due)
    }

    /// Takes the soonest of those that are due by then.
    pub(crate) fn take_due(&mut self, until: OffsetDateTime) -> Option<Appointment> {
        if self.next_due()? > until {
            return None;
        }
        self.appointments.pop().map(|Reverse(appointment)| appointment)
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;

    #[test]
    fn what_is_due_comes_in_time_order_and_nothing_else_comes() {
        let start = OffsetDateTime::UNIX_EPOCH;
        let mut agenda = Agenda::default();
        for (minutes, place) in [(30, 1), (10, 2), (30, 3), (90, 4)] {
            agenda.add(start + Duration::minutes(minutes), place);
        }
        let until = start + Duration::HOUR;
        let places: Vec<usize> =
            std::iter::from_fn(|| agenda.take_due(until)).map(|appointment| appointment.place).collect();
        assert_eq!(places, [2, 1, 3]);
        assert_eq!(agenda.next_due(), Some(start + Duration::minutes(90)));
    }
}
