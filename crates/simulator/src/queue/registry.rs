use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::settings::{Redrive, Settings};
use super::{Queue, QueueError};
use crate::MarketClock;

const REGION: &str = "us-east-1";
/// The seller's account.
const ACCOUNT: &str = "123456789012";

/// All queues; clones share them.
#[derive(Clone, Debug)]
pub struct Queues {
    registry: Arc<Registry>,
}

#[derive(Debug)]
struct Registry {
    base_url: String,
    clock: MarketClock,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    queues: BTreeMap<String, Arc<Queue>>,
    random: fastrand::Rng,
}

impl Queues {
    /// No queue yet; `base_url` is where the simulator answers, without a closing slash.
    pub fn new(base_url: &str) -> Self {
        Self::with_clock(base_url, &MarketClock::new(), 0)
    }

    /// No queue yet; messages are stamped by that clock, and ids come from that seed.
    pub fn with_clock(base_url: &str, clock: &MarketClock, seed: u64) -> Self {
        let state = State { queues: BTreeMap::new(), random: fastrand::Rng::with_seed(seed) };
        let registry =
            Registry { base_url: base_url.to_owned(), clock: clock.clone(), state: Mutex::new(state) };
        Self { registry: Arc::new(registry) }
    }

    /// Makes a queue with a dead-letter queue behind it (`<name>-dead-letters`, redriven after so many
    /// receives), both with SQS' defaults; the same where it is there already.
    pub fn create_with_dead_letters(&self, name: &str, receives_max: u32) -> Arc<Queue> {
        let dead_letters = self.get_or_make(&format!("{name}-dead-letters"));
        let queue = self.get_or_make(name);
        let mut settings = queue.settings();
        settings.redrive_to(Some(Redrive {
            target: Arc::downgrade(&dead_letters),
            target_arn: dead_letters.arn().to_owned(),
            receives_max,
        }));
        queue.set_settings(settings);
        queue
    }

    /// Makes a queue with those attributes; the same where it is there already with those attributes.
    ///
    /// # Errors
    /// On a name or an attribute that SQS refuses, on a FIFO queue, which is not simulated, and where a queue of that name has other attributes.
    pub fn create(
        &self,
        name: &str,
        attributes: &BTreeMap<String, String>,
    ) -> Result<Arc<Queue>, QueueError> {
        if name.strip_suffix(".fifo").is_some() || attributes.contains_key("FifoQueue") {
            return Err(QueueError::Fifo);
        }
        let is_named_well = (1..=80).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if !is_named_well {
            return Err(QueueError::BadName);
        }
        if let Some(queue) = self.by_name(name) {
            let standing = queue.settings();
            let (now, then) =
                (standing.written(), self.changed(standing, attributes, queue.arn())?.written());
            let differing = attributes.keys().find(|key| now.get(key.as_str()) != then.get(key.as_str()));
            return differing
                .map_or(Ok(queue), |attribute| Err(QueueError::NameExists { attribute: attribute.clone() }));
        }
        let settings = self.changed(Settings::default(), attributes, "")?;
        let queue = self.get_or_make(name);
        queue.set_settings(settings);
        Ok(queue)
    }

    /// Sets attributes of a queue: all of them, or none where one is refused.
    ///
    /// # Errors
    /// On an attribute that SQS refuses.
    pub fn set_attributes(
        &self,
        queue: &Queue,
        attributes: &BTreeMap<String, String>,
    ) -> Result<(), QueueError> {
        queue.set_settings(self.changed(queue.settings(), attributes, queue.arn())?);
        Ok(())
    }

    /// Deletes a queue with its messages.
    ///
    /// # Errors
    /// [`QueueError::Missing`] where there is none of that name.
    pub fn delete(&self, name: &str) -> Result<(), QueueError> {
        self.lock().queues.remove(name).map(drop).ok_or(QueueError::Missing)
    }

    /// The queue of an ARN.
    pub fn by_arn(&self, arn: &str) -> Option<Arc<Queue>> {
        self.by_name(arn.strip_prefix(&format!("arn:aws:sqs:{REGION}:{ACCOUNT}:"))?)
    }

    /// The queue of a name.
    pub fn by_name(&self, name: &str) -> Option<Arc<Queue>> {
        self.lock().queues.get(name).cloned()
    }

    /// The queue of a URL, by its path alone: a worker may reach the simulator under another host's name.
    pub fn by_url(&self, url: &str) -> Option<Arc<Queue>> {
        let (rest, name) = url.rsplit_once('/')?;
        rest.ends_with(&format!("/{ACCOUNT}")).then(|| self.by_name(name))?
    }

    /// All queues in the order of their names.
    pub fn all(&self) -> Vec<Arc<Queue>> {
        self.lock().queues.values().cloned().collect()
    }

    fn changed(
        &self,
        mut settings: Settings,
        attributes: &BTreeMap<String, String>,
        own_arn: &str,
    ) -> Result<Settings, QueueError> {
        // A queue that is its own dead-letter queue would hand its dead letters to itself for ever.
        let find = |arn: &str| self.by_arn(arn).filter(|queue| queue.arn() != own_arn);
        for (name, value) in attributes {
            settings.set(name, value, |arn| find(arn).as_ref().map(Arc::downgrade))?;
        }
        Ok(settings)
    }

    fn get_or_make(&self, name: &str) -> Arc<Queue> {
        let Registry { base_url, clock, .. } = &*self.registry;
        let mut state = self.lock();
        let seed = state.random.u64(..);
        let make = || {
            let arn = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}");
            Arc::new(Queue::new(name, arn, format!("{base_url}/{ACCOUNT}/{name}"), clock, seed))
        };
        state.queues.entry(name.to_owned()).or_insert_with(make).clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.registry.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
