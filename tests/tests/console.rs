//! The operators' console of the built binary.
#![expect(clippy::unwrap_used, reason = "a broken set-up fails the test")]

use std::time::Duration;

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use serde_json::Value;
use stallkeeper_tests::{Database, Installation, MeteredStall, Worker, eventually};

const PATIENCE: Duration = Duration::from_secs(40);
const TOKEN: &str = "the-token-of-an-operator-0001";

/// A browser that somebody has signed in with.
struct Browser {
    http: Client,
    url: String,
    cookie: String,
}

impl Browser {
    async fn sign_in(worker: &Worker) -> Self {
        let http = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        let url = worker.internal_url();
        let form = http.post(format!("{url}/console/sign-in")).body(format!("token={TOKEN}"));
        let answer = form.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let cookie = answer.headers().get(SET_COOKIE).unwrap().to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        Self { http, url, cookie }
    }

    async fn page(&self, path: &str) -> String {
        let call = self.http.get(format!("{}{path}", self.url)).header(COOKIE, &self.cookie);
        let answer = call.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.text().await.unwrap()
    }

    /// Sends a form of a page; answers where it leads.
    async fn act(&self, page: &str, act: &str, fields: &str) -> String {
        let html = self.page(page).await;
        let csrf = html.split_once("name=\"csrf\" value=\"").unwrap().1;
        let csrf = csrf.split('"').next().unwrap();
        let call = self.http.post(format!("{}/console/acts/{act}", self.url)).header(COOKIE, &self.cookie);
        let call = call.header("content-type", "application/x-www-form-urlencoded");
        let answer = call.body(format!("{fields}&csrf={csrf}")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        answer.headers().get(LOCATION).unwrap().to_str().unwrap().to_owned()
    }
}

fn installation(stall: &MeteredStall, database: &Database) -> Installation {
    let installation = stall.installation(database).variable("STALLKEEPER_OPERATOR_0_NAME", "mia");
    installation.variable("STALLKEEPER_OPERATOR_0_TOKEN", TOKEN)
}

#[tokio::test]
async fn an_operator_sees_a_buyer_rebinds_him_and_finds_the_act_in_the_history() {
    let (stall, database) = (MeteredStall::open(11).await, Database::sqlite());
    let installation = installation(&stall, &database);
    let worker = installation.start_ready().await;
    let ada = stall.admit(&installation, &database, "ada", "search").await;
    stall.market.act("unsubscribe", "ada", "search").await;
    eventually("ada is leaving", PATIENCE, async || {
        database.count("subscriptions WHERE word = 'ending'").await == 1
    })
    .await;

    let browser = Browser::sign_in(&worker).await;
    let overview = browser.page("/console").await;
    assert!(overview.contains("data-left=") && overview.contains("tenant <bdi>ada</bdi>"), "{overview}");

    let key = ada.key.replace('/', "%2F");
    let page = format!("/console/subscription?key={key}");
    let back = browser.act(&page, "bind", &format!("key={key}&tenant=borealis&user=")).await;
    assert_eq!(back, page);
    let seen = browser.page(&back).await;
    assert!(seen.contains("Done: it is bound to the tenant borealis now"), "{seen}");
    assert!(seen.contains("by <bdi>mia</bdi>"), "{seen}");

    let shown = installation.run(&["subscriptions", "show", &ada.key, "--json"]).stdout;
    let story: Value = serde_json::from_str(&shown).unwrap();
    let last = story["history"].as_array().and_then(|lines| lines.last()).unwrap();
    assert_eq!((&last["what"], &last["actor"]), (&"bound".into(), &"operator:mia".into()));
    // What the console holds of the commit keeps no worker from stopping.
    assert!(worker.stop().await.success());
}

#[tokio::test]
async fn without_an_operator_the_console_only_says_how_to_name_one() {
    let (stall, database) = (MeteredStall::open(12).await, Database::sqlite());
    let worker = stall.installation(&database).start_ready().await;
    let mut page = String::new();
    // Ready is said a moment before the routes are open.
    eventually("the console answers", PATIENCE, async || match worker.get("/console").await {
        Some((403, body)) => {
            page = body;
            true
        }
        _ => false,
    })
    .await;
    assert!(page.contains("[[operator]]"), "{page}");
}
