//! Calls and answers as the API's JSON protocol writes them.

use serde::{Deserialize, Serialize};

use crate::metering::{
    BODY_BYTES_MAX, MeteringAnswer, MeteringCall, MeteringRecord, MeteringRefusal, MeteringResult,
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Request {
    product_code: Option<String>,
    usage_records: Vec<MeteringRecord>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    results: Vec<RecordResult<'a>>,
    unprocessed_records: &'a [MeteringRecord],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RecordResult<'a> {
    usage_record: &'a MeteringRecord,
    #[serde(skip_serializing_if = "Option::is_none")]
    metering_record_id: Option<&'a str>,
    status: &'static str,
}

#[derive(Serialize)]
struct Refusal<'a> {
    #[serde(rename = "__type")]
    code: &'static str,
    message: &'a str,
}

pub(super) fn read(region: &str, body: &[u8]) -> Result<MeteringCall, MeteringRefusal> {
    if body.len() > BODY_BYTES_MAX {
        return Err(MeteringRefusal::TooLong { bytes: body.len() });
    }
    let request: Request =
        serde_json::from_slice(body).map_err(|error| MeteringRefusal::Unreadable(error.to_string()))?;
    Ok(MeteringCall {
        region: region.to_owned(),
        product_code: request.product_code,
        records: request.usage_records,
    })
}

pub(super) fn write(answer: &MeteringAnswer) -> Result<Vec<u8>, MeteringRefusal> {
    let results = answer.results.iter().map(RecordResult::of).collect();
    let answer = Answer { results, unprocessed_records: &answer.unprocessed };
    serde_json::to_vec(&answer).map_err(|_| MeteringRefusal::Internal)
}

pub(super) fn write_refusal(refusal: &MeteringRefusal) -> Vec<u8> {
    let message = refusal.to_string();
    serde_json::to_vec(&Refusal { code: refusal.code().as_str(), message: &message }).unwrap_or_default()
}

impl<'a> RecordResult<'a> {
    fn of(result: &'a MeteringResult) -> Self {
        Self {
            usage_record: &result.record,
            metering_record_id: result.outcome.record_id(),
            status: result.outcome.as_str(),
        }
    }
}
