//! A buyer who registers gets what nobody else has.
#![expect(clippy::unwrap_used, reason = "a sample that cannot be made fails the test")]

use stallkeeper_lifecycle::{Binding, Change, StepOutcome, Subscription, Terms, Timestamp, decide};

fn binding(tenant: &str, user: Option<&str>) -> Binding {
    Binding { tenant: tenant.parse().unwrap(), user: user.map(|user| user.parse().unwrap()) }
}

fn outcome(subscription: &mut Subscription, change: Change) -> StepOutcome {
    let now = Timestamp::from_micros(1_800_000_000_000_000);
    decide(subscription, [change], now, Terms::default()).steps.first().unwrap().outcome
}

#[test]
fn a_second_tenant_does_not_get_it_until_an_operator_says_so() {
    let mut subscription = Subscription::default();
    let registers = |tenant| Change::Register(binding(tenant, None));
    assert_eq!(outcome(&mut subscription, registers("AAA")), StepOutcome::Applied);
    assert_eq!(outcome(&mut subscription, registers("BBB")), StepOutcome::Taken);
    assert_eq!(subscription.binding, Some(binding("AAA", None)));
    assert_eq!(outcome(&mut subscription, Change::Bind(binding("BBB", None))), StepOutcome::Applied);
    assert_eq!(subscription.binding, Some(binding("BBB", None)));
    assert_eq!(outcome(&mut subscription, Change::Unbind), StepOutcome::Applied);
    assert_eq!(outcome(&mut subscription, registers("AAA")), StepOutcome::Applied);
}

#[test]
fn the_same_tenant_may_register_again_and_name_another_user() {
    let mut subscription = Subscription::default();
    outcome(&mut subscription, Change::Register(binding("AAA", Some("111"))));
    let again = Change::Register(binding("AAA", Some("111")));
    assert_eq!(outcome(&mut subscription, again), StepOutcome::Unchanged);
    let other = Change::Register(binding("AAA", Some("222")));
    assert_eq!(outcome(&mut subscription, other), StepOutcome::Applied);
}
