//! The app of `docs/app.py`, which has no other way to Stallkeeper than a seller's.
#![expect(clippy::unwrap_used, reason = "a broken set-up fails the test")]

use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use stallkeeper_tests::{App as Seller, Database, Market, MeteredStall, Visitor, environment, eventually};
use xtask::postgres::free_port;

const PATIENCE: Duration = Duration::from_mins(1);
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The app; killed when dropped.
struct App {
    process: Child,
    url: String,
}

impl App {
    fn start(port: u16, stallkeeper: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/app.py");
        let mut command = Command::new("setpriv");
        command.arg("--pdeathsig=KILL").arg(environment("STALLKEEPER_TEST_PYTHON")).arg(script);
        command.arg(port.to_string()).env("STALLKEEPER_URL", stallkeeper);
        command.env("STALLKEEPER_TOKEN", MeteredStall::TOKEN).env("STALLKEEPER_SECRET", SECRET);
        Self { process: command.spawn().unwrap(), url: format!("http://127.0.0.1:{port}") }
    }

    /// What a user of a tenant is answered who wants the app to work; nothing while it does not listen.
    async fn works_for(&self, tenant: &str) -> Option<u16> {
        let answer = reqwest::get(format!("{}/{tenant}", self.url)).await.ok()?;
        Some(answer.status().as_u16())
    }
}

impl Drop for App {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn an_app_of_a_few_lines_lets_a_buyer_in_works_for_him_and_settles_him_when_he_leaves() {
    // By the present time, as the app has no other.
    let stall = MeteredStall { market: Market::start(31) };
    let database = Database::sqlite();
    let port = free_port().unwrap();
    let scopes = "usage:write,entitlements:read,registrations:read,registrations:write";
    let installation = stall
        .installation(&database)
        .variable("STALLKEEPER_API_TOKEN_0_SCOPES", scopes)
        .variable("STALLKEEPER_PRODUCT_0_USAGE_SOURCES", "app")
        .variable("STALLKEEPER_PRODUCT_0_DIMENSION_0_NAME", "requests")
        .variable("STALLKEEPER_WEBHOOK_0_NAME", "app")
        .variable("STALLKEEPER_WEBHOOK_0_URL", &format!("http://127.0.0.1:{port}/"))
        .variable("STALLKEEPER_WEBHOOK_0_SECRETS", SECRET)
        .variable("STALLKEEPER_WEBHOOK_0_ALLOW_PRIVATE", "true");
    let worker = installation.start_ready().await;
    let app = App::start(port, &worker.internal_url());
    let mut visitor = Visitor::new(&worker);
    visitor.register("aws", &stall.market.token("mia", "search").await).await;
    assert_eq!(visitor.submit("Example Buyer", "Mia", "mia@example.com").await.status, 303);
    let pending =
        Seller::new(Some(MeteredStall::TOKEN)).get(&worker, "/v1/registrations?state=pending").await.ok();
    let tenant = pending["registrations"][0]["id"].as_str().unwrap().to_owned();
    eventually("the app listens", PATIENCE, async || app.works_for(&tenant).await.is_some()).await;
    assert_eq!(app.works_for(&tenant).await, Some(403), "he has not bought yet");
    stall.market.act("subscribe", "mia", "search").await;
    eventually("the app works for him", PATIENCE, async || app.works_for(&tenant).await == Some(200)).await;
    assert_eq!(visitor.stage().await, "active");
    assert_eq!(app.works_for(&tenant).await, Some(200));
    stall.market.act("unsubscribe", "mia", "search").await;
    let billed = async || stall.market.bill().await.iter().map(|entry| entry.quantity).sum::<i64>();
    eventually("both requests are on his bill", PATIENCE, async || billed().await == 2).await;
    assert_eq!(app.works_for(&tenant).await, Some(403), "no new work for who leaves");
}
