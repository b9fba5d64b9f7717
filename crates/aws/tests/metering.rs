//! What goes to the Marketplace Metering Service, what it answers as found on the wire, and what it becomes.
#![expect(clippy::unwrap_used, reason = "a test that cannot be prepared fails")]

#[expect(dead_code, reason = "the answers of other services are for other tests")]
mod fake_service;

use std::collections::BTreeMap;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use fake_service::{Answer, FakeService};
use serde_json::{Value, json};
use stallkeeper_aws::{Account, CredentialsSource, Endpoints, MeteringClient};
use stallkeeper_ledger::{Allocation, Call, CallGroup, Outgoing, Report, TagSet, Who};
use stallkeeper_lifecycle::{CustomerId, Licensee, ProductCode, Timestamp};
use stallkeeper_metering::{CallAnswer, CallError, MeteringApi as _, RecordAnswer, Resend};

const LICENSE: &str = "arn:aws:license-manager::294406891311:license:l-0123456789abcdef";
const NOON_SECS: i64 = 1_800_000_000;

fn product() -> ProductCode {
    "prod-code".parse().unwrap()
}

fn customer(id: &str) -> Who {
    Who::Customer { product: product(), customer: id.parse::<CustomerId>().unwrap() }
}

fn license() -> Who {
    let licensee =
        Licensee { license_arn: LICENSE.parse().unwrap(), account: "123456789012".parse().unwrap() };
    Who::License { product: product(), licensee }
}

fn record(who: Who, dimension: &str, quantity: i64) -> Outgoing {
    let report = Report {
        who,
        dimension: dimension.parse().unwrap(),
        quantity,
        stamp: Timestamp::from_micros(NOON_SECS * 1_000_000),
        allocations: Vec::new(),
    };
    Outgoing { number: 1, report, until: Timestamp::from_micros((NOON_SECS + 3_600) * 1_000_000) }
}

fn call(records: Vec<Outgoing>) -> Call {
    Call { group: CallGroup::of(&records.first().unwrap().report.who), records }
}

fn config(provider: impl ProvideCredentials + 'static) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(provider))
        .build()
}

fn client(url: &str) -> MeteringClient {
    client_with(url, Credentials::new("id", "secret", None, None, "test"))
}

fn client_with(url: &str, provider: impl ProvideCredentials + 'static) -> MeteringClient {
    let account = Account {
        region: "eu-west-1".to_owned(),
        credentials: CredentialsSource::StandardChain,
        endpoints: Endpoints { metering: Some(url.to_owned()), ..Endpoints::default() },
    };
    MeteringClient::new(&config(provider), &account, "us-east-1")
}

/// What a call becomes when the service gives this answer, and what was sent.
async fn report(call: &Call, answer: Answer) -> (Result<CallAnswer, CallError>, String) {
    let service = FakeService::start(vec![answer]);
    let result = client(&service.url).report(call).await;
    (result, service.requests().remove(0))
}

async fn sent(call: &Call) -> (String, Value) {
    let (head, body) = sent_bytes(call).await;
    (head.to_ascii_lowercase(), serde_json::from_str(&body).unwrap())
}

async fn sent_bytes(call: &Call) -> (String, String) {
    let (_, request) = report(call, Answer::metering(200, "{}")).await;
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// The error of a call whose only record is a customer's.
async fn error_of(status: u16, code: &str) -> CallError {
    let body = json!({"__type": format!("com.amazonaws.marketplacemetering#{code}"), "message": "no"});
    let answer = Answer::metering(status, &body.to_string());
    report(&call(vec![record(customer("c1"), "api_calls", 1)]), answer).await.0.unwrap_err()
}

fn echo(customer: &str, dimension: &str) -> Value {
    json!({"CustomerIdentifier": customer, "Dimension": dimension, "Quantity": 1, "Timestamp": NOON_SECS})
}

fn result(customer: &str, dimension: &str, status: &str) -> Value {
    let record_id = format!("id-{dimension}");
    json!({"UsageRecord": echo(customer, dimension), "Status": status, "MeteringRecordId": record_id})
}

#[tokio::test]
async fn customers_are_reported_with_their_product_and_nothing_of_licenses() {
    let (head, body) = sent(&call(vec![record(customer("c1"), "api_calls", 7)])).await;
    let expected = json!({"ProductCode": "prod-code", "UsageRecords": [
        {"Timestamp": NOON_SECS, "CustomerIdentifier": "c1", "Dimension": "api_calls", "Quantity": 7}
    ]});
    assert_eq!(body, expected);
    assert!(head.contains("x-amz-target: awsmpmeteringservice.batchmeterusage"), "{head}");
}

#[tokio::test]
async fn licenses_are_reported_with_their_account_and_without_a_product() {
    let (_, body) = sent(&call(vec![record(license(), "seats", 3)])).await;
    // The SDK always writes the customer's field, and AWS takes it when it is empty.
    let expected = json!({"UsageRecords": [{
        "Timestamp": NOON_SECS, "CustomerIdentifier": "", "Dimension": "seats", "Quantity": 3,
        "CustomerAWSAccountId": "123456789012", "LicenseArn": LICENSE
    }]});
    assert_eq!(body, expected);
}

#[tokio::test]
async fn nothing_used_is_reported_as_zero() {
    let (_, body) = sent(&call(vec![record(customer("c1"), "api_calls", 0)])).await;
    assert_eq!(body["UsageRecords"][0]["Quantity"], json!(0));
}

#[tokio::test]
async fn allocations_carry_their_tags_and_the_rest_has_none() {
    let mut split = record(customer("c1"), "api_calls", 5);
    let tags = TagSet::new(BTreeMap::from([("team".to_owned(), "blue".to_owned())])).unwrap();
    split.report.allocations =
        vec![Allocation { tags, quantity: 3 }, Allocation { tags: TagSet::default(), quantity: 2 }];
    let (_, body) = sent(&call(vec![split])).await;
    let expected = json!([
        {"AllocatedUsageQuantity": 3, "Tags": [{"Key": "team", "Value": "blue"}]},
        {"AllocatedUsageQuantity": 2}
    ]);
    assert_eq!(body["UsageRecords"][0]["UsageAllocations"], expected);
}

#[tokio::test]
async fn the_same_call_has_the_same_bytes_each_time() {
    let call = call(vec![record(customer("c1"), "a", 1), record(customer("c2"), "b", 2)]);
    assert_eq!(sent_bytes(&call).await.1, sent_bytes(&call).await.1);
}

#[tokio::test]
async fn calls_are_signed_for_the_metering_region() {
    let (head, _) = sent(&call(vec![record(customer("c1"), "api_calls", 1)])).await;
    assert!(head.contains("/us-east-1/aws-marketplace/aws4_request"), "{head}");
}

#[tokio::test]
async fn a_quantity_that_the_service_cannot_take_is_refused_without_a_call() {
    let client = client("http://127.0.0.1:1");
    let too_many = call(vec![record(customer("c1"), "api_calls", i64::from(i32::MAX) + 1)]);
    let error = client.report(&too_many).await.unwrap_err();
    assert!(
        matches!(error, CallError::Refused { ref code, .. } if code == "QuantityOutOfRange"),
        "{error:?}"
    );
}

#[tokio::test]
async fn each_record_gets_its_own_result_whatever_the_order() {
    let dimensions = ["ok", "double", "nobody", "later", "odd", "silent", "statusless"];
    let records = dimensions.map(|dimension| record(customer("c1"), dimension, 1)).to_vec();
    let results = [
        json!({"UsageRecord": echo("c1", "statusless")}),
        result("c1", "odd", "Postponed"),
        result("c1", "nobody", "CustomerNotSubscribed"),
        result("c1", "double", "DuplicateRecord"),
        // Another customer's, which was never asked for.
        result("c2", "silent", "Success"),
        result("c1", "ok", "Success"),
    ];
    let body = json!({"Results": results, "UnprocessedRecords": [echo("c1", "later")]});
    let (answer, _) = report(&call(records), Answer::metering(200, &body.to_string())).await;
    let expected = CallAnswer {
        request_id: Some("req-1".to_owned()),
        records: vec![
            RecordAnswer::Accepted { record_id: "id-ok".to_owned() },
            RecordAnswer::Duplicate { record_id: Some("id-double".to_owned()) },
            RecordAnswer::NotSubscribed,
            RecordAnswer::Unprocessed,
            RecordAnswer::Unheard { word: "Postponed".to_owned() },
            RecordAnswer::Missing,
            RecordAnswer::Missing,
        ],
    };
    assert_eq!(answer.unwrap(), expected);
}

#[tokio::test]
async fn a_license_s_result_is_found_by_its_license() {
    let echo = json!({"CustomerIdentifier": "", "LicenseArn": LICENSE, "CustomerAWSAccountId": "123456789012",
        "Dimension": "seats", "Quantity": 1, "Timestamp": NOON_SECS});
    let body = json!({"Results": [{"UsageRecord": echo, "Status": "Success", "MeteringRecordId": "m1"}]})
        .to_string();
    let (answer, _) = report(&call(vec![record(license(), "seats", 1)]), Answer::metering(200, &body)).await;
    assert_eq!(answer.unwrap().records, [RecordAnswer::Accepted { record_id: "m1".to_owned() }]);
}

#[tokio::test]
async fn a_result_of_another_hour_is_not_taken_for_this_one() {
    let mut echo = echo("c1", "a");
    echo["Timestamp"] = json!(NOON_SECS - 3_600);
    let body = json!({"Results": [{"UsageRecord": echo, "Status": "Success", "MeteringRecordId": "m1"}]});
    let (answer, _) =
        report(&call(vec![record(customer("c1"), "a", 1)]), Answer::metering(200, &body.to_string())).await;
    assert_eq!(answer.unwrap().records, [RecordAnswer::Missing]);
}

#[tokio::test]
async fn what_is_wrong_with_some_record_refuses_the_call_with_the_service_s_word() {
    for code in [
        "InvalidProductCodeException",
        "InvalidUsageDimensionException",
        "InvalidTagException",
        "InvalidUsageAllocationsException",
        "InvalidCustomerIdentifierException",
        "InvalidLicenseException",
        "TimestampOutOfBoundsException",
    ] {
        let expected = CallError::Refused {
            request_id: Some("req-1".to_owned()),
            code: code.to_owned(),
            message: "no".to_owned(),
        };
        assert_eq!(error_of(400, code).await, expected);
    }
}

#[tokio::test]
async fn throttling_is_told_apart_from_refusal() {
    let expected = CallError::Throttled { request_id: Some("req-1".to_owned()) };
    assert_eq!(error_of(400, "ThrottlingException").await, expected);
    assert_eq!(error_of(429, "TooManyRequestsException").await, expected);
}

#[tokio::test]
async fn after_the_service_s_own_failure_nobody_knows() {
    for (status, code) in [(500, "InternalServiceErrorException"), (503, "ServiceUnavailable")] {
        let error = error_of(status, code).await;
        assert!(
            matches!(error, CallError::Unknown { ref request_id, ref reason }
                if request_id.as_deref() == Some("req-1") && reason.contains(code)),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn after_a_lost_answer_nobody_knows_and_the_call_is_not_repeated() {
    let (result, request) = report(&call(vec![record(customer("c1"), "a", 1)]), Answer::lost()).await;
    assert!(matches!(result, Err(CallError::Unknown { .. })), "{result:?}");
    assert!(request.contains("\"c1\""));
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_unknown() {
    let (result, _) =
        report(&call(vec![record(customer("c1"), "a", 1)]), Answer::metering(200, "{\"Results\": [{")).await;
    assert!(matches!(result, Err(CallError::Unknown { .. })), "{result:?}");
}

#[tokio::test]
async fn without_a_connection_nobody_knows() {
    let error = client("http://127.0.0.1:1").report(&call(vec![record(customer("c1"), "a", 1)])).await;
    assert!(matches!(error, Err(CallError::Unknown { .. })), "{error:?}");
}

#[tokio::test]
async fn what_a_person_has_to_mend_comes_with_a_remedy() {
    for (code, words) in [
        ("DisabledApiException", "us-east-1"),
        ("AccessDeniedException", "allow `aws-marketplace:BatchMeterUsage`"),
        ("ExpiredTokenException", "replace the credentials"),
        ("UnrecognizedClientException", "replace the credentials"),
        ("RequestTimeTooSkewed", "NTP"),
        ("ValidationException", "AWS says: no"),
    ] {
        match error_of(400, code).await {
            CallError::NotPossible { code: told, remedy, request_id } => {
                assert_eq!((told.as_str(), request_id.as_deref()), (code, Some("req-1")));
                assert!(remedy.contains(words), "{code}: {remedy}");
            }
            other => panic!("{code}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn without_credentials_nothing_is_sent_and_the_remedy_says_so() {
    #[derive(Debug)]
    struct Nobody;
    impl ProvideCredentials for Nobody {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::ready(Err(CredentialsError::not_loaded("none here")))
        }
    }
    let error = client_with("http://127.0.0.1:1", Nobody)
        .report(&call(vec![record(customer("c1"), "a", 1)]))
        .await
        .unwrap_err();
    assert!(
        matches!(error, CallError::NotPossible { ref remedy, .. } if remedy.contains("credentials")),
        "{error:?}"
    );
}

#[test]
fn records_in_doubt_may_simply_be_sent_again() {
    assert_eq!(client("http://127.0.0.1:1").resend(), Resend::Safe);
}
