//! The marketplace's metering: which records it takes, and the bill that follows. Without clock and without I/O:
//! every moment comes from outside, and the same calls make the same bill.

mod allocation;
mod answer;
mod bill;
mod books;
mod call;
mod check;
mod holder;
mod identity;
mod log;
mod rate;
mod refusal;
mod settings;
mod window;

pub(crate) use check::{BODY_BYTES_MAX, is_region};

pub use answer::{MeteringAnswer, MeteringResult, NotSubscribed, RecordOutcome};
pub use bill::BillEntry;
pub use books::{Accounts, MeteringBooks};
pub use call::{Allocation, MeteringCall, MeteringRecord, Tag};
pub use holder::{Account, MeteredHolder};
pub use log::{CallOutcome, MeteringCallLine, MeteringCounts};
pub use rate::CallRate;
pub use refusal::{MeteringErrorCode, MeteringRefusal, OutOfBounds};
pub use settings::MeteringSettings;
