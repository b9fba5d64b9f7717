//! A store that remembers only what was claimed, and whose commits end as a test scripts them.

mod ledger;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_persistence::{
    Actor, CommitStore, HistoryEntry, InboxEntry, InboxKey, NewJob, QuarantineEntry, QuarantineKey, Settled,
    Source, StoreError, SubscriptionRecord, Transaction, Work,
};
use tokio::sync::watch;

/// How a commit ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    Stored,
    Unavailable,
    Conflict,
    Data,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct ScriptedStore {
    script: Arc<Mutex<Script>>,
}

#[derive(Debug, Default)]
struct Script {
    /// How the next commits end; all later ones store.
    answers: VecDeque<Answer>,
    /// The notification or usage event that no commit may hold.
    refused: Option<String>,
    attempts: usize,
    committed_sizes: Vec<usize>,
    gate: Option<watch::Receiver<bool>>,
}

/// Keeps commits waiting until it is opened.
#[derive(Debug)]
pub(crate) struct Gate(watch::Sender<bool>);

impl Gate {
    pub(crate) fn open(&self) {
        self.0.send(true).unwrap();
    }
}

impl ScriptedStore {
    pub(crate) fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.script.lock().unwrap().answers.extend(answers);
    }

    pub(crate) fn refuse(&self, id: &str) {
        self.script.lock().unwrap().refused = Some(id.to_owned());
    }

    pub(crate) fn hold_commits(&self) -> Gate {
        let (gate, held) = watch::channel(false);
        self.script.lock().unwrap().gate = Some(held);
        Gate(gate)
    }

    /// How many items each transaction held that was committed.
    pub(crate) fn committed_sizes(&self) -> Vec<usize> {
        self.script.lock().unwrap().committed_sizes.clone()
    }

    /// How many transactions came to their commit.
    pub(crate) fn attempts(&self) -> usize {
        self.script.lock().unwrap().attempts
    }
}

#[async_trait]
impl CommitStore for ScriptedStore {
    async fn begin(&self, _work: Work) -> Result<Box<dyn Transaction>, StoreError> {
        Ok(Box::new(ScriptedTransaction { store: self.clone(), claimed: Vec::new() }))
    }

    async fn licenses_of(&self, _agreements: &[SubscriptionKey]) -> Result<Vec<SubscriptionKey>, StoreError> {
        Ok(Vec::new())
    }
}

struct ScriptedTransaction {
    store: ScriptedStore,
    claimed: Vec<String>,
}

#[async_trait]
impl Transaction for ScriptedTransaction {
    async fn claim(&mut self, entries: &[InboxEntry]) -> Result<Vec<(InboxKey, Settled)>, StoreError> {
        self.claimed = entries.iter().map(|entry| entry.key.id.to_string()).collect();
        Ok(Vec::new())
    }

    async fn place(&mut self, _keys: &[SubscriptionKey], _now: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    async fn lock(&mut self, keys: &[SubscriptionKey]) -> Result<Vec<SubscriptionRecord>, StoreError> {
        let unknown = |key: &SubscriptionKey| SubscriptionRecord {
            key: key.clone(),
            subscription: stallkeeper_lifecycle::Subscription::default(),
            updated_at: at_noon(),
        };
        Ok(keys.iter().map(unknown).collect())
    }

    async fn write_subscriptions(&mut self, _records: &[SubscriptionRecord]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn append_history(&mut self, _entries: &[HistoryEntry]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn put_jobs(&mut self, _jobs: &[NewJob]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn quarantine(&mut self, _entries: &[QuarantineEntry]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn settle_quarantine(
        &mut self,
        _replayed: &[(QuarantineKey, Actor)],
        _now: Timestamp,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    async fn note_outcomes(&mut self, _outcomes: &[(InboxKey, Settled)]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        let gate = self.store.script.lock().unwrap().gate.clone();
        if let Some(mut gate) = gate {
            gate.wait_for(|is_open| *is_open).await.unwrap();
        }
        let mut script = self.store.script.lock().unwrap();
        script.attempts += 1;
        let holds_refused = script.refused.as_ref().is_some_and(|refused| self.claimed.contains(refused));
        let answer =
            if holds_refused { Answer::Data } else { script.answers.pop_front().unwrap_or(Answer::Stored) };
        let source: Source = "scripted".into();
        match answer {
            Answer::Stored => {
                script.committed_sizes.push(self.claimed.len());
                Ok(())
            }
            Answer::Unavailable => Err(StoreError::Unavailable(source)),
            Answer::Conflict => Err(StoreError::Conflict(source)),
            Answer::Data => Err(StoreError::Data(source)),
        }
    }
}

pub(crate) fn at_noon() -> Timestamp {
    Timestamp::from_micros(1_767_268_800_000_000)
}
