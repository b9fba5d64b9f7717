//! What every store has to do, done by PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test fails where something is missing")]

mod support;

use stallkeeper_lifecycle::{Binding, Change, SubscriptionKey, Timestamp};
use stallkeeper_persistence::contract::{Fixture, PayAsYouGo};
use stallkeeper_persistence::{
    Act, Actor, Content, Incoming, Outcome, Settled, StoreError, commit_each, contract_suite,
};

use support::open;

contract_suite!(open);

/// PostgreSQL's text cannot hold a NUL, so it refuses this operator's name; SQLite takes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_database_refuses_fails_alone_among_a_hundred_good_ones() {
    let opened = open().await;
    let noon = Timestamp::from_micros(1_767_268_800_000_000);
    let binding = |number: usize| {
        let key: SubscriptionKey = format!("aws/prod-1/customer/buyer-{number}").parse().unwrap();
        let change = Change::Bind(Binding { tenant: "tenant-1".parse().unwrap(), user: None });
        let actor = Actor::Operator(if number == 63 { "mia\0" } else { "mia" }.to_owned());
        Incoming { received_at: noon, content: Content::Act(Act { key, change, actor }) }
    };
    let batch: Vec<Incoming> = (0..101).map(binding).collect();
    let mut results = commit_each(&*opened.store(), &batch, noon, &PayAsYouGo).await.results;
    let refused = results.remove(63).unwrap_err();
    assert!(matches!(refused, StoreError::Data(_)), "{refused:?}");
    assert_eq!(results.len(), 100);
    for result in results {
        assert_eq!(result.unwrap(), Outcome::Settled(Settled::Applied));
    }
    let Content::Act(refused) = &batch[63].content else { unreachable!() };
    assert_eq!(opened.store().subscription(&refused.key).await.unwrap(), None);
}
