use futures_util::future::join_all;
use stallkeeper_lifecycle::{Change, MarketplaceName, ProductCode, SubscriptionKey, Timestamp};
use stallkeeper_persistence::usage::MeterTermsOf;
use stallkeeper_persistence::{
    Act, Actor, Committer, Content, Incoming, Page, Store, StoreError, SubmitError,
};
use stallkeeper_runtime::WallClock;

/// How many subscriptions are looked at again at once: as many as one transaction takes.
const PAGE: u32 = 256;

/// Why a subscription has no meter yet.
#[derive(Debug, thiserror::Error)]
pub enum MissingError {
    /// The store cannot tell which have none.
    #[error("subscriptions without a meter cannot be read")]
    Store(#[from] StoreError),
    /// One of them cannot be looked at.
    #[error("a subscription cannot be given a meter")]
    Submit(#[from] SubmitError),
}

/// Has subscriptions looked at that have no meter, as they are older than the metering of their listing;
/// answers how many.
///
/// # Errors
/// [`MissingError`]; those before it have their meters, and the same can be done again.
pub async fn make_meters(
    store: &dyn Store,
    committer: &Committer,
    clock: &dyn WallClock,
    terms: &dyn MeterTermsOf,
) -> Result<usize, MissingError> {
    let mut made = 0;
    for product in terms.metered_products() {
        for (marketplace, code) in terms.listings_of(&product) {
            made += make_of_listing(store, committer, clock, &marketplace, &code).await?;
        }
    }
    Ok(made)
}

async fn make_of_listing(
    store: &dyn Store,
    committer: &Committer,
    clock: &dyn WallClock,
    marketplace: &MarketplaceName,
    code: &ProductCode,
) -> Result<usize, MissingError> {
    let (mut made, mut page) = (0, Page::first(PAGE));
    loop {
        let keys = store.meters_missing(marketplace, code, &page).await?;
        let Some(last) = keys.last().cloned() else { return Ok(made) };
        made += keys.len();
        let is_last = keys.len() < PAGE as usize;
        for woken in join_all(keys.into_iter().map(|key| wake(committer, clock, key))).await {
            woken?;
        }
        if is_last {
            return Ok(made);
        }
        page.after = Some(last);
    }
}

/// The commit makes a meter of a listing that is metered.
async fn wake(committer: &Committer, clock: &dyn WallClock, key: SubscriptionKey) -> Result<(), SubmitError> {
    let act = Act { key, change: Change::Wake, actor: Actor::Worker };
    let received_at = Timestamp::from(clock.now());
    match committer.submit(Incoming { received_at, content: Content::Act(act) }).await {
        // One that cannot be read keeps no other from its meter.
        Err(SubmitError::Refused(error)) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a subscription gets no meter");
            Ok(())
        }
        other => other.map(|_outcome| ()),
    }
}
