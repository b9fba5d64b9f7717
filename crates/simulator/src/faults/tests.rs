use super::*;

const NOW: [Duration; 1] = [Duration::ZERO];

fn faults(settings: FaultSettings) -> Faults {
    let faults = Faults::new(7);
    faults.set(settings).unwrap();
    faults
}

fn lose<const N: usize>(words: [(&str, f64); N]) -> FaultSettings {
    let lose = words.into_iter().map(|(word, chance)| (word.to_owned(), chance)).collect();
    FaultSettings { lose, ..FaultSettings::default() }
}

#[test]
fn nothing_goes_wrong_until_it_is_asked_for() {
    let faults = Faults::new(7);
    assert!((0..1000).all(|_| faults.draw_call() == CallFate::Answered));
    assert!((0..1000).all(|_| faults.draw_delivery("subscribe-success").copies == NOW));
}

#[test]
fn calls_go_wrong_as_often_as_the_three_settings_say_together() {
    let settings = FaultSettings { error: 0.1, throttle: 0.2, drop_answer: 0.3, ..Default::default() };
    let faults = faults(settings);
    let drawn: Vec<_> = (0..10_000).map(|_| faults.draw_call()).collect();
    let share = |fate| drawn.iter().filter(|drawn| **drawn == fate).count() / 100;
    let shares = [CallFate::Failed, CallFate::Throttled, CallFate::Dropped, CallFate::Answered].map(share);
    for (share, wanted) in shares.into_iter().zip([10_usize, 20, 30, 40]) {
        assert!(share.abs_diff(wanted) <= 2, "{shares:?}");
    }
}

#[test]
fn what_is_lost_has_no_copy_and_the_rest_arrives() {
    let faults = faults(lose([("unsubscribe-success", 1.0)]));
    assert!(faults.draw_delivery("unsubscribe-success").copies.is_empty());
    assert_eq!(faults.draw_delivery("unsubscribe-pending").copies, NOW);
}

#[test]
fn a_word_of_its_own_goes_before_the_star() {
    let faults = faults(lose([("*", 1.0), ("subscribe-success", 0.0)]));
    assert!(faults.draw_delivery("subscribe-fail").copies.is_empty());
    assert_eq!(faults.draw_delivery("subscribe-success").copies, NOW);
}

#[test]
fn a_duplicate_comes_after_the_first_copy() {
    let faults = faults(FaultSettings { duplicate: 1.0, delay_max_ms: 20, ..Default::default() });
    for _ in 0..1000 {
        let copies = faults.draw_delivery("subscribe-success").copies;
        assert!(matches!(copies[..], [first, second] if first.is_zero()
            && (1..=20).contains(&second.as_millis())));
    }
}

#[test]
fn what_is_reordered_is_held_back_even_where_no_time_is_named() {
    let faults = faults(FaultSettings { reorder: 1.0, ..Default::default() });
    for _ in 0..1000 {
        let copies = faults.draw_delivery("subscribe-success").copies;
        assert!(matches!(copies[..], [held] if (1..=50).contains(&held.as_millis())));
    }
}

#[test]
fn the_same_seed_draws_the_same_fates() {
    let settings = FaultSettings { duplicate: 0.5, reorder: 0.5, error: 0.5, ..Default::default() };
    let draw = || {
        let faults = faults(settings.clone());
        (0..100).map(|_| (faults.draw_call(), faults.draw_delivery("x"))).collect::<Vec<_>>()
    };
    assert_eq!(draw(), draw());
}

#[test]
fn how_often_somebody_polls_does_not_change_what_becomes_of_deliveries() {
    let settings = FaultSettings { duplicate: 0.5, reorder: 0.5, error: 0.5, ..Default::default() };
    let deliveries = |polls: usize| {
        let faults = faults(settings.clone());
        let after_polls = |_| {
            (0..polls).for_each(|_| _ = faults.draw_call());
            faults.draw_delivery("x")
        };
        (0..100).map(after_polls).collect::<Vec<_>>()
    };
    assert_eq!(deliveries(0), deliveries(3));
}

#[test]
fn settings_that_cannot_be_change_nothing() {
    let good = FaultSettings { duplicate: 0.25, ..Default::default() };
    let faults = faults(good.clone());
    let bad = [
        FaultSettings { error: 1.5, ..Default::default() },
        FaultSettings { reorder: f64::NAN, ..Default::default() },
        FaultSettings { error: 0.6, throttle: 0.6, ..Default::default() },
        FaultSettings { delay_max_ms: DELAY_MAX_MS + 1, ..Default::default() },
        lose([("*", -0.1)]),
    ];
    for settings in bad {
        assert!(faults.set(settings.clone()).is_err(), "{settings:?}");
    }
    assert_eq!(faults.settings(), good);
}
