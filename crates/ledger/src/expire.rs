use stallkeeper_lifecycle::Timestamp;

use crate::answer::{Answered, IN_DOUBT, end};
use crate::{Loss, Record, RecordEnd};

/// Gives a frozen record up whose time is over. Where an attempt has no answer, the marketplace may hold it;
/// the words say so.
pub(crate) fn expire(record: &mut Record, now: Timestamp) -> Answered {
    let (how, why) = match (record.sending.is_in_doubt(), record.sending.refusals) {
        (true, _) => (RecordEnd::Expired, IN_DOUBT),
        (false, 0) => (RecordEnd::Expired, "it could not be sent in time"),
        (false, _) => {
            (RecordEnd::NotSubscribed, "the marketplace said to the last that nobody is subscribed")
        }
    };
    end(record, how, why.to_owned(), now)
}

/// Gives up the frozen records of a listing that is not metered any more whose time is over; answers those that
/// changed, and what is lost.
pub fn expire_unmetered(live: Vec<Record>, now: Timestamp) -> (Vec<Record>, Vec<Loss>) {
    let is_over = |record: &Record| record.is_frozen() && record.expires_at.is_none_or(|until| until <= now);
    let mut losses = Vec::new();
    let mut expired: Vec<Record> = live.into_iter().filter(is_over).collect();
    for record in &mut expired {
        if let Answered::Lost(loss) = expire(record, now) {
            losses.push(*loss);
        }
    }
    (expired, losses)
}
