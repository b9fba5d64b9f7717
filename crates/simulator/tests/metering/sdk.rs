//! Metering through AWS' own SDK.

use aws_sdk_marketplacemetering::operation::batch_meter_usage::BatchMeterUsageError;
use aws_sdk_marketplacemetering::primitives::DateTime;
use aws_sdk_marketplacemetering::types::{Tag, UsageAllocation, UsageRecord, UsageRecordResultStatus};
use serde_json::json;
use stallkeeper_simulator::{MeteringRecord, MeteringSettings};
use time::OffsetDateTime;

use crate::world::{World, client, first_second, record, send};

const SIGNED: &str =
    "AWS4-HMAC-SHA256 Credential=id/20261122/us-east-1/aws-marketplace/aws4_request, Signature=0";

#[tokio::test]
async fn a_customer_s_usage_is_billed() {
    let world = World::new().await;
    let ada = world.subscribe("ada", "search").await;
    let answer = world.send(vec![record(&ada, 5)]).await.unwrap();
    assert_eq!(answer.unprocessed_records(), []);
    let result = &answer.results()[0];
    assert_eq!(result.status(), Some(&UsageRecordResultStatus::Success));
    assert_eq!(result.usage_record(), Some(&record(&ada, 5)));
    let bill = world.simulator.metering().bill_of(&ada.id);
    assert_eq!(bill.len(), 1);
    assert_eq!(Some(bill[0].record_id.as_str()), result.metering_record_id());
    assert_eq!((bill[0].quantity, bill[0].region.as_str()), (5, "us-east-1"));
    assert_eq!((bill[0].timestamp.unix_timestamp(), &bill[0].account), (first_second(&ada), &ada.account));
}

#[tokio::test]
async fn a_license_s_usage_is_billed() {
    let world = World::new().await;
    let eve = world.subscribe("eve", "vault").await;
    let answer = send(&world.client, None, vec![record(&eve, 5)]).await.unwrap();
    let result = &answer.results()[0];
    assert_eq!(result.status(), Some(&UsageRecordResultStatus::Success));
    assert_eq!(result.usage_record(), Some(&record(&eve, 5)));
    assert_eq!(world.simulator.metering().bill_of_buyer("eve")[0].quantity, 5);
}

#[tokio::test]
async fn a_license_is_not_metered_for_somebody_else() {
    let world = World::new().await;
    let ada = world.subscribe("ada", "vault").await;
    let eve = world.subscribe("eve", "vault").await;
    let mut of_both = record(&eve, 5);
    of_both.license_arn = ada.license_arn;
    let refused = send(&world.client, None, vec![of_both]).await.unwrap_err();
    assert!(matches!(refused, BatchMeterUsageError::InvalidLicenseException(_)), "{refused:?}");
}

#[tokio::test]
async fn the_sdk_tells_duplicates_and_strangers_from_successes() {
    let world = World::new().await;
    let ada = world.subscribe("ada", "search").await;
    let nobody = UsageRecord::builder()
        .timestamp(DateTime::from_secs(first_second(&ada)))
        .customer_identifier("nobody")
        .dimension("hits")
        .build()
        .unwrap();
    let answer = world.send(vec![record(&ada, 5), record(&ada, 6), nobody]).await.unwrap();
    let told: Vec<_> =
        answer.results().iter().map(|result| result.status().unwrap().as_str().to_owned()).collect();
    assert_eq!(told, ["Success", "DuplicateRecord", "CustomerNotSubscribed"]);
    let [success, duplicate, stranger] = answer.results() else { panic!("{answer:?}") };
    assert_eq!(duplicate.metering_record_id(), success.metering_record_id());
    assert_eq!(duplicate.usage_record().unwrap().quantity(), Some(6));
    assert_eq!(stranger.metering_record_id(), None);
}

#[tokio::test]
async fn allocations_arrive_and_come_back() {
    let world = World::new().await;
    let ada = world.subscribe("ada", "search").await;
    let tag = Tag::builder().key("team").value("a").build().unwrap();
    let part = |quantity| UsageAllocation::builder().allocated_usage_quantity(quantity);
    let mut split = record(&ada, 5);
    split.usage_allocations = Some(vec![part(2).tags(tag).build().unwrap(), part(3).build().unwrap()]);
    let answer = world.send(vec![split.clone()]).await.unwrap();
    assert_eq!(answer.results()[0].usage_record(), Some(&split));
    let allocations = &world.simulator.metering().bill()[0].allocations;
    let quantities: Vec<i64> = allocations.iter().map(|part| part.quantity).collect();
    assert_eq!(quantities, [2, 3]);
    assert_eq!((allocations[0].tags[0].key.as_str(), allocations[0].tags[0].value.as_str()), ("team", "a"));
}

#[tokio::test]
async fn a_region_is_that_of_the_signature_and_bills_by_itself() {
    let world = World::new().await;
    let ada = world.subscribe("ada", "search").await;
    for region in ["us-east-1", "eu-west-1"] {
        let client = client(world.simulator.url(), region);
        send(&client, Some("simsearch"), vec![record(&ada, 5)]).await.unwrap();
    }
    let bill = world.simulator.metering().bill_of(&ada.id);
    let regions: Vec<&str> = bill.iter().map(|entry| entry.region.as_str()).collect();
    assert_eq!(regions, ["us-east-1", "eu-west-1"]);
}

#[tokio::test]
async fn the_sdk_knows_every_refusal_by_its_type() {
    use BatchMeterUsageError as Error;
    let world = World::new().await;
    let ada = world.subscribe("ada", "search").await;
    let eve = world.subscribe("eve", "vault").await;
    let change = |change: &dyn Fn(&mut UsageRecord)| {
        let mut record = record(&ada, 5);
        change(&mut record);
        record
    };
    let old = world.send(vec![change(&|record| record.timestamp = DateTime::from_secs(0))]).await;
    assert!(matches!(old.unwrap_err(), Error::TimestampOutOfBoundsException(_)));
    let nameless = world.send(vec![change(&|record| record.customer_identifier.clear())]).await;
    assert!(matches!(nameless.unwrap_err(), Error::InvalidCustomerIdentifierException(_)));
    let part = UsageAllocation::builder().allocated_usage_quantity(1).build().unwrap();
    let uneven =
        world.send(vec![change(&|record| record.usage_allocations = Some(vec![part.clone()]))]).await;
    assert!(matches!(uneven.unwrap_err(), Error::InvalidUsageAllocationsException(_)));
    let unsold = send(&world.client, Some("simx"), vec![record(&ada, 5)]).await;
    assert!(matches!(unsold.unwrap_err(), Error::InvalidProductCodeException(_)));
    let mut strange = record(&eve, 5);
    strange.license_arn = Some("arn:aws:license-manager::1:license:l-9".to_owned());
    let strange = send(&world.client, None, vec![strange]).await.unwrap_err();
    assert!(matches!(strange, Error::InvalidLicenseException(_)));
    let many = world.send(vec![record(&ada, 5); 26]).await.unwrap_err();
    assert_eq!(many.meta().code(), Some("ValidationException"));
    assert_eq!(world.simulator.metering().bill(), []);
    assert_eq!(world.simulator.metering().counts().refused, 6);
}

#[tokio::test]
async fn more_than_ten_calls_at_once_are_throttled() {
    let world = World::new().await;
    let ada = world.subscribe("ada", "search").await;
    let mut throttled = 0;
    for _ in 0..10_000 {
        match world.send(vec![record(&ada, 5)]).await {
            Ok(_) => {}
            Err(BatchMeterUsageError::ThrottlingException(_)) => {
                throttled += 1;
                break;
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(throttled, 1);
    let other_region = client(world.simulator.url(), "eu-west-1");
    send(&other_region, Some("simsearch"), vec![record(&ada, 5)]).await.unwrap();
}

#[tokio::test]
async fn the_rate_can_be_changed_and_switched_off() {
    let world = World::new().await;
    let ada = world.subscribe("ada", "search").await;
    let set = |calls_per_sec| {
        let settings = MeteringSettings { calls_per_sec, ..MeteringSettings::default() };
        world.simulator.metering().set_settings(settings);
    };
    set(Some(0));
    let refused = world.send(vec![record(&ada, 5)]).await.unwrap_err();
    assert!(matches!(refused, BatchMeterUsageError::ThrottlingException(_)));
    set(None);
    for _ in 0..30 {
        world.send(vec![record(&ada, 5)]).await.unwrap();
    }
    assert_eq!(world.simulator.metering().bill().len(), 1);
}

#[tokio::test]
async fn a_body_that_cannot_be_read_says_what_is_wrong() {
    let world = World::new().await;
    for body in ["", "[]", "{\"UsageRecords\": [{\"Timestamp\": 1.7e9}]}"] {
        let (status, refusal) = world.post("BatchMeterUsage", body.to_owned(), Some(SIGNED)).await;
        assert_eq!((status, &refusal["__type"]), (400, &json!("SerializationException")), "{body}");
    }
    let empty = json!({"ProductCode": "simsearch", "UsageRecords": [{
        "Timestamp": 1_700_000_000, "Dimension": "hits", "UsageAllocations": [],
    }]});
    let (_, refusal) = world.post("BatchMeterUsage", empty.to_string(), Some(SIGNED)).await;
    assert!(refusal["message"].as_str().unwrap().contains("UsageAllocations"), "{refusal}");
}

#[tokio::test]
async fn a_body_has_at_most_a_megabyte() {
    let world = World::new().await;
    let long = json!({"ProductCode": "simsearch", "UsageRecords": [], "Other": "x".repeat(1_000_000)});
    let (status, refusal) = world.post("BatchMeterUsage", long.to_string(), Some(SIGNED)).await;
    assert_eq!((status, &refusal["__type"]), (400, &json!("ValidationException")));
}

#[tokio::test]
async fn whole_seconds_and_left_out_quantities_are_read() {
    let world = World::new().await;
    let ada = world.subscribe("ada", "search").await;
    let timestamp = first_second(&ada);
    let call = json!({"ProductCode": "simsearch", "UsageRecords": [{
        "Timestamp": timestamp, "CustomerIdentifier": ada.customer_id, "Dimension": "hits", "Quantity": null,
    }]});
    let (status, answer) = world.post("BatchMeterUsage", call.to_string(), Some(SIGNED)).await;
    assert_eq!(status, 200);
    assert_eq!(answer["UnprocessedRecords"], json!([]));
    let result = &answer["Results"][0];
    assert_eq!(result["Status"], "Success");
    assert_eq!(
        result["UsageRecord"],
        json!({
            "Timestamp": timestamp, "CustomerIdentifier": ada.customer_id, "Dimension": "hits", "Quantity": 0,
        })
    );
}

#[tokio::test]
async fn an_unsigned_call_is_refused() {
    let world = World::new().await;
    let (status, refusal) = world.post("BatchMeterUsage", "{\"UsageRecords\": []}".to_owned(), None).await;
    assert_eq!((status, &refusal["__type"]), (400, &json!("MissingAuthenticationTokenException")));
}

#[tokio::test]
async fn what_metering_does_not_have_is_said_by_name() {
    let world = World::new().await;
    let (status, refusal) = world.post("MeterUsage", "{}".to_owned(), Some(SIGNED)).await;
    assert_eq!((status, &refusal["__type"]), (400, &json!("UnknownOperationException")));
    assert!(refusal["message"].as_str().unwrap().contains("no action MeterUsage"), "{refusal}");
}

#[tokio::test]
async fn a_call_in_process_is_the_same_as_one_over_http() {
    let world = World::new().await;
    let ada = world.subscribe("ada", "search").await;
    let timestamp = OffsetDateTime::from_unix_timestamp(first_second(&ada)).unwrap();
    let sent = MeteringRecord::of_customer(ada.customer_id.as_ref().unwrap(), "hits", timestamp, 5);
    let call = stallkeeper_simulator::MeteringCall {
        region: "us-east-1".to_owned(),
        product_code: Some("simsearch".to_owned()),
        records: vec![sent],
    };
    let in_process = world.simulator.metering().batch(&call).unwrap();
    let over_http = world.send(vec![record(&ada, 5)]).await.unwrap();
    assert_eq!(in_process.results[0].outcome.record_id(), over_http.results()[0].metering_record_id());
    assert_eq!(world.simulator.metering().bill().len(), 1);
}
