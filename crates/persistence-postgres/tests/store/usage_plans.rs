//! No statement about usage costs more as more is stored: each finds its rows by an index, and reads no more of
//! it than it answers.

use stallkeeper_ledger::{EventKey, Hour, Loss, Record, UsageEvent};
use stallkeeper_lifecycle::{MarketplaceName, SubscriptionKey, TenantId, Timestamp};
use stallkeeper_persistence::usage::{
    Attempt, AttemptOutcome, LedgerStatements, LedgerStore, MeterRow, MeterSelection, RecordFilter, Unsent,
};
use stallkeeper_persistence::{CommitStore, Page, Work};
use stallkeeper_persistence_postgres::PostgresStore;

use crate::plans::Plans;
use crate::support::{NOON, subscription};
use crate::usage_rows::{LOAD, event, loss, meter, record, tenant};

/// As many as a look or a request of the sender takes.
const BATCH: u32 = 256;

async fn load() -> Plans {
    let json = |text: Result<String, _>| -> String { text.unwrap() };
    let load = LOAD
        .replace("METER", &json(serde_json::to_string(&meter(1))))
        .replace("EVENT", &json(serde_json::to_string(&event(1))))
        .replace("RECORD", &json(serde_json::to_string(&record(1))))
        .replace("LOSS", &json(serde_json::to_string(&loss(1))));
    Plans::load_with(load).await
}

/// After everything that is stored.
const LATE: Timestamp = Timestamp::from_micros(1_800_200_000_000_000);
/// In the middle of it.
const MIDDLE: Timestamp = Timestamp::from_micros(1_800_050_000_000_000);

fn aws() -> MarketplaceName {
    "aws".parse().unwrap()
}

#[tokio::test]
async fn the_bound_notices_what_reads_more_than_it_may() {
    let mut plans = load().await;
    plans
        .bound("a long listing", 1_000, async |store| {
            for page in 0..60 {
                let filter = RecordFilter {
                    subscription: subscription(1),
                    from: Hour::new(0),
                    to: Hour::new(1_000_000),
                };
                let after = Some((400_000 + page * 100, 0));
                store.usage_records(&filter, &Page { after, limit: 100 }).await.unwrap();
            }
        })
        .await;
    let [found] = plans.found() else { panic!("found {:?}", plans.found()) };
    assert!(found.starts_with("a long listing reads 60"), "no more than its pages have: {found}");
}

#[tokio::test]
async fn no_search_for_meters_reads_more_than_it_answers() {
    let mut plans = load().await;
    let code = "prod".parse().unwrap();
    for now in [NOON, MIDDLE, LATE] {
        plans
            .bound("meters that are due", 300, async |store| {
                store.meters_due(now, BATCH).await.unwrap();
            })
            .await;
        plans
            .bound("meters to cut", 300, async |store| {
                store.meters_to_cut(&aws(), now, BATCH).await.unwrap();
            })
            .await;
        plans
            .bound("meters that are complete", 300, async |store| {
                store.meters_complete(&aws(), &code, now, BATCH).await.unwrap();
            })
            .await;
        plans
            .bound("meters with expired records", 9 * i64::from(BATCH) + 50, async |store| {
                store.meters_expired(now, BATCH).await.unwrap();
            })
            .await;
    }
    plans
        .bound("the next look", 10, async |store| assert!(store.next_look_at().await.unwrap().is_some()))
        .await;
    plans
        .bound("the next cut", 10, async |store| assert!(store.next_cut_by(&aws()).await.unwrap().is_some()))
        .await;
    plans
        .bound("the backlog of those who leave", 10_000, async |store| {
            assert!(store.leaving_backlog(&[aws()]).await.unwrap() > 0);
        })
        .await;
    plans
        .bound("one meter", 2, async |store| {
            assert!(store.meter(&subscription(1)).await.unwrap().is_some());
        })
        .await;
    plans.finish().await;
}

#[tokio::test]
async fn no_search_for_records_to_send_reads_more_than_it_answers() {
    let mut plans = load().await;
    for (what, now) in [("nothing ripe", NOON), ("half of it ripe", MIDDLE), ("all of it over", LATE)] {
        for limit in [1, BATCH] {
            let query = Unsent { marketplaces: vec![aws()], but: Vec::new(), now, limit };
            // Those that wait to be tried again are few, and read whole.
            plans
                .bound(&format!("unsent records, {what}"), 3_500 + 3 * i64::from(limit), async |store| {
                    store.unsent(&query).await.unwrap();
                })
                .await;
        }
    }
    plans
        .bound("the next time to send", 10, async |store| {
            assert!(store.next_send_at(&[aws()]).await.unwrap().is_some());
        })
        .await;
    plans
        .bound("the gauges", 20_000, async |store| {
            assert_eq!(store.ledger_health().await.unwrap().unsent, 10_000);
        })
        .await;
    plans.finish().await;
}

#[tokio::test]
async fn no_listing_of_usage_reads_more_than_its_page() {
    let mut plans = load().await;
    let busy = subscription(1);
    let filter =
        |from, to| RecordFilter { subscription: busy.clone(), from: Hour::new(from), to: Hour::new(to) };
    for after in [None, Some((415_000, 15_000))] {
        plans
            .bound("a buyer's records", 50, async |store| {
                let page = Page { after, limit: 20 };
                assert_eq!(store.usage_records(&filter(0, 1_000_000), &page).await.unwrap().len(), 20);
            })
            .await;
    }
    for after in [None, Some(25_000)] {
        // Of each of the fifty hours as many as the page has, to find those that were stored first.
        plans
            .bound("a buyer's events", 50 * 20 + 200, async |store| {
                let page = Page { after, limit: 20 };
                assert_eq!(store.usage_events(&filter(0, 1_000_000), &page).await.unwrap().len(), 20);
            })
            .await;
        plans
            .bound("a buyer's losses", 50, async |store| {
                let page = Page { after, limit: 20 };
                assert_eq!(store.losses(Some(&busy), &page).await.unwrap().len(), 20);
                assert_eq!(store.losses(None, &page).await.unwrap().len(), 20);
            })
            .await;
    }
    plans
        .bound("held usage", 60, async |store| {
            assert_eq!(store.held_usage(Some(&busy), 20).await.unwrap().len(), 20);
            assert_eq!(store.held_usage(None, 20).await.unwrap().len(), 20);
        })
        .await;
    plans
        .bound("a quiet buyer's sums", 50, async |store| {
            assert_eq!(store.usage_sums(&subscription(15_000)).await.unwrap().len(), 1);
        })
        .await;
    plans
        .bound("attempts", 10, async |store| {
            assert_eq!(store.attempts(&[7, 70_000]).await.unwrap().len(), 2);
        })
        .await;
    plans
        .bound("what a product's sources said", 10, async |store| {
            assert_eq!(store.product_watermarks(&"app-7".parse().unwrap()).await.unwrap().len(), 1);
        })
        .await;
    plans.finish().await;
}

#[tokio::test]
async fn no_pruning_of_usage_reads_more_than_it_may_remove() {
    let mut plans = load().await;
    for horizon in [Timestamp::from_micros(0), NOON] {
        // Of each kind a hundred, what is skipped as it is not done with, and what was removed just now.
        plans
            .bound("pruning", 2_000, async |store| {
                store.prune_usage(horizon, 100).await.unwrap();
            })
            .await;
    }
    plans.finish().await;
}

#[tokio::test]
async fn no_statement_of_a_transaction_about_usage_reads_a_whole_table() {
    let mut plans = load().await;
    // Six times, as the server may settle on another plan from the sixth on.
    plans
        .watch("the ledger's transaction", async |store| {
            for round in 0..6 {
                transaction(store, 50_000 + round * BATCH).await;
            }
        })
        .await;
    plans.finish().await;
}

/// All of a transaction's statements, about what is there already and what is new.
async fn transaction(store: &PostgresStore, first: u32) {
    let numbers = first..first + BATCH;
    let keys: Vec<SubscriptionKey> = numbers.clone().map(subscription).collect();
    let tenants: Vec<TenantId> = numbers.clone().map(tenant).collect();
    let meters: Vec<MeterRow> = numbers
        .clone()
        .map(|number| MeterRow {
            meter: meter(number),
            look_at: Some(NOON),
            cut_by: None,
            closes_by_word: None,
        })
        .collect();
    let mut events: Vec<UsageEvent> = numbers.clone().step_by(2).map(event).collect();
    events.extend(numbers.clone().step_by(2).map(|number| event(number + 100_000)));
    let event_keys: Vec<EventKey> = events.iter().map(|event| event.key.clone()).collect();
    let records: Vec<Record> = numbers.clone().map(record).collect();
    let record_keys: Vec<_> = records.iter().map(|record| record.key.clone()).collect();
    let losses: Vec<Loss> = numbers.clone().map(loss).collect();
    let record_numbers: Vec<i64> = numbers.map(i64::from).collect();

    let mut transaction = store.begin(Work::Usage).await.unwrap();
    let by_tenant = MeterSelection { subscriptions: Vec::new(), tenants };
    assert_eq!(transaction.lock_meters(&by_tenant).await.unwrap().len(), BATCH as usize);
    let by_key = MeterSelection { subscriptions: keys.clone(), tenants: Vec::new() };
    assert_eq!(transaction.lock_meters(&by_key).await.unwrap().len(), BATCH as usize);
    ledger(&mut *transaction, &keys, &record_numbers).await;
    transaction.write_meters(&meters, NOON).await.unwrap();
    assert_eq!(transaction.claim_events(&events).await.unwrap().len(), events.len() / 2);
    transaction.update_events(&events).await.unwrap();
    assert_eq!(transaction.events(&event_keys).await.unwrap().len(), events.len());
    transaction.put_records(&records, NOON).await.unwrap();
    transaction.append_losses(&losses).await.unwrap();
    transaction.recover_losses(&record_keys, NOON).await.unwrap();
    transaction.commit().await.unwrap();
}

async fn ledger(
    transaction: &mut (impl LedgerStatements + ?Sized),
    keys: &[SubscriptionKey],
    record_numbers: &[i64],
) {
    transaction.live_records(keys).await.unwrap();
    transaction.held_events(keys, 1_000).await.unwrap();
    assert_eq!(transaction.records(record_numbers).await.unwrap().len(), record_numbers.len());
    let attempt = Attempt { lane: "lane-1".to_owned(), at: NOON, records: record_numbers.to_vec() };
    let attempts = transaction.add_attempts(&[attempt.clone(), attempt]).await.unwrap();
    let outcome = AttemptOutcome { at: NOON, request_id: None, error: None };
    let outcomes: Vec<_> = attempts.into_iter().map(|number| (number, outcome.clone())).collect();
    transaction.end_attempts(&outcomes).await.unwrap();
}
