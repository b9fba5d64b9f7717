use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use metrics::counter;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_notification::{CheckError, Checked, Feed, Notification, QueueMeta, Refusal, Verifier, read};
use stallkeeper_persistence::{
    Committer, Content, InboxKey, Incoming, QuarantineEntry, QuarantineKey, Received, Refused, SubmitError,
};
use stallkeeper_poller::{Handler, Message, PoisonReason, Verdict};
use stallkeeper_runtime::WallClock;
use tokio_util::sync::CancellationToken;

/// Takes one queue's messages through reading, the signature's check and the commit.
///
/// A message is acknowledged only once it is stored: in the inbox, or in quarantine.
pub struct NotificationHandler {
    feed: Feed,
    verifier: Arc<Verifier>,
    committer: Committer,
    clock: Arc<dyn WallClock>,
}

impl NotificationHandler {
    /// A handler for the queue that `feed` describes.
    pub fn new(feed: Feed, verifier: Arc<Verifier>, committer: Committer, clock: Arc<dyn WallClock>) -> Self {
        Self { feed, verifier, committer, clock }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from(self.clock.now())
    }

    async fn understand(&self, message: &Message, now: Timestamp) -> Result<Notification, CheckError> {
        let meta = QueueMeta {
            message_id: message.id.as_str(),
            sent_at: message.sent_at.map(Timestamp::from),
            received_at: now,
        };
        let understood = read(message.body.as_bytes(), meta, &self.feed)?;
        if let Some(envelope) = &understood.envelope {
            self.check(envelope, message, now).await?;
        }
        Ok(understood.notification)
    }

    async fn check(
        &self,
        envelope: &stallkeeper_notification::Envelope,
        message: &Message,
        now: Timestamp,
    ) -> Result<(), CheckError> {
        let checked = self.verifier.check(envelope, now).await?;
        if let Checked::Unverified(why) = &checked {
            tracing::warn!(
                message = message.id.as_str(),
                why = why as &dyn Error,
                "the signature of a notification does not verify; it is taken in, as signature.policy is `warn`"
            );
        }
        let result = match checked {
            Checked::Skipped => "skipped",
            Checked::Verified => "verified",
            Checked::Unverified(_) => "unverified",
        };
        counter!("stallkeeper_signatures_total", "result" => result).increment(1);
        Ok(())
    }

    async fn take_in(&self, message: &Message, notification: Notification, now: Timestamp) -> Verdict {
        let received = Received {
            inbox: InboxKey { marketplace: self.feed.marketplace().clone(), id: notification.id },
            key: notification.subject,
            agreement: notification.agreement,
            fact: notification.fact,
            body: message.body.clone().into_bytes(),
            replays: None,
        };
        let incoming = Incoming { received_at: now, content: Content::Received(received) };
        match self.committer.submit(incoming).await {
            Ok(_) => Verdict::Ack,
            Err(SubmitError::Refused(error)) => {
                self.put_aside(message, "store-refused", &in_words(&error), now).await
            }
            Err(error) => not_stored(message, &error),
        }
    }

    async fn put_aside(
        &self,
        message: &Message,
        reason: &'static str,
        detail: &str,
        now: Timestamp,
    ) -> Verdict {
        let marketplace = self.feed.marketplace();
        counter!(
            "stallkeeper_quarantined_total", "marketplace" => marketplace.to_string(), "reason" => reason
        )
        .increment(1);
        tracing::warn!(
            %marketplace, message = message.id.as_str(), reason, detail,
            "a message goes to quarantine; see `stallkeeper quarantine list`"
        );
        let body = message.body.as_bytes();
        let entry = QuarantineEntry {
            key: QuarantineKey::of(marketplace.clone(), body),
            message_id: message.id.to_string(),
            reason: reason.to_owned(),
            detail: detail.to_owned(),
            body: body.to_vec(),
            sent_at: message.sent_at.map(Timestamp::from),
            at: now,
        };
        let incoming = Incoming { received_at: now, content: Content::Refused(Refused { entry }) };
        match self.committer.submit(incoming).await {
            Ok(_) => Verdict::Ack,
            Err(error) => not_stored(message, &error),
        }
    }
}

#[async_trait]
impl Handler for NotificationHandler {
    async fn handle(&self, message: &Message, _lost: CancellationToken) -> Verdict {
        let now = self.now();
        match self.understand(message, now).await {
            Ok(notification) => self.take_in(message, notification, now).await,
            Err(CheckError::Refused(refusal)) => {
                self.put_aside(message, refusal.code(), &refusal_in_words(&refusal), now).await
            }
            Err(CheckError::Retry(error)) => {
                tracing::warn!(
                    message = message.id.as_str(),
                    error = &error as &dyn Error,
                    "a notification waits, as its signing certificate cannot be fetched"
                );
                Verdict::Blocked
            }
        }
    }

    async fn poison(&self, message: &Message, why: PoisonReason) -> Verdict {
        let PoisonReason::ReceivedTooOften { receives } = why;
        let detail = format!("it was received {receives} times, and handling it never came to an end");
        self.put_aside(message, "poison", &detail, self.now()).await
    }
}

/// Not acknowledged: the lease is kept while the database is away, so that no receive is spent on it.
fn not_stored(message: &Message, error: &SubmitError) -> Verdict {
    tracing::warn!(message = message.id.as_str(), error = error as &dyn Error, "a message is not stored yet");
    match error {
        SubmitError::Unavailable(_) => Verdict::Blocked,
        SubmitError::Refused(_) | SubmitError::Stopped => Verdict::Retry { after: None },
    }
}

/// A refusal with its causes, in one line.
pub fn refusal_in_words(refusal: &Refusal) -> String {
    in_words(refusal)
}

/// An error with its causes, in one line.
fn in_words(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}
