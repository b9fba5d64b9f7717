/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached or does not answer: nothing was acknowledged, try again later.
    ///
    /// After a COMMIT it is unknown whether the work is stored; the inbox tells when it is tried again.
    #[error("the database cannot be reached")]
    Unavailable(#[source] Source),
    /// Another transaction was in the way: try the whole transaction again at once.
    #[error("another transaction was in the way")]
    Conflict(#[source] Source),
    /// The database refuses this data: find the item and put it aside.
    #[error("the database refuses the data")]
    Data(#[source] Source),
    /// What is stored cannot be read: it was written by a newer version or damaged.
    #[error("what is stored under {what} cannot be read")]
    Unreadable {
        /// Where it stands.
        what: String,
        /// Why it cannot be read.
        #[source]
        source: Source,
    },
}

/// The error of a driver or decoder.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

impl StoreError {
    /// An error about what is stored under `what`.
    pub fn unreadable(what: impl Into<String>, source: impl Into<Source>) -> Self {
        Self::Unreadable { what: what.into(), source: source.into() }
    }
}
