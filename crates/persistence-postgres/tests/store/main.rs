//! What is particular to this store; what all stores have in common is in the contract suite.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot be set up must fail")]

mod changes;
mod failures;
mod migrations;
mod plans;
mod support;
mod usage_plans;
mod usage_rows;
