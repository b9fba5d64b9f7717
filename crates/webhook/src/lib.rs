#![doc = include_str!("../README.md")]

mod address;
mod endpoint;
mod event;
mod filter;
mod message;
mod resolver;
mod secret;
mod sender;
mod signature;

pub use address::{AddressRefused, Reach, RefusedRange};
pub use endpoint::{Endpoint, EndpointError, EndpointSettings, SECRETS_MAX};
pub use event::{Event, UnknownEvent};
pub use filter::{EventFilter, FilterError};
pub use message::{Message, MessageId};
pub use resolver::{Lookup, SystemLookup};
pub use secret::{SecretError, SigningSecret};
pub use sender::{Accepted, DeliveryError, RESPONSE_BYTES_MAX, Sender, SenderError};
pub use signature::signature_header;
