//! What `GetEntitlements` answers, and what it becomes.
#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared fails")]

#[expect(dead_code, reason = "the answers of other services are for other tests")]
mod fake_service;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use fake_service::{Answer, FakeService};
use minicbor::Encoder;
use minicbor::data::IanaTag;
use stallkeeper_aws::{Account, CredentialsSource, Endpoints, EntitlementClient};
use stallkeeper_contract::{AskError, EntitlementsApi as _, Question, Whose};
use stallkeeper_lifecycle::{Entitlement, Timestamp};

type Body = Encoder<Vec<u8>>;

fn customer() -> Question {
    Question { product: "prod-1".parse().unwrap(), whose: Whose::Customer("C1".parse().unwrap()) }
}

/// What the service's answers come to, and all that was sent.
async fn ask(question: Question, answers: Vec<Answer>) -> (Result<Vec<Entitlement>, AskError>, Vec<String>) {
    let service = FakeService::start(answers);
    let account = Account {
        region: "eu-central-1".to_owned(),
        credentials: CredentialsSource::StandardChain,
        endpoints: Endpoints { entitlement: Some(service.url.clone()), ..Endpoints::default() },
    };
    let keys = Credentials::new("id", "secret", None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(keys))
        .build();
    let result = EntitlementClient::new(&config, &account).ask(&question).await;
    (result, service.requests())
}

async fn answered(answers: Vec<Answer>) -> Result<Vec<Entitlement>, AskError> {
    ask(customer(), answers).await.0
}

/// A dimension, and what writes its value.
type Named = (&'static str, fn(&mut Body));

/// A page with a value for each dimension, and what leads to the next.
fn page(values: &[Named], next: Option<&str>) -> Answer {
    let mut body = Encoder::new(Vec::new());
    body.map(1 + u64::from(next.is_some())).unwrap();
    body.str("Entitlements").unwrap().array(values.len() as u64).unwrap();
    for (dimension, value) in values {
        body.map(3).unwrap().str("Dimension").unwrap().str(dimension).unwrap();
        body.str("ExpirationDate").unwrap().tag(IanaTag::Timestamp).unwrap().f64(1_800_000_000.5).unwrap();
        body.str("Value").unwrap();
        value(&mut body);
    }
    if let Some(next) = next {
        body.str("NextToken").unwrap().str(next).unwrap();
    }
    Answer::cbor(200, body.into_writer())
}

fn error(status: u16, code: &str) -> Answer {
    let mut body = Encoder::new(Vec::new());
    body.map(2).unwrap().str("__type").unwrap();
    body.str(&format!("com.amazonaws.marketplaceentitlement#{code}")).unwrap();
    body.str("message").unwrap().str("no").unwrap();
    Answer::cbor(status, body.into_writer())
}

fn whole(body: &mut Body) {
    body.map(1).unwrap().str("IntegerValue").unwrap().i32(25).unwrap();
}

fn number(body: &mut Body) {
    body.map(1).unwrap().str("DoubleValue").unwrap().f64(2.5).unwrap();
}

fn truth(body: &mut Body) {
    body.map(1).unwrap().str("BooleanValue").unwrap().bool(true).unwrap();
}

fn words(body: &mut Body) {
    body.map(1).unwrap().str("StringValue").unwrap().str("gold").unwrap();
}

fn nothing(body: &mut Body) {
    body.map(0).unwrap();
}

fn two_kinds(body: &mut Body) {
    body.map(2).unwrap().str("IntegerValue").unwrap().i32(1).unwrap();
    body.str("BooleanValue").unwrap().bool(true).unwrap();
}

#[tokio::test]
async fn a_value_of_each_kind_is_taken_with_its_date() {
    let values: &[Named] = &[("seats", whole), ("share", number), ("support", truth), ("tier", words)];
    let told = answered(vec![page(values, None)]).await.unwrap();
    let told: Vec<_> = told.iter().map(|one| (one.dimension.as_str(), one.value.as_str())).collect();
    assert_eq!(told, [("seats", "25"), ("share", "2.5"), ("support", "true"), ("tier", "gold")]);
    let told = answered(vec![page(&[("seats", whole)], None)]).await.unwrap();
    let date = told.first().unwrap().expires_at;
    assert_eq!(date, Some(Timestamp::from_micros(1_800_000_000_500_000)));
}

#[tokio::test]
async fn all_pages_are_one_answer_also_behind_an_empty_one() {
    let answers =
        vec![page(&[], Some("a")), page(&[("seats", whole)], Some("b")), page(&[("tier", words)], None)];
    let (told, requests) = ask(customer(), answers).await;
    assert_eq!(told.unwrap().len(), 2);
    assert_eq!(requests.len(), 3);
}

#[tokio::test]
async fn the_end_of_a_contract_is_an_empty_answer() {
    assert_eq!(answered(vec![page(&[], None)]).await.unwrap(), []);
}

#[tokio::test]
async fn an_error_on_any_page_is_no_answer() {
    let told =
        answered(vec![page(&[("seats", whole)], Some("a")), error(500, "InternalServiceErrorException")]);
    assert!(matches!(told.await, Err(AskError::Unavailable(_))));
}

#[tokio::test]
async fn each_error_says_whether_to_try_again() {
    for (status, code) in [
        (400, "ThrottlingException"),
        (500, "InternalServiceErrorException"),
        // A person mends these, and nothing has to be asked for again then.
        (400, "AccessDeniedException"),
        (400, "ExpiredTokenException"),
    ] {
        let told = answered(vec![error(status, code)]).await;
        assert!(matches!(told, Err(AskError::Unavailable(_))), "{code}: {told:?}");
    }
    let told = answered(vec![error(400, "InvalidParameterException")]).await;
    assert!(matches!(told, Err(AskError::Refused(_))), "{told:?}");
}

#[tokio::test]
async fn an_answer_that_is_lost_is_none() {
    let told = answered(vec![Answer::lost()]).await;
    assert!(matches!(told, Err(AskError::Unavailable(_))), "{told:?}");
}

#[tokio::test]
async fn a_value_of_no_kind_or_of_two_is_no_answer() {
    for value in [nothing as fn(&mut Body), two_kinds] {
        let told = answered(vec![page(&[("seats", value)], None)]).await;
        assert!(matches!(&told, Err(AskError::Refused(words)) if words.contains("Value")), "{told:?}");
    }
}

#[tokio::test]
async fn a_page_that_leads_to_itself_is_no_answer() {
    let told = answered(vec![page(&[], Some("a")), page(&[], Some("a"))]).await;
    assert!(matches!(&told, Err(AskError::Refused(words)) if words.contains("NextToken")), "{told:?}");
}

#[tokio::test]
async fn each_holder_is_asked_for_by_its_own_filter_in_the_services_region() {
    let arn = "arn:aws:license-manager::294406891311:license:l-1";
    let license = Question { whose: Whose::License(arn.parse().unwrap()), ..customer() };
    for (question, key, value) in [(customer(), "CUSTOMER_IDENTIFIER", "C1"), (license, "LICENSE_ARN", arn)] {
        let (_, requests) = ask(question, vec![page(&[], None)]).await;
        let request = requests.first().unwrap();
        assert!(request.contains("/service/AWSMPEntitlementService/operation/GetEntitlements"), "{request}");
        assert!(request.contains("/us-east-1/aws-marketplace/aws4_request"), "{request}");
        assert!(request.contains(key) && request.contains(value) && request.contains("prod-1"), "{request}");
    }
}
