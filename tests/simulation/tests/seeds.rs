//! The first stories, told on both stores.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what cannot be told fails the test")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use stallkeeper_simulation::{Backend, Coverage, run_seed};

/// How many stories every test run tells on SQLite; `cargo xtask simulate` tells more, and `xtask bite`, whose
/// planted bugs some rare story has to meet, asks for more by `STALLKEEPER_SEEDS`.
const SQLITE_SEEDS: u64 = 90;
const POSTGRES_SEEDS: u64 = 12;

fn tell(seeds: u64, backend: impl AsyncFn() -> Backend + Sync) -> Coverage {
    let next = AtomicU64::new(0);
    let threads: Vec<Coverage> = thread::scope(|scope| {
        let tellers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    runtime.block_on(async {
                        let backend = backend().await;
                        let mut coverage = Coverage::default();
                        loop {
                            let seed = next.fetch_add(1, Ordering::Relaxed);
                            if seed >= seeds {
                                return coverage;
                            }
                            match run_seed(seed, &backend).await {
                                Ok(covered) => coverage.add(&covered),
                                Err(failure) => panic!(
                                    "seed {seed}: {:#}\nagain: cargo xtask simulate --seed {seed}\n{:#?}",
                                    failure.error, failure.steps
                                ),
                            }
                        }
                    })
                })
            })
            .collect();
        tellers.into_iter().map(|teller| teller.join().unwrap()).collect()
    });
    let mut all = Coverage::default();
    for coverage in &threads {
        all.add(coverage);
    }
    all
}

#[test]
fn every_unit_is_billed_once_or_listed_as_lost_on_sqlite() {
    let seeds = std::env::var("STALLKEEPER_SEEDS").map_or(SQLITE_SEEDS, |seeds| seeds.parse().unwrap());
    let coverage = tell(seeds, async || Backend::sqlite().await.unwrap());
    let missing = coverage.missing(1);
    assert!(
        missing.is_empty(),
        "these stories prove too little, they never met {missing:?}\n{}",
        coverage.table()
    );
}

#[test]
fn every_unit_is_billed_once_or_listed_as_lost_on_postgres() {
    let coverage = tell(POSTGRES_SEEDS, async || Backend::Postgres);
    assert!(coverage.count("record settled") > 0, "nothing was billed\n{}", coverage.table());
}

#[test]
fn a_seed_tells_the_same_story_twice() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let backend = Backend::sqlite().await.unwrap();
        for seed in [1, 2, 7] {
            let first = run_seed(seed, &backend).await.unwrap().table();
            assert_eq!(run_seed(seed, &backend).await.unwrap().table(), first, "seed {seed}");
        }
    });
}
