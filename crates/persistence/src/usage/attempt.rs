use stallkeeper_lifecycle::Timestamp;

/// A request that is about to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Whose quota it uses, as the sender names it.
    pub lane: String,
    /// When.
    pub at: Timestamp,
    /// The numbers of its records.
    pub records: Vec<i64>,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptOutcome {
    /// When.
    pub at: Timestamp,
    /// The marketplace's id of the request, where it said one.
    pub request_id: Option<String>,
    /// The error's word and text; none where it was answered.
    pub error: Option<String>,
}

/// A stored request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRecord {
    /// Counts up.
    pub number: i64,
    /// The request.
    pub attempt: Attempt,
    /// How it ended; none while that is unknown.
    pub outcome: Option<AttemptOutcome>,
}
