//! What every store has to do, done by SQLite.
#![expect(clippy::unwrap_used, reason = "a test fails where something is missing")]

mod support;

use stallkeeper_persistence::contract_suite;

use support::open;

contract_suite!(open);
