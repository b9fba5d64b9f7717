use async_trait::async_trait;
use stallkeeper_ledger::Call;

/// A marketplace's call that takes usage.
#[async_trait]
pub trait MeteringApi: Send + Sync + 'static {
    /// Reports records; the same call can be made again with the same bytes.
    ///
    /// # Errors
    /// [`CallError`] says whether something may have been taken.
    async fn report(&self, call: &Call) -> Result<CallAnswer, CallError>;

    /// Whether a record whose answer was lost may simply be sent again.
    fn resend(&self) -> Resend;
}

/// Whether a record whose answer was lost may simply be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resend {
    /// The marketplace takes the first of each key, and no other.
    Safe,
    /// The marketplace has to be asked before.
    CheckFirst,
}

/// What a marketplace said to a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallAnswer {
    /// The marketplace's id of the request.
    pub request_id: Option<String>,
    /// One for each record of the call, in their order; what was not spoken of is [`RecordAnswer::Missing`].
    pub records: Vec<RecordAnswer>,
}

/// What a marketplace said of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordAnswer {
    /// Taken, under this id.
    Accepted {
        /// The marketplace's id of it.
        record_id: String,
    },
    /// A record of this key is there.
    Duplicate {
        /// The marketplace's id, where it said one.
        record_id: Option<String>,
    },
    /// Nobody is subscribed.
    NotSubscribed,
    /// Not done.
    Unprocessed,
    /// A word that is not known.
    Unheard {
        /// The word.
        word: String,
    },
    /// The answer does not speak of it.
    Missing,
}

/// Why a call was not answered record by record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Too many calls: nothing was done.
    #[error("too many calls")]
    Throttled {
        /// The marketplace's id of the request.
        request_id: Option<String>,
    },
    /// Some record is refused, and for it the whole call: nothing was done.
    #[error("the call is refused: {code}")]
    Refused {
        /// The marketplace's id of the request.
        request_id: Option<String>,
        /// The marketplace's word.
        code: String,
        /// The marketplace's text, shortened.
        message: String,
    },
    /// Credentials, permission or the service itself: nothing was done, and no record is to blame.
    #[error("metering is not possible: {code}")]
    NotPossible {
        /// The marketplace's id of the request.
        request_id: Option<String>,
        /// The marketplace's word.
        code: String,
        /// What to do about it.
        remedy: String,
    },
    /// No answer, or one that cannot be read: the records may have been taken.
    #[error("no answer: {reason}")]
    Unknown {
        /// The marketplace's id of the request, where there is one.
        request_id: Option<String>,
        /// Why.
        reason: String,
    },
}
