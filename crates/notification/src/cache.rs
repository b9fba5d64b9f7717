use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use stallkeeper_lifecycle::Timestamp;
use tokio::sync::Semaphore;

use crate::certificate::{CertificateSource, FetchError};
use crate::chain::SigningKey;
use crate::host::CertificateUrl;

/// How many certificate files are kept; the oldest makes room. AWS uses one or two per region at a time.
pub const CERTIFICATES_MAX: usize = 32;

/// For how long a chain that held is not checked again: it spares two thirds of the work of a check, and an
/// expiry is noticed this much later at most.
const BELIEVED_FOR: Duration = Duration::from_mins(1);

/// For how long a failure to fetch answers for the next one: a queue that only warns must not pay a time-out
/// for each of its messages where AWS cannot be reached.
const FAILED_FOR: Duration = Duration::from_secs(10);

/// How many files are fetched at once: a flood of messages that name one file each must not become a flood
/// of requests.
const FETCHES_MAX: usize = 4;

type Belief = Arc<Mutex<Option<Believed>>>;
type Fetch = Shared<BoxFuture<'static, Result<Arc<[u8]>, FetchError>>>;

struct Entry {
    url: CertificateUrl,
    /// Tells this fetch of the URL from others, so that an answer only ever removes its own.
    number: u64,
    fetch: Fetch,
    /// When it was found to have failed.
    failed_at: Option<Timestamp>,
    believed: Belief,
}

impl Entry {
    fn is_stale(&self, now: Timestamp) -> bool {
        self.failed_at.is_some_and(|failed_at| now < failed_at || now.since(failed_at) >= FAILED_FOR)
    }

    fn parts(&self) -> (u64, Fetch, Belief) {
        (self.number, self.fetch.clone(), Arc::clone(&self.believed))
    }
}

/// What became of the last check of a chain that held.
struct Believed {
    key: SigningKey,
    at: Timestamp,
}

#[derive(Default)]
struct Entries {
    oldest_first: VecDeque<Entry>,
    last_number: u64,
}

impl Entries {
    /// Drops the oldest of those that brought no key that is believed, so that forged URLs do not push out
    /// the true one.
    fn make_room(&mut self) {
        let doubtful = self.oldest_first.iter().position(|entry| lock(&entry.believed).is_none());
        self.oldest_first.remove(doubtful.unwrap_or(0));
    }
}

/// Certificate files by URL. Whoever asks while one is being fetched waits for the same answer; a failure
/// goes to all who wait, and to those who ask soon after.
pub(crate) struct CertificateCache {
    source: Arc<dyn CertificateSource>,
    fetches: Arc<Semaphore>,
    entries: Mutex<Entries>,
}

/// A certificate file, and which fetch it came by.
pub(crate) struct Held {
    pub(crate) pem: Arc<[u8]>,
    pub(crate) number: u64,
    /// Whether it was there already when it was asked for.
    pub(crate) cached: bool,
    believed: Belief,
}

impl Held {
    /// The key, if its chain was found to hold a moment ago.
    pub(crate) fn believed(&self, now: Timestamp) -> Option<SigningKey> {
        let believed = lock(&self.believed);
        let believed = believed
            .as_ref()
            .filter(|believed| believed.at <= now && now.since(believed.at) < BELIEVED_FOR)?;
        Some(believed.key.clone())
    }

    /// Keeps the key, as its chain holds.
    pub(crate) fn believe(&self, key: SigningKey, now: Timestamp) {
        *lock(&self.believed) = Some(Believed { key, at: now });
    }
}

impl CertificateCache {
    pub(crate) fn new(source: Arc<dyn CertificateSource>) -> Self {
        Self { source, fetches: Arc::new(Semaphore::new(FETCHES_MAX)), entries: Mutex::default() }
    }

    pub(crate) async fn get(&self, url: &CertificateUrl, now: Timestamp) -> Result<Held, FetchError> {
        let (number, fetch, believed) = self.entry(url, now);
        let cached = fetch.peek().is_some();
        match fetch.await {
            Ok(pem) => Ok(Held { pem, number, cached, believed }),
            Err(error) => {
                self.failed(number, now);
                Err(error)
            }
        }
    }

    /// Drops what that fetch brought, if it is still there.
    pub(crate) fn forget(&self, number: u64) {
        self.entries().oldest_first.retain(|entry| entry.number != number);
    }

    fn failed(&self, number: u64, now: Timestamp) {
        let mut entries = self.entries();
        if let Some(entry) = entries.oldest_first.iter_mut().find(|entry| entry.number == number) {
            entry.failed_at.get_or_insert(now);
        }
    }

    fn entry(&self, url: &CertificateUrl, now: Timestamp) -> (u64, Fetch, Belief) {
        let mut entries = self.entries();
        entries.oldest_first.retain(|entry| !entry.is_stale(now));
        if let Some(entry) = entries.oldest_first.iter().find(|entry| entry.url == *url) {
            return entry.parts();
        }
        if entries.oldest_first.len() >= CERTIFICATES_MAX {
            entries.make_room();
        }
        entries.last_number += 1;
        let (number, fetch) = (entries.last_number, self.fetch(url.clone()));
        let entry = Entry { url: url.clone(), number, fetch, failed_at: None, believed: Arc::default() };
        let parts = entry.parts();
        entries.oldest_first.push_back(entry);
        parts
    }

    fn fetch(&self, url: CertificateUrl) -> Fetch {
        let source = Arc::clone(&self.source);
        let fetches = Arc::clone(&self.fetches);
        async move {
            // Nobody closes the semaphore, so there is always a turn.
            let _turn = fetches.acquire().await.ok();
            let pem = source.fetch(&url).await?;
            if !holds_a_certificate(&pem) {
                return Err(FetchError::NotACertificate { url: url.to_string() });
            }
            Ok(Arc::from(pem))
        }
        .boxed()
        .shared()
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        lock(&self.entries)
    }
}

fn holds_a_certificate(pem: &[u8]) -> bool {
    CertificateDer::pem_slice_iter(pem).next().is_some_and(|first| first.is_ok())
}

/// A panic elsewhere leaves nothing half done in here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
