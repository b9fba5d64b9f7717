//! Every page in a real browser, at two widths, in light and dark: nothing on it is hard to use.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a broken set-up fails the test")]

use std::time::Duration;

use serde_json::{Value, json};
use stallkeeper_tests::{
    Album, Buyer, Database, Installation, Market, MeteredStall, Worker, browse, eventually,
};
use xtask::postgres::free_port;

const LIMIT: Duration = Duration::from_mins(4);
const PATIENCE: Duration = Duration::from_mins(1);
const MINUTE: Duration = Duration::from_mins(1);
const OPENED_AT: &str = "2027-03-04T10:10:00Z";
const OPERATOR: &str = "the-token-of-an-operator-0001";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A stall at work: somebody who pays, somebody who leaves, somebody who has left, and something of all that waits
/// for an operator.
struct Scene {
    stall: MeteredStall,
    database: Database,
    installation: Installation,
    worker: Worker,
}

impl Scene {
    async fn open() -> Self {
        let port = free_port().unwrap();
        let page = format!("http://127.0.0.1:{port}/register/aws");
        let market = Market::start_with(51, &["--fulfilment-url", &page]);
        market.set_clock(OPENED_AT).await;
        let (stall, database) = (MeteredStall { market }, Database::sqlite());
        let nobody = format!("http://127.0.0.1:{}/", free_port().unwrap());
        let installation = stall
            .installation(&database)
            .variable("STALLKEEPER_OPERATOR_0_NAME", "mia")
            .variable("STALLKEEPER_OPERATOR_0_TOKEN", OPERATOR)
            .variable("STALLKEEPER_PRODUCT_0_NAME", "Example Search")
            .variable("STALLKEEPER_REGISTRATION_SELLER_NAME", "Example Ltd")
            .variable("STALLKEEPER_REGISTRATION_SUPPORT", "help@example.com")
            .variable("STALLKEEPER_WEBHOOK_0_NAME", "app")
            .variable("STALLKEEPER_WEBHOOK_0_URL", &nobody)
            .variable("STALLKEEPER_WEBHOOK_0_SECRETS", SECRET)
            .variable("STALLKEEPER_WEBHOOK_0_ALLOW_PRIVATE", "true")
            .with_public_port(port);
        let worker = installation.start_ready().await;
        Self { stall, database, installation, worker }
    }

    async fn fill(&self) -> Buyer {
        let Self { stall, database, installation, .. } = self;
        let ada = stall.admit(installation, database, "ada", "search").await;
        let cleo = stall.admit(installation, database, "cleo", "vault").await;
        self.report(&ada, "in time", "hits", "12").await;
        self.report(&ada, "as well", "gigabytes", "2.5").await;
        self.leave(&cleo).await;
        stall.market.advance(71 * MINUTE).await;
        self.wait_for("cleo has left", "subscriptions WHERE word = 'ended'").await;
        let late = |buyer: &Buyer| buyer.event("too late", "hits", "4", "2027-03-04T10:30:00Z");
        let answer = stall.app().report(&self.worker, &[late(&ada), late(&cleo)]).await;
        assert_eq!(answer.statuses(), ["held", "lost"], "{answer:?}");
        let bob = stall.admit(installation, database, "bob", "search").await;
        self.report(&bob, "bob's", "hits", "7").await;
        self.leave(&bob).await;
        self.send_rubbish().await;
        stall.market.act("subscribe", "eve", "search").await;
        stall.market.act("fail-payment", "dora", "search").await;
        self.wait_for("dora's payment failed", "subscriptions WHERE word = 'failed'").await;
        ada
    }

    async fn report(&self, buyer: &Buyer, id: &str, dimension: &str, quantity: &str) {
        let now = self.stall.market.now().await;
        self.stall.app().report_all(&self.worker, &[buyer.event(id, dimension, quantity, &now)]).await;
    }

    async fn leave(&self, buyer: &Buyer) {
        self.stall.market.act("unsubscribe", &buyer.name, &buyer.product).await;
        self.wait_for(&format!("{} leaves", buyer.name), "subscriptions WHERE word = 'ending'").await;
    }

    async fn wait_for(&self, what: &str, rows: &str) {
        eventually(what, PATIENCE, async || self.database.count(rows).await >= 1).await;
    }

    /// Puts something into the queue that no marketplace says.
    async fn send_rubbish(&self) {
        let told = self.sqs("GetQueueUrl", json!({ "QueueName": "stallkeeper" })).await;
        let message =
            json!({ "QueueUrl": told["QueueUrl"], "MessageBody": "<script>alert('nobody')</script>" });
        self.sqs("SendMessage", message).await;
        self.wait_for("it is in quarantine", "quarantine").await;
    }

    async fn sqs(&self, call: &str, body: Value) -> Value {
        let request = reqwest::Client::new()
            .post(self.stall.market.url())
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("AmazonSQS.{call}"));
        let answer = request.body(body.to_string()).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{call} is answered with {status}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    async fn visit(&self, name: &str, given: Value) -> Vec<String> {
        let album = Album::new(name);
        let report = browse("tour.mjs", &given, album.path(), LIMIT).await;
        report.expect_good();
        serde_json::from_value(report.data).unwrap()
    }

    /// Pages that buyers see: where the marketplace's form is sent, with a token, and what they are told there.
    async fn buyers(&self, colors: &str, locale: &str) -> Vec<String> {
        let market = &self.stall.market;
        let post = |name: &str, marketplace: &str, token: &str| {
            let url = format!("{}/register/{marketplace}", self.worker.public_url());
            json!({ "name": name, "url": url, "post": ["x-amzn-marketplace-token", token] })
        };
        let pages = [
            post("a registration", "aws", &market.token("eve", "search").await),
            post("a registration that is done", "aws", &market.token("ada", "search").await),
            post("a payment that failed", "aws", &market.token("dora", "search").await),
            post("a subscription that ends", "aws", &market.token("bob", "search").await),
            post("a forged token", "aws", "forged"),
            post("a marketplace that is not", "nowhere", "none"),
            json!({ "name": "no token", "url": format!("{}/register/aws", self.worker.public_url()) }),
            json!({ "name": "no page", "url": format!("{}/nowhere", self.worker.public_url()) }),
        ];
        let given = json!({ "colors": colors, "locale": locale, "pages": pages });
        self.visit(&format!("buyers-{colors}"), given).await
    }

    /// Every page of the console.
    async fn console(&self, colors: &str, whose: &str) -> Vec<String> {
        let url = format!("{}/console", self.worker.internal_url());
        let held = self.installation.run(&["quarantine", "list", "--json"]).json();
        let hash = held["messages"][0]["hash"].as_str().unwrap();
        let key = whose.replace('/', "%2F");
        let pages = [
            ("overview", String::new()),
            ("subscriptions", "/subscriptions".to_owned()),
            ("a search", "/subscriptions?q=ada".to_owned()),
            ("a subscription", format!("/subscription?key={key}")),
            ("held usage", "/held".to_owned()),
            ("losses", "/losses".to_owned()),
            ("metering", "/metering".to_owned()),
            ("quarantine", "/quarantine".to_owned()),
            ("a message", format!("/quarantine/message?marketplace=aws&hash={hash}")),
            ("jobs", "/jobs".to_owned()),
            ("webhooks", "/webhooks".to_owned()),
            ("no page", "/nowhere".to_owned()),
        ];
        let pages = pages.map(|(name, path)| json!({ "name": name, "url": format!("{url}{path}") }));
        let sign_in = json!({ "url": url, "token": OPERATOR });
        self.visit(
            &format!("console-{colors}"),
            json!({ "signIn": sign_in, "colors": colors, "pages": pages }),
        )
        .await
    }

    async fn shop(&self, colors: &str) -> Vec<String> {
        let shop = |buyer: &str| format!("{}/shop?buyer={buyer}", self.stall.market.url());
        let pages = ["ada", "bob", "nobody"].map(|buyer| json!({ "name": buyer, "url": shop(buyer) }));
        self.visit(&format!("shop-{colors}"), json!({ "colors": colors, "pages": pages })).await
    }
}

#[tokio::test]
async fn no_page_is_hard_to_use() {
    let scene = Scene::open().await;
    let ada = scene.fill().await;
    for (colors, locale) in [("light", "en"), ("dark", "zh-CN")] {
        scene.shop(colors).await;
        let headings = scene.console(colors, &ada.key).await;
        assert_eq!(headings[0].to_lowercase(), "overview");
        let headings = scene.buyers(colors, locale).await;
        let expected = if locale == "en" { "Set up Example Search" } else { "开通 Example Search" };
        assert_eq!(headings[0], expected);
    }
}
