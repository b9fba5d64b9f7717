//! The shop, as a browser sees it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use reqwest::StatusCode;
use reqwest::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, LOCATION, ORIGIN};
use reqwest::redirect::Policy;
use stallkeeper_simulator::{
    Act, Feed, MeteringCall, MeteringRecord, Pricing, Product, Resolution, Simulator, SimulatorConfig,
    Standing,
};

const SELLER: &str = "http://127.0.0.1:9999/register/aws";

struct Shop {
    simulator: Simulator,
    browser: reqwest::Client,
}

struct Answer {
    status: StatusCode,
    location: String,
    policy: String,
    text: String,
}

impl Shop {
    async fn open() -> Self {
        let products = vec![
            Product::new("search", "simsearch", Feed::Sns, Pricing::Subscription).with_fulfilment_url(SELLER),
            Product::new("plan", "simplan", Feed::Sns, Pricing::Contract),
            Product::new("vault", "simvault", Feed::EventBridge, Pricing::Subscription)
                .with_fulfilment_url(SELLER),
        ];
        let config = SimulatorConfig { products, ..SimulatorConfig::default() };
        let simulator = Simulator::start(config).await.unwrap();
        let browser = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
        Self { simulator, browser }
    }

    async fn get(&self, path: &str) -> Answer {
        read(self.browser.get(format!("{}{path}", self.simulator.url()))).await
    }

    /// Posts a form as one of the shop's own pages does.
    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let url = format!("{}{path}", self.simulator.url());
        let request = self.browser.post(url).header(ORIGIN, self.simulator.url());
        read(encoded(request, form)).await
    }

    async fn act(&self, act: &str, product: &str) -> Answer {
        self.post("/shop/act", &[("act", act), ("buyer", "ada"), ("product", product)]).await
    }

    fn standing(&self) -> Standing {
        self.simulator.market().books_of("ada").first().unwrap().standing
    }
}

fn encoded(request: reqwest::RequestBuilder, form: &[(&str, &str)]) -> reqwest::RequestBuilder {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)
}

async fn read(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let header = |name| response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let (location, policy) = (header(LOCATION), header(CONTENT_SECURITY_POLICY));
    Answer { status: response.status(), location, policy, text: response.text().await.unwrap() }
}

#[tokio::test]
async fn the_address_of_the_simulator_leads_into_the_shop_which_lists_what_is_sold() {
    let shop = Shop::open().await;
    assert_eq!(shop.get("/").await.location, "/shop");
    let page = shop.get("/shop").await;
    assert_eq!(page.status, StatusCode::OK);
    for product in ["search", "plan", "vault"] {
        assert!(page.text.contains(&format!("aria-label=\"Subscribe to {product}\"")), "{}", page.text);
    }
}

#[tokio::test]
async fn a_buyer_subscribes_and_leaves_by_buttons_and_sees_where_he_stands() {
    let shop = Shop::open().await;
    let bought = shop.act("subscribe", "search").await;
    assert_eq!((bought.status, bought.location.as_str()), (StatusCode::SEE_OTHER, "/shop?buyer=ada"));
    assert_eq!(shop.standing(), Standing::Subscribed);
    assert!(shop.get("/shop?buyer=ada").await.text.contains("subscribe-success"));
    shop.act("unsubscribe", "search").await;
    assert!(shop.get("/shop?buyer=ada").await.text.contains("last records until"));
    shop.post("/shop/clock", &[("buyer", "ada"), ("advance_secs", "3600")]).await;
    assert!(shop.get("/shop?buyer=ada").await.text.contains("unsubscribe-success"));
    assert!(!shop.get("/shop?buyer=eve").await.text.contains("You are <bdi>ada"));
}

#[tokio::test]
async fn what_cannot_happen_is_said_with_what_can() {
    let shop = Shop::open().await;
    shop.act("subscribe", "search").await;
    let refused = shop.act("subscribe", "search").await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.text.contains("amend, unsubscribe"), "{}", refused.text);
    assert_eq!(shop.act("fly", "search").await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn setting_up_an_account_posts_a_fresh_token_to_the_seller_and_nowhere_else() {
    let shop = Shop::open().await;
    let ada = shop.simulator.market().act(&Act::subscribe("ada", "vault")).await.unwrap().subscription;
    let form = [("buyer", "ada"), ("product", "vault"), ("subscription", &*ada.id)];
    let page = shop.post("/shop/set-up", &form).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains(&format!("method=\"post\" action=\"{SELLER}\"")), "{}", page.text);
    assert!(page.policy.contains("form-action 'self' http://127.0.0.1:9999;"), "{}", page.policy);
    let (_, behind) = page.text.split_once("name=\"x-amzn-marketplace-token\" value=\"").unwrap();
    let (token, _) = behind.split_once('"').unwrap();
    let now = shop.simulator.clock().now();
    let resolved = shop.simulator.tokens().resolve(&token.replace("&#43;", "+"), now);
    assert!(
        matches!(&resolved, Resolution::Resolved(who) if who.license_arn == ada.license_arn),
        "{resolved:?}"
    );
    assert!(!shop.post("/shop/set-up", &form).await.text.contains(token));
}

#[tokio::test]
async fn a_product_without_a_seller_s_page_sends_nobody_anywhere() {
    let shop = Shop::open().await;
    shop.act("subscribe", "plan").await;
    let page = shop.get("/shop?buyer=ada").await.text;
    assert!(page.contains("nowhere to set up an account") && !page.contains("/shop/set-up"), "{page}");
    let refused = shop.post("/shop/set-up", &[("buyer", "ada"), ("product", "plan")]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn faults_are_switched_on_and_off() {
    let shop = Shop::open().await;
    let on = [("buyer", "ada"), ("duplicate", "on"), ("lost", "on"), ("expired", "on")];
    assert_eq!(shop.post("/shop/faults", &on).await.status, StatusCode::SEE_OTHER);
    let settings = shop.simulator.faults().settings();
    assert!(settings.duplicate > 0.0 && settings.lose.contains_key("unsubscribe-success"), "{settings:?}");
    assert!(shop.simulator.faults().registration_settings().expired > 0.0);
    assert!(shop.get("/shop").await.text.contains("name=\"duplicate\" value=\"on\" checked"));
    shop.post("/shop/faults", &[("buyer", "ada")]).await;
    assert!(shop.simulator.faults().settings().duplicate < f64::EPSILON);
    assert!(shop.simulator.faults().registration_settings().expired < f64::EPSILON);
}

#[tokio::test]
async fn a_buyer_sees_what_would_be_billed() {
    let shop = Shop::open().await;
    let ada = shop.simulator.market().act(&Act::subscribe("ada", "search")).await.unwrap().subscription;
    let from = ada.periods.first().unwrap().from;
    let records = vec![MeteringRecord::of_customer(&ada.customer_id.unwrap(), "hits", from, 4711)];
    let call =
        MeteringCall { region: "us-east-1".to_owned(), product_code: Some("simsearch".to_owned()), records };
    shop.simulator.metering().batch(&call).unwrap();
    assert!(shop.get("/shop?buyer=ada").await.text.contains("4711"));
    assert!(!shop.get("/shop?buyer=eve").await.text.contains("4711"));
}

#[tokio::test]
async fn a_name_is_written_as_text_whatever_it_says() {
    let shop = Shop::open().await;
    let page = shop.get("/shop?buyer=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").await;
    assert!(!page.text.contains("<script>alert"), "{}", page.text);
}

#[tokio::test]
async fn pages_of_other_sites_do_nothing_here() {
    let shop = Shop::open().await;
    let form = [("act", "subscribe"), ("buyer", "ada"), ("product", "search")];
    let url = format!("{}/shop/act", shop.simulator.url());
    let foreign = encoded(shop.browser.post(&url).header(ORIGIN, "http://evil.example"), &form);
    assert_eq!(read(foreign).await.status, StatusCode::FORBIDDEN);
    let rebound = encoded(shop.browser.post(&url).header(HOST, "evil.example"), &form);
    assert_eq!(read(rebound).await.status, StatusCode::FORBIDDEN);
    assert!(shop.simulator.market().books_of("ada").is_empty());
}
