//! `BatchMeterUsage`: records that are ready go out, and each one's result is read.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_marketplacemetering::Client;
use aws_sdk_marketplacemetering::error::BuildError;
use aws_sdk_marketplacemetering::operation::RequestId as _;
use aws_sdk_marketplacemetering::operation::batch_meter_usage::BatchMeterUsageOutput;
use aws_sdk_marketplacemetering::primitives::DateTime;
use aws_sdk_marketplacemetering::types::{
    Tag, UsageAllocation, UsageRecord, UsageRecordResult, UsageRecordResultStatus,
};
use stallkeeper_ledger::{Allocation, Call, CallGroup, Report, Who};
use stallkeeper_metering::{CallAnswer, CallError, MeteringApi, RecordAnswer, Resend};

use crate::metering_error::call_error;
use crate::profile::{Account, metering_client};

/// The Marketplace Metering Service of one account and Region.
#[derive(Clone, Debug)]
pub struct MeteringClient {
    client: Client,
    region: String,
}

/// By what an answer is matched with what was sent: the service's own key of a record, with its whole second.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Identity<'a> {
    who: &'a str,
    dimension: &'a str,
    stamp_secs: i64,
}

impl MeteringClient {
    /// A client that reports to `region`: the service knows of no record that was sent to another.
    pub fn new(config: &SdkConfig, account: &Account, region: &str) -> Self {
        Self { client: metering_client(config, account, region), region: region.to_owned() }
    }
}

#[async_trait]
impl MeteringApi for MeteringClient {
    async fn report(&self, call: &Call) -> Result<CallAnswer, CallError> {
        let records = usage_records(call)?;
        // Licenses name their product themselves, and a request that names it too is refused.
        let product = match &call.group {
            CallGroup::Customers(product) => Some(product.to_string()),
            CallGroup::Licenses(_) => None,
        };
        let request =
            self.client.batch_meter_usage().set_product_code(product).set_usage_records(Some(records));
        let answer = request.send().await.map_err(|error| call_error(&self.region, error))?;
        Ok(CallAnswer {
            request_id: answer.request_id().map(str::to_owned),
            records: record_answers(call, &answer),
        })
    }

    /// The first record of a key is billed, and an identical one changes nothing.
    fn resend(&self) -> Resend {
        Resend::Safe
    }
}

/// What is sent; the same for the same records.
fn usage_records(call: &Call) -> Result<Vec<UsageRecord>, CallError> {
    let unfit =
        |code: &str, message: String| CallError::Refused { request_id: None, code: code.to_owned(), message };
    let mut records = Vec::with_capacity(call.records.len());
    for outgoing in &call.records {
        let Ok(quantity) = i32::try_from(outgoing.report.quantity) else {
            return Err(unfit("QuantityOutOfRange", outgoing.report.quantity.to_string()));
        };
        let record = usage_record(&outgoing.report, quantity);
        records.push(record.map_err(|error| unfit("NotARecord", error.to_string()))?);
    }
    Ok(records)
}

fn usage_record(report: &Report, quantity: i32) -> Result<UsageRecord, BuildError> {
    let record = UsageRecord::builder()
        .timestamp(DateTime::from_secs(stamp_secs(report)))
        .dimension(report.dimension.as_str())
        .quantity(quantity)
        .set_usage_allocations(allocations(&report.allocations)?);
    match &report.who {
        Who::Customer { customer, .. } => record.customer_identifier(customer.as_str()),
        Who::License { licensee, .. } => record
            .license_arn(licensee.license_arn.as_str())
            .customer_aws_account_id(licensee.account.as_str()),
    }
    .build()
}

fn allocations(parts: &[Allocation]) -> Result<Option<Vec<UsageAllocation>>, BuildError> {
    let allocation = |part: &Allocation| {
        let tags = part.tags.tags().iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
        let tags = tags.collect::<Result<Vec<Tag>, BuildError>>()?;
        UsageAllocation::builder()
            // A part is never more than the whole, which fits.
            .allocated_usage_quantity(i32::try_from(part.quantity).unwrap_or(i32::MAX))
            .set_tags((!tags.is_empty()).then_some(tags))
            .build()
    };
    (!parts.is_empty()).then(|| parts.iter().map(allocation).collect()).transpose()
}

fn stamp_secs(report: &Report) -> i64 {
    report.stamp.as_micros().div_euclid(1_000_000)
}

/// What was said of each record, in the call's order, whatever the answer's order is.
fn record_answers(call: &Call, answer: &BatchMeterUsageOutput) -> Vec<RecordAnswer> {
    let mut said: BTreeMap<Identity<'_>, RecordAnswer> = BTreeMap::new();
    for result in answer.results() {
        if let Some(record) = result.usage_record() {
            said.entry(Identity::of(record)).or_insert_with(|| record_answer(result));
        }
    }
    for record in answer.unprocessed_records() {
        said.entry(Identity::of(record)).or_insert(RecordAnswer::Unprocessed);
    }
    let of = |report| said.get(&Identity::of_report(report)).cloned().unwrap_or(RecordAnswer::Missing);
    call.records.iter().map(|outgoing| of(&outgoing.report)).collect()
}

/// A result is no proof of anything without its status.
fn record_answer(result: &UsageRecordResult) -> RecordAnswer {
    let record_id = result.metering_record_id().map(str::to_owned);
    match result.status() {
        Some(UsageRecordResultStatus::Success) => {
            RecordAnswer::Accepted { record_id: record_id.unwrap_or_default() }
        }
        Some(UsageRecordResultStatus::DuplicateRecord) => RecordAnswer::Duplicate { record_id },
        Some(UsageRecordResultStatus::CustomerNotSubscribed) => RecordAnswer::NotSubscribed,
        Some(other) => RecordAnswer::Unheard { word: other.as_str().to_owned() },
        None => RecordAnswer::Missing,
    }
}

impl<'a> Identity<'a> {
    fn of(record: &'a UsageRecord) -> Self {
        Self {
            who: record.license_arn().unwrap_or_else(|| record.customer_identifier()),
            dimension: record.dimension(),
            stamp_secs: record.timestamp().secs(),
        }
    }

    fn of_report(report: &'a Report) -> Self {
        let who = match &report.who {
            Who::Customer { customer, .. } => customer.as_str(),
            Who::License { licensee, .. } => licensee.license_arn.as_str(),
        };
        Self { who, dimension: report.dimension.as_str(), stamp_secs: stamp_secs(report) }
    }
}
