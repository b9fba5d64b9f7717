#![doc = include_str!("../README.md")]

mod anomaly;
mod decision;
mod diff;
mod fact;
mod fold;
mod ids;
mod log;
mod snapshot;
mod standing;
mod subscription;
mod timestamp;
mod view;

pub use anomaly::{Anomaly, Flag};
pub use decision::{Change, Decision, Step, StepOutcome, decide};
pub use diff::{Announced, Announcement, Effect, ReconcileReason, diff};
pub use fact::{
    AgreementEnd, AgreementIntent, Fact, FactKind, InstanceStatus, Licensee, MAX_CLOCK_LEAD, Notice, Plan,
    Position, Trial,
};
pub use fold::{Advisory, Folded, fold, step};
pub use ids::{
    AccountId, AgreementId, CustomerId, EventId, Holder, IdError, InstanceId, LicenseArn, LicenseCode,
    LicenseId, MarketplaceName, OfferId, PlanId, ProductCode, SubscriptionKey, TenantId, UserId,
};
pub use log::{Base, FACTS_MAX, FactLog, Inserted, KEPT};
pub use snapshot::{EMPTY_APART, ENTITLEMENTS_MAX, Entitlement, Snapshot, Snapshots};
pub use standing::{End, Entry, FINAL_WINDOW, Period, Standing, SuspendReason};
pub use subscription::{Binding, Subscription};
pub use timestamp::{Timestamp, TimestampError};
pub use view::{Access, EndingAccess, Pricing, Terms, View, Word, view};
