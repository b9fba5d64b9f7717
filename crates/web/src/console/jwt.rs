use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use axum::http::HeaderName;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::Value;
use stallkeeper_lifecycle::Timestamp;

use super::Operator;

/// How far the proxy's clock may be away from this one.
const LEEWAY: Duration = Duration::from_mins(1);

/// Longer tokens are not read.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// How the seller's proxy says who is there.
#[derive(Clone)]
pub struct JwtConfig {
    /// The header in which its token comes.
    pub header: HeaderName,
    /// Who must have issued it.
    pub issuer: String,
    /// For whom it must be.
    pub audience: String,
    /// The claim that names the person.
    pub name_claim: String,
    /// The keys with which it may be signed.
    pub keys: JwtKeys,
}

/// Public keys, each of one algorithm: RS256 or ES256.
#[derive(Clone)]
pub struct JwtKeys(Vec<Key>);

#[derive(Clone)]
struct Key {
    /// Its id, by which tokens name it; a key without one is tried for every token.
    id: Option<String>,
    algorithm: Algorithm,
    decoding: DecodingKey,
}

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JwtKeysError {
    /// The text is neither a set of keys in JSON nor a public key in PEM.
    #[error("expected a JSON Web Key Set, or a public key in PEM (RSA, or EC on the curve P-256)")]
    Unreadable(#[source] Option<Box<dyn std::error::Error + Send + Sync>>),
    /// The set has no key that could be used.
    #[error("no key in it is for RS256 or ES256 signatures")]
    NoKey,
}

/// Why a token is not accepted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum JwtError {
    /// It cannot be read, or is not signed with a known key by a known algorithm.
    #[error("it is not signed with a key that is configured")]
    Signature,
    /// It is another issuer's, or for somebody else.
    #[error("it is not the configured issuer's, or not for this audience")]
    Foreign,
    /// Its time is over.
    #[error("its time is over")]
    Expired,
    /// Its time has not come.
    #[error("its time has not come yet")]
    Early,
    /// It does not say until when it holds.
    #[error("it does not say until when it holds (exp)")]
    Endless,
    /// The claim that names the person is missing, or no name.
    #[error("it names nobody")]
    Nameless,
}

/// The claims that are looked at; the rest is kept for the name.
#[derive(Deserialize)]
struct Claims {
    exp: Option<f64>,
    nbf: Option<f64>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

impl JwtConfig {
    /// Who is there, by a token of the proxy's.
    ///
    /// # Errors
    /// [`JwtError`] where it is not to be believed.
    pub(super) fn verify(&self, token: &str, now: Timestamp) -> Result<Operator, JwtError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(JwtError::Signature);
        }
        let header = decode_header(token).map_err(|_| JwtError::Signature)?;
        let mut foreign = false;
        for key in self.keys.candidates(header.alg, header.kid.as_deref()) {
            match decode::<Claims>(token, &key.decoding, &self.validation(key.algorithm)) {
                Ok(verified) => return self.believe(&verified.claims, now),
                Err(error) => foreign |= is_foreign(&error),
            }
        }
        Err(if foreign { JwtError::Foreign } else { JwtError::Signature })
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["iss", "aud"]);
        // Times are judged by the worker's own clock.
        validation.validate_exp = false;
        validation
    }

    fn believe(&self, claims: &Claims, now: Timestamp) -> Result<Operator, JwtError> {
        let expires = claims.exp.map(seconds).ok_or(JwtError::Endless)?;
        if now >= expires.plus(LEEWAY) {
            return Err(JwtError::Expired);
        }
        if claims.nbf.map(seconds).is_some_and(|from| from > now.plus(LEEWAY)) {
            return Err(JwtError::Early);
        }
        let name = claims.others.get(&self.name_claim).and_then(Value::as_str).ok_or(JwtError::Nameless)?;
        Operator::new(name).map_err(|_| JwtError::Nameless)
    }
}

/// Whether the signature is right, and the rest is not for us.
fn is_foreign(error: &jsonwebtoken::errors::Error) -> bool {
    use jsonwebtoken::errors::ErrorKind::{InvalidAudience, InvalidIssuer, MissingRequiredClaim};
    matches!(error.kind(), InvalidAudience | InvalidIssuer | MissingRequiredClaim(_))
}

/// A JWT's number of seconds; what cannot be a time is long past.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a cast of floats saturates, and fractions are cut off first"
)]
fn seconds(since_1970: f64) -> Timestamp {
    Timestamp::from_micros((since_1970.trunc() as i64).saturating_mul(1_000_000))
}

impl JwtKeys {
    /// Reads a JSON Web Key Set, or one public key in PEM.
    ///
    /// # Errors
    /// A text that is neither, and a set without a key for RS256 or ES256.
    pub fn parse(text: &str) -> Result<Self, JwtKeysError> {
        if text.trim_start().starts_with('{') {
            let set: JwkSet =
                serde_json::from_str(text).map_err(|error| JwtKeysError::Unreadable(Some(error.into())))?;
            let keys: Vec<Key> = set.keys.iter().filter_map(Key::of_jwk).collect();
            return if keys.is_empty() { Err(JwtKeysError::NoKey) } else { Ok(Self(keys)) };
        }
        let pem = text.as_bytes();
        let key = |algorithm, key| Self(vec![Key { id: None, algorithm, decoding: key }]);
        match (DecodingKey::from_ec_pem(pem), DecodingKey::from_rsa_pem(pem)) {
            (Ok(ec), _) => Ok(key(Algorithm::ES256, ec)),
            (_, Ok(rsa)) => Ok(key(Algorithm::RS256, rsa)),
            (Err(_), Err(error)) => Err(JwtKeysError::Unreadable(Some(error.into()))),
        }
    }

    /// The keys that may have signed; what a token says of itself never makes a key serve another algorithm.
    fn candidates(&self, algorithm: Algorithm, id: Option<&str>) -> impl Iterator<Item = &Key> {
        let id = id.map(str::to_owned);
        let is_named = move |key: &&Key| match (&key.id, &id) {
            (Some(known), Some(named)) => known == named,
            _ => true,
        };
        self.0.iter().filter(move |key| key.algorithm == algorithm).filter(is_named)
    }
}

impl Key {
    /// A key of a set, where it is for one of the two algorithms.
    fn of_jwk(jwk: &Jwk) -> Option<Self> {
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => Algorithm::RS256,
            AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
                Algorithm::ES256
            }
            _ => return None,
        };
        let says_so = match jwk.common.key_algorithm {
            None => true,
            Some(KeyAlgorithm::RS256) => algorithm == Algorithm::RS256,
            Some(KeyAlgorithm::ES256) => algorithm == Algorithm::ES256,
            Some(_) => false,
        };
        let signs = !matches!(jwk.common.public_key_use, Some(PublicKeyUse::Encryption));
        let decoding = DecodingKey::from_jwk(jwk).ok().filter(|_| says_so && signs)?;
        Some(Self { id: jwk.common.key_id.clone(), algorithm, decoding })
    }
}

impl fmt::Debug for JwtKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(|key| (&key.id, key.algorithm))).finish()
    }
}

impl fmt::Debug for JwtConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("JwtConfig")
            .field("header", &self.header)
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("name_claim", &self.name_claim)
            .field("keys", &self.keys)
            .finish()
    }
}
