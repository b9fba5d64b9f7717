//! Databases of a test's own.

use std::thread;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use xtask::postgres::{Cluster, Durability};

use crate::{environment, unique};

/// A database that only this test uses, dropped at the end of its scope whoever is still connected.
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    server: String,
}

impl TestDatabase {
    /// A copy of the template, which has all migrations applied.
    pub async fn clone_template() -> Self {
        let template = environment("STALLKEEPER_TEST_TEMPLATE");
        Self::create(&format!(" TEMPLATE \"{template}\"")).await
    }

    /// A database without any table.
    pub async fn empty() -> Self {
        Self::create("").await
    }

    /// Where a worker or a pool connects to it.
    pub fn url(&self) -> String {
        with_database(&self.server, &self.name)
    }

    /// A connection of the test's own, to look at the rows.
    pub async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url()).await.expect("cannot connect to the test's database")
    }

    async fn create(template: &str) -> Self {
        let server = environment("STALLKEEPER_TEST_POSTGRES_URL");
        let name = unique("test_");
        administer(&server, format!("CREATE DATABASE \"{name}\"{template}")).await;
        Self { name, server }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (server, drop) = (&self.server, format!("DROP DATABASE \"{}\" WITH (FORCE)", self.name));
        // On a thread and runtime of its own: a test's runtime may be single-threaded, or gone.
        let dropped = thread::scope(|scope| scope.spawn(|| block_on(administer(server, drop))).join());
        if dropped.is_err() {
            eprintln!("database {} is left behind until the server stops", self.name);
        }
    }
}

/// A Postgres server that a test may stop and start; its port and data stay the same.
///
/// Make it in the test's own body: the server ends with the thread that started it.
#[derive(Debug)]
pub struct PrivatePostgres {
    cluster: Cluster,
}

impl PrivatePostgres {
    /// Starts a server with one empty database.
    pub fn start() -> Self {
        let cluster = Cluster::create(Durability::None);
        Self { cluster: cluster.unwrap_or_else(|error| panic!("no Postgres of the test's own: {error:#}")) }
    }

    /// Where a worker connects to it.
    pub fn url(&self) -> String {
        self.cluster.url("postgres")
    }

    /// Stops the server and ends its connections.
    pub fn stop(&mut self) {
        self.cluster.stop().unwrap_or_else(|error| panic!("Postgres does not stop: {error:#}"));
    }

    /// Starts the server again.
    pub fn start_again(&mut self) {
        self.cluster.start().unwrap_or_else(|error| panic!("Postgres does not start again: {error:#}"));
    }
}

async fn administer(server: &str, statement: String) {
    let mut connection = PgConnection::connect(server).await.unwrap_or_else(|error| {
        panic!("cannot connect to {server} ({error}): are the services still running?")
    });
    let done = connection.execute(sqlx::raw_sql(AssertSqlSafe(statement.as_str()))).await;
    done.unwrap_or_else(|error| panic!("`{statement}` failed: {error}"));
    connection.close().await.expect("cannot close the administrator's connection");
}

fn block_on(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("cannot make a runtime").block_on(work);
}

/// The same server, another database: the last part of the URL's path.
fn with_database(server: &str, name: &str) -> String {
    let (base, _) = server.rsplit_once('/').expect("the server's URL names a database");
    format!("{base}/{name}")
}
