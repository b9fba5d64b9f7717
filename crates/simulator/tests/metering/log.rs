//! The log of calls.

use stallkeeper_simulator::{
    Account, CallOutcome, MeteringCounts, MeteringErrorCode, MeteringRefusal, Period,
};
use time::Duration;

use crate::stall::{ADA_S_ACCOUNT, ELEVEN, NOW, Stall, ada, of_search};

#[test]
fn it_tells_of_every_call_what_came_of_it() {
    let mut stall = Stall::new();
    stall.send(&[ada(5, ELEVEN), ada(6, ELEVEN)]);
    stall.refuse(&of_search(&[ada(-1, ELEVEN)]));
    let lines = stall.books.calls_after(0, 10);
    let done =
        CallOutcome::Done { success: 1, duplicate: 1, not_subscribed: 0, after_end: 0, unprocessed: 0 };
    assert_eq!((lines[0].number, lines[0].at, lines[0].records, lines[0].outcome), (1, NOW, 2, done));
    let refused = CallOutcome::Refused { code: MeteringErrorCode::ValidationException };
    assert_eq!((lines[1].number, lines[1].region.as_str(), lines[1].outcome), (2, "us-east-1", refused));
    assert_eq!(stall.books.calls_after(1, 10), lines[1..]);
    assert_eq!(stall.books.calls_after(0, 1), lines[..1]);
}

#[test]
fn it_counts_calls_records_and_the_most_of_one_call() {
    let mut stall = Stall::new();
    stall.send(&[ada(5, ELEVEN), ada(6, ELEVEN), ada(7, ELEVEN - Duration::HOUR)]);
    stall.send(&[ada(5, ELEVEN)]);
    stall.books.turn_away("us-east-1", 4, &MeteringRefusal::Throttled, NOW);
    let counts = stall.books.counts();
    assert_eq!(
        counts,
        MeteringCounts {
            calls: 3,
            refused: 1,
            records: 8,
            records_max: 4,
            success: 3,
            duplicate: 1,
            ..MeteringCounts::default()
        }
    );
}

#[test]
fn it_tells_records_after_the_end_from_others_of_nobody_subscribed() {
    let mut stall = Stall::with_periods(&[(ELEVEN, Some(NOW))]);
    stall.send(&[ada(5, ELEVEN), ada(5, ELEVEN - Duration::HOUR)]);
    let counts = stall.books.counts();
    assert_eq!((counts.not_subscribed, counts.after_end), (2, 1));
}

#[test]
fn what_is_left_comes_back_unprocessed_and_is_not_billed() {
    let mut stall = Stall::new();
    let account = |_: &_| {
        Some(Account {
            subscription: "ada".into(),
            product_code: "simsearch".to_owned(),
            account: ADA_S_ACCOUNT.to_owned(),
            periods: vec![Period { from: ELEVEN, to: None }],
            is_suspended: false,
        })
    };
    let records = [ada(5, ELEVEN), ada(6, ELEVEN + Duration::HOUR)];
    let answer = stall
        .books
        .batch_leaving(&of_search(&records), NOW, &account, &mut |position| position == 0)
        .unwrap();
    assert_eq!(answer.unprocessed, [records[0].clone()]);
    assert_eq!(answer.results.len(), 1);
    assert_eq!(stall.quantities(), [6]);
    assert_eq!(stall.books.counts().unprocessed, 1);
}
