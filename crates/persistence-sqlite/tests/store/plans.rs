//! No statement's cost grows with what is stored: each finds its rows by an index.

use std::fs;
use std::path::Path;

use sqlx::{AssertSqlSafe, Connection, Executor, Row, SqliteConnection};

use crate::support::Database;

/// 100,000 rows in each table.
const LOAD: &str = r"
WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100000)
INSERT INTO inbox (marketplace, id, subscription, received_at, body)
SELECT 'aws', 'm' || n, 'aws/prod/customer/c' || n, n, x'7b7d' FROM n;

WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100000)
INSERT INTO subscriptions (key, marketplace, product, holder_kind, holder_id, state, word, tenant, created_at, updated_at)
SELECT 'aws/prod/customer/c' || n, 'aws', 'prod', 'customer', 'c' || n, '{}',
    CASE n % 10 WHEN 0 THEN 'ended' ELSE 'active' END, 't' || (n % 1000), n, n FROM n;

WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100000)
INSERT INTO history (subscription, at, what, outcome, word, actor, detail)
SELECT 'aws/prod/customer/c' || (n % 20000), n, 'subscribe-success', 'applied', 'active', 'marketplace', '{}' FROM n;

WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100000)
INSERT INTO jobs (subscription, kind, state, due_at, payload)
SELECT 'aws/prod/customer/c' || (n / 2), CASE n % 2 WHEN 0 THEN 'announce' ELSE 'wake' END,
    CASE n % 2 WHEN 0 THEN 'parked' ELSE 'due' END, n, '{}' FROM n;

WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100000)
INSERT INTO quarantine (marketplace, hash, message_id, reason, detail, body, first_seen_at, last_seen_at, state)
SELECT 'aws', printf('%064x', n), 'm' || n, 'unknown-action', 'no such action', x'7b7d', n, n,
    CASE n % 10 WHEN 0 THEN 'held' ELSE 'discarded' END FROM n;

WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100000)
INSERT INTO meters
    (subscription, marketplace, product, tenant, state, deadline, cut_by, closes_by_word, look_at, updated_at)
SELECT 'aws/prod/customer/c' || n, 'aws', 'prod', 't' || (n % 1000), '{}',
    CASE n % 100 WHEN 0 THEN n END, CASE n % 200 WHEN 0 THEN n END, CASE n % 2 WHEN 0 THEN n END,
    CASE n % 3 WHEN 0 THEN n END, n
FROM n;

WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100000)
INSERT INTO usage_events
    (product, tenant, id, subscription, dimension, hour, state, counted, held_for, held_until, received_at,
     content, event)
SELECT 'api', 't' || (n % 1000), 'u' || n, 'aws/prod/customer/c' || (n % 20000), 'requests', n / 100,
    CASE n % 50 WHEN 0 THEN 'held' ELSE 'counted' END, 1, CASE n % 50 WHEN 0 THEN 'late' END,
    CASE n % 50 WHEN 0 THEN n END, n, '{}', '{}'
FROM n;

WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100000)
INSERT INTO usage_records
    (subscription, hour, dimension, region, marketplace, product, state, parts, frozen_at, expires_at, retry_at,
     record, updated_at)
SELECT 'aws/prod/customer/c' || (n % 20000), n / 100, 'requests', 'us-east-1', 'aws', 'prod',
    CASE n % 50 WHEN 0 THEN 'open' WHEN 1 THEN 'frozen' WHEN 2 THEN 'frozen' WHEN 3 THEN 'conflict'
        WHEN 4 THEN 'expired' ELSE 'settled' END,
    1, n, n, CASE n % 50 WHEN 2 THEN n END, '{}', n
FROM n;

WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100000)
INSERT INTO usage_losses (subscription, dimension, hour, reason, parts, of_record, at, loss)
SELECT 'aws/prod/customer/c' || (n % 20000), 'requests', n / 100, 'late', 1, n % 2, n, '{}' FROM n;

WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100000)
INSERT INTO usage_attempts (lane, at, records) SELECT 'aws', n, '[1]' FROM n;

ANALYZE;
";

async fn loaded(database: &Database) -> SqliteConnection {
    database.ready().await.close().await;
    let mut connection = database.connect().await;
    connection.execute(LOAD).await.unwrap();
    connection.close().await.unwrap();
    // Only a new connection plans with what ANALYZE found.
    database.connect().await
}

/// Every checked statement of this crate, from the cache that the compiler reads.
fn statements() -> Vec<String> {
    let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join(".sqlx");
    fs::read_dir(cache)
        .unwrap()
        .map(|entry| {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap();
            let query: serde_json::Value = serde_json::from_str(&text).unwrap();
            query.get("query").unwrap().as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
        })
        .filter(|statement| !statement.contains("sqlite_master"))
        .collect()
}

const TABLES: [&str; 10] = [
    "history",
    "inbox",
    "jobs",
    "meters",
    "quarantine",
    "subscriptions",
    "usage_attempts",
    "usage_events",
    "usage_losses",
    "usage_records",
];

/// Indexes of nothing but what is in work: to read one from its beginning costs what waits, not what is stored.
const IN_WORK: [&str; 3] = ["usage_events_held_until", "usage_records_expiring", "usage_records_oldest"];

async fn plan(connection: &mut SqliteConnection, statement: &str) -> Vec<String> {
    let plan = connection.fetch_all(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"))).await.unwrap();
    plan.iter().map(|row| row.get("detail")).collect()
}

/// The steps that read a table from end to end, without even an index that holds all that is asked for.
async fn scans(connection: &mut SqliteConnection, statement: &str) -> Vec<String> {
    let reads_a_table = |step: &String| {
        let words: Vec<&str> = step.split(' ').collect();
        let is_scan =
            words.first() == Some(&"SCAN") && words.get(1).is_some_and(|name| TABLES.contains(name));
        is_scan && !words.last().is_some_and(|index| IN_WORK.contains(index))
    };
    plan(connection, statement).await.into_iter().filter(reads_a_table).collect()
}

/// Whether it removes the rows with the lowest numbers: it reads the table, but stops at its limit.
fn prunes_by_number(statement: &str) -> bool {
    statement.starts_with("DELETE FROM usage_") && statement.contains("ORDER BY number LIMIT $2")
}

#[tokio::test]
async fn no_statement_reads_a_whole_table() {
    let database = Database::new();
    let mut connection = loaded(&database).await;
    let statements = statements();
    assert!(statements.len() > 70, "the cache holds only {} statements", statements.len());
    for statement in statements.iter().filter(|statement| !prunes_by_number(statement)) {
        let scans = scans(&mut connection, statement).await;
        assert!(scans.is_empty(), "{statement}\n{scans:?}");
    }
}

#[tokio::test]
async fn the_plans_tell_a_statement_that_reads_a_whole_table() {
    let database = Database::new();
    database.ready().await.close().await;
    let mut connection = database.connect().await;
    for careless in ["SELECT number FROM history WHERE detail = $1", "SELECT count(*) FROM inbox"] {
        assert_eq!(scans(&mut connection, careless).await.len(), 1, "{careless}");
    }
}

/// What a statement of the usage ledger says, and the index by which it finds its rows.
const HOT: [(&str, &str); 26] = [
    ("FROM meters WHERE subscription IN", "meters_by_tenant"),
    ("FROM meters WHERE look_at <= $1", "meters_due"),
    ("FROM meters WHERE marketplace = $1 AND cut_by <= $2", "meters_to_cut"),
    ("AND closes_by_word <= $3", "meters_complete"),
    ("(SELECT min(look_at) FROM meters", "meters_due"),
    ("SELECT min(cut_by)", "meters_to_cut"),
    ("JOIN usage_records ON usage_records.subscription = meters.subscription", "meters_leaving"),
    ("JOIN usage_records ON usage_records.subscription = meters.subscription", "usage_records_live"),
    ("state = 'frozen' AND expires_at <= $1", "usage_records_expiring"),
    ("(SELECT min(expires_at) FROM usage_records", "usage_records_expiring"),
    ("AND state IN ('open', 'frozen') ORDER BY number", "usage_records_live"),
    ("AND retry_at IS NULL AND expires_at > $2", "usage_records_unsent"),
    ("AND retry_at IS NULL AND expires_at > $2", "usage_records_waiting"),
    ("SELECT frozen_at FROM usage_records", "usage_records_unsent"),
    ("SELECT min(retry_at) FROM usage_records", "usage_records_waiting"),
    ("WHERE state = 'conflict'", "usage_records_ended"),
    ("SELECT min(hour) FROM usage_records", "usage_records_oldest"),
    ("content FROM json_each($1) AS wanted", "sqlite_autoindex_usage_events_1"),
    ("UPDATE usage_events", "sqlite_autoindex_usage_events_1"),
    ("FROM usage_events WHERE subscription = wanted.value AND state = 'held'", "usage_events_held"),
    ("FROM usage_events WHERE subscription = $1 AND hour >= $2", "usage_events_by_hour"),
    ("AND held_for = 'late'", "usage_events_held_for"),
    ("SELECT min(deadline) FROM meters", "meters_leaving"),
    ("SELECT min(held_until) FROM usage_events", "usage_events_held_until"),
    ("sum(counted / 1000000000)", "usage_losses_by_subscription"),
    ("UPDATE usage_losses", "usage_losses_of_records"),
];

#[tokio::test]
async fn the_ledgers_statements_find_their_rows_by_the_indexes_that_are_made_for_them() {
    let database = Database::new();
    let mut connection = loaded(&database).await;
    let statements = statements();
    for (text, index) in HOT {
        let of_text: Vec<&String> = statements.iter().filter(|statement| statement.contains(text)).collect();
        let [statement] = of_text.as_slice() else { panic!("{text}: {of_text:?}") };
        let plan = plan(&mut connection, statement).await;
        let uses = |step: &String| step.split(' ').any(|word| word == index);
        assert!(plan.iter().any(uses), "{statement} without {index}\n{plan:#?}");
    }
}
