//! No statement's cost grows with what is stored: each finds its rows by an index.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};
use stallkeeper_lifecycle::{Subscription, SubscriptionKey, Timestamp, Word};
use stallkeeper_persistence::{
    Actor, CommitStore, Housekeeping, JobKind, JobPosition, JobState, JobStore, NewJob, Page,
    QuarantineEntry, QuarantineKey, QuarantineState, QuarantineStore, Settled, SubscriptionFilter,
    SubscriptionRecord, SubscriptionStore, Work,
};
use stallkeeper_persistence_postgres::{Options, PostgresStore};
use stallkeeper_tests::{TestDatabase, eventually};

use crate::support::{NOON, line, notification, open, ready, subscription};

/// How often bounded work is done.
const ROUNDS: i64 = 8;

/// As many as a commit takes at the most.
const BATCH: u32 = 256;

/// 100,000 rows in each table, about as long as true ones.
const LOAD: &str = r#"
INSERT INTO inbox (marketplace, id, subscription, received_at, body)
SELECT 'aws', 'm' || to_char(n, 'FM000000'), 'aws/prod/customer/c' || to_char(n, 'FM000000'),
    to_timestamp(1799000000 + n), '{"action": "subscribe-success"}'
FROM generate_series(1, 100000) AS n;

INSERT INTO subscriptions (key, marketplace, product, holder_kind, holder_id, state, word, tenant, created_at, updated_at)
SELECT 'aws/prod/customer/c' || to_char(n, 'FM000000'), 'aws', 'prod', 'customer', 'c' || to_char(n, 'FM000000'),
    'STATE', CASE n % 10 WHEN 0 THEN 'ended' ELSE 'active' END, 't' || n % 1000, now(), now()
FROM generate_series(1, 100000) AS n;

INSERT INTO history (subscription, at, what, outcome, word, actor, detail)
SELECT 'aws/prod/customer/c' || to_char(n % 20000, 'FM000000'), now(), 'subscribe-success', 'applied', 'active',
    'marketplace', '{}'
FROM generate_series(1, 100000) AS n;

INSERT INTO jobs (subscription, kind, state, due_at, payload)
SELECT 'aws/prod/customer/c' || to_char(n / 2, 'FM000000'), CASE n % 2 WHEN 0 THEN 'announce' ELSE 'wake' END,
    CASE n % 2 WHEN 0 THEN 'parked' ELSE 'due' END, to_timestamp(1799000000 + n), rpad('', 400, '.')
FROM generate_series(1, 100000) AS n;

INSERT INTO quarantine (marketplace, hash, message_id, reason, detail, body, first_seen_at, last_seen_at, state)
SELECT 'aws', md5(n::text) || md5((-n)::text), 'm' || n, 'unknown-action', 'no such action', '{}', now(), now(),
    CASE n % 10 WHEN 0 THEN 'held' ELSE 'discarded' END
FROM generate_series(1, 100000) AS n;
"#;

type Scans = BTreeMap<String, i64>;

pub(crate) struct Plans {
    database: TestDatabase,
    administrator: PgConnection,
    found: Vec<String>,
}

impl Plans {
    async fn load() -> Self {
        let record = SubscriptionRecord {
            key: subscription(1),
            subscription: Subscription::default(),
            updated_at: NOON,
        };
        Self::load_with(LOAD.replace("STATE", &record.encode().unwrap())).await
    }

    /// Over a fresh database, into which these statements bring rows.
    pub(crate) async fn load_with(load: String) -> Self {
        let database = TestDatabase::empty().await;
        ready(&database.url(), Options::default()).await.close().await;
        let mut administrator = database.connect().await;
        sqlx::raw_sql(AssertSqlSafe(load)).execute(&mut administrator).await.unwrap();
        // Not inside the batch above, which is one transaction. FREEZE waits for pages that the server's own
        // vacuum is at, and the planner counts on every page being visible.
        administrator.execute("VACUUM (FREEZE, ANALYZE)").await.unwrap();
        Self { database, administrator, found: Vec::new() }
    }

    /// Notes which tables a piece of work reads from end to end, as the server counts it.
    pub(crate) async fn watch(&mut self, what: &str, work: impl AsyncFnOnce(&PostgresStore)) {
        let before = self.scans().await;
        let store = open(&self.database.url(), Options { connections_max: 1, ..Options::default() }).await;
        work(&store).await;
        store.close().await;
        self.every_worker_gone().await;
        for (table, count) in self.scans().await {
            let before = before.get(&table).copied().unwrap_or_default();
            if count > before {
                self.found.push(format!("{what} reads all of {table}"));
            }
        }
    }

    /// Notes, too, where a piece of work reads more entries of indexes than `most`.
    ///
    /// It is done several times, as the server may settle on another plan from the sixth on, which is made for
    /// the average buyer.
    pub(crate) async fn bound(&mut self, what: &str, most: i64, work: impl AsyncFn(&PostgresStore)) {
        let before = self.entries_read().await;
        self.watch(what, async |store| {
            for _ in 0..ROUNDS {
                work(store).await;
            }
        })
        .await;
        let read = (self.entries_read().await - before) / ROUNDS;
        if read > most {
            self.found.push(format!("{what} reads {read} entries of indexes"));
        }
    }

    async fn entries_read(&mut self) -> i64 {
        let count =
            "SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes WHERE relname <> '_sqlx_migrations'";
        sqlx::query_scalar(count).fetch_one(&mut self.administrator).await.unwrap()
    }

    /// A connection hands its counts in when it ends.
    async fn every_worker_gone(&mut self) {
        let administrator = &mut self.administrator;
        eventually("the store's connections are closed", Duration::from_secs(10), async || {
            let there = "SELECT count(*) FROM pg_stat_activity \
                         WHERE datname = current_database() AND application_name = 'stallkeeper'";
            sqlx::query_scalar::<_, i64>(there).fetch_one(&mut *administrator).await.unwrap() == 0
        })
        .await;
    }

    async fn scans(&mut self) -> Scans {
        let counts =
            "SELECT relname::text, seq_scan FROM pg_stat_user_tables WHERE relname <> '_sqlx_migrations'";
        let rows = sqlx::query(counts).fetch_all(&mut self.administrator).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    pub(crate) fn found(&self) -> &[String] {
        &self.found
    }

    pub(crate) async fn finish(self) {
        self.administrator.close().await.unwrap();
        assert_eq!(self.found, Vec::<String>::new());
    }
}

#[tokio::test]
async fn the_watch_notices_a_statement_that_reads_a_whole_table() {
    let mut plans = Plans::load().await;
    let url = plans.database.url();
    plans
        .watch("a careless count", async |_| {
            let mut careless =
                PgConnection::connect(&format!("{url}?application_name=stallkeeper")).await.unwrap();
            careless.execute("SELECT count(*) FROM history WHERE detail = ''").await.unwrap();
            careless.close().await.unwrap();
        })
        .await;
    assert_eq!(plans.found(), ["a careless count reads all of history"]);
}

#[tokio::test]
async fn no_statement_of_a_commit_reads_a_whole_table() {
    let mut plans = Plans::load().await;
    // Six times, as the server may settle on another plan from the sixth on.
    plans
        .watch("the commit", async |store| {
            for round in 0..6 {
                commit(store, 99_900 + round * BATCH).await;
            }
        })
        .await;
    plans
        .watch("the look-up of an agreement's licenses", async |store| {
            store.licenses_of(&keys(1)).await.unwrap();
        })
        .await;
    plans.finish().await;
}

/// A full commit, partly of what is there already.
async fn commit(store: &PostgresStore, first: u32) {
    let numbers = first..first + BATCH;
    let keys = keys(first);
    let notifications: Vec<_> = numbers.clone().map(|number| notification(number, b"{}")).collect();
    let outcomes: Vec<_> =
        notifications.iter().map(|entry| (entry.key.clone(), Settled::Unchanged)).collect();
    let lines: Vec<_> = numbers.clone().map(|number| line(number, "subscribe-success")).collect();
    let jobs: Vec<_> = keys.iter().map(new_job).collect();
    let refused: Vec<_> = numbers.map(refused).collect();
    let replayed: Vec<_> = refused.iter().map(|entry| (entry.key.clone(), Actor::Worker)).collect();

    let mut transaction = store.begin(Work::Notifications).await.unwrap();
    transaction.claim(&notifications).await.unwrap();
    transaction.place(&keys, NOON).await.unwrap();
    let records = transaction.lock(&keys).await.unwrap();
    transaction.write_subscriptions(&records).await.unwrap();
    transaction.append_history(&lines).await.unwrap();
    transaction.put_jobs(&jobs).await.unwrap();
    transaction.quarantine(&refused).await.unwrap();
    transaction.settle_quarantine(&replayed, NOON).await.unwrap();
    transaction.note_outcomes(&outcomes).await.unwrap();
    transaction.commit().await.unwrap();
}

fn keys(first: u32) -> Vec<SubscriptionKey> {
    (first..first + BATCH).map(subscription).collect()
}

fn new_job(key: &SubscriptionKey) -> NewJob {
    NewJob {
        key: key.clone(),
        kind: JobKind::Announce,
        target: String::new(),
        due_at: NOON,
        payload: "{}".to_owned(),
    }
}

fn refused(number: u32) -> QuarantineEntry {
    let body = number.to_string().into_bytes();
    QuarantineEntry {
        key: QuarantineKey::of("aws".parse().unwrap(), &body),
        message_id: format!("m{number}"),
        reason: "unknown-action".to_owned(),
        detail: "no such action".to_owned(),
        body,
        sent_at: None,
        at: NOON,
    }
}

#[tokio::test]
async fn no_listing_of_subscriptions_reads_a_whole_table() {
    let mut plans = Plans::load().await;
    let filters = [
        SubscriptionFilter::All,
        SubscriptionFilter::Tenant("t7".parse().unwrap()),
        SubscriptionFilter::Listing("aws".parse().unwrap(), "prod".parse().unwrap()),
        SubscriptionFilter::Word(Word::Active),
        SubscriptionFilter::Word(Word::Ended),
    ];
    for filter in filters {
        plans
            .watch(&format!("{filter:?}"), async |store| {
                for after in [None, Some(subscription(50_000)), Some(subscription(99_990))] {
                    for limit in [1, 1_000] {
                        let page = Page { after: after.clone(), limit };
                        store.subscriptions(&filter, &page).await.unwrap();
                    }
                }
            })
            .await;
    }
    plans
        .watch("one subscription", async |store| {
            store.subscription(&subscription(1)).await.unwrap();
            store.history(&subscription(1), &Page::first(1_000)).await.unwrap();
            store.last_received_at(&"aws".parse().unwrap()).await.unwrap();
        })
        .await;
    plans.finish().await;
}

#[tokio::test]
async fn no_statement_about_jobs_reads_a_whole_table() {
    let mut plans = Plans::load().await;
    let late = Timestamp::from_micros(1_900_000_000_000_000);
    plans
        .watch("the jobs' runner", async |store| {
            let jobs = store.claim_jobs(&JobKind::ALL, late, Duration::from_mins(1), BATCH).await.unwrap();
            assert_eq!(jobs.len(), BATCH as usize);
            store.finish_job(&jobs[0]).await.unwrap();
            store.retry_job(&jobs[1], late, "again").await.unwrap();
            store.fail_job(&jobs[2], "never").await.unwrap();
            store.finish_job(&jobs[0]).await.unwrap();
            store.next_job_at(&JobKind::ALL).await.unwrap();
            store.revive_job(&jobs[2].key, jobs[2].kind, late).await.unwrap();
        })
        .await;
    for state in JobState::ALL {
        plans
            .watch(&format!("the {state} jobs"), async |store| {
                store.jobs(state, &Page::first(1_000)).await.unwrap();
                let after = Some(JobPosition {
                    key: subscription(20_000),
                    kind: JobKind::Announce,
                    target: String::new(),
                });
                store.jobs(state, &Page { after, limit: 10 }).await.unwrap();
            })
            .await;
    }
    plans
        .watch("the counts of jobs", async |store| assert_eq!(store.job_counts().await.unwrap().failed, 0))
        .await;
    plans.finish().await;
}

#[tokio::test]
async fn no_statement_about_quarantine_or_the_inboxs_age_reads_a_whole_table() {
    let mut plans = Plans::load().await;
    for state in QuarantineState::ALL {
        plans
            .watch(&format!("{state} messages"), async |store| {
                let page = Page::first(1_000);
                let listed = store.quarantine_list(state, &page).await.unwrap();
                let after = listed.last().map(|record| record.entry.key.clone());
                store.quarantine_list(state, &Page { after, limit: 10 }).await.unwrap();
            })
            .await;
    }
    plans
        .watch("one quarantined message", async |store| {
            let key = refused(1).key;
            store.quarantined(&key).await.unwrap();
            assert_eq!(store.quarantined_by_prefix("c").await.unwrap().len(), 2);
            store.discard(&key, &Actor::Worker, NOON).await.unwrap();
        })
        .await;
    plans
        .watch("the count of held messages", async |store| {
            assert_eq!(store.quarantine_held().await.unwrap(), 10_000);
        })
        .await;
    plans
        .watch("pruning", async |store| {
            assert_eq!(store.prune_inbox(NOON, 1_000).await.unwrap(), 1_000);
        })
        .await;
    plans.finish().await;
}
