//! `ResolveCustomer`: whom a registration token speaks of.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_marketplacemetering::Client;
use aws_sdk_marketplacemetering::config::http::HttpResponse;
use aws_sdk_marketplacemetering::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_marketplacemetering::operation::resolve_customer::{ResolveCustomerError, ResolveCustomerOutput};
use secrecy::{ExposeSecret, SecretString};
use stallkeeper_registration::{Buyer, ResolveError, Resolver};

use crate::error::AwsError;
use crate::profile::{Account, registration_client};

const ACTION: &str = "aws-marketplace:ResolveCustomer";

/// `ResolveCustomer` of one account, in the Region of the marketplace: it does not matter where usage is reported.
#[derive(Clone, Debug)]
pub struct RegistrationClient {
    client: Client,
}

impl RegistrationClient {
    /// A client of its own, so that a queue of metering calls keeps no buyer waiting.
    pub fn new(config: &SdkConfig, account: &Account) -> Self {
        Self { client: registration_client(config, account) }
    }
}

#[async_trait]
impl Resolver for RegistrationClient {
    async fn resolve(&self, token: &SecretString) -> Result<Buyer, ResolveError> {
        let request = self.client.resolve_customer().registration_token(token.expose_secret());
        let answer = request.send().await.map_err(resolve_error)?;
        buyer(&answer)
    }
}

/// What is not there and what is empty are the same, and what cannot be an id is no answer.
fn buyer(answer: &ResolveCustomerOutput) -> Result<Buyer, ResolveError> {
    Ok(Buyer {
        product: id("ProductCode", answer.product_code())?.ok_or_else(|| unusable("ProductCode"))?,
        customer: id("CustomerIdentifier", answer.customer_identifier())?,
        account: id("CustomerAWSAccountId", answer.customer_aws_account_id())?,
        license_arn: id("LicenseArn", answer.license_arn())?,
        agreement: id("AgreementId", answer.metadata().and_then(|metadata| metadata.agreement_id()))?,
    })
}

fn id<T: std::str::FromStr>(field: &'static str, text: Option<&str>) -> Result<Option<T>, ResolveError> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    text.map(str::parse).transpose().map_err(|_| unusable(field))
}

fn unusable(field: &'static str) -> ResolveError {
    ResolveError::Refused(AwsError::IncompleteAnswer { action: ACTION, field }.to_string())
}

/// The errors of `ResolveCustomer` by its API reference; the token is in none of them.
fn resolve_error(error: SdkError<ResolveCustomerError, HttpResponse>) -> ResolveError {
    let message = error.message().unwrap_or_default().to_owned();
    match error.as_service_error() {
        // Credentials that are over have the same code as a registration token that is.
        Some(ResolveCustomerError::ExpiredTokenException(_)) if !message.contains("security token") => {
            return ResolveError::Expired;
        }
        Some(ResolveCustomerError::InvalidTokenException(_)) => return ResolveError::Invalid,
        Some(ResolveCustomerError::DisabledApiException(_)) => {
            let words = "correct the marketplace's region: the metering service is not to be used there";
            return ResolveError::Refused(words.to_owned());
        }
        // A token of a form that AWS never gives out.
        Some(error) if error.code() == Some("ValidationException") => return ResolveError::Invalid,
        _ => {}
    }
    let error = AwsError::from_sdk(ACTION, "*", error);
    let words = format!("{error}; {}", error.remedy());
    if error.is_transient() { ResolveError::Unavailable(words) } else { ResolveError::Refused(words) }
}
