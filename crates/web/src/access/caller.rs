use std::sync::Arc;

use stallkeeper_persistence::Actor;

/// Whose token a call carries, for what goes into a history.
#[derive(Clone, Debug)]
pub(crate) struct Caller(pub(crate) Arc<str>);

impl Caller {
    /// The caller as histories name him.
    pub(crate) fn actor(&self) -> Actor {
        Actor::Operator(format!("token {}", self.0))
    }
}
