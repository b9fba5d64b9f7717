use async_trait::async_trait;
use serde::Serialize;

/// Tells whether the worker can do its work.
#[async_trait]
pub trait Readiness: Send + Sync + 'static {
    /// What stands in the way; nothing where it can.
    ///
    /// Answers within seconds, whatever is broken.
    async fn problems(&self) -> Vec<Problem>;
}

/// Something that stands in the way of the work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The part that it is about, such as `database` or `queue aws`.
    pub part: String,
    /// What is wrong, in words.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}
