#![doc = include_str!("../README.md")]
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "a test that cannot be set up must fail at once and in words"
)]

mod album;
mod app;
mod bill;
mod browser;
mod certificate_server;
mod certificates;
pub mod chaos;
mod database;
mod envelope;
mod eventually;
mod ledger;
mod market;
mod metered;
mod moto;
mod postgres;
mod python;
mod sales;
mod schemathesis;
mod stall;
mod tap;
mod visitor;
mod worker;

use std::sync::atomic::{AtomicU32, Ordering};

pub use album::Album;
pub use app::{Answer, App};
pub use bill::{BillEntry, MeteringCalls};
pub use browser::{BrowserReport, BrowserStep, Violation, browse};
pub use certificate_server::CertificateServer;
pub use certificates::{Authority, Digest, SigningKey};
pub use database::Database;
pub use envelope::Envelope;
pub use eventually::eventually;
pub use ledger::{Ledger, LedgerRecord};
pub use market::Market;
pub use metered::{Buyer, MeteredStall};
pub use moto::{Depth, Moto, Queue, Topics, action_body};
pub use postgres::{PrivatePostgres, TestDatabase};
pub use python::run_pinned;
pub use sales::Sales;
pub use schemathesis::{Known, Schemathesis, Texts};
pub use stall::{Product, Stall};
pub use tap::{HeldAnswer, Tap};
pub use visitor::{Shown, Visitor};
pub use worker::{Finished, Installation, Problem, Worker};

/// A name that no other test of this or another running process uses.
pub fn unique(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{prefix}{}n{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// What `cargo xtask test` and `cargo xtask services` tell the tests, such as `STALLKEEPER_TEST_BINARY`.
pub fn environment(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run `cargo xtask test`, or `cargo xtask services -- cargo test …`")
    })
}
