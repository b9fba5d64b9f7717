#![doc = include_str!("../README.md")]

mod amount;
mod answer;
mod catalog;
mod entry;
mod follower;
mod former;
mod grants;
mod index;
mod shared;
mod slab;
mod unreadable;

pub use amount::Amount;
pub use answer::{Answer, Ask, Dimension, RESTS_ON_MAX, Reason, Refused, RestsOn};
pub use catalog::{Catalog, CatalogListing, CatalogProduct};
pub use follower::{Follower, entitlements};
pub use index::Index;
pub use shared::{AnsweredAt, Entitlements, NotNow};
