use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stallkeeper_lifecycle::{
    Change, EventId, Fact, FactKind, MarketplaceName, Position, Pricing, Snapshot, Timestamp, fold,
};
use stallkeeper_outbox::{FanOut, JobError, RetryPolicy};
use stallkeeper_persistence::{
    Act, Actor, Committer, Content, Incoming, Job, JobKind, NewJob, StoreError, SubmitError,
    SubscriptionRecord, SubscriptionStore, TermsOf,
};
use stallkeeper_runtime::WallClock;
use tokio::time::timeout;

use crate::next::{Next, after, after_open};
use crate::payload::Payload;
use crate::{AskError, EntitlementsApi, Question};

/// How a question is tried again that was not answered: for some days, in the end about once an hour, before a
/// person has to see to it.
pub const ASK: RetryPolicy =
    RetryPolicy { attempts_max: 150, base: Duration::from_secs(2), cap: Duration::from_hours(1) };

/// How long an answer may take with all its pages; shorter than the job is leased for.
const ANSWER_MAX: Duration = Duration::from_mins(4);

/// What a person is told once a license that was updated after an end was asked about often enough.
const UNCONFIRMED: &str = "the license was updated after its end, and has no entitlements; if the buyer has it, bind \
    another subscription or ask the marketplace";

/// What an [`Asker`] works with.
pub struct AskSettings {
    /// Whom to ask; of other marketplaces nothing can be asked.
    pub apis: BTreeMap<MarketplaceName, Arc<dyn EntitlementsApi>>,
    /// What is known so far.
    pub store: Arc<dyn SubscriptionStore>,
    /// Where answers go.
    pub committer: Committer,
    /// How listings are priced.
    pub terms: Arc<dyn TermsOf>,
    /// The time of questions.
    pub clock: Arc<dyn WallClock>,
}

/// Runs the jobs that ask a marketplace.
pub struct Asker {
    settings: AskSettings,
}

impl Asker {
    /// The kinds of jobs that it runs.
    pub const KINDS: [JobKind; 3] = [JobKind::ConfirmLicense, JobKind::QueryEntitlements, JobKind::Reconcile];

    /// A runner that asks these.
    pub fn new(settings: AskSettings) -> Self {
        Self { settings }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from(self.settings.clock.now())
    }

    /// What to ask of whom; none where there is nothing that could be asked.
    fn question(
        &self,
        job: &Job,
        record: &SubscriptionRecord,
    ) -> Result<Option<(&dyn EntitlementsApi, Question)>, JobError> {
        let pricing = self.settings.terms.terms(&job.key).pricing;
        // What is paid by use has no entitlements, but a license that was updated may have.
        if pricing == Pricing::Subscription && job.kind != JobKind::ConfirmLicense {
            return Ok(None);
        }
        let Some(api) = self.settings.apis.get(&job.key.marketplace) else { return Ok(None) };
        let question = Question::about(record).map_err(|error| JobError::GiveUp(error.into()))?;
        Ok(question.map(|question| (&**api, question)))
    }

    async fn record(&self, job: &Job) -> Result<Option<SubscriptionRecord>, JobError> {
        self.settings.store.subscription(&job.key).await.map_err(|error| JobError::Retry(error.into()))
    }

    async fn submit(&self, job: &Job, change: Change) -> Result<(), JobError> {
        let act = Act { key: job.key.clone(), change, actor: Actor::Worker };
        let incoming = Incoming { received_at: self.now(), content: Content::Act(act) };
        match self.settings.committer.submit(incoming).await {
            Ok(_) => Ok(()),
            Err(error @ SubmitError::Refused(StoreError::Data(_))) => Err(JobError::GiveUp(error.into())),
            Err(error) => Err(JobError::Retry(error.into())),
        }
    }

    /// When to ask again, now that the answer is stored.
    async fn next(&self, job: &Job, payload: &Payload, answer: &Snapshot) -> Result<Option<Next>, JobError> {
        let (now, open) = (self.now(), payload.open_answers);
        let is_empty = answer.entitlements.is_empty();
        match job.kind {
            JobKind::ConfirmLicense if !is_empty => Ok(None),
            JobKind::ConfirmLicense => match after_open(open, now) {
                Some(next) => Ok(Some(next)),
                None => Err(JobError::GiveUp(UNCONFIRMED.into())),
            },
            _ => {
                let Some(record) = self.record(job).await? else { return Ok(None) };
                // As the facts have it: an end by empty answers may be one that came too early.
                let standing = fold(&record.subscription.log).0.standing.lapsed(now);
                Ok(after(answer, open, &standing, now))
            }
        }
    }
}

#[async_trait]
impl FanOut for Asker {
    async fn fan_out(&self, job: &Job) -> Result<Vec<NewJob>, JobError> {
        let payload: Payload =
            serde_json::from_str(&job.payload).map_err(|error| JobError::GiveUp(error.into()))?;
        let Some(record) = self.record(job).await? else { return Ok(Vec::new()) };
        let Some((api, question)) = self.question(job, &record)? else {
            tracing::debug!(subscription = %job.key, kind = %job.kind, "there is nothing to ask the marketplace");
            return Ok(Vec::new());
        };
        let asked_at = self.now();
        let asked = timeout(ANSWER_MAX, api.ask(&question)).await;
        let asked =
            asked.map_err(|_| JobError::Retry("there was no whole answer within 4 minutes".into()))?;
        let entitlements = asked.map_err(job_error)?;
        let answer = Snapshot { asked_at, entitlements };
        if let Some(confirmed) = confirmed(&record, &payload, &answer) {
            self.submit(job, Change::Fact(confirmed)).await?;
        }
        self.submit(job, Change::Snapshot(answer.clone())).await?;
        let next = self.next(job, &payload, &answer).await?;
        next.map(|next| again(job, payload, next)).into_iter().collect()
    }
}

/// The same question at another time.
fn again(job: &Job, payload: Payload, next: Next) -> Result<NewJob, JobError> {
    let payload = Payload { open_answers: next.open_answers, ..payload };
    let payload = serde_json::to_string(&payload).map_err(|error| JobError::GiveUp(error.into()))?;
    Ok(NewJob { key: job.key.clone(), kind: job.kind, target: job.target.clone(), due_at: next.at, payload })
}

/// That a license is in force which was updated after an end: it has entitlements.
///
/// It takes the place and the id of the `License Updated`, so that the same answer twice is one fact.
fn confirmed(record: &SubscriptionRecord, payload: &Payload, answer: &Snapshot) -> Option<Fact> {
    let position = payload.position.as_ref().filter(|_| !answer.entitlements.is_empty())?;
    let id: &EventId = match position {
        Position::Marketplace { id, .. } => id,
        Position::Receipt { .. } => return None,
    };
    let updated = record.subscription.log.facts().iter().find(|fact| fact.position() == position)?;
    match updated.kind() {
        FactKind::LicenseUpdated { offer, agreement, .. } => {
            let kind = FactKind::LicenseConfirmed { offer: offer.clone(), agreement: agreement.clone() };
            Some(Fact::at_time(position.time(), id.clone(), kind))
        }
        _ => None,
    }
}

fn job_error(error: AskError) -> JobError {
    match error {
        AskError::Unavailable(_) => JobError::Retry(error.into()),
        AskError::Refused(_) => JobError::GiveUp(error.into()),
    }
}
