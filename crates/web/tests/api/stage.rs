//! The routes over a worker that checks usage by the ledger's rules and remembers what it was asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::request::Builder;
use axum::http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::Value;
use stallkeeper_ledger::{
    Aggregate, DimensionTerms, Hour, Meter, MeterTerms, Phase, Profile, Refusal, Scale, Submission, Target,
    ZeroRecords, check, choose,
};
use stallkeeper_lifecycle::{Subscription, SubscriptionKey, Timestamp};
use stallkeeper_persistence::usage::{
    DeskError, EventLine, LossLine, RecordFilter, RecordLine, Taken, UsageSum, Watermark, WatermarkError,
};
use stallkeeper_persistence::{Page, Source, StoreError, SubscriptionRecord};
use stallkeeper_web::{ApiToken, ApiTokens, Scope, UsageApi, access_routes, api_routes};
use tower::ServiceExt;

use crate::access::Access;
use crate::documented;

pub(crate) const WRITER: &str = "writer-0123456789abcdef";
pub(crate) const READER: &str = "reader-0123456789abcdef";
/// What [`WRITER`] may do; [`READER`] may do everything else.
pub(crate) const WRITES: [Scope; 3] = [Scope::UsageWrite, Scope::GrantsWrite, Scope::RegistrationsWrite];
pub(crate) const NOON: &str = "2026-11-26T12:30:00Z";
pub(crate) const ACME: &str = "aws/prod-1/customer/X01";

/// What the next call of the worker fails with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Failing {
    Nothing,
    Busy,
    Database,
    Refused,
}

#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) failing: Mutex<Failing>,
    pub(crate) meters: Mutex<BTreeMap<SubscriptionKey, Meter>>,
    pub(crate) submitted: Mutex<Vec<Submission>>,
    pub(crate) watermarks: Mutex<Vec<Watermark>>,
    pub(crate) records: Mutex<Vec<RecordLine>>,
    pub(crate) sums: Mutex<Vec<UsageSum>>,
    pub(crate) held: Mutex<Vec<EventLine>>,
    pub(crate) losses: Mutex<Vec<LossLine>>,
}

impl Worker {
    fn fail(&self) -> Result<(), StoreError> {
        let source: Source = "scripted: password=hunter2".into();
        match *self.failing.lock().unwrap() {
            Failing::Nothing | Failing::Busy => Ok(()),
            Failing::Database => Err(StoreError::Unavailable(source)),
            Failing::Refused => Err(StoreError::Data(source)),
        }
    }

    fn take(&self, submission: &Submission) -> Taken {
        let terms = terms();
        let meters = self.meters.lock().unwrap();
        let targets: Vec<Target<'_>> = meters.values().map(|meter| Target { meter, terms: &terms }).collect();
        if submission.product != terms.product {
            return Taken::Refused(Refusal::UnknownProduct(submission.product.clone()));
        }
        let checked = choose(submission, &targets).and_then(|target| check(submission, target, self.now()));
        checked.map_or_else(Taken::Refused, |event| Taken::Stored(event.state))
    }
}

#[async_trait]
impl UsageApi for Worker {
    fn now(&self) -> Timestamp {
        NOON.parse().unwrap()
    }

    fn meter_terms(&self, key: &SubscriptionKey) -> Option<Arc<MeterTerms>> {
        (key.product.as_str() == "prod-1").then(|| Arc::new(terms()))
    }

    async fn submit(&self, submissions: Vec<Submission>) -> Result<Vec<Taken>, DeskError> {
        if matches!(*self.failing.lock().unwrap(), Failing::Busy) {
            return Err(DeskError::Busy { retry_after_secs: 7 });
        }
        self.fail()?;
        let taken = submissions.iter().map(|submission| self.take(submission)).collect();
        self.submitted.lock().unwrap().extend(submissions);
        Ok(taken)
    }

    async fn put_watermark(&self, watermark: &Watermark) -> Result<(), WatermarkError> {
        self.fail()?;
        if watermark.product != terms().product {
            return Err(WatermarkError::UnknownProduct(watermark.product.clone()));
        }
        if watermark.complete_through > self.now() {
            return Err(WatermarkError::Future);
        }
        if !terms().sources.contains(&watermark.source) {
            return Err(WatermarkError::UnknownSource(watermark.source.clone()));
        }
        if let Some(tenant) = watermark.tenant.as_ref().filter(|tenant| tenant.as_str() != "acme") {
            return Err(WatermarkError::UnknownTenant(tenant.clone()));
        }
        self.watermarks.lock().unwrap().push(watermark.clone());
        Ok(())
    }

    async fn meter(&self, key: &SubscriptionKey) -> Result<Option<Meter>, StoreError> {
        self.fail()?;
        Ok(self.meters.lock().unwrap().get(key).cloned())
    }

    async fn records(
        &self,
        filter: &RecordFilter,
        page: &Page<(i64, i64)>,
    ) -> Result<Vec<RecordLine>, StoreError> {
        self.fail()?;
        let position = |line: &RecordLine| (line.record.key.hour.number(), line.number);
        let is_wanted = |line: &&RecordLine| {
            let key = &line.record.key;
            key.subscription == filter.subscription
                && (filter.from..filter.to).contains(&key.hour)
                && page.after.is_none_or(|after| position(line) > after)
        };
        let records = self.records.lock().unwrap();
        Ok(records.iter().filter(is_wanted).take(page.limit as usize).cloned().collect())
    }

    async fn sums(&self, _key: &SubscriptionKey) -> Result<Vec<UsageSum>, StoreError> {
        self.fail()?;
        Ok(self.sums.lock().unwrap().clone())
    }

    async fn held(&self, key: Option<&SubscriptionKey>, limit: u32) -> Result<Vec<EventLine>, StoreError> {
        self.fail()?;
        let held = self.held.lock().unwrap();
        let is_wanted = |line: &&EventLine| key.is_none_or(|key| line.event.subscription == *key);
        Ok(held.iter().filter(is_wanted).take(limit as usize).cloned().collect())
    }

    async fn losses(
        &self,
        key: Option<&SubscriptionKey>,
        page: &Page<i64>,
    ) -> Result<Vec<LossLine>, StoreError> {
        self.fail()?;
        let losses = self.losses.lock().unwrap();
        let is_wanted = |line: &&LossLine| {
            key.is_none_or(|key| line.loss.subscription == *key)
                && page.after.is_none_or(|after| line.number > after)
        };
        Ok(losses.iter().filter(is_wanted).take(page.limit as usize).cloned().collect())
    }

    async fn leaving(&self, page: &Page<SubscriptionKey>) -> Result<Vec<SubscriptionRecord>, StoreError> {
        self.fail()?;
        let meters = self.meters.lock().unwrap();
        let leaving = meters.keys().filter(|key| page.after.as_ref().is_none_or(|after| *key > after));
        let record = |key: &SubscriptionKey| SubscriptionRecord {
            key: key.clone(),
            subscription: Subscription::default(),
            updated_at: self.now(),
        };
        Ok(leaving.take(page.limit as usize).map(record).collect())
    }
}

/// `p` on AWS: `calls` by the hundredth, reported by the source `app`.
pub(crate) fn terms() -> MeterTerms {
    let calls = DimensionTerms {
        api_name: "api-calls".parse().unwrap(),
        scale: Scale::new(2).unwrap(),
        aggregate: Aggregate::Sum,
    };
    MeterTerms {
        product: "p".parse().unwrap(),
        profile: Profile::AWS,
        region: "us-east-1".parse().unwrap(),
        dimensions: [("calls".parse().unwrap(), calls)].into(),
        sources: ["app".parse().unwrap()].into(),
        zero_records: ZeroRecords::Skip,
        meter_from: None,
    }
}

/// A meter of a tenant that runs and has closed nothing.
pub(crate) fn meter(key: &str, tenant: &str, phase: Phase) -> Meter {
    let mut meter = Meter::new(key.parse().unwrap());
    meter.tenant = Some(tenant.parse().unwrap());
    meter.phase = phase;
    meter.first_hour = Hour::of("2026-11-01T00:00:00Z".parse().unwrap());
    meter
}

pub(crate) struct Stage {
    pub(crate) worker: Arc<Worker>,
    /// Its folder goes with it.
    _access: Arc<Access>,
    routes: Router,
}

/// An answer, its body read as JSON where it is.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Holds that this is a problem document with this status and type; its detail.
    pub(crate) fn problem(&self, status: u16, kind: &str) -> &str {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.json["type"], format!("urn:stallkeeper:problem:{kind}"), "{self:?}");
        assert_eq!(self.json["status"], status);
        assert!(self.json["title"].as_str().is_some_and(|title| !title.is_empty()));
        self.json["detail"].as_str().unwrap()
    }
}

impl Stage {
    /// One tenant, `acme`, with one subscription that runs, and two tokens.
    pub(crate) fn new() -> Self {
        let token = |name: &str, token: &str, scopes: Vec<Scope>| ApiToken {
            name: name.to_owned(),
            token: token.to_owned().into(),
            scopes: scopes.into_iter().collect(),
        };
        let (writes, reads) = Scope::ALL.into_iter().partition(|scope| WRITES.contains(scope));
        let tokens = [token("app", WRITER, writes), token("dashboard", READER, reads)];
        Self::with_tokens(&ApiTokens::new(tokens).unwrap())
    }

    pub(crate) fn with_tokens(tokens: &ApiTokens) -> Self {
        let acme = meter(ACME, "acme", Phase::Running);
        let worker = Arc::new(Worker {
            failing: Mutex::new(Failing::Nothing),
            meters: Mutex::new([(acme.key.clone(), acme)].into()),
            submitted: Mutex::default(),
            watermarks: Mutex::default(),
            records: Mutex::default(),
            sums: Mutex::default(),
            held: Mutex::default(),
            losses: Mutex::default(),
        });
        let access = Arc::new(Access::open());
        let routes = api_routes(worker.clone(), tokens).merge(access_routes(access.api(), tokens));
        Self { routes, worker, _access: access }
    }

    /// The same with other routes in front.
    pub(crate) fn beside(self, others: Router) -> Self {
        Self { routes: others.merge(self.routes), ..self }
    }

    pub(crate) fn failing(self, failing: Failing) -> Self {
        *self.worker.failing.lock().unwrap() = failing;
        self
    }

    pub(crate) fn and(self, meter: Meter) -> Self {
        self.worker.meters.lock().unwrap().insert(meter.key.clone(), meter);
        self
    }

    /// What is answered; it has to be what the API's own description says.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answer = self.answer(request).await;
        let document = Request::get("/openapi.json").body(Body::empty()).unwrap();
        let document = self.answer(document).await.json;
        if let Some(operation) = documented::operation(&document, &method, &path) {
            operation.hold(&answer);
        }
        answer
    }

    async fn answer(&self, request: Request<Body>) -> Answer {
        let answer = self.routes.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Answer { status: parts.status, headers: parts.headers, json }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(bearing(Request::get(path), READER).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn put(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.send(bearing(Request::put(path), WRITER).body(body.into()).unwrap()).await
    }

    /// Posts usage of a content type.
    pub(crate) async fn post_as(&self, content_type: &str, body: impl Into<Body>) -> Answer {
        let request = bearing(Request::post("/v1/usage"), WRITER).header(header::CONTENT_TYPE, content_type);
        self.send(request.body(body.into()).unwrap()).await
    }

    pub(crate) async fn post(&self, body: impl Into<Body>) -> Answer {
        self.post_as("application/json", body).await
    }
}

pub(crate) fn bearing(request: Builder, token: &str) -> Builder {
    request.header(header::AUTHORIZATION, format!("Bearer {token}"))
}
