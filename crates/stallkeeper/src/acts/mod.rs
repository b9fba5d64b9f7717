//! What operators do, whether by a command or in the console: each act once, with its operator's name in the history.

mod bind;
mod decide;
mod delivery;
mod door;
mod hold;
mod job;
mod replay;

pub use self::bind::{BindError, Bound, bind};
pub use self::decide::decide_one;
pub use self::delivery::{RedeliverError, redeliver, try_endpoint};
pub use self::door::OwnDoor;
pub use self::hold::{HoldError, hold};
pub use self::job::{RetryError, retry};
pub use self::replay::{Held, Replayer, Taken, in_words};
