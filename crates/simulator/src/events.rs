use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Delivery;

/// The seller's default event bus with one rule, whose targets are queues.
///
/// The rule lets everything through.
#[derive(Clone, Debug)]
pub struct EventBus {
    delivery: Delivery,
    targets: Arc<Mutex<Vec<String>>>,
}

impl EventBus {
    /// A bus whose rule has no target yet.
    pub fn new(delivery: Delivery) -> Self {
        Self { delivery, targets: Arc::default() }
    }

    /// Makes a queue a target of the rule; safe to repeat.
    pub fn add_target(&self, queue_arn: &str) {
        let mut targets = self.targets();
        if !targets.iter().any(|target| target == queue_arn) {
            targets.push(queue_arn.to_owned());
        }
    }

    /// Puts an event on the bus; answers the number of copies that were delivered.
    pub fn put(&self, event: &serde_json::Value) -> usize {
        let what = event.get("detail-type").and_then(serde_json::Value::as_str).unwrap_or_default();
        let body = event.to_string();
        let targets = self.targets().clone();
        targets.iter().map(|target| self.delivery.deliver(target, &body, without_role(what))).sum()
    }

    fn targets(&self) -> MutexGuard<'_, Vec<String>> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An event's type as faults name it: `License Updated`, not `License Updated - Manufacturer`.
fn without_role(detail_type: &str) -> &str {
    detail_type.rsplit_once(" - ").map_or(detail_type, |(what, _role)| what)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{FaultSettings, Faults, Queues};

    #[test]
    fn faults_name_an_event_without_its_role() {
        assert_eq!(without_role("License Updated - Manufacturer"), "License Updated");
        assert_eq!(without_role("Purchase Agreement Ended - Proposer"), "Purchase Agreement Ended");
        assert_eq!(without_role("License Updated"), "License Updated");
    }

    #[test]
    fn an_event_reaches_each_target_once_unless_it_is_lost() {
        let queues = Queues::new("http://127.0.0.1:1");
        let arn = queues.create_with_dead_letters("stallkeeper", 20).arn().to_owned();
        let faults = Arc::new(Faults::new(7));
        let bus = EventBus::new(Delivery::new(queues, Arc::clone(&faults)));
        let event = json!({ "detail-type": "License Updated - Manufacturer" });
        assert_eq!(bus.put(&event), 0);
        bus.add_target(&arn);
        bus.add_target(&arn);
        assert_eq!(bus.put(&event), 1);
        let lose = [("License Updated".to_owned(), 1.0)].into();
        faults.set(FaultSettings { lose, ..FaultSettings::default() }).unwrap();
        assert_eq!(bus.put(&event), 0);
    }
}
