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
            query.get("query").unwrap().as_str().unwrap().to_owned()
        })
        .filter(|statement| !statement.contains("sqlite_master"))
        .collect()
}

const TABLES: [&str; 5] = ["history", "inbox", "jobs", "quarantine", "subscriptions"];

/// The steps that read a table from end to end, without even an index that holds all that is asked for.
async fn scans(connection: &mut SqliteConnection, statement: &str) -> Vec<String> {
    let plan = connection.fetch_all(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"))).await.unwrap();
    let reads_a_table = |step: &String| {
        step.strip_prefix("SCAN ")
            .and_then(|rest| rest.split(' ').next())
            .is_some_and(|name| TABLES.contains(&name))
    };
    plan.iter().map(|row| row.get::<String, _>("detail")).filter(reads_a_table).collect()
}

#[tokio::test]
async fn no_statement_reads_a_whole_table() {
    let database = Database::new();
    let mut connection = loaded(&database).await;
    let statements = statements();
    assert!(statements.len() > 30, "the cache holds only {} statements", statements.len());
    for statement in statements {
        let scans = scans(&mut connection, &statement).await;
        assert!(scans.is_empty(), "{statement}\n{scans:?}");
    }
}

#[tokio::test]
async fn the_plans_tell_a_statement_that_reads_a_whole_table() {
    let database = Database::new();
    let mut connection = loaded(&database).await;
    for careless in ["SELECT number FROM history WHERE detail = $1", "SELECT count(*) FROM inbox"] {
        assert_eq!(scans(&mut connection, careless).await.len(), 1, "{careless}");
    }
}
