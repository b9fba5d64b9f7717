#![doc = include_str!("../README.md")]

mod desk;
mod entrance;
mod resolver;
mod secret;
mod stage;

pub use desk::{
    Arrival, ArriveError, Claim, CodeError, Desk, DeskConfig, Look, NameError, Named, VISIT_LASTS,
};
pub use entrance::{Entrance, Foreign, Identity, Listing};
pub use resolver::{Buyer, ResolveError, Resolver};
pub use stage::{Stage, Way, stage};
