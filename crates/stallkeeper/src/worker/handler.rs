use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt;
use metrics::counter;
use stallkeeper_lifecycle::{MarketplaceName, Timestamp};
use stallkeeper_notification::{
    CheckError, Checked, Envelope, Feed, FetchError, Notification, QueueMeta, Verifier, is_bare, read,
};
use stallkeeper_persistence::{
    Committer, Content, InboxKey, Incoming, QuarantineEntry, QuarantineKey, Received, Refused, StoreError,
    SubmitError,
};
use stallkeeper_poller::{Handler, Message, PoisonReason, Verdict};
use stallkeeper_runtime::{WallClock, error_chain};
use tokio_util::sync::CancellationToken;

use super::hush::Hush;

/// A message that was received this often is put aside untried: it may be what ends the worker each time.
const RECEIVES_TRIED_MAX: u32 = 50;

/// Takes one queue's messages through reading, the signature's check and the commit.
///
/// A message is acknowledged only once it is stored: in the inbox, or in quarantine.
pub struct NotificationHandler {
    feed: Feed,
    verifier: Arc<Verifier>,
    committer: Committer,
    clock: Arc<dyn WallClock>,
    unverified: Hush,
    uncertified: Hush,
    unstored: Hush,
}

impl NotificationHandler {
    /// A handler for the queue that `feed` describes.
    pub fn new(feed: Feed, verifier: Arc<Verifier>, committer: Committer, clock: Arc<dyn WallClock>) -> Self {
        let (unverified, uncertified, unstored) = (Hush::default(), Hush::default(), Hush::default());
        Self { feed, verifier, committer, clock, unverified, uncertified, unstored }
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

    async fn check(&self, envelope: &Envelope, message: &Message, now: Timestamp) -> Result<(), CheckError> {
        let checked = self.verifier.check(envelope, now).await?;
        if let Checked::Unverified(why) = &checked
            && self.unverified.may_speak(now)
        {
            tracing::warn!(
                message_id = message.id.as_str(),
                why = error_chain(why),
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
            // Written by a newer version, or damaged: a message that waits is not lost, one put aside may be.
            Err(error @ SubmitError::Refused(StoreError::Unreadable { .. })) => {
                self.not_stored(message, &error, now)
            }
            Err(SubmitError::Refused(error)) => {
                self.put_aside(message, "store-refused", &error_chain(&error), now).await
            }
            Err(error) => self.not_stored(message, &error, now),
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
            %marketplace, message_id = message.id.as_str(), reason, detail,
            "a message goes to quarantine; see `stallkeeper quarantine list`"
        );
        let body = message.body.as_bytes();
        let entry = QuarantineEntry {
            key: identity(marketplace, message),
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
            Err(error) => self.not_stored(message, &error, now),
        }
    }

    /// Not acknowledged: the lease is kept while the database is away, so that no receive is spent on it.
    fn not_stored(&self, message: &Message, error: &SubmitError, now: Timestamp) -> Verdict {
        if self.unstored.may_speak(now) {
            tracing::warn!(
                message_id = message.id.as_str(),
                error = error_chain(error),
                "messages are not stored, and wait"
            );
        }
        match error {
            SubmitError::Unavailable(_) => Verdict::Blocked,
            SubmitError::Refused(_) | SubmitError::Stopped => Verdict::Retry { after: None },
        }
    }

    /// Never put aside for that. Where no certificate can be had, all wait; one that names a file of its own
    /// that is not there must not keep others from being received.
    fn uncertified(&self, message: &Message, error: &FetchError, now: Timestamp) -> Verdict {
        counter!("stallkeeper_certificate_failures_total").increment(1);
        if self.uncertified.may_speak(now) {
            tracing::warn!(
                message_id = message.id.as_str(),
                error = error_chain(error),
                "messages wait, as their signing certificate cannot be fetched"
            );
        }
        if error.is_about_this_file() { Verdict::Retry { after: None } } else { Verdict::Blocked }
    }
}

#[async_trait]
impl Handler for NotificationHandler {
    async fn handle(&self, message: &Message, _lost: CancellationToken) -> Verdict {
        let now = self.now();
        match self.understand(message, now).await {
            Ok(notification) => self.take_in(message, notification, now).await,
            Err(CheckError::Refused(refusal)) => {
                self.put_aside(message, refusal.code(), &error_chain(&refusal), now).await
            }
            Err(CheckError::Retry(error)) => self.uncertified(message, &error, now),
        }
    }

    async fn poison(&self, message: &Message, why: PoisonReason) -> Verdict {
        let PoisonReason::ReceivedTooOften { receives } = why;
        // It may have come back through no fault of its own, as where the worker kept ending, or where
        // deleting is not allowed; then one more try settles it.
        if receives < RECEIVES_TRIED_MAX {
            let tried = AssertUnwindSafe(self.handle(message, CancellationToken::new())).catch_unwind().await;
            if let Ok(verdict) = tried {
                return verdict;
            }
        }
        let detail = format!("it was received {receives} times, and handling it never came to an end");
        self.put_aside(message, "poison", &detail, self.now()).await
    }
}

/// What makes a message in quarantine the same one when it comes again: its bytes, and where they do not say
/// which notification they are, the queue's id of it.
fn identity(marketplace: &MarketplaceName, message: &Message) -> QuarantineKey {
    let body = message.body.as_bytes();
    if is_bare(body) {
        return QuarantineKey::of(
            marketplace.clone(),
            &[body, b"\0", message.id.as_str().as_bytes()].concat(),
        );
    }
    QuarantineKey::of(marketplace.clone(), body)
}
