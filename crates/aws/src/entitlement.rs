//! `GetEntitlements`: what a buyer is entitled to.

use std::sync::Arc;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_marketplaceentitlement::Client;
use aws_sdk_marketplaceentitlement::primitives::DateTime;
use aws_sdk_marketplaceentitlement::types::{
    Entitlement as SdkEntitlement, EntitlementValue, GetEntitlementFilterName,
};
use stallkeeper_contract::{AskError, EntitlementsApi, Question, Whose};
use stallkeeper_lifecycle::{Entitlement, Timestamp};
use stallkeeper_metering::Pacer;

use crate::error::AwsError;
use crate::profile::{Account, entitlement_client};

const ACTION: &str = "aws-marketplace:GetEntitlements";

/// The longest page that the service gives.
const PAGE: i32 = 25;

/// How many pages one answer may have; pages may be empty and still not be the last.
const PAGES_MAX: usize = 200;

/// Half of an account's quota of 20 a second, so that two workers share it without refusals.
const CALLS_PER_SEC: u32 = 10;

/// The Marketplace Entitlement Service of one account. Clones share its pace.
#[derive(Clone, Debug)]
pub struct EntitlementClient {
    client: Client,
    pacer: Arc<Pacer>,
}

impl EntitlementClient {
    /// A client in the service's own Region, wherever the account's queue lies.
    pub fn new(config: &SdkConfig, account: &Account) -> Self {
        Self { client: entitlement_client(config, account), pacer: Arc::new(Pacer::of_quota(CALLS_PER_SEC)) }
    }
}

#[async_trait]
impl EntitlementsApi for EntitlementClient {
    async fn ask(&self, question: &Question) -> Result<Vec<Entitlement>, AskError> {
        let (name, value) = match &question.whose {
            Whose::Customer(customer) => (GetEntitlementFilterName::CustomerIdentifier, customer.as_str()),
            Whose::License(arn) => (GetEntitlementFilterName::LicenseArn, arn.as_str()),
        };
        let mut entitlements = Vec::new();
        let mut next: Option<String> = None;
        for _ in 0..PAGES_MAX {
            self.pacer.turn().await;
            let request = self
                .client
                .get_entitlements()
                .product_code(question.product.as_str())
                .filter(name.clone(), vec![value.to_owned()])
                .max_results(PAGE)
                .set_next_token(next.clone());
            let page = request
                .send()
                .await
                .map_err(|error| ask_error(&AwsError::from_sdk(ACTION, question.product.as_str(), error)))?;
            for entitlement in page.entitlements() {
                entitlements.push(read(entitlement)?);
            }
            let token = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
            match token {
                None => return Ok(entitlements),
                Some(token) if next.as_ref() == Some(&token) => return Err(unusable("NextToken")),
                Some(token) => next = Some(token),
            }
        }
        Err(AskError::Refused(format!("the answer to {ACTION} has more than {PAGES_MAX} pages")))
    }
}

fn read(entitlement: &SdkEntitlement) -> Result<Entitlement, AskError> {
    let dimension = entitlement.dimension().filter(|name| !name.is_empty());
    Ok(Entitlement {
        dimension: dimension.ok_or_else(|| unusable("Dimension"))?.to_owned(),
        value: entitlement.value().and_then(text).ok_or_else(|| unusable("Value"))?,
        expires_at: entitlement.expiration_date().map(moment).transpose()?,
    })
}

/// A value of exactly one kind, as text.
fn text(value: &EntitlementValue) -> Option<String> {
    let EntitlementValue { integer_value, double_value, boolean_value, string_value, .. } = value;
    match (integer_value, double_value, boolean_value, string_value) {
        (Some(whole), None, None, None) => Some(whole.to_string()),
        (None, Some(number), None, None) if number.is_finite() => Some(number.to_string()),
        (None, None, Some(truth), None) => Some(truth.to_string()),
        (None, None, None, Some(words)) => Some(words.clone()),
        _ => None,
    }
}

fn moment(date: &DateTime) -> Result<Timestamp, AskError> {
    let micros = date.secs().checked_mul(1_000_000);
    let micros = micros.and_then(|micros| micros.checked_add(i64::from(date.subsec_nanos() / 1_000)));
    micros.map(Timestamp::from_micros).ok_or_else(|| unusable("ExpirationDate"))
}

fn unusable(field: &'static str) -> AskError {
    AskError::Refused(AwsError::IncompleteAnswer { action: ACTION, field }.to_string())
}

/// Only what is wrong with the question itself is never right later: people mend credentials, policies and clocks.
fn ask_error(error: &AwsError) -> AskError {
    let words = format!("{error}; {}", error.remedy());
    match error {
        AwsError::Refused { .. } | AwsError::NotFound { .. } | AwsError::IncompleteAnswer { .. } => {
            AskError::Refused(words)
        }
        AwsError::MissingCredentials { .. }
        | AwsError::RefusedCredentials { .. }
        | AwsError::AccessDenied { .. }
        | AwsError::ClockSkewed { .. }
        | AwsError::Throttled { .. }
        | AwsError::Unavailable { .. } => AskError::Unavailable(words),
    }
}
