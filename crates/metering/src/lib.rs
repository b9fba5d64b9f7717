#![doc = include_str!("../README.md")]

mod api;
mod calls;
mod closer;
mod config;
mod deadlines;
mod lane;
mod lease;
mod loss;
mod missing;
mod outcome;
mod pacer;
mod reporter;
mod sender;
mod step;
mod watch;
mod wave;

pub use api::{CallAnswer, CallError, MeteringApi, RecordAnswer, Resend};
pub use closer::Closer;
pub use config::{MeteringConfig, Mode};
pub use lane::{Lane, LaneHealth, LaneTrouble};
pub use missing::{MissingError, make_meters};
pub use pacer::Pacer;
pub use reporter::{MeteringHealth, Reporter};
pub use sender::Sender;
pub use step::{Next, Stepped};
pub use watch::Watch;
