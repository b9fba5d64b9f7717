use stallkeeper_ledger::{EventState, LossReason, QUANTITY_MAX, QuantityError, Scale, SubUnits};

use crate::desk::{Desk, terms, time};

fn scale(places: u8) -> Scale {
    Scale::new(places).unwrap()
}

#[test]
fn decimal_numbers_are_read_exactly() {
    for (text, places, parts) in [
        ("12", 0, 12),
        ("0.5", 1, 5),
        ("1.50", 1, 15),
        ("007.25", 2, 725),
        ("-0", 0, 0),
        ("0.000000001", 9, 1),
    ] {
        assert_eq!(SubUnits::parse(text, scale(places)).map(SubUnits::parts), Ok(parts), "{text}");
    }
}

#[test]
fn what_is_no_plain_decimal_number_is_refused() {
    for text in ["", ".", "1.", ".5", "+1", "1e3", "1,5", "0x1", " 1", "1 ", "--1", "NaN", "１"] {
        assert_eq!(SubUnits::parse(text, scale(9)), Err(QuantityError::NotANumber), "{text:?}");
    }
}

#[test]
fn negative_too_precise_and_too_large_numbers_are_refused() {
    assert_eq!(SubUnits::parse("-1", scale(0)), Err(QuantityError::Negative));
    assert_eq!(SubUnits::parse("1.5", scale(0)), Err(QuantityError::TooPrecise { scale: scale(0) }));
    assert_eq!(SubUnits::parse("1000000000000001", scale(0)), Err(QuantityError::TooLarge));
    assert_eq!(SubUnits::parse(&"9".repeat(400), scale(0)), Err(QuantityError::TooLarge));
    assert_eq!(SubUnits::parse("1000001", scale(9)), Err(QuantityError::TooLarge));
    assert_eq!(Scale::new(10), None);
}

#[test]
fn whole_units_are_split_off_up_to_what_a_record_takes() {
    let split = |units: i64, places| SubUnits::of_units(units, scale(places)).split(scale(places));
    assert_eq!(split(QUANTITY_MAX, 2), (QUANTITY_MAX, SubUnits::ZERO));
    assert_eq!(split(QUANTITY_MAX + 1, 2), (QUANTITY_MAX, SubUnits::of_units(1, scale(2))));
    assert_eq!(SubUnits::new(199).unwrap().split(scale(2)), (1, SubUnits::new(99).unwrap()));
}

#[test]
fn what_is_shown_is_what_was_read() {
    for (text, places) in [("0", 3), ("1.5", 2), ("0.001", 3), ("999999.999999999", 9)] {
        assert_eq!(SubUnits::parse(text, scale(places)).unwrap().display(scale(places)), text);
    }
}

#[test]
fn an_event_by_which_an_hour_cannot_be_counted_is_lost_and_the_hour_stays() {
    let mut desk = Desk::subscribed(terms(), "2026-03-10T10:00:00Z");
    let most = "1000000000000000";
    let mut states = Vec::new();
    for _ in 0..9_224 {
        states.push(desk.uses("requests", most, "2026-03-10T10:00:00Z").unwrap());
    }
    let lost = states.iter().filter(|state| matches!(state, EventState::Lost { .. })).count();
    assert_eq!((lost, states.last().unwrap().word()), (1, "lost"));
    assert_eq!(desk.lost(), [("api-requests".to_owned(), most.to_owned(), LossReason::Rejected)]);
    assert_eq!(
        desk.record("requests", "2026-03-10T10:00:00Z").counted.parts(),
        9_223 * 1_000_000_000_000_000
    );
}

#[test]
fn a_leftover_by_which_an_hour_cannot_be_counted_is_lost_as_far_as_it_cannot() {
    let mut desk = Desk::subscribed(terms(), "2026-03-10T10:00:00Z");
    for at in ["2026-03-10T10:00:00Z", "2026-03-10T11:00:00Z"] {
        desk.at(at);
        for _ in 0..9_223 {
            desk.uses("requests", "1000000000000000", at).unwrap();
        }
    }
    desk.at("2026-03-10T13:00:00Z").look();
    let second = desk.record("requests", "2026-03-10T11:00:00Z");
    let both = i128::from(second.counted.parts()) * 2;
    let kept = i128::from(QUANTITY_MAX) * 2 + i128::from(second.carried_out.parts());
    assert_eq!(desk.losses.len(), 1);
    assert_eq!(both, kept + i128::from(desk.losses[0].parts.parts()));
}

#[test]
fn an_hour_whose_scale_is_changed_counts_in_the_finer_parts() {
    let mut desk = Desk::subscribed(terms(), "2026-03-10T10:00:00Z");
    let rescale = |desk: &mut Desk, places| {
        desk.terms.dimensions.get_mut(&"storage".parse().unwrap()).unwrap().scale = scale(places);
    };
    desk.uses("storage", "1.25", "2026-03-10T10:00:00Z").unwrap();
    rescale(&mut desk, 4);
    desk.uses("storage", "1.0005", "2026-03-10T10:00:00Z").unwrap();
    rescale(&mut desk, 0);
    desk.uses("storage", "3", "2026-03-10T10:00:00Z").unwrap();
    desk.at("2026-03-10T12:00:00Z").look();
    assert_eq!(desk.reported("storage", "2026-03-10T10:00:00Z").0, 5);
    let carry = desk.meter.carries.values().next().unwrap();
    assert_eq!(carry.parts.display(carry.scale), "0.2505");
}

#[test]
fn a_leftover_keeps_its_worth_when_the_scale_changes() {
    let mut desk = Desk::subscribed(terms(), "2026-03-10T10:00:00Z");
    desk.uses("storage", "1.75", "2026-03-10T10:00:00Z").unwrap();
    desk.at("2026-03-10T12:00:00Z").look();
    desk.terms.dimensions.get_mut(&"storage".parse().unwrap()).unwrap().scale = scale(1);
    desk.uses("storage", "0.5", "2026-03-10T12:00:00Z").unwrap();
    desk.at("2026-03-10T14:00:00Z").look();
    assert_eq!(desk.reported("storage", "2026-03-10T12:00:00Z").0, 1);
    assert_eq!(desk.losses, []);
    assert_eq!(desk.now, time("2026-03-10T14:00:00Z"));
}
