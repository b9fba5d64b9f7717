//! The usage ledger's store: statements, reads, and the algorithms over them, written once.

mod attempt;
mod decide;
mod desk;
mod intake;
mod lease;
mod listing;
mod look;
mod lose;
mod sending;
mod statements;
mod store;
mod take_each;
mod terms;
mod warn;
mod watermark;

pub use attempt::{Attempt, AttemptOutcome, AttemptRecord};
pub use decide::{DecideError, decide};
pub use desk::{DeskError, UsageDesk, UsageIntake, usage_desk};
pub use intake::{EVENTS_MAX, Taken, take_in, try_in};
pub use lease::Lease;
pub use listing::{EventLine, LedgerHealth, LossLine, RecordFilter, RecordLine, UsageSum};
pub use look::{LOOKS_MAX, Looked, look_at};
pub use sending::{AttemptResult, Started, finish, start};
pub use statements::{HeldOf, LedgerStatements, MeterRow, MeterSelection};
pub use store::{LedgerStore, Unsent};
pub use terms::MeterTermsOf;
pub use warn::warn;
pub use watermark::{Watermark, WatermarkError, put_watermark};
