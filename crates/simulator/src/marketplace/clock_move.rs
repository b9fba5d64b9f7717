use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::macros::datetime;

use crate::MarketClock;
use crate::marketplace::moment;

/// The certificate is valid, and dates have four digits, between these.
const EARLIEST: OffsetDateTime = datetime!(2020-01-02 00:00 UTC);
const LATEST: OffsetDateTime = datetime!(2099-12-31 00:00 UTC);

/// A move of the marketplace's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockMove {
    /// Forward by so many seconds.
    AdvanceSecs(u64),
    /// To a moment.
    #[serde(with = "time::serde::rfc3339")]
    Set(OffsetDateTime),
}

/// What the clock shows, and how often it was moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ClockReading {
    /// The marketplace's time.
    #[serde(serialize_with = "moment::serialize")]
    pub now: OffsetDateTime,
    /// How often it was moved.
    pub moves: u64,
}

/// What a move of the clock came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClockMoved {
    /// The marketplace's time.
    #[serde(serialize_with = "moment::serialize")]
    pub now: OffsetDateTime,
    /// How often it was moved.
    pub moves: u64,
    /// The followers who did not come back in time: what fell due was published before they knew of the move.
    pub unconfirmed: Vec<String>,
}

/// The clock is not moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoveError {
    /// Out of bounds: take a moment in between.
    #[error("the clock runs from 2020-01-02 to 2099-12-31; move it to a moment in between")]
    OutOfBounds,
    /// A crowd with a span moves it: wait until the crowd is done.
    #[error("a crowd with span_secs is moving the clock; wait until GET /control/crowd says that it is done")]
    CrowdMovesIt,
    /// The simulator is stopping: start another one.
    #[error("the simulator is stopping; start another one")]
    Stopping,
}

impl ClockMove {
    pub(crate) fn carry_out(self, clock: &MarketClock) -> Result<(), MoveError> {
        let target = match self {
            Self::Set(moment) => Some(moment),
            Self::AdvanceSecs(seconds) => {
                let by = i64::try_from(seconds).map(time::Duration::seconds).ok();
                by.and_then(|by| clock.now().checked_add(by))
            }
        };
        if !target.is_some_and(|target| (EARLIEST..LATEST).contains(&target)) {
            return Err(MoveError::OutOfBounds);
        }
        match self {
            Self::Set(moment) => clock.set(moment),
            Self::AdvanceSecs(seconds) => clock.advance(Duration::from_secs(seconds)),
        }
        Ok(())
    }
}

impl ClockReading {
    pub(crate) fn of(clock: &MarketClock) -> Self {
        let moves = *clock.moves().borrow();
        Self { now: clock.now(), moves }
    }
}
