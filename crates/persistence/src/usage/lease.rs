use stallkeeper_lifecycle::Timestamp;

/// The right to do something that one worker does at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What for.
    pub name: String,
    /// Who has it.
    pub holder: String,
    /// Until when, unless it is taken again by then.
    pub until: Timestamp,
}
