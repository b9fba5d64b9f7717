use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::OffsetDateTime;

/// One call of `BatchMeterUsage`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeteringCall {
    /// The Region that is called.
    pub region: String,
    /// The product, where records name customers; left out where they name licenses.
    pub product_code: Option<String>,
    /// What is metered.
    pub records: Vec<MeteringRecord>,
}

/// A quantity that somebody used in an hour; written in JSON as the API writes it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct MeteringRecord {
    /// When it was used: its hour in UTC counts.
    #[serde(with = "epoch_seconds")]
    pub timestamp: OffsetDateTime,
    /// The customer, as notifications of topics name it; the empty text counts as absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_identifier: Option<String>,
    /// The customer's AWS account.
    #[serde(rename = "CustomerAWSAccountId", skip_serializing_if = "Option::is_none")]
    pub customer_aws_account_id: Option<String>,
    /// The license.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license_arn: Option<String>,
    /// What was used.
    pub dimension: String,
    /// How much of it, in the dimension's units.
    #[serde(default, deserialize_with = "null_as_default")]
    pub quantity: i64,
    /// The quantity split by tags; empty where it is not split.
    #[serde(
        rename = "UsageAllocations",
        default,
        deserialize_with = "some_allocations",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub allocations: Vec<Allocation>,
}

/// A part of a quantity.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Allocation {
    /// How much, in the dimension's units.
    #[serde(rename = "AllocatedUsageQuantity")]
    pub quantity: i64,
    /// What the part is told by; empty for the part without tags.
    #[serde(
        rename = "Tags",
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub tags: Vec<Tag>,
}

/// A word about a part of a quantity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag {
    /// What kind of word.
    pub key: String,
    /// The word.
    #[serde(default, deserialize_with = "null_as_default")]
    pub value: String,
}

impl MeteringCall {
    /// The size of the call's body in JSON, in bytes.
    pub(crate) fn body_bytes(&self) -> usize {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Body<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            product_code: &'a Option<String>,
            usage_records: &'a [MeteringRecord],
        }
        let body = Body { product_code: &self.product_code, usage_records: &self.records };
        serde_json::to_vec(&body).map_or(usize::MAX, |json| json.len())
    }
}

impl MeteringRecord {
    /// A record of a customer, without allocations.
    pub fn of_customer(
        customer_identifier: &str,
        dimension: &str,
        timestamp: OffsetDateTime,
        quantity: i64,
    ) -> Self {
        Self {
            timestamp,
            customer_identifier: Some(customer_identifier.to_owned()),
            customer_aws_account_id: None,
            license_arn: None,
            dimension: dimension.to_owned(),
            quantity,
            allocations: Vec::new(),
        }
    }

    /// A record of a license that an AWS account holds, without allocations.
    pub fn of_license(
        license_arn: &str,
        account: &str,
        dimension: &str,
        timestamp: OffsetDateTime,
        quantity: i64,
    ) -> Self {
        Self {
            timestamp,
            customer_identifier: None,
            customer_aws_account_id: Some(account.to_owned()),
            license_arn: Some(license_arn.to_owned()),
            dimension: dimension.to_owned(),
            quantity,
            allocations: Vec::new(),
        }
    }

    /// The hour that it is billed in, by its beginning in UTC.
    pub fn hour(&self) -> OffsetDateTime {
        let seconds = self.timestamp.unix_timestamp();
        OffsetDateTime::from_unix_timestamp(seconds - seconds.rem_euclid(3600)).unwrap_or(self.timestamp)
    }
}

fn null_as_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Allocations that are given are at least one.
fn some_allocations<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Allocation>, D::Error> {
    match Option::<Vec<Allocation>>::deserialize(deserializer)? {
        Some(allocations) if allocations.is_empty() => {
            Err(D::Error::custom("UsageAllocations has 1 to 2500 members, or is left out"))
        }
        allocations => Ok(allocations.unwrap_or_default()),
    }
}

/// Moments as JSON protocols of AWS write them: a number of seconds since 1970, with three decimals at most.
mod epoch_seconds {
    use super::{Deserialize, Deserializer, Error, OffsetDateTime, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Seconds {
        Whole(i64),
        Fractional(f64),
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<OffsetDateTime, D::Error> {
        let moment = match Seconds::deserialize(deserializer)? {
            Seconds::Whole(seconds) => OffsetDateTime::from_unix_timestamp(seconds).ok(),
            Seconds::Fractional(seconds) => {
                let millis = (seconds * 1000.0).round();
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "a cast saturates; such a year is refused"
                )]
                let nanos = i128::from(millis as i64) * 1_000_000;
                OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()
            }
        };
        moment.ok_or_else(|| D::Error::custom("a Timestamp is seconds since 1970, up to the year 9999"))
    }

    pub(super) fn serialize<S: Serializer>(
        moment: &OffsetDateTime,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let millis = i64::from(moment.millisecond());
        let seconds = moment.unix_timestamp();
        if millis == 0 {
            return seconds.serialize(serializer);
        }
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of four-digit years are exact")]
        let seconds = (seconds * 1000 + millis) as f64 / 1000.0;
        seconds.serialize(serializer)
    }
}
