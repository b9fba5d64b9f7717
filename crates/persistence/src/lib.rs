#![doc = include_str!("../README.md")]

mod batcher;
mod changes;
mod commit;
#[cfg(feature = "contract")]
pub mod contract;
mod delivery;
mod door;
mod effects;
mod error;
mod grant;
mod history;
mod inbox;
mod incoming;
mod isolate;
mod job;
mod quarantine;
mod registration;
mod retry;
mod route;
mod schema;
mod store;
mod subscription;
mod survey;
pub mod usage;

pub use batcher::{BATCH_MAX, Batcher, CommitHealth, Committer, SubmitError, batcher};
pub use changes::{ChangeFeed, ChangeListener, ChangePosition, ChangeRange, Changed};
pub use commit::{Committed, TermsOf, commit};
pub use delivery::{Delivery, DeliveryFilter, DeliveryRecord, DeliveryStore};
pub use door::{Door, SharedDoor};
pub use error::{Source, StoreError};
pub use grant::{Grant, GrantAct, GrantError, GrantId, GrantPut, GrantReason, GrantRecord, GrantStore};
pub use history::{Actor, HistoryEntry, HistoryRecord};
pub use inbox::{InboxEntry, InboxKey, Settled};
pub use incoming::{Act, Content, Incoming, Outcome, Received, Refused, Replay};
pub use isolate::commit_each;
pub use job::{Job, JobCounts, JobKind, JobPosition, JobRecord, JobState, NewJob, NoJobPosition};
pub use quarantine::{QuarantineEntry, QuarantineKey, QuarantineRecord, QuarantineState};
pub use registration::{
    Company, ContactName, Details, DetailsError, Digest, Email, NewRegistration, NewVisit, NotAnId,
    RegistrationFilter, RegistrationId, RegistrationRecord, RegistrationStore, VisitId, registration_ends_at,
};
pub use retry::Retries;
pub use schema::SchemaState;
pub use store::{
    CommitStore, Housekeeping, JobStore, QuarantineStore, Store, SubscriptionStore, Transaction, Work,
};
pub use subscription::{PAGE_MAX, Page, SubscriptionFilter, SubscriptionRecord};
pub use survey::{COUNT_MAX, SurveyStore, behind_prefix};
