//! What `ResolveCustomer` answers, and what it becomes.
#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared fails")]

#[expect(dead_code, reason = "the answers of other services are for other tests")]
mod fake_service;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use fake_service::{Answer, FakeService};
use secrecy::SecretString;
use serde_json::{Value, json};
use stallkeeper_aws::{Account, CredentialsSource, Endpoints, RegistrationClient};
use stallkeeper_registration::{Buyer, ResolveError, Resolver as _};

const TOKEN: &str = "a+token/that=nobody&should see";

/// What the service's answers come to, and all that was sent.
async fn resolve(answers: Vec<Answer>) -> (Result<Buyer, ResolveError>, Vec<String>) {
    let service = FakeService::start(answers);
    let account = Account {
        region: "us-east-1".to_owned(),
        credentials: CredentialsSource::StandardChain,
        endpoints: Endpoints { metering: Some(service.url.clone()), ..Endpoints::default() },
    };
    let keys = Credentials::new("id", "secret", None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(keys))
        .build();
    let result = RegistrationClient::new(&config, &account).resolve(&SecretString::from(TOKEN)).await;
    (result, service.requests())
}

async fn answered(body: Value) -> Result<Buyer, ResolveError> {
    resolve(vec![Answer::metering(200, &body.to_string())]).await.0
}

async fn error_of(status: u16, code: &str, message: &str) -> ResolveError {
    let body = json!({"__type": format!("com.amazonaws.marketplacemetering#{code}"), "message": message});
    let answer = || Answer::metering(status, &body.to_string());
    // A denial may be due to a wrong clock, so the SDK asks again by the answer's time.
    let answers =
        if code == "AccessDeniedException" { vec![answer(), answer(), answer()] } else { vec![answer()] };
    resolve(answers).await.0.unwrap_err()
}

#[tokio::test]
async fn a_token_is_sent_as_it_is_and_every_part_of_the_answer_is_taken() {
    let body = json!({
        "CustomerIdentifier": "C1", "CustomerAWSAccountId": "123456789012", "ProductCode": "prod-1",
        "LicenseArn": "arn:aws:license-manager::294406891311:license:l-1", "Metadata": {"AgreementId": "agmt-1"},
    });
    let (result, requests) = resolve(vec![Answer::metering(200, &body.to_string())]).await;
    let expected = Buyer {
        product: "prod-1".parse().unwrap(),
        customer: "C1".parse().ok(),
        account: "123456789012".parse().ok(),
        license_arn: Some("arn:aws:license-manager::294406891311:license:l-1".to_owned()),
        agreement: "agmt-1".parse().ok(),
    };
    assert_eq!(result.unwrap(), expected);
    let (head, sent) = requests.first().unwrap().split_once("\r\n\r\n").unwrap();
    assert!(
        head.to_ascii_lowercase().contains("x-amz-target: awsmpmeteringservice.resolvecustomer"),
        "{head}"
    );
    assert_eq!(serde_json::from_str::<Value>(sent).unwrap(), json!({ "RegistrationToken": TOKEN }));
}

#[tokio::test]
async fn what_is_empty_is_not_there() {
    let body = json!({"CustomerIdentifier": "", "ProductCode": "prod-1", "LicenseArn": "  "});
    let buyer = answered(body).await.unwrap();
    assert_eq!((buyer.customer, buyer.account, buyer.license_arn), (None, None, None));
}

#[tokio::test]
async fn an_answer_without_a_product_is_refused() {
    assert!(matches!(answered(json!({"CustomerIdentifier": "C1"})).await, Err(ResolveError::Refused(_))));
}

#[tokio::test]
async fn each_error_says_whose_turn_it_is() {
    assert_eq!(
        error_of(400, "ExpiredTokenException", "the registration token has expired").await,
        ResolveError::Expired
    );
    assert_eq!(error_of(400, "InvalidTokenException", "no").await, ResolveError::Invalid);
    assert_eq!(error_of(400, "ValidationException", "no").await, ResolveError::Invalid);
    for (status, code, message) in [
        (400, "DisabledApiException", "no"),
        (400, "AccessDeniedException", "no"),
        // The seller's own credentials are over, and the buyer's token is as good as before.
        (400, "ExpiredTokenException", "The security token included in the request is expired"),
    ] {
        let error = error_of(status, code, message).await;
        assert!(matches!(error, ResolveError::Refused(_)), "{code}: {error}");
        assert!(!error.to_string().contains(TOKEN));
    }
}

#[tokio::test]
async fn a_service_that_fails_is_tried_three_times_and_then_not_now() {
    let failing = || Answer::metering(500, r#"{"__type":"InternalServiceErrorException","message":"no"}"#);
    let (result, requests) = resolve(vec![failing(), failing(), failing()]).await;
    assert!(matches!(result, Err(ResolveError::Unavailable(_))), "{result:?}");
    assert_eq!(requests.len(), 3);
}
