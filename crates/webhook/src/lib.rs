#![doc = include_str!("../README.md")]

mod address;
mod channel;
mod deliver;
mod endpoint;
mod event;
mod filter;
mod message;
mod payload;
mod publish;
mod resolver;
mod secret;
mod sender;
mod signature;
mod target;

pub use address::{AddressRefused, Reach, RefusedRange};
pub use channel::{Channel, Channels};
pub use deliver::{DELIVER, DELIVER_ENDING, Deliverer};
pub use endpoint::{Endpoint, EndpointError, EndpointSettings, SECRETS_MAX};
pub use event::{Event, UnknownEvent};
pub use filter::{EventFilter, FilterError};
pub use message::{Message, MessageId};
pub use payload::Payload;
pub use publish::Publisher;
pub use resolver::{Lookup, SystemLookup};
pub use secret::{SecretError, SigningSecret};
pub use sender::{Accepted, DeliveryError, RESPONSE_BYTES_MAX, Sender, SenderError};
pub use signature::signature_header;
pub use target::{endpoint_of, target_of};
