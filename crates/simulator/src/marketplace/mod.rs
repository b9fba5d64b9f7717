//! What is sold, who buys it, what is said about it, and the books.

mod accounts;
mod act;
mod agenda;
mod books;
mod buyer;
mod clock_move;
mod crowd;
mod crowd_desk;
mod crowd_run;
mod customer;
mod entitled;
mod entry;
mod event;
mod followers;
mod ids;
mod journal;
mod license;
mod market;
mod message;
mod moment;
mod notice;
mod press;
mod product;
mod registrant;
mod subscription;

pub use act::{Act, ActError, Change, Purchase, Whose};
pub use clock_move::{ClockMove, ClockMoved, ClockReading, MoveError};
pub use crowd::{CrowdError, CrowdPlan, CrowdProgress};
pub use entry::{Entry, Period, Standing};
pub use journal::Notification;
pub use market::{Done, Marketplace};
pub use product::{Feed, Pricing, Product};
pub use registrant::Registrant;

pub(crate) use entitled::{Entitled, Wanted};
pub(crate) use ids::Ids;
pub(crate) use moment::{serialize as serialize_moment, to_millisecond, to_second};
