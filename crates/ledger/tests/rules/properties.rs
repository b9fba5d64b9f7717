//! Whatever happens, and in whatever order: every unit is settled, pending or lost, and where usage goes is
//! what the oracle says.

use proptest::prelude::*;
use stallkeeper_ledger::{LossReason, Profile, ZeroRecords};

use crate::market::Luck;
use crate::oracle::Late;
use crate::story::{Deed, Kind, Story, Worker};

fn luck() -> impl Strategy<Value = Luck> {
    prop_oneof![
        8 => Just(Luck::Taken),
        2 => Just(Luck::AnswerLost),
        2 => Just(Luck::AnswerLate),
        1 => Just(Luck::Crash),
        1 => Just(Luck::RequestLost),
        1 => Just(Luck::Unprocessed),
        1 => Just(Luck::NotSubscribed),
        1 => Just(Luck::Refused),
    ]
}

fn uses(back_secs: impl Strategy<Value = i64>) -> impl Strategy<Value = Deed> {
    let quantity = prop_oneof![4 => 0_u64..1_000, 1 => 2_147_483_600_u64..7_000_000_000];
    (0_usize..3, quantity, 0_u64..100, back_secs).prop_map(|(dimension, units, hundredths, back_secs)| {
        Deed::Use { dimension, units, hundredths, back_secs }
    })
}

fn deed() -> impl Strategy<Value = Deed> {
    let soon = || prop_oneof![3 => 0_i64..300, 1 => 0_i64..20_000];
    prop_oneof![
        12 => uses(prop_oneof![4 => -400_i64..4_000, 1 => 0_i64..100_000]),
        8 => prop_oneof![6 => 1_i64..5_000, 1 => 1_i64..100_000].prop_map(|secs| Deed::Wait { secs }),
        4 => (any::<bool>(), 0_i64..8_000).prop_map(|(all, back_secs)| Deed::Complete { all, back_secs }),
        3 => soon().prop_map(|back_secs| Deed::Subscribe { back_secs }),
        2 => soon().prop_map(|back_secs| Deed::Pend { back_secs }),
        1 => soon().prop_map(|back_secs| Deed::Leave { back_secs }),
        1 => soon().prop_map(|back_secs| Deed::Fail { back_secs }),
        1 => (1_i64..9_000).prop_map(|secs| Deed::StartEarlier { secs }),
        4 => Just(Deed::Look),
        5 => prop::collection::vec(luck(), 1..4).prop_map(|luck| Deed::Send { luck }),
        1 => Just(Deed::Deliver),
        1 => any::<bool>().prop_map(|carries| Deed::Decide { carries }),
        1 => (0_u8..3).prop_map(|places| Deed::Rescale { places }),
        1 => (10_u64..50).prop_map(|minutes| Deed::Margin { minutes }),
    ]
}

fn zero_records() -> impl Strategy<Value = ZeroRecords> {
    prop_oneof![Just(ZeroRecords::Send), Just(ZeroRecords::Skip)]
}

fn kind() -> impl Strategy<Value = Kind> {
    let late = prop_oneof![Just(Late::Hold), Just(Late::Carry), Just(Late::Refuse)];
    let profile = prop_oneof![2 => Just(Profile::AWS), 1 => Just(Profile::AWS_CHINA)];
    let begins = prop_oneof![Just("2026-03-30T20:10:00.25Z"), Just("2028-02-28T22:00:00Z")];
    let worker = prop_oneof![Just(Worker::Lazy), Just(Worker::Prompt)];
    (profile, late, zero_records(), any::<bool>(), worker, begins).prop_map(
        |(profile, late, zero_records, has_sources, worker, begins)| Kind {
            profile,
            late,
            zero_records,
            has_sources,
            worker,
            begins,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_unit_is_settled_pending_or_lost_at_every_step(
        kind in kind(),
        deeds in prop::collection::vec(deed(), 1..50),
    ) {
        let mut story = Story::new(kind);
        for deed in &deeds {
            story.does(deed);
            story.holds_true();
        }
        story.comes_to_its_end();
        story.holds_true();
        prop_assert_eq!(story.pending(), 0);
    }

    #[test]
    fn without_faults_and_late_usage_only_fractions_are_lost(
        zero_records in zero_records(),
        has_sources in any::<bool>(),
        profile in prop_oneof![Just(Profile::AWS), Just(Profile::AWS_CHINA)],
        deeds in prop::collection::vec(prompt_deed(), 1..50),
    ) {
        let (late, begins) = (Late::Hold, "2026-03-05T20:10:00Z");
        let worker = Worker::Faultless;
        let mut story = Story::new(Kind { profile, late, zero_records, has_sources, worker, begins });
        story.does(&Deed::Subscribe { back_secs: 0 });
        for deed in &deeds {
            if story.is_in_order(deed) {
                story.does(deed);
            }
            story.holds_true();
        }
        story.comes_to_its_end();
        let other: Vec<_> = story.desk.lost().into_iter().filter(|loss| loss.2 != LossReason::Fraction).collect();
        prop_assert_eq!(other, vec![]);
    }
}

/// Usage that is reported as it happens, of less than a record takes.
fn prompt_deed() -> impl Strategy<Value = Deed> {
    let uses = (0_usize..3, 0_u64..1_000, 0_u64..100).prop_map(|(dimension, units, hundredths)| Deed::Use {
        dimension,
        units,
        hundredths,
        back_secs: 0,
    });
    prop_oneof![
        8 => uses,
        6 => (1_i64..5_000).prop_map(|secs| Deed::Wait { secs }),
        2 => (any::<bool>(), 0_i64..8_000).prop_map(|(all, back_secs)| Deed::Complete { all, back_secs }),
        1 => Just(Deed::Subscribe { back_secs: 0 }),
        1 => Just(Deed::Pend { back_secs: 0 }),
    ]
}
