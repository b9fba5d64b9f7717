//! The demonstration: a local marketplace whose buyers act, a worker that listens, and a judge that compares.

mod app;
mod check;
pub mod configuration;
mod crowd;
mod outcome;
mod stage;
mod story;
mod timeline;
mod units;
mod usage_books;
mod usage_check;
#[cfg(test)]
mod usage_check_tests;
mod usage_stage;
mod usage_story;

pub use check::{Account, Mismatch, Registrations, Views, compare, expected, key, said};
pub use crowd::play as play_crowd;
pub use outcome::{Notifications, Sent, Summary};
pub use stage::{Afterwards, Crowd, Judgement, Stage};
pub use story::play as play_story;
pub use timeline::Timeline;
pub use usage_check::{Usage, UsageBooks, UsageRow};
pub use usage_story::wind_down;
