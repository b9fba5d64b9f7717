//! What the command line offers, one file a command.

pub(crate) mod act;
pub mod config;
pub mod demo;
pub mod doctor;
pub mod grants;
pub mod health;
pub mod jobs;
pub mod metering;
pub mod migrate;
pub mod quarantine;
pub mod registrations;
pub mod run;
pub mod setup;
pub mod simulate;
pub mod subscriptions;
pub mod urls;
pub mod usage;
pub mod webhooks;
