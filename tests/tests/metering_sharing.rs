//! Two workers that report usage on one database.

use std::collections::BTreeSet;
use std::time::Duration;

use stallkeeper_tests::{Buyer, Database, Ledger, MeteredStall, Tap, eventually};

const PATIENCE: Duration = Duration::from_secs(40);
const HOUR: Duration = Duration::from_hours(1);
const UNSETTLED: &str = "usage_records WHERE state IN ('open', 'frozen')";

#[tokio::test]
async fn one_of_two_workers_sends_and_the_other_takes_over_where_it_stops() {
    let database = Database::postgres().await;
    let stall = MeteredStall::open(5).await;
    let (left_tap, right_tap) = (Tap::start(stall.market.url()).await, Tap::start(stall.market.url()).await);
    let behind = |tap: &Tap| stall.installation(&database).variable("STALLKEEPER_SIMULATOR_URL", tap.url());
    let (left, right) = (behind(&left_tap), behind(&right_tap));
    let mut workers = [Some(left.start_ready().await), Some(right.start_ready().await)];
    let mut buyers = Vec::new();
    for number in 0..6 {
        let product = if number % 2 == 0 { "search" } else { "vault" };
        buyers.push(stall.admit(&left, &database, &format!("buyer{number}"), product).await);
    }
    let taps = [&left_tap, &right_tap];
    for hour in 1..=4 {
        let worker = workers.iter().flatten().next().unwrap();
        let now = stall.market.now().await;
        let event = |buyer: &Buyer| buyer.event(&format!("hour {hour}"), "hits", "10", &now);
        stall.app().report_all(worker, &buyers.iter().map(event).collect::<Vec<_>>()).await;
        stall.market.advance(HOUR).await;
        eventually("the hour is billed", PATIENCE, async || {
            stall.market.bill().await.len() == hour * 12 && database.count(UNSETTLED).await == 0
        })
        .await;
        if hour == 2 {
            // Whoever has sent last ends.
            let leader = usize::from(taps[1].calls().len() > taps[0].calls().len());
            assert!(workers[leader].take().unwrap().stop().await.success());
        }
    }
    let calls: Vec<usize> = taps.iter().map(|tap| tap.calls().len()).collect();
    assert!(calls.iter().all(|calls| *calls > 0), "one worker never sent: {calls:?}");
    assert_eq!(calls.iter().sum::<usize>() as u64, stall.market.metering_calls().await.calls);
    let records: Vec<String> = taps.iter().flat_map(|tap| tap.records()).collect();
    let distinct: BTreeSet<&String> = records.iter().collect();
    assert_eq!(distinct.len(), records.len(), "a record was sent twice: {calls:?}");
    let ledger = Ledger::read(&left);
    assert_eq!(ledger.assert_equals_bill(&stall.market).await, ledger.records.len());
}
