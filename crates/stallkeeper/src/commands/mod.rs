//! What the command line offers, one file a command.

mod act;
pub mod config;
pub mod doctor;
pub mod jobs;
pub mod migrate;
pub mod quarantine;
pub mod run;
pub mod setup;
pub mod subscriptions;
