//! A metered product, its buyers, and short ways to report, look, send and count.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use stallkeeper_ledger::{
    Aggregate, Answer, ApiDimension, DimensionName, DimensionTerms, EventState, Hour, LateUsage, MARGIN_MIN,
    MeterTerms, Outgoing, ProductKey, Profile, Region, Scale, SourceName, SubUnits, Submission, ZeroRecords,
};
use stallkeeper_lifecycle::{MarketplaceName, ProductCode, SubscriptionKey, TenantId, Terms, Timestamp};

use super::samples::{act, bound_to, marketplace, minute, success, told};
use crate::usage::{
    AttemptOutcome, AttemptResult, Looked, LossLine, MeterTermsOf, RecordFilter, RecordLine, Started, Taken,
    Unsent, Watermark, finish, look_at, put_watermark, start, take_in,
};
use crate::{Incoming, Page, Store, TermsOf, commit};

/// One product with one listing, that counts requests, seats by their peak, and gigabytes to two places.
#[derive(Clone, Debug)]
pub(super) struct Metered(Arc<MeterTerms>);

impl Metered {
    /// Hours close by time alone, and those without usage are not reported.
    pub(super) fn new() -> Self {
        let dimension = |name: &str, scale, aggregate| {
            let terms = DimensionTerms { api_name: api(name), scale, aggregate };
            (name.parse::<DimensionName>().expect("a name"), terms)
        };
        let two_places = Scale::new(2).expect("a scale");
        Self(Arc::new(MeterTerms {
            product: product(),
            profile: Profile::AWS,
            region: region(),
            dimensions: BTreeMap::from([
                dimension("requests", Scale::WHOLE, Aggregate::Sum),
                dimension("seats", Scale::WHOLE, Aggregate::Max),
                dimension("gigabytes", two_places, Aggregate::Sum),
            ]),
            sources: BTreeSet::new(),
            zero_records: ZeroRecords::Skip,
            meter_from: None,
        }))
    }

    fn changed(self, change: impl FnOnce(&mut MeterTerms)) -> Self {
        let mut terms = (*self.0).clone();
        change(&mut terms);
        Self(Arc::new(terms))
    }

    /// These say when usage is complete.
    pub(super) fn with_sources(self, sources: &[&str]) -> Self {
        let sources = sources.iter().map(|name| source(name)).collect();
        self.changed(|terms| terms.sources = sources)
    }

    pub(super) fn with_zero_records(self) -> Self {
        self.changed(|terms| terms.zero_records = ZeroRecords::Send)
    }

    pub(super) fn with_late_usage(self, late_usage: LateUsage) -> Self {
        self.changed(|terms| terms.profile.late_usage = late_usage)
    }
}

impl MeterTermsOf for Metered {
    fn meter_terms(&self, key: &SubscriptionKey) -> Option<Arc<MeterTerms>> {
        let (marketplace, product) = listing();
        (key.marketplace == marketplace && key.product == product).then(|| self.0.clone())
    }

    fn listings_of(&self, product: &ProductKey) -> Vec<(MarketplaceName, ProductCode)> {
        if *product == self.0.product { vec![listing()] } else { Vec::new() }
    }

    fn sources_of(&self, product: &ProductKey) -> BTreeSet<SourceName> {
        if *product == self.0.product { self.0.sources.clone() } else { BTreeSet::new() }
    }

    fn metered_products(&self) -> Vec<ProductKey> {
        vec![self.0.product.clone()]
    }
}

impl TermsOf for Metered {
    fn terms(&self, _key: &SubscriptionKey) -> Terms {
        Terms::default()
    }
}

pub(super) fn product() -> ProductKey {
    "app".parse().expect("a key")
}

pub(super) fn listing() -> (MarketplaceName, ProductCode) {
    (marketplace("aws"), "prod-1".parse().expect("a code"))
}

pub(super) fn region() -> Region {
    "us-east-1".parse().expect("a region")
}

pub(super) fn source(name: &str) -> SourceName {
    name.parse().expect("a name")
}

pub(super) fn api(name: &str) -> ApiDimension {
    name.parse().expect("a name")
}

pub(super) fn tenant(id: &str) -> TenantId {
    id.parse().expect("an id")
}

pub(super) fn parts(number: i64) -> SubUnits {
    SubUnits::new(number).expect("not negative")
}

/// The hour so many hours after noon.
pub(super) fn hour(hours: u64) -> Hour {
    Hour::of(minute(hours * 60))
}

/// Requests of a tenant.
pub(super) fn requests(id: &str, of: &str, quantity: u64, at: Timestamp) -> Submission {
    usage(id, of, "requests", &quantity.to_string(), at)
}

pub(super) fn usage(id: &str, of: &str, dimension: &str, quantity: &str, at: Timestamp) -> Submission {
    Submission {
        id: id.parse().expect("an id"),
        tenant: tenant(of),
        product: product(),
        dimension: dimension.parse().expect("a name"),
        quantity: quantity.to_owned(),
        occurred_at: at,
        user: None,
        tags: BTreeMap::new(),
        subscription: None,
    }
}

/// Takes facts and acts in; answers whether a meter has news.
pub(super) async fn take_metered(
    store: &dyn Store,
    terms: &Metered,
    now: Timestamp,
    batch: &[Incoming],
) -> bool {
    commit(store, batch, now, terms).await.expect("the batch is taken in").has_metering_news
}

/// A buyer who subscribed at noon, bound to a tenant.
pub(super) async fn subscribe(store: &dyn Store, terms: &Metered, key: &SubscriptionKey, of: &str) {
    let id = format!("success-{key}").replace('/', "-");
    let batch = [told(&id, key, minute(0), success()), act(key, bound_to(of))];
    take_metered(store, terms, minute(0), &batch).await;
}

/// Takes usage in that the store has to accept or refuse.
pub(super) async fn report(
    store: &dyn Store,
    terms: &Metered,
    now: Timestamp,
    batch: &[Submission],
) -> Vec<Taken> {
    take_in(store, batch, now, terms).await.expect("the usage is taken in")
}

/// Takes one submission in that has to be stored.
pub(super) async fn stored(
    store: &dyn Store,
    terms: &Metered,
    now: Timestamp,
    one: Submission,
) -> EventState {
    match report(store, terms, now, &[one]).await.as_slice() {
        [Taken::Stored(state)] => *state,
        other => unreachable!("stored, not {other:?}"),
    }
}

pub(super) async fn look(
    store: &dyn Store,
    terms: &Metered,
    key: &SubscriptionKey,
    now: Timestamp,
) -> Looked {
    look_at(store, std::slice::from_ref(key), now, MARGIN_MIN, terms).await.expect("looked at")
}

/// Looks at everything that is due by time, as the reporter does.
pub(super) async fn look_around(store: &dyn Store, terms: &Metered, now: Timestamp) -> usize {
    let mut keys = store.meters_due(now, 100).await.expect("readable");
    keys.extend(store.meters_expired(now, 100).await.expect("readable"));
    look_at(store, &keys, now, MARGIN_MIN, terms).await.expect("looked at").frozen
}

pub(super) async fn says(
    store: &dyn Store,
    terms: &Metered,
    name: &str,
    of: Option<&str>,
    complete_through: Timestamp,
    now: Timestamp,
) {
    let watermark =
        Watermark { product: product(), tenant: of.map(tenant), source: source(name), complete_through };
    put_watermark(store, &watermark, now, terms).await.expect("taken");
}

/// What may be sent to the marketplace now.
pub(super) async fn unsent(store: &dyn Store, now: Timestamp) -> Vec<Outgoing> {
    let query = Unsent { marketplaces: vec![marketplace("aws")], but: Vec::new(), now, limit: 1_000 };
    store.unsent(&query).await.expect("readable")
}

/// Begins one request with all that may be sent.
pub(super) async fn begin(store: &dyn Store, now: Timestamp) -> Started {
    let numbers: Vec<i64> = unsent(store, now).await.iter().map(|outgoing| outgoing.number).collect();
    let mut started = start(store, "lane-1", vec![numbers], now).await.expect("stored");
    assert_eq!(started.len(), 1, "something is sent");
    started.remove(0)
}

/// The same answer for every record of a request.
pub(super) fn all_answered(started: &Started, answer: &Answer, at: Timestamp) -> AttemptResult {
    AttemptResult {
        attempt: started.attempt,
        outcome: AttemptOutcome { at, request_id: Some("request-1".to_owned()), error: None },
        answers: started.records.iter().map(|outgoing| (outgoing.number, answer.clone())).collect(),
    }
}

/// Sends all that may be sent, and gets the same answer for every record.
pub(super) async fn send(store: &dyn Store, answer: Answer, now: Timestamp) -> Started {
    let started = begin(store, now).await;
    let result = all_answered(&started, &answer, now.plus(Duration::from_secs(1)));
    finish(store, &[result], now.plus(Duration::from_secs(1)), false).await.expect("stored");
    started
}

pub(super) fn accepted() -> Answer {
    Answer::Accepted { record_id: "record-1".to_owned() }
}

/// A subscription's records, oldest hour first.
pub(super) async fn records(store: &dyn Store, key: &SubscriptionKey) -> Vec<RecordLine> {
    store.usage_records(&every_hour(key), &Page::first(1_000)).await.expect("readable")
}

pub(super) fn every_hour(key: &SubscriptionKey) -> RecordFilter {
    RecordFilter { subscription: key.clone(), from: Hour::new(0), to: Hour::new(1_000_000) }
}

/// The states of a subscription's records, oldest hour first.
pub(super) async fn states(store: &dyn Store, key: &SubscriptionKey) -> Vec<&'static str> {
    records(store, key).await.iter().map(|line| line.record.state.word()).collect()
}

pub(super) async fn losses(store: &dyn Store, key: &SubscriptionKey) -> Vec<LossLine> {
    store.losses(Some(key), &Page::first(1_000)).await.expect("readable")
}

/// The reasons and amounts of what is lost, oldest first.
pub(super) async fn lost(store: &dyn Store, key: &SubscriptionKey) -> Vec<(&'static str, i64)> {
    let line = |line: LossLine| (line.loss.reason.as_str(), line.loss.parts.parts());
    losses(store, key).await.into_iter().map(line).collect()
}

/// Nothing is lost silently and nothing is billed twice: what was recorded is billed, pending or lost.
///
/// Answers, of requests, what is recorded, billed, pending and lost.
pub(super) async fn balance(store: &dyn Store, key: &SubscriptionKey) -> [i64; 4] {
    let mut pending: BTreeMap<ApiDimension, i64> = BTreeMap::new();
    let live = records(store, key).await.into_iter().map(|line| line.record);
    for record in live.filter(|record| record.is_open() || record.is_frozen()) {
        *pending.entry(record.key.dimension.clone()).or_default() += record.parts_reported().parts();
    }
    let meter = store.meter(key).await.expect("readable").expect("a meter");
    for (dimension, carry) in meter.carries {
        *pending.entry(dimension).or_default() += carry.parts.parts();
    }
    for line in store.held_usage(Some(key), 1_000).await.expect("readable") {
        *pending.entry(line.event.api_name).or_default() += line.event.counted.parts();
    }
    let mut requests = [0; 4];
    for sum in store.usage_sums(key).await.expect("readable") {
        let [recorded, billed, lost] = [sum.recorded, sum.billed, sum.lost].map(SubUnits::parts);
        let pending = pending.get(&sum.dimension).copied().unwrap_or_default();
        assert_eq!(
            recorded,
            billed + pending + lost,
            "{}: {billed} billed, {pending} pending, {lost} lost",
            sum.dimension
        );
        if sum.dimension == api("requests") {
            requests = [recorded, billed, pending, lost];
        }
    }
    requests
}
