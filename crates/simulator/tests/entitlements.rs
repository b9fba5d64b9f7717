//! What buyers are entitled to, through AWS' own SDK.
#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared fails")]

use aws_sdk_marketplaceentitlement::Client;
use aws_sdk_marketplaceentitlement::config::retry::RetryConfig;
use aws_sdk_marketplaceentitlement::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_marketplaceentitlement::error::ProvideErrorMetadata;
use aws_sdk_marketplaceentitlement::operation::get_entitlements::builders::GetEntitlementsFluentBuilder;
use aws_sdk_marketplaceentitlement::types::{Entitlement, GetEntitlementFilterName as Filter};
use stallkeeper_simulator::{
    Act, Change, EntitlementFaultSettings, Entry, Feed, Pricing, Product, Simulator, SimulatorConfig, Whose,
};

struct World {
    simulator: Simulator,
    client: Client,
}

fn client(url: &str, region: &'static str) -> Client {
    let config = aws_sdk_marketplaceentitlement::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static(region))
        .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .endpoint_url(url)
        .build();
    Client::from_conf(config)
}

impl World {
    async fn new() -> Self {
        let quantities = [("seats", 10), ("storage", 500)];
        let products = vec![
            Product::new("search", "simsearch", Feed::Sns, Pricing::Subscription),
            Product::new("plan", "simplan", Feed::Sns, Pricing::Contract).with_entitlements(&quantities),
            Product::new("store", "simstore", Feed::EventBridge, Pricing::Contract),
        ];
        let simulator =
            Simulator::start(SimulatorConfig { products, ..SimulatorConfig::default() }).await.unwrap();
        let client = client(simulator.url(), "us-east-1");
        Self { simulator, client }
    }

    async fn act(&self, act: Act) -> Entry {
        self.simulator.market().act(&act).await.unwrap().subscription
    }

    fn ask(&self, code: &str) -> GetEntitlementsFluentBuilder {
        self.client.get_entitlements().product_code(code)
    }

    async fn of(&self, entry: &Entry) -> Vec<Entitlement> {
        let (name, id) = match (&entry.customer_id, &entry.license_arn) {
            (Some(id), _) => (Filter::CustomerIdentifier, id),
            (None, arn) => (Filter::LicenseArn, arn.as_ref().unwrap()),
        };
        let answer = self.ask(&entry.code).filter(name, vec![id.clone()]).send().await.unwrap();
        assert_eq!(answer.next_token(), None);
        answer.entitlements().to_vec()
    }

    async fn refusal(&self, ask: GetEntitlementsFluentBuilder) -> String {
        ask.send().await.unwrap_err().code().unwrap().to_owned()
    }
}

fn quantities(entitlements: &[Entitlement]) -> Vec<(&str, i32)> {
    entitlements
        .iter()
        .map(|one| (one.dimension().unwrap(), one.value().unwrap().integer_value().unwrap()))
        .collect()
}

#[tokio::test]
async fn a_customers_contract_tells_its_quantities_and_its_renewal() {
    let world = World::new().await;
    let ada = world.act(Act::subscribe("ada", "plan")).await;
    world.act(Act::subscribe("eve", "plan")).await;
    let told = world.of(&ada).await;
    assert_eq!(quantities(&told), [("seats", 10), ("storage", 500)]);
    assert_eq!(told[0].customer_identifier(), ada.customer_id.as_deref());
    assert_eq!((told[0].product_code(), told[0].license_arn()), (Some("simplan"), None));
    let bought = ada.periods[0].from.unix_timestamp();
    assert_eq!(told[0].expiration_date().unwrap().secs(), bought + 365 * 86_400);
}

#[tokio::test]
async fn a_license_tells_its_own() {
    let world = World::new().await;
    let ada = world.act(Act::subscribe("ada", "store")).await;
    world.act(Act::subscribe("ada", "store")).await;
    let told = world.of(&ada).await;
    assert_eq!(quantities(&told), [("seats", 10)]);
    assert_eq!(told[0].license_arn(), ada.license_arn.as_deref());
}

#[tokio::test]
async fn changed_quantities_are_told_at_once() {
    let world = World::new().await;
    let ada = world.act(Act::subscribe("ada", "plan")).await;
    let change = || Change::from(Whose::only("ada", "plan"));
    world.act(Act::ChangeEntitlements(change().into_quantities(&[("seats", 3)]))).await;
    assert_eq!(quantities(&world.of(&ada).await), [("seats", 3)]);
    world.act(Act::ChangeEntitlements(change())).await;
    assert_eq!(quantities(&world.of(&ada).await), [("seats", 4)]);
}

#[tokio::test]
async fn nothing_is_told_of_what_ends_or_is_paid_by_use() {
    let world = World::new().await;
    let ada = world.act(Act::subscribe("ada", "plan")).await;
    world.act(Act::Unsubscribe(Whose::only("ada", "plan"))).await;
    assert_eq!(world.of(&ada).await, []);
    let search = world.act(Act::subscribe("ada", "search")).await;
    assert_eq!(world.of(&search).await, []);
}

#[tokio::test]
async fn a_page_may_be_empty_and_have_another_behind_it() {
    let world = World::new().await;
    world.act(Act::subscribe("ada", "plan")).await;
    let storage =
        || world.ask("simplan").filter(Filter::Dimension, vec!["storage".to_owned()]).max_results(1);
    let first = storage().send().await.unwrap();
    assert_eq!(first.entitlements(), []);
    let second = storage().next_token(first.next_token().unwrap()).send().await.unwrap();
    assert_eq!(quantities(second.entitlements()), [("storage", 500)]);
    assert_eq!(second.next_token(), None);
}

#[tokio::test]
async fn what_the_api_does_not_take_is_an_invalid_parameter() {
    let world = World::new().await;
    let both = world
        .ask("simplan")
        .filter(Filter::CustomerIdentifier, vec!["a".to_owned()])
        .filter(Filter::CustomerAwsAccountId, vec!["1".to_owned()]);
    let strange = world.ask("simplan").filter(Filter::from("COLOUR"), vec!["red".to_owned()]);
    for ask in [
        both,
        strange,
        world.ask("simplan").max_results(26),
        world.ask("simplan").max_results(0),
        world.ask("simplan").next_token("x"),
        world.ask(""),
    ] {
        assert_eq!(world.refusal(ask).await, "InvalidParameterException");
    }
}

#[tokio::test]
async fn another_region_tells_nothing() {
    let world = World::new().await;
    let elsewhere = client(world.simulator.url(), "eu-west-1");
    let code = world.refusal(elsewhere.get_entitlements().product_code("simplan")).await;
    assert_eq!(code, "UnrecognizedClientException");
}

#[tokio::test]
async fn calls_fail_as_the_faults_have_it() {
    let world = World::new().await;
    let set = |error, throttle| {
        let settings = EntitlementFaultSettings { error, throttle, drop_answer: 0.0 };
        world.simulator.faults().set_entitlement(Some(settings)).unwrap();
    };
    set(1.0, 0.0);
    assert_eq!(world.refusal(world.ask("simplan")).await, "InternalServiceErrorException");
    set(0.0, 1.0);
    assert_eq!(world.refusal(world.ask("simplan")).await, "ThrottlingException");
    world.simulator.faults().set_entitlement(None).unwrap();
    assert!(world.ask("simplan").send().await.is_ok());
}

#[tokio::test]
async fn whoever_buys_a_contract_is_told_of_twice() {
    let world = World::new().await;
    world.act(Act::subscribe("ada", "plan")).await;
    let said = world.simulator.market().notifications(0, 10);
    let what: Vec<&str> = said.iter().map(|notification| notification.what).collect();
    assert_eq!(what, ["subscribe-success", "entitlement-updated"]);
}
