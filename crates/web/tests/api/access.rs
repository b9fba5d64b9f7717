//! Who may use what, grants, subscriptions and changes, over a real store.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::http::{Request, header};
use secrecy::SecretString;
use serde_json::{Value, json};
use stallkeeper_entitlement::{Catalog, CatalogListing, CatalogProduct, entitlements};
use stallkeeper_lifecycle::{Binding, Change, Fact, FactKind, SubscriptionKey, Terms, Timestamp, Trial};
use stallkeeper_persistence::usage::MeterTermsOf;
use stallkeeper_persistence::{
    Act, Actor, Content, Door, InboxKey, Incoming, Outcome, Received, Store, SubmitError, TermsOf, commit,
};
use stallkeeper_persistence_sqlite::{Options, SqliteStore};
use stallkeeper_registration::{Desk, DeskConfig, Way};
use stallkeeper_runtime::{FakeClock, SystemEntropy, WallClock};
use stallkeeper_web::AccessApi;
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use crate::stage::{ACME, Answer, NOON, READER, Stage, bearing};

/// A store in which `acme` has the product `p`, two others are unclaimed, and all that is known by now is answered from memory.
pub(crate) struct Access {
    api: Arc<AccessApi>,
    _folder: TempDir,
}

struct PayAsYouGo;

impl MeterTermsOf for PayAsYouGo {}

impl TermsOf for PayAsYouGo {
    fn terms(&self, _key: &SubscriptionKey) -> Terms {
        Terms::default()
    }
}

fn catalog() -> Catalog {
    let product = |key: &str, code: &str| CatalogProduct {
        key: key.parse().unwrap(),
        listings: vec![CatalogListing {
            marketplace: "aws".parse().unwrap(),
            code: code.parse().unwrap(),
            terms: Terms::default(),
            subscribe_url: Some(format!("https://marketplace.example/{code}").into()),
            dimensions: std::collections::BTreeMap::new(),
        }],
    };
    Catalog::new(vec![product("p", "prod-1"), product("vault", "prod-2")])
}

impl Access {
    /// On a thread of its own, as stages are set up where nothing can be waited for.
    pub(crate) fn open() -> Self {
        let open = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(open())
        };
        thread::scope(|scope| scope.spawn(open).join().unwrap())
    }

    pub(crate) fn api(&self) -> Arc<AccessApi> {
        self.api.clone()
    }
}

async fn open() -> Access {
    let folder = tempfile::tempdir().unwrap();
    let url = SecretString::from(format!("sqlite://{}", folder.path().join("stall.db").display()));
    let store = SqliteStore::connect(&url, Options::default()).await.unwrap();
    store.migrate().await.unwrap();
    let store: Arc<dyn Store> = Arc::new(store);
    let now: Timestamp = NOON.parse().unwrap();
    fill(&*store, now).await;
    let clock = Arc::new(FakeClock::new(OffsetDateTime::try_from(now).unwrap()));
    let catalog = Arc::new(catalog());
    let (entitlements, follower) =
        entitlements(store.clone(), clock.clone(), &catalog, Duration::from_hours(1));
    let stop = CancellationToken::new();
    let loaded = async {
        while entitlements.trouble().is_some() {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    tokio::join!(follower.run(&stop), loaded);
    let desk = Arc::new(desk(store.clone(), clock.clone()));
    let api = Arc::new(AccessApi { entitlements, store, clock, terms: Arc::new(PayAsYouGo), desk, catalog });
    Access { api, _folder: folder }
}

/// A desk whose buyers may bind, with nobody to ask about tokens.
fn desk(store: Arc<dyn Store>, clock: Arc<dyn WallClock>) -> Desk {
    let door = Arc::new(OwnDoor { store: store.clone(), clock: clock.clone() });
    let (terms, entropy) = (Arc::new(PayAsYouGo), Arc::new(SystemEntropy));
    Desk::new(DeskConfig { store, door, clock, terms, entropy, entrances: Vec::new(), way: Way::Hosted })
}

/// Commits one thing at a time.
struct OwnDoor {
    store: Arc<dyn Store>,
    clock: Arc<dyn WallClock>,
}

#[async_trait]
impl Door for OwnDoor {
    async fn submit(&self, content: Content) -> Result<Outcome, SubmitError> {
        let now = Timestamp::from(self.clock.now());
        let batch = [Incoming { received_at: now, content }];
        let committed = commit(&*self.store, &batch, now, &PayAsYouGo).await.map_err(SubmitError::Refused)?;
        Ok(committed.outcomes[0])
    }
}

async fn fill(store: &dyn Store, now: Timestamp) {
    let told = |key: &str| {
        let key: SubscriptionKey = key.parse().unwrap();
        let id: stallkeeper_lifecycle::EventId = format!("m-{}", key.holder.id()).parse().unwrap();
        let kind = FactKind::SubscribeSuccess { offer: None, trial: Trial::No };
        let content = Content::Received(Received {
            inbox: InboxKey { marketplace: key.marketplace.clone(), id: id.clone() },
            fact: Fact::at_time(now, id, kind),
            key,
            agreement: None,
            body: Vec::new(),
            replays: None,
        });
        Incoming { received_at: now, content }
    };
    let binding = Binding { tenant: "acme".parse().unwrap(), user: None };
    let bind = Act {
        key: ACME.parse().unwrap(),
        change: Change::Bind(binding),
        actor: Actor::Operator("mia".into()),
    };
    let bind = Incoming { received_at: now, content: Content::Act(bind) };
    let batches = [
        vec![told(ACME), bind],
        vec![told("aws/prod-1/customer/X02")],
        vec![told("aws/prod-2/customer/X03")],
    ];
    for batch in batches {
        commit(store, &batch, now, &PayAsYouGo).await.unwrap();
    }
    crate::registrations::register(store, now).await;
}

fn texts<'a>(values: &'a Value, field: &str) -> Vec<&'a str> {
    values.as_array().unwrap().iter().map(|value| value[field].as_str().unwrap()).collect()
}

async fn put_pilot(stage: &Stage, body: Value) -> Answer {
    stage.put("/v1/grants/pilot-1", body.to_string()).await
}

#[tokio::test]
async fn an_entitlement_tells_access_reason_and_what_it_rests_on() {
    let stage = Stage::new();
    let answer = stage.get("/v1/entitlements?tenant=acme&user=111&product=p").await;
    assert_eq!(answer.status, 200);
    let json = &answer.json;
    assert_eq!(
        (&json["access"], &json["reason"], &json["as_of"]),
        (&json!("full"), &json!("active"), &json!(NOON))
    );
    assert_eq!(texts(&json["subscriptions"], "subscription"), [ACME]);
    let other = stage.get("/v1/entitlements?tenant=acme&product=vault").await.json;
    assert_eq!(other["reason"], "not_subscribed");
    assert_eq!(other["subscribe_url"], "https://marketplace.example/prod-2");
}

#[tokio::test]
async fn a_question_that_cannot_be_answered_is_a_problem() {
    let stage = Stage::new();
    stage.get("/v1/entitlements?tenant=acme&product=nothing").await.problem(404, "not-found");
    stage.get("/v1/entitlements?tenant=acme").await.problem(400, "bad-request");
    stage.get("/v1/entitlements?tenant=&product=p").await.problem(400, "bad-request");
    stage.get("/v1/entitlements?tenant=acme&product=p&usr=1").await.problem(400, "bad-request");
}

#[tokio::test]
async fn an_answer_that_the_caller_has_is_not_sent_again() {
    let stage = Stage::new();
    let path = "/v1/entitlements?tenant=acme&product=p";
    let first = stage.get(path).await;
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with("W/\""), "{tag}");
    let ask = async |path: &str, known: &str| {
        let request = bearing(Request::get(path), READER).header(header::IF_NONE_MATCH, known);
        stage.send(request.body(Body::empty()).unwrap()).await
    };
    let again = ask(path, &format!("\"other\", {tag}")).await;
    assert_eq!((again.status.as_u16(), again.header("etag"), &again.json), (304, tag.as_str(), &Value::Null));
    assert_eq!(ask(path, "\"other\"").await.status, 200);
    assert_eq!(ask("/v1/entitlements?tenant=acme&product=vault", &tag).await.status, 200);
}

#[tokio::test]
async fn up_to_a_hundred_are_asked_about_at_once_and_all_or_none_answered() {
    let stage = Stage::new();
    let ask = async |queries: Value| {
        let request = bearing(Request::post("/v1/entitlements/query"), READER);
        stage.send(request.body(json!({ "queries": queries }).to_string().into()).unwrap()).await
    };
    let one = json!({ "tenant": "acme", "product": "p" });
    let answer = ask(json!(vec![one.clone(); 100])).await;
    assert_eq!(answer.json["entitlements"].as_array().unwrap().len(), 100);
    ask(json!(vec![one.clone(); 101])).await.problem(422, "unprocessable");
    let unknown = ask(json!([one, { "tenant": "acme", "product": "nothing" }])).await;
    assert!(unknown.problem(422, "unprocessable").starts_with("queries[1]"));
    let request = bearing(Request::post("/v1/entitlements/query"), READER);
    stage.send(request.body("no json".into()).unwrap()).await.problem(400, "bad-request");
}

#[tokio::test]
async fn a_tenants_entitlements_are_those_of_every_product() {
    let answer = Stage::new().get("/v1/tenants/acme/entitlements").await.json;
    assert_eq!(texts(&answer["entitlements"], "product"), ["p", "vault"]);
    assert_eq!(texts(&answer["entitlements"], "reason"), ["active", "not_subscribed"]);
}

#[tokio::test]
async fn a_grant_is_put_shown_listed_and_revoked_with_who_did_it() {
    let stage = Stage::new();
    let body =
        json!({ "tenant": "bolt", "product": "vault", "why": "pilot", "until": "2026-12-24T00:00:00Z" });
    let put = put_pilot(&stage, body.clone()).await;
    assert_eq!((put.status.as_u16(), &put.json["by"]), (201, &json!("operator:token app")));
    assert_eq!(put_pilot(&stage, body).await.status, 200);
    assert_eq!(stage.get("/v1/grants/pilot-1").await.json["until"], "2026-12-24T00:00:00Z");
    let request = bearing(Request::delete("/v1/grants/pilot-1"), crate::stage::WRITER);
    let revoked = stage.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!((revoked.status.as_u16(), &revoked.json["revoked_at"]), (200, &json!(NOON)));
    let listed = stage.get("/v1/grants?tenant=bolt").await.json;
    assert_eq!(texts(&listed["grants"], "revoked_by"), ["operator:token app"]);
    assert_eq!(stage.get("/v1/grants?tenant=acme").await.json["grants"], json!([]));
}

#[tokio::test]
async fn a_grant_is_not_moved_to_another_tenant() {
    let stage = Stage::new();
    let of = |tenant| json!({ "tenant": tenant, "product": "vault", "why": "pilot" }).to_string();
    assert_eq!(stage.put("/v1/grants/one", of("bolt")).await.status, 201);
    stage.put("/v1/grants/one", of("crux")).await.problem(409, "conflict");
}

#[tokio::test]
async fn a_grant_that_cannot_be_meant_is_refused() {
    let stage = Stage::new();
    let good = json!({ "tenant": "bolt", "product": "vault", "why": "pilot" });
    let but = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    for body in [
        but("product", json!("nothing")),
        but("tenant", json!("")),
        but("why", json!("")),
        but("why", Value::Null),
        but("until", json!("yesterday")),
        but("until", json!("2020-01-01T00:00:00Z")),
        but("untill", json!("2027-01-01T00:00:00Z")),
    ] {
        put_pilot(&stage, body).await.problem(422, "unprocessable");
    }
    stage.put("/v1/grants/a%20b", good.to_string()).await.problem(400, "bad-request");
    stage.put("/v1/grants/pilot-1", "no json").await.problem(400, "bad-request");
    stage.get("/v1/grants/pilot-1").await.problem(404, "not-found");
}

#[tokio::test]
async fn subscriptions_are_found_by_one_filter_and_paged_by_opaque_cursors() {
    let stage = Stage::new();
    let keys = |answer: &Answer| texts(&answer.json["subscriptions"], "key").join(" ");
    let all = "aws/prod-1/customer/X01 aws/prod-1/customer/X02 aws/prod-2/customer/X03";
    for (filter, expected) in [
        ("", all),
        ("?tenant=acme", "aws/prod-1/customer/X01"),
        ("?product=vault", "aws/prod-2/customer/X03"),
        ("?listing=aws/prod-1", "aws/prod-1/customer/X01 aws/prod-1/customer/X02"),
        ("?word=unclaimed", "aws/prod-1/customer/X02 aws/prod-2/customer/X03"),
    ] {
        assert_eq!(keys(&stage.get(&format!("/v1/subscriptions{filter}")).await), expected, "{filter}");
    }
    let first = stage.get("/v1/subscriptions?limit=2").await;
    let next = first.json["next"].as_str().unwrap();
    assert!(!next.contains('/'));
    let rest = stage.get(&format!("/v1/subscriptions?limit=2&cursor={next}")).await;
    assert_eq!(format!("{} {}", keys(&first), keys(&rest)), all);
    assert_eq!(rest.json["next"], Value::Null);
    stage.get("/v1/subscriptions?tenant=acme&word=active").await.problem(400, "bad-request");
    stage.get("/v1/subscriptions?cursor=nonsense").await.problem(400, "bad-request");
    stage.get(&format!("/v1/grants?cursor={next}")).await.problem(400, "bad-request");
    stage.get("/v1/subscriptions?product=nothing").await.problem(404, "not-found");
}

#[tokio::test]
async fn a_subscription_and_its_history_are_told() {
    let stage = Stage::new();
    let one = stage.get(&format!("/v1/subscriptions/{ACME}")).await.json;
    assert_eq!(
        (&one["word"], &one["tenant"], &one["product"]),
        (&json!("active"), &json!("acme"), &json!("p"))
    );
    let history = stage.get(&format!("/v1/subscriptions/{ACME}/history?limit=1")).await.json;
    assert_eq!(texts(&history["history"], "what"), ["subscribe-success"]);
    let next = history["next"].as_str().unwrap();
    let rest = stage.get(&format!("/v1/subscriptions/{ACME}/history?cursor={next}")).await.json;
    assert_eq!(texts(&rest["history"], "what"), ["bound"]);
    stage.get("/v1/subscriptions/aws/prod-1/customer/nobody").await.problem(404, "not-found");
    stage.get("/v1/subscriptions/aws/prod-1/customer/nobody/history").await.problem(404, "not-found");
}

#[tokio::test]
async fn changes_are_told_once_in_their_order_and_grants_among_them() {
    let stage = Stage::new();
    put_pilot(&stage, json!({ "tenant": "bolt", "product": "vault", "why": "pilot" })).await;
    let mut ids = Vec::new();
    let mut after = String::new();
    loop {
        let part = stage.get(&format!("/v1/changes?limit=1{after}")).await.json;
        ids.extend(texts(&part["changes"], "id").into_iter().map(str::to_owned));
        after = format!("&after={}", part["next"].as_str().unwrap());
        if part["more"] == false {
            break;
        }
    }
    let order = [ACME, "aws/prod-1/customer/X02", "aws/prod-2/customer/X03", "pilot-1"];
    assert_eq!(ids, order);
    assert_eq!(stage.get(&format!("/v1/changes?limit=1{after}")).await.json["changes"], json!([]));
}

#[tokio::test]
async fn a_cursor_of_a_time_that_the_database_knows_nothing_of_is_gone() {
    use base64::Engine;
    let cursor = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode("changes:900000:grant:a");
    Stage::new().get(&format!("/v1/changes?after={cursor}")).await.problem(410, "gone");
}
