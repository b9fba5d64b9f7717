//! The stores' checked-query caches: each query as the compiler checked it against a real database.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, bail, ensure};

use crate::postgres::{Cluster, Durability};
use crate::program::{self, capture, cargo};
use crate::tree::Tree;
use crate::{moto, setup};

/// What to do with the caches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mode {
    /// Write them anew.
    Refresh,
    /// Fail if the ones in the tree are not what would be written.
    Compare,
}

/// Prepares both stores, each against a fresh database with its migrations applied.
pub(crate) fn run(tree: &Tree, mode: Mode) -> Result<()> {
    setup::run(tree)?;
    let work = tree.target().join("prepare");
    fs::create_dir_all(&work).context("cannot make a folder for the databases")?;
    let cluster = Cluster::create(Durability::None)?;
    migrate_postgres(tree, &cluster)?;
    prepare(tree, "persistence-postgres", &cluster.url("postgres"), mode)?;
    let file = work.join("sqlite.db");
    migrate_sqlite(tree, &file)?;
    prepare(tree, "persistence-sqlite", &format!("sqlite://{}", file.display()), mode)
}

fn prepare(tree: &Tree, store: &str, url: &str, mode: Mode) -> Result<()> {
    let folder = tree.root().join("crates").join(store);
    let fresh = tree.target().join("prepare").join(store);
    if fresh.exists() {
        fs::remove_dir_all(&fresh).context("cannot remove an old cache")?;
    }
    fs::create_dir_all(&fresh).context("cannot make a folder for the cache")?;
    check_anew(tree, store, &folder.join("src/lib.rs"), url, &fresh)?;
    let (before, after) = (read_cache(&folder.join(".sqlx"))?, read_cache(&fresh)?);
    if before == after {
        println!("{store}: {} queries, unchanged", after.len());
        return Ok(());
    }
    match mode {
        Mode::Compare => bail!("the checked queries of {store} are stale; run `cargo xtask prepare`"),
        Mode::Refresh => write_cache(&folder.join(".sqlx"), &after)?,
    }
    println!("{store}: {} queries, refreshed", after.len());
    Ok(())
}

/// Lets the query macros run again, asking the database; the source's time of change is put back, so that
/// builds without a database do not start over.
fn check_anew(tree: &Tree, store: &str, source: &Path, url: &str, cache: &Path) -> Result<()> {
    let file = File::options().append(true).open(source).context("cannot open the store's lib.rs")?;
    let modified = file.metadata()?.modified()?;
    file.set_modified(now())?;
    let checked = program::run(
        cargo(tree)
            .args(["check", "--package", &format!("stallkeeper-{store}")])
            .env("DATABASE_URL", url)
            .env("SQLX_OFFLINE", "false")
            .env("SQLX_OFFLINE_DIR", cache),
    );
    file.set_modified(modified)?;
    checked
}

#[expect(clippy::disallowed_methods, reason = "the build tool compares file times with the machine's clock")]
fn now() -> SystemTime {
    SystemTime::now()
}

fn migrate_postgres(tree: &Tree, cluster: &Cluster) -> Result<()> {
    let mut psql = cluster.psql("postgres")?;
    for file in migrations(tree, "postgres")? {
        psql.arg("--file").arg(file);
    }
    capture(&mut psql).map(drop)
}

/// Through the virtual environment's Python, which has SQLite built in.
fn migrate_sqlite(tree: &Tree, database: &Path) -> Result<()> {
    const APPLY: &str = "import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
for path in sys.argv[2:]:
    database.executescript(open(path, encoding='utf-8').read())";
    if database.exists() {
        fs::remove_file(database).context("cannot remove an old database")?;
    }
    let mut python = Command::new(moto::python(tree)?);
    capture(python.args(["-c", APPLY]).arg(database).args(migrations(tree, "sqlite")?)).map(drop)
}

/// The migration files in their order.
fn migrations(tree: &Tree, database: &str) -> Result<Vec<PathBuf>> {
    let folder = tree.root().join("migrations").join(database);
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            files.push(path);
        }
    }
    ensure!(!files.is_empty(), "{} holds no migrations", folder.display());
    files.sort();
    Ok(files)
}

type Cache = BTreeMap<String, Vec<u8>>;

fn read_cache(folder: &Path) -> Result<Cache> {
    let mut cache = Cache::new();
    if !folder.exists() {
        return Ok(cache);
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        cache.insert(entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?);
    }
    Ok(cache)
}

fn write_cache(folder: &Path, cache: &Cache) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).context("cannot remove the old cache")?;
    }
    fs::create_dir_all(folder)?;
    for (name, content) in cache {
        fs::write(folder.join(name), content)?;
    }
    Ok(())
}
