use std::error::Error;
use std::sync::Arc;

use stallkeeper_persistence::StoreError;
use stallkeeper_runtime::{Backoff, sleep_or_cancelled};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::Outbox;
use crate::outbox::REST_MIN;

type Ran = Result<Result<(), StoreError>, JoinError>;

impl Outbox {
    /// Runs jobs until `stop` without waiting for those that run already: a slow one holds up no other, as long
    /// as fewer than `concurrency` are slow at once. What runs then is finished.
    ///
    /// It asks for jobs whenever one has ended, so it is for work that is slow and not much.
    pub async fn run_overlapping(self: Arc<Self>, stop: &CancellationToken) {
        let mut backoff = Backoff::new(self.config.retry_base, self.config.retry_cap);
        let mut running = JoinSet::new();
        while !stop.is_cancelled() {
            match self.claim_and_wait(&mut running, stop).await {
                Ok(()) => backoff.reset(),
                Err(error) => {
                    let delay = backoff.next_delay();
                    tracing::warn!(
                        error = &error as &dyn Error,
                        ?delay,
                        "jobs cannot be read, will try again"
                    );
                    let _stopped = sleep_or_cancelled(stop, delay).await;
                }
            }
        }
        while let Some(ran) = running.join_next().await {
            report(&ran);
        }
    }

    async fn claim_and_wait(
        self: &Arc<Self>,
        running: &mut JoinSet<Result<(), StoreError>>,
        stop: &CancellationToken,
    ) -> Result<(), StoreError> {
        let room = self.config.concurrency.saturating_sub(u32::try_from(running.len()).unwrap_or(u32::MAX));
        let mut claimed = 0;
        if room > 0 {
            for job in self.claim(room).await? {
                claimed += 1;
                let outbox = Arc::clone(self);
                running.spawn(async move { outbox.run_one(&job).await });
            }
        }
        // What filled the room may have left more that is due; only an end makes room for it.
        let until_next = if room == 0 || claimed == room {
            self.config.poll
        } else {
            let next = self.next_at().await?;
            next.map_or(self.config.poll, |at| at.since(self.now()).min(self.config.poll)).max(REST_MIN)
        };
        tokio::select! {
            _stopped = sleep_or_cancelled(stop, until_next) => {}
            () = self.jobs_written.notified() => {}
            Some(ran) = running.join_next() => {
                report(&ran);
                while let Some(ran) = running.try_join_next() {
                    report(&ran);
                }
            }
        }
        Ok(())
    }
}

/// Whatever became of it, its lease ends, and it is tried again up to its last attempt.
fn report(ran: &Ran) {
    match ran {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(
                error = error as &dyn Error,
                "what became of a job is not stored; it is run again"
            );
        }
        Err(panic) => tracing::error!(error = %panic, "a job panicked"),
    }
}
