use std::sync::Arc;
use std::time::Duration;

use stallkeeper_persistence::{
    ChangeFeed, ChangePosition, ChangeRange, Changed, PAGE_MAX, Store, StoreError,
};
use stallkeeper_runtime::{Backoff, WallClock, error_chain};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::shared::Fresh;
use crate::{Catalog, Entitlements};

/// It is looked at the most so often, so that many commits are read together.
const LOOK_AFTER: Duration = Duration::from_millis(100);

/// How long it is then listened before the next look, which so comes each second at least.
const LISTEN_FOR: Duration = Duration::from_millis(900);

/// After how long it is listened anew: a connection that a network has lost is as silent as a quiet one.
const LISTEN_ANEW: Duration = Duration::from_mins(5);

const RETRY_INITIAL: Duration = Duration::from_millis(250);
const RETRY_CAP: Duration = Duration::from_secs(2);

/// Answers from memory, and who keeps them up to date: nothing is answered until [`Follower::run`] has read
/// everything once.
///
/// What is older than `max_age` is not relied on.
pub fn entitlements(
    store: Arc<dyn Store>,
    clock: Arc<dyn WallClock>,
    catalog: &Arc<Catalog>,
    max_age: Duration,
) -> (Entitlements, Follower) {
    let entitlements = Entitlements::new(clock, catalog, max_age);
    let follower = Follower { store, entitlements: entitlements.clone(), floor: 0, pass: None };
    (entitlements, follower)
}

/// Follows the store.
pub struct Follower {
    store: Arc<dyn Store>,
    entitlements: Entitlements,
    /// From which number on it is read: what commits after the last pass has that one or a higher one.
    floor: i64,
    /// A pass that is not at its end, as where the database went away in the middle of it.
    pass: Option<Pass>,
}

/// One reading of all that changed.
struct Pass {
    began: Fresh,
    /// Asked for before anything was read.
    horizon: i64,
    subscriptions: Reading,
    grants: Reading,
}

/// How far one table is read.
enum Reading {
    Behind(ChangePosition),
    Done,
}

impl Follower {
    /// Follows until `stop`.
    pub async fn run(mut self, stop: &CancellationToken) {
        let heard = Notify::new();
        let store = self.store.clone();
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.follow(&heard) => {}
            () = listen(&*store, &heard) => {}
        }
    }

    async fn follow(&mut self, heard: &Notify) {
        let mut backoff = Backoff::new(RETRY_INITIAL, RETRY_CAP);
        let mut failed = false;
        let mut is_mended = false;
        loop {
            let looked = self.mend_and_look(&mut is_mended).await;
            self.report();
            match looked {
                Ok(()) => {
                    if std::mem::take(&mut failed) {
                        tracing::info!("entitlements follow the database again");
                    }
                    backoff.reset();
                    tokio::time::sleep(LOOK_AFTER).await;
                    let _heard_or_time = tokio::time::timeout(LISTEN_FOR, heard.notified()).await;
                }
                Err(error) => {
                    if !std::mem::replace(&mut failed, true) {
                        let error = error_chain(&error);
                        tracing::warn!(error, "entitlements cannot follow the database, will try again");
                    }
                    tokio::time::sleep(backoff.next_delay()).await;
                }
            }
        }
    }

    async fn mend_and_look(&mut self, is_mended: &mut bool) -> Result<(), StoreError> {
        if !*is_mended {
            let mended = self.store.mend_change_numbers().await?;
            if mended > 0 {
                tracing::warn!(
                    rows = mended,
                    "the database counts anew, so its changes were put to the beginning"
                );
            }
            *is_mended = true;
        }
        self.look().await
    }

    /// Reads all that changed since the last time.
    async fn look(&mut self) -> Result<(), StoreError> {
        let mut pass = match self.pass.take() {
            Some(pass) => pass,
            None => self.begin().await?,
        };
        let read = self.read(&mut pass).await;
        if read.is_err() {
            self.pass = Some(pass);
            return read;
        }
        self.floor = pass.horizon;
        self.entitlements.refresh(pass.began);
        Ok(())
    }

    async fn begin(&mut self) -> Result<Pass, StoreError> {
        // In this order: what is committed by now is below the horizon or at it, and is read after it.
        let began = self.entitlements.fresh_now();
        let horizon = self.store.change_horizon().await?;
        if horizon < self.floor {
            tracing::warn!(
                "the database is an older one than before, as after a restore; all of it is read anew"
            );
            self.store.mend_change_numbers().await?;
            self.entitlements.forget();
            self.floor = 0;
        }
        let from = || Reading::Behind(ChangePosition::before(self.floor));
        Ok(Pass { began, horizon, subscriptions: from(), grants: from() })
    }

    async fn read(&self, pass: &mut Pass) -> Result<(), StoreError> {
        while let Reading::Behind(after) = &pass.subscriptions {
            let rows = self.store.changed_subscriptions(&range(after)).await?;
            log_unreadable(&rows);
            self.entitlements.change(|index| rows.iter().for_each(|row| index.put_subscription(row)));
            pass.subscriptions = next(&rows);
        }
        while let Reading::Behind(after) = &pass.grants {
            let rows = self.store.changed_grants(&range(after)).await?;
            log_unreadable(&rows);
            let records = rows.iter().filter_map(|row| row.record.as_ref().ok());
            self.entitlements.change(|index| records.for_each(|record| index.put_grant(record)));
            pass.grants = next(&rows);
        }
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge")]
    fn report(&self) {
        let (subscriptions, bytes) = self.entitlements.change(|index| (index.len(), index.bytes()));
        metrics::gauge!("stallkeeper_entitlements_subscriptions").set(subscriptions as f64);
        metrics::gauge!("stallkeeper_entitlements_bytes").set(bytes as f64);
        let age = self.entitlements.age().map_or(f64::INFINITY, |age| age.as_secs_f64());
        metrics::gauge!("stallkeeper_entitlements_age_seconds").set(age);
    }
}

fn range(after: &ChangePosition) -> ChangeRange {
    ChangeRange { after: after.clone(), below: None, limit: PAGE_MAX }
}

/// A page that is not full was the last.
fn next<T>(rows: &[Changed<T>]) -> Reading {
    let is_full = rows.len() >= usize::try_from(PAGE_MAX).unwrap_or(usize::MAX);
    match rows.last().filter(|_| is_full) {
        Some(last) => Reading::Behind(last.position.clone()),
        None => Reading::Done,
    }
}

fn log_unreadable<T>(rows: &[Changed<T>]) {
    for row in rows {
        if let Err(error) = &row.record {
            let error = error_chain(error);
            tracing::error!(key = row.position.key, error, "a changed row cannot be read");
        }
    }
}

/// Tells whenever something changed; where nothing can be heard, the looks by time have to do.
async fn listen(store: &dyn ChangeFeed, told: &Notify) {
    let mut backoff = Backoff::new(RETRY_INITIAL, RETRY_CAP);
    loop {
        if let Ok(mut listener) = store.listen().await {
            backoff.reset();
            let hearing = async {
                // What changed before it was listened.
                told.notify_one();
                while listener.heard().await.is_ok() {
                    told.notify_one();
                }
            };
            let _anew = tokio::time::timeout(LISTEN_ANEW, hearing).await;
        }
        tokio::time::sleep(backoff.next_delay()).await;
    }
}
