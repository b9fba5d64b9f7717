#![doc = include_str!("../README.md")]

mod clock;
mod control;
mod delivery;
mod events;
mod faults;
mod marketplace;
mod metering;
mod queue;
mod server;
mod sns;
mod sqs;

pub use clock::MarketClock;
pub use delivery::Delivery;
pub use events::EventBus;
pub use faults::{CallFate, DeliveryFate, FaultError, FaultSettings, Faults};
pub use marketplace::{
    Act, ActError, ClockMove, ClockMoved, ClockReading, CrowdError, CrowdPlan, CrowdProgress, Done, Entry,
    Feed, Marketplace, MoveError, Notification, Period, Pricing, Product, Purchase, Standing, Whose,
};
pub use metering::{
    Account, Accounts, Allocation, BillEntry, CallOutcome, CallRate, MeteredHolder, MeteringAnswer,
    MeteringBooks, MeteringCall, MeteringCallLine, MeteringCounts, MeteringErrorCode, MeteringRecord,
    MeteringRefusal, MeteringResult, MeteringSettings, NotSubscribed, OutOfBounds, RecordOutcome, Tag,
};
pub use queue::{Counts, Depth, Queue, QueueError, Queues};
pub use server::{Simulator, SimulatorConfig, StartError};
pub use sns::{Published, SignatureVersion, Signer, SignerError, SnsState, Topics};
pub use sqs::SqsState;
