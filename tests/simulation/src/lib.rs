#![doc = include_str!("../README.md")]

mod api;
mod backend;
mod check;
mod coverage;
mod crowd;
mod fault;
mod market;
mod run;
mod setting;
mod store;
mod story;
mod worker;
mod world;

pub use backend::{Backend, Opened};
pub use coverage::Coverage;
pub use crowd::{Left, all_leave_at_once};
pub use run::{Failure, run_seed, run_steps, shrink};
pub use setting::{Identity, Place, Setting, Temper};
pub use story::{Fault, Step};
