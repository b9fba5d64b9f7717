#![doc = include_str!("../README.md")]

mod changes;
mod commit;
mod connect;
mod delivery;
mod error;
mod grant;
mod history;
mod housekeeping;
mod inbox;
mod job;
mod lane;
mod migrate;
mod quarantine;
mod registration;
mod rows;
mod subscription;
mod survey;
mod usage;
mod writer;

pub use connect::{ConnectError, MissingFile, Options, SqliteStore};
pub use migrate::MigrateError;
