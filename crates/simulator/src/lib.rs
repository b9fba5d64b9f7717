#![doc = include_str!("../README.md")]

mod clock;
mod control;
mod delivery;
mod entitlement_service;
mod events;
mod faults;
mod marketplace;
mod metering;
mod metering_service;
mod queue;
mod registration_tokens;
mod server;
mod shop;
mod sns;
mod sqs;
mod wiring;

pub use clock::MarketClock;
pub use delivery::Delivery;
pub use events::EventBus;
pub use faults::{
    CallFate, DeliveryFate, EntitlementFaultSettings, FaultError, FaultSettings, Faults,
    MeteringFaultSettings, RegistrationFate, RegistrationFaultSettings,
};
pub use marketplace::{
    Act, ActError, Change, ClockMove, ClockMoved, ClockReading, CrowdError, CrowdPlan, CrowdProgress, Done,
    Entry, Feed, Marketplace, MoveError, Notification, Period, Pricing, Product, Purchase, Registrant,
    Standing, Whose,
};
pub use metering::{
    Account, Accounts, Allocation, BillEntry, CallOutcome, CallRate, MeteredHolder, MeteringAnswer,
    MeteringBooks, MeteringCall, MeteringCallLine, MeteringCounts, MeteringErrorCode, MeteringRecord,
    MeteringRefusal, MeteringResult, MeteringSettings, NotSubscribed, OutOfBounds, RecordOutcome, Tag,
};
pub use metering_service::Metering;
pub use queue::{Counts, Depth, Queue, QueueError, Queues};
pub use registration_tokens::{RegistrationToken, RegistrationTokens, Resolution};
pub use server::{Simulator, SimulatorConfig, StartError};
pub use sns::{Published, SignatureVersion, Signer, SignerError, SnsState, Topics};
pub use sqs::SqsState;
