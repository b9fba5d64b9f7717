//! A buyer's whole walk from the marketplace's shop to the end, and the operator who watches, in a real browser.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a broken set-up fails the test"
)]

use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use reqwest::Method;
use serde_json::{Value, json};
use stallkeeper_tests::{Album, App, Database, Market, MeteredStall, Worker, browse, eventually};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use xtask::postgres::free_port;

const LIMIT: Duration = Duration::from_mins(4);
const PATIENCE: Duration = Duration::from_mins(1);
const OPENED_AT: &str = "2027-03-04T10:10:00Z";
const TENANT: &str = "AAA";
const OPERATOR: &str = "the-token-of-an-operator-0001";
const SCOPES: &str = "usage:write,usage:read,entitlements:read,subscriptions:read,registrations:read,\
     registrations:write";

/// The seller's side: a worker, and the app, which names tenants and reports what they use.
struct Scene {
    stall: MeteredStall,
    database: Database,
    worker: Worker,
    app: App,
}

impl Scene {
    async fn open(seed: u64) -> Self {
        let port = free_port().unwrap();
        let page = format!("http://127.0.0.1:{port}/register/aws");
        let market = Market::start_with(seed, &["--fulfilment-url", &page]);
        market.set_clock(OPENED_AT).await;
        // Tokens are resolved, also while the queue does not answer.
        market.set_registration_faults(json!({})).await;
        let (stall, database) = (MeteredStall { market }, Database::sqlite());
        let installation = stall
            .installation(&database)
            .variable("STALLKEEPER_API_TOKEN_0_SCOPES", SCOPES)
            .variable("STALLKEEPER_QUEUE_WAIT_SECS", "1")
            .variable("STALLKEEPER_OPERATOR_0_NAME", "mia")
            .variable("STALLKEEPER_OPERATOR_0_TOKEN", OPERATOR)
            .variable("STALLKEEPER_PRODUCT_0_NAME", "Example Search")
            .variable("STALLKEEPER_REGISTRATION_SELLER_NAME", "Example Ltd")
            .variable("STALLKEEPER_REGISTRATION_APP_URL", "https://app.example.com/")
            .with_public_port(port);
        let worker = installation.start_ready().await;
        Self { stall, database, worker, app: stall_app() }
    }

    async fn name_tenant(&self) {
        let pending = self.app.get(&self.worker, "/v1/registrations?state=pending").await.ok();
        let id = pending["registrations"][0]["id"].as_str().unwrap();
        let body = json!({ "tenant": TENANT }).to_string();
        let path = format!("/v1/registrations/{id}/tenant");
        self.app.send(&self.worker, Method::PUT, &path, Some(body)).await.ok();
    }

    async fn access(&self) -> Value {
        let path = format!("/v1/entitlements?tenant={TENANT}&product=search");
        self.app.get(&self.worker, &path).await.ok()["access"].clone()
    }

    /// Answers when it was used.
    async fn report(&self, id: &str, quantity: &str) -> String {
        let now = self.stall.market.now().await;
        let event = json!({
            "id": id, "tenant": TENANT, "product": "search", "dimension": "hits", "quantity": quantity,
            "occurred_at": now,
        });
        self.app.report_all(&self.worker, &[event]).await;
        now
    }

    async fn use_product(&self) -> Value {
        eventually("the app may use it", PATIENCE, async || self.access().await == "full").await;
        self.report("before", "3").await;
        self.access().await
    }

    /// What the tenant used to the end, until it is on the marketplace's bill; answers how many units that is.
    async fn report_final_usage(&self) -> Value {
        // Not the present moment, which the worker's clock may be a little behind.
        let now = self.report("after", "5").await;
        let watermark = json!({ "product": "search", "source": "api", "complete_through": now });
        assert_eq!(self.app.put_watermark(&self.worker, &watermark).await.status, 204);
        let billed = async || self.stall.market.bill().await.iter().map(|entry| entry.quantity).sum::<i64>();
        eventually("all of it is billed", PATIENCE, async || billed().await == 8).await;
        billed().await.into()
    }

    /// No notification comes any more, nor one that the worker waits for already.
    async fn hold_messages(&self) {
        self.stall.market.set_faults(json!({ "error": 1.0 })).await;
        self.worker.wait_until_unready().await;
    }

    async fn let_messages_go(&self) {
        self.stall.market.set_faults(json!({})).await;
    }

    async fn wait_for(&self, word: &str) {
        let row = format!("subscriptions WHERE word = '{word}'");
        eventually(word, PATIENCE, async || self.database.count(&row).await == 1).await;
    }

    async fn end_window(&self) {
        self.stall.market.advance(Duration::from_mins(61)).await;
        self.wait_for("ended").await;
    }
}

fn stall_app() -> App {
    App::new(Some(MeteredStall::TOKEN))
}

/// Something that the browser's script asks for, and whom to answer.
type Wish = (String, oneshot::Sender<Value>);

/// Takes the script's wishes, which the test itself fulfils.
async fn serve(wishes: mpsc::Sender<Wish>) -> (String, JoinSet<io::Result<()>>) {
    let ask = async |Path(name): Path<String>, State(wishes): State<mpsc::Sender<Wish>>| {
        let (answer, answered) = oneshot::channel();
        wishes.send((name, answer)).await.map_err(|_| StatusCode::GONE)?;
        answered.await.map(Json).map_err(|_| StatusCode::GONE)
    };
    let routes = Router::new().route("/{name}", post(ask)).with_state(wishes);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut serving = JoinSet::new();
    serving.spawn(async { axum::serve(listener, routes).await });
    (url, serving)
}

impl Scene {
    async fn fulfil(&self, wish: &str) -> Value {
        match wish {
            "hold-messages" => self.hold_messages().await,
            "let-messages-go" => self.let_messages_go().await,
            "await-subscription" => self.wait_for("unclaimed").await,
            "name-tenant" => self.name_tenant().await,
            "use-product" => return self.use_product().await,
            "final-usage" => return self.report_final_usage().await,
            "end-window" => self.end_window().await,
            unknown => panic!("nobody can {unknown}"),
        }
        Value::Null
    }
}

async fn walk(order: &str, seed: u64) {
    let scene = Scene::open(seed).await;
    let (asking, mut wishes) = mpsc::channel(1);
    let (helper, _serving) = serve(asking).await;
    let album = Album::new(&format!("walk-{order}"));
    let given = json!({
        "shop": format!("{}/shop?buyer=mia", scene.stall.market.url()),
        "console": format!("{}/console", scene.worker.internal_url()),
        "helper": helper, "operatorToken": OPERATOR, "product": "search", "order": order,
        "company": "Example Buyer", "contact": "Mia", "email": "mia@example.com",
    });
    let mut walking = pin!(browse("walk.mjs", &given, album.path(), LIMIT));
    let report = loop {
        tokio::select! {
            report = &mut walking => break report,
            Some((wish, answer)) = wishes.recv() => {
                // A script that has ended waits for no answer.
                let _ended = answer.send(scene.fulfil(&wish).await);
            }
        }
    };
    report.expect_good();
    assert_eq!((&report.data["used"], &report.data["billed"]), (&json!("full"), &json!(8)));
    assert_eq!(scene.access().await, "none", "who has left uses nothing");
}

#[tokio::test]
async fn a_buyer_goes_from_the_shop_to_the_end_when_the_notification_comes_first() {
    walk("message-first", 41).await;
}

#[tokio::test]
async fn a_buyer_goes_from_the_shop_to_the_end_when_the_redirect_comes_first() {
    walk("redirect-first", 42).await;
}
