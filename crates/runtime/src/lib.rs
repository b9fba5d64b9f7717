#![doc = include_str!("../README.md")]

mod chain;
mod clock;
mod digest;
mod entropy;
mod retry;
mod shutdown;
mod tasks;

pub use crate::chain::error_chain;
pub use crate::clock::{FakeClock, SystemClock, WallClock};
pub use crate::digest::{hex, sha256};
pub use crate::entropy::{Entropy, NoEntropy, SystemEntropy};
pub use crate::retry::{Backoff, redelivery_delay, sleep_or_cancelled};
pub use crate::shutdown::{Shutdown, listen_for_signals};
pub use crate::tasks::{BoxError, FinalStatus, TaskEnd, Tasks};
