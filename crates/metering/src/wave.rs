use std::collections::BTreeMap;

use stallkeeper_ledger::{CALL_RECORDS_MAX, Call, CallGroup, Outgoing, pack};

/// How many seconds of quota one wave uses.
const WAVE_SECS: u32 = 2;

/// How many calls one wave makes at the most.
pub(crate) fn calls_max(calls_per_sec: u32) -> usize {
    calls_per_sec.max(1).saturating_mul(WAVE_SECS) as usize
}

/// How many records are read for a wave: whole calls.
pub(crate) fn records_max(calls_per_sec: u32) -> u32 {
    let records = calls_max(calls_per_sec).saturating_mul(CALL_RECORDS_MAX);
    u32::try_from(records).unwrap_or(u32::MAX)
}

/// The calls of one wave, the most urgent first.
///
/// Where as many records were read as may be, more of a group may be waiting: a call that is not full then
/// waits for the next wave if a full one of its group goes ahead of it.
pub(crate) fn choose(records: Vec<Outgoing>, limit: u32, calls_max: usize) -> Vec<Call> {
    let may_be_more = records.len() >= limit as usize;
    let mut calls = pack(records);
    if may_be_more {
        let mut left: BTreeMap<CallGroup, usize> = BTreeMap::new();
        for call in &calls {
            *left.entry(call.group.clone()).or_default() += 1;
        }
        let seen = left.clone();
        calls.retain(|call| {
            let rest = left.get_mut(&call.group).map_or(0, |left| {
                *left = left.saturating_sub(1);
                *left
            });
            let is_only = seen.get(&call.group).is_none_or(|calls| *calls == 1);
            rest > 0 || is_only || call.records.len() >= CALL_RECORDS_MAX
        });
    }
    calls.truncate(calls_max);
    calls
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use stallkeeper_ledger::{Report, Who};
    use stallkeeper_lifecycle::Timestamp;

    use super::*;

    fn records(product: &str, numbers: std::ops::Range<i64>) -> Vec<Outgoing> {
        numbers
            .map(|number| Outgoing {
                number,
                report: Report {
                    who: Who::Customer {
                        product: product.parse().unwrap(),
                        customer: format!("c{number}").parse().unwrap(),
                    },
                    dimension: "d".parse().unwrap(),
                    quantity: 1,
                    stamp: Timestamp::from_micros(0),
                    allocations: Vec::new(),
                },
                until: Timestamp::from_micros(number),
            })
            .collect()
    }

    fn sizes(calls: &[Call]) -> Vec<usize> {
        calls.iter().map(|call| call.records.len()).collect()
    }

    #[test]
    fn a_call_that_is_not_full_waits_while_more_of_its_group_may_come() {
        let mut read = records("p", 0..60);
        read.extend(records("q", 60..100));
        assert_eq!(sizes(&choose(read.clone(), 100, 20)), [25, 25, 25], "10 of p and 15 of q wait");
        assert_eq!(sizes(&choose(read, 101, 20)), [25, 25, 10, 25, 15], "nothing more can come");
    }

    #[test]
    fn a_group_with_a_single_call_never_waits_behind_others() {
        let mut read = records("urgent", 0..1);
        read.extend(records("p", 1..100));
        let calls = choose(read, 100, 20);
        assert_eq!(sizes(&calls), [1, 25, 25, 25], "the last 24 of p wait");
        assert_eq!(calls[0].group.product().as_str(), "urgent");
    }

    #[test]
    fn a_wave_makes_no_more_calls_than_its_share_of_the_quota_and_the_most_urgent_of_them() {
        let read: Vec<Outgoing> = (0..50).flat_map(|n| records(&format!("p{n}"), n..n + 1)).collect();
        let calls = choose(read, 500, 20);
        assert_eq!(calls.len(), 20);
        assert!(calls.iter().all(|call| call.records[0].until < Timestamp::from_micros(20)));
    }

    #[test]
    fn a_long_backlog_goes_out_in_full_calls() {
        let (limit, mut waiting) = (records_max(10), records("p", 0..30_000));
        let mut all = Vec::new();
        while !waiting.is_empty() {
            let read: Vec<Outgoing> = waiting.iter().take(limit as usize).cloned().collect();
            let calls = choose(read, limit, calls_max(10));
            let sent: BTreeSet<i64> =
                calls.iter().flat_map(|call| call.records.iter().map(|r| r.number)).collect();
            waiting.retain(|record| !sent.contains(&record.number));
            all.extend(sizes(&calls));
        }
        assert_eq!(all.len(), 1_200, "the least there can be");
    }
}
