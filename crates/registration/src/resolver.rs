use async_trait::async_trait;
use secrecy::SecretString;
use stallkeeper_lifecycle::{AccountId, AgreementId, CustomerId, ProductCode};

/// What a marketplace says of the buyer who brings a token. Nothing else about him is to be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buyer {
    /// What he bought.
    pub product: ProductCode,
    /// Who he is, at listings from before concurrent agreements.
    pub customer: Option<CustomerId>,
    /// His account with the marketplace.
    pub account: Option<AccountId>,
    /// The ARN of his license, in the marketplace's own spelling.
    pub license_arn: Option<String>,
    /// His agreement.
    pub agreement: Option<AgreementId>,
}

/// Why a marketplace says nothing of a buyer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The token was good once: the buyer comes again from the marketplace.
    #[error("the token is over")]
    Expired,
    /// The marketplace never gave it out.
    #[error("the marketplace does not know the token")]
    Invalid,
    /// Trying again in a moment can help.
    #[error("the marketplace does not answer now: {0}")]
    Unavailable(String),
    /// The seller has to see to it.
    #[error("the marketplace refuses to be asked: {0}")]
    Refused(String),
}

/// Asks a marketplace about a token.
#[async_trait]
pub trait Resolver: Send + Sync + 'static {
    /// Whom a token speaks of. The same token may be asked for again.
    ///
    /// # Errors
    /// [`ResolveError`]; no variant repeats the token.
    async fn resolve(&self, token: &SecretString) -> Result<Buyer, ResolveError>;
}
