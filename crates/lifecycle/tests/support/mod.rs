//! A buyer whose subscription is driven through `decide`, one change after another.

use std::time::Duration;

use stallkeeper_lifecycle::{
    Access, Binding, Change, Effect, Pricing, ReconcileReason, Subscription, Terms, Timestamp, View, Word,
    decide,
};

const START: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

/// The business time that many minutes into the case.
pub(crate) fn minute(minutes: i64) -> Timestamp {
    let distance = Duration::from_mins(minutes.unsigned_abs());
    if minutes < 0 { START.minus(distance) } else { START.plus(distance) }
}

pub(crate) struct Buyer {
    pub(crate) subscription: Subscription,
    terms: Terms,
    clock: Timestamp,
    effects: Vec<String>,
}

impl Buyer {
    pub(crate) fn of(pricing: Pricing) -> Self {
        let terms = Terms { pricing, ..Terms::default() };
        Self { subscription: Subscription::default(), terms, clock: minute(0), effects: Vec::new() }
    }

    /// One change at the clock's present reading.
    pub(crate) fn does(mut self, change: Change) -> Self {
        let decision = decide(&mut self.subscription, [change], self.clock, self.terms);
        self.effects = decision.effects.iter().map(named).collect();
        self
    }

    /// The clock goes on to that minute, and nothing else happens.
    pub(crate) fn waits_until(self, minutes: i64) -> Self {
        Self { clock: self.clock.max(minute(minutes)), ..self }.does(Change::Wake)
    }

    /// The clock goes on without a look.
    pub(crate) fn unseen_until(self, time: Timestamp) -> Self {
        Self { clock: self.clock.max(time), ..self }
    }

    pub(crate) fn registers(self) -> Self {
        self.does(Change::Bind(Binding { tenant: "tenant-1".parse().unwrap(), user: None }))
    }

    /// What the last change led to: the word, the access, and all its effects by name.
    #[track_caller]
    pub(crate) fn is(self, word: Word, access: Access, effects: &[&str]) -> Self {
        let view = self.view();
        assert_eq!((view.word, view.access), (word, access));
        assert_eq!(self.effects, effects);
        self
    }

    pub(crate) fn view(&self) -> View {
        self.subscription.view(self.clock, self.terms)
    }

    /// The number of the period it stands in.
    #[track_caller]
    pub(crate) fn in_period(self, number: u32) -> Self {
        assert_eq!(self.view().standing.period().map(|period| period.number), Some(number));
        self
    }
}

fn named(effect: &Effect) -> String {
    let minutes = |time: Timestamp| time.since(START).as_secs() / 60;
    match effect {
        Effect::Announce(announcement) => announcement.event.name().to_owned(),
        Effect::WakeAt(time) => format!("wake at {}", minutes(*time)),
        Effect::QueryEntitlements => "query".to_owned(),
        Effect::ConfirmLicense(position) => format!("confirm {}", minutes(position.time())),
        Effect::Reconcile(ReconcileReason::TooOld) => "reconcile too-old".to_owned(),
        Effect::Reconcile(ReconcileReason::NoLastWord) => "reconcile no-last-word".to_owned(),
        Effect::Reconcile(ReconcileReason::Odd(anomaly)) => format!("reconcile {}", anomaly.name()),
        Effect::Alarm(flag) => format!("alarm {}", flag.anomaly.name()),
    }
}
