use stallkeeper_lifecycle::{Binding, Change, SubscriptionKey};
use stallkeeper_persistence::{Act, Actor, Content, Door, Outcome, Settled, Store, StoreError, SubmitError};

/// What a binding came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// It is so now.
    Now,
    /// It was so before.
    Already,
}

/// Why a subscription is not bound.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// A mistyped key must not become a subscription.
    #[error("there is no such subscription")]
    Unknown,
    /// The database cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database did not take it.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

/// Binds a subscription that is there to a tenant, or to nobody.
///
/// # Errors
/// [`BindError`]
pub async fn bind(
    door: &dyn Door,
    store: &dyn Store,
    key: &SubscriptionKey,
    binding: Option<Binding>,
    actor: Actor,
) -> Result<Bound, BindError> {
    if key.is_agreement() || store.subscription(key).await?.is_none() {
        return Err(BindError::Unknown);
    }
    let change = binding.map_or(Change::Unbind, Change::Bind);
    match door.submit(Content::Act(Act { key: key.clone(), change, actor })).await? {
        Outcome::Settled(Settled::Applied) => Ok(Bound::Now),
        _ => Ok(Bound::Already),
    }
}
