use std::collections::BTreeMap;

use serde_json::json;
use stallkeeper_lifecycle::{Announced, Announcement, Effect, Flag, SubscriptionKey, Timestamp};

use crate::{JobKind, NewJob, StoreError};

/// What the effects of one subscription come to: stored work, and alarms for people.
pub(crate) struct Sorted {
    pub jobs: Vec<NewJob>,
    pub alarms: Vec<Flag>,
}

/// Turns effects into jobs; of several of one kind the last, as it speaks of the newest state.
pub(crate) fn sort(
    key: &SubscriptionKey,
    effects: Vec<Effect>,
    now: Timestamp,
    is_published: bool,
) -> Result<Sorted, StoreError> {
    let mut jobs = BTreeMap::new();
    let mut alarms = Vec::new();
    for effect in effects {
        let (kind, due_at, payload) = match effect {
            Effect::Announce(announcement) => {
                (telling(&announcement, is_published), now, serde_json::to_string(&announcement))
            }
            Effect::WakeAt(at) => (JobKind::Wake, at, Ok("{}".to_owned())),
            Effect::QueryEntitlements => (JobKind::QueryEntitlements, now, Ok("{}".to_owned())),
            Effect::ConfirmLicense(position) => {
                (JobKind::ConfirmLicense, now, serde_json::to_string(&json!({ "position": position })))
            }
            Effect::Reconcile(reason) => {
                (JobKind::Reconcile, now, serde_json::to_string(&json!({ "reason": reason })))
            }
            Effect::Alarm(flag) => {
                alarms.push(flag);
                continue;
            }
        };
        let payload = payload.map_err(|error| StoreError::Data(error.into()))?;
        jobs.insert(kind, NewJob { key: key.clone(), kind, target: String::new(), due_at, payload });
    }
    Ok(Sorted { jobs: jobs.into_values().collect(), alarms })
}

fn telling(announcement: &Announcement, is_published: bool) -> JobKind {
    match (is_published, announcement.event) {
        (false, _) => JobKind::Announce,
        // Whatever comes later must not take the place of the news that a window is open.
        (true, Announced::Ending) => JobKind::PublishEnding,
        (true, _) => JobKind::Publish,
    }
}
