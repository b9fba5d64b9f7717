//! The demonstration: a local marketplace whose buyers act, a worker that listens, and a judge that compares.

mod check;
pub mod configuration;
mod crowd;
mod outcome;
mod stage;
mod story;
mod timeline;

pub use check::{Account, Mismatch, Registrations, Views, compare, expected, key, said};
pub use crowd::play as play_crowd;
pub use outcome::{Notifications, Sent, Summary};
pub use stage::{Judgement, Stage};
pub use story::play as play_story;
pub use timeline::Timeline;
