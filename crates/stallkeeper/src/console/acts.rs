use async_trait::async_trait;
use stallkeeper_ledger::{Decision, EventKey, ProductKey};
use stallkeeper_lifecycle::{Binding, SubscriptionKey};
use stallkeeper_persistence::usage::DecideError;
use stallkeeper_persistence::{JobKind, QuarantineKey, QuarantineState, StoreError, SubmitError};
use stallkeeper_web::console::{ActError, ConsoleActs, ConsoleReads, Operator};

use super::StoredConsole;
use crate::acts::{self, BindError, Bound, Held, HoldError, Replayer, RetryError, Taken};

/// Why the commit did not take it.
fn of_submit(error: SubmitError) -> ActError {
    match error {
        SubmitError::Unavailable(error) | SubmitError::Refused(error) => ActError::Store(error),
        SubmitError::Stopped => ActError::Refused("the worker is stopping".to_owned()),
    }
}

fn refused(words: impl Into<String>) -> ActError {
    ActError::Refused(words.into())
}

#[async_trait]
impl ConsoleActs for StoredConsole {
    async fn bind(
        &self,
        by: &Operator,
        key: &SubscriptionKey,
        binding: Option<Binding>,
    ) -> Result<String, ActError> {
        let whom =
            binding.as_ref().map_or("nobody".to_owned(), |binding| format!("the tenant {}", binding.tenant));
        match acts::bind(&self.door, &*self.store, key, binding, by.actor()).await {
            Ok(Bound::Now) => Ok(format!("it is bound to {whom} now")),
            Ok(Bound::Already) => Ok(format!("it was bound to {whom} already")),
            Err(BindError::Unknown) => Err(refused("there is no such subscription")),
            Err(BindError::Store(error)) => Err(error.into()),
            Err(BindError::Submit(error)) => Err(of_submit(error)),
        }
    }

    async fn replay(&self, by: &Operator, key: &QuarantineKey) -> Result<String, ActError> {
        let record = self.store.quarantined(key).await?;
        let record = record.ok_or_else(|| refused("no message in quarantine has this hash"))?;
        if record.state != QuarantineState::Held {
            return Err(refused(format!("the message is not held: it was {}", record.state)));
        }
        let verifier = self.config.verifier().map_err(|error| refused(error.to_string()))?;
        let clock = self.clock.clone();
        let replayer = Replayer {
            config: &self.config,
            door: &self.door,
            clock,
            verifier: &verifier,
            actor: by.actor(),
        };
        match replayer.take_in(&record).await {
            Ok(Taken { key, outcome, unverified }) => {
                let note = unverified.map(|why| format!(" (not verified: {why})")).unwrap_or_default();
                Ok(format!("the message {}: {key}{note}", acts::in_words(outcome)))
            }
            Err(Held::Submit(error)) => Err(of_submit(error)),
            Err(held) => Err(refused(format!("the message stays held: {:#}", anyhow::Error::from(held)))),
        }
    }

    async fn discard(&self, by: &Operator, key: &QuarantineKey) -> Result<String, ActError> {
        if self.store.discard(key, &by.actor(), self.now()).await? {
            Ok("the message is discarded".to_owned())
        } else {
            Err(refused("the message is not held"))
        }
    }

    async fn decide(&self, by: &Operator, event: &EventKey, decision: Decision) -> Result<String, ActError> {
        match acts::decide_one(event, decision, &by.actor(), &self.config, &*self.store, self.now()).await {
            Ok(()) => Ok(match decision {
                Decision::Carry => "it is carried, and billed in the first hour that is open",
                Decision::WriteOff => "it is written off, and listed as lost",
            }
            .to_owned()),
            Err(DecideError::Store(error)) => Err(error.into()),
            Err(error) => Err(refused(error.to_string())),
        }
    }

    async fn hold(&self, by: &Operator, product: &ProductKey) -> Result<String, ActError> {
        match acts::hold(&self.config, &*self.store, product, &by.actor(), self.now()).await {
            Ok(true) => {
                Ok(format!("the metering of {product} is held; what is not released in time is lost"))
            }
            Ok(false) => Ok(format!("the metering of {product} was held already")),
            Err(HoldError::Store(error)) => Err(error.into()),
            Err(error) => Err(refused(error.to_string())),
        }
    }

    async fn release(&self, _by: &Operator, product: &ProductKey) -> Result<String, ActError> {
        let released: Result<bool, StoreError> = self.store.release_metering(product).await;
        if released? {
            Ok(format!("the metering of {product} goes on"))
        } else {
            Err(refused(format!("the metering of {product} is not held")))
        }
    }

    async fn retry_job(
        &self,
        by: &Operator,
        key: &SubscriptionKey,
        kind: JobKind,
    ) -> Result<String, ActError> {
        match acts::retry(&*self.store, key, kind, by.actor(), self.now()).await {
            Ok(()) => Ok(format!("the job {kind} is due now; a running worker takes it within a minute")),
            Err(RetryError::NotFailed) => {
                Err(refused(format!("no job {kind} of this subscription was given up")))
            }
            Err(RetryError::Store(error)) => Err(error.into()),
        }
    }
}
