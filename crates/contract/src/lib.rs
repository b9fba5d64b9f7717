#![doc = include_str!("../README.md")]

mod api;
mod asker;
mod next;
mod payload;
mod question;

pub use api::{AskError, EntitlementsApi};
pub use asker::{ASK, AskSettings, Asker};
pub use question::{Question, Whose};
