use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::{Certificate, Url};
use secrecy::SecretString;

use crate::{AddressRefused, EventFilter, FilterError, Reach, SecretError, SigningSecret};

/// How many secrets sign side by side at the most: the old and the new one, and one to spare.
pub const SECRETS_MAX: usize = 3;

/// The longest name of an endpoint, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// The longest time that an attempt may be given.
const TIMEOUT_MAX: Duration = Duration::from_secs(30);

/// An endpoint as the seller writes it.
#[derive(Clone, Debug)]
pub struct EndpointSettings {
    /// Its name: lower-case letters, digits and dashes.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// The secrets that sign, the newest first.
    pub secrets: Vec<SecretString>,
    /// The events that it wants, as names, groups or `*`.
    pub events: Vec<String>,
    /// How long an attempt may take, from the look-up to the answer's end.
    pub timeout: Duration,
    /// Which addresses it may have.
    pub reach: Reach,
    /// Whether it may be plain HTTP.
    pub allow_http: bool,
    /// Certificates in PEM that are trusted besides the system's.
    pub ca_pem: Option<Vec<u8>>,
}

/// An endpoint whose settings are in order.
#[derive(Clone)]
pub struct Endpoint {
    pub(crate) name: String,
    pub(crate) url: Url,
    pub(crate) secrets: Vec<SigningSecret>,
    pub(crate) filter: EventFilter,
    pub(crate) timeout: Duration,
    pub(crate) reach: Reach,
    pub(crate) certificates: Vec<Certificate>,
}

/// What is wrong with an endpoint's settings.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// A name that would not fit into lists and labels.
    #[error("a name has 1 to {NAME_BYTES_MAX} lower-case letters, digits or dashes")]
    Name,
    /// Not a URL.
    #[error("the address is not a URL")]
    Url,
    /// Neither HTTPS nor allowed to be HTTP.
    #[error("the address is not https; plain http must be allowed")]
    Scheme,
    /// The URL would leak into logs, or is not sent.
    #[error("the address has a user, a password or a fragment")]
    Extra,
    /// An address that must not be reached.
    #[error(transparent)]
    Address(#[from] AddressRefused),
    /// A message that nobody can check must not be sent.
    #[error("1 to {SECRETS_MAX} secrets sign")]
    Secrets,
    /// A secret that is not one.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A list of events that does not mean what it should.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// No time, or so much that others would wait.
    #[error("an attempt is given up to {} s", TIMEOUT_MAX.as_secs())]
    Timeout,
    /// Not certificates in PEM.
    #[error("the file of certificates has none in PEM")]
    Certificates,
}

impl Endpoint {
    /// The endpoint, if its settings are in order.
    ///
    /// # Errors
    /// The first thing that is wrong with them.
    pub fn new(settings: &EndpointSettings) -> Result<Self, EndpointError> {
        if settings.timeout.is_zero() || settings.timeout > TIMEOUT_MAX {
            return Err(EndpointError::Timeout);
        }
        Ok(Self {
            name: checked_name(&settings.name)?,
            url: checked_url(settings)?,
            secrets: secrets(&settings.secrets)?,
            filter: EventFilter::parse(settings.events.iter().map(String::as_str))?,
            timeout: settings.timeout,
            reach: settings.reach,
            certificates: settings.ca_pem.as_deref().map(certificates).transpose()?.unwrap_or_default(),
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is, without its path and query, which may hold a token of the receiver's.
    pub fn address(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// The events that it wants.
    pub fn filter(&self) -> &EventFilter {
        &self.filter
    }
}

// Its URL may hold a token of the receiver's.
impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Endpoint").field("name", &self.name).finish_non_exhaustive()
    }
}

fn checked_name(name: &str) -> Result<String, EndpointError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain);
    fits.then(|| name.to_owned()).ok_or(EndpointError::Name)
}

fn checked_url(settings: &EndpointSettings) -> Result<Url, EndpointError> {
    let url = Url::parse(&settings.url).map_err(|_| EndpointError::Url)?;
    match url.scheme() {
        "https" => {}
        "http" if settings.allow_http => {}
        _ => return Err(EndpointError::Scheme),
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(EndpointError::Extra);
    }
    // No look-up stands between an address that is written out and its connection.
    if let Some(address) = written_address(&url) {
        settings.reach.judge(address)?;
    }
    Ok(url)
}

fn written_address(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn secrets(texts: &[SecretString]) -> Result<Vec<SigningSecret>, EndpointError> {
    if !(1..=SECRETS_MAX).contains(&texts.len()) {
        return Err(EndpointError::Secrets);
    }
    Ok(texts.iter().map(SigningSecret::parse).collect::<Result<_, _>>()?)
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, EndpointError> {
    let found = Certificate::from_pem_bundle(pem).map_err(|_| EndpointError::Certificates)?;
    if found.is_empty() {
        return Err(EndpointError::Certificates);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str) -> EndpointSettings {
        EndpointSettings {
            name: "app".to_owned(),
            url: url.to_owned(),
            secrets: vec!["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned().into()],
            events: vec!["*".to_owned()],
            timeout: Duration::from_secs(10),
            reach: Reach::Public,
            allow_http: false,
            ca_pem: None,
        }
    }

    fn refused(settings: &EndpointSettings) -> EndpointError {
        Endpoint::new(settings).expect_err("refused")
    }

    #[test]
    fn plain_http_must_be_allowed() {
        let mut plain = settings("http://app.example.com/hooks");
        assert!(matches!(refused(&plain), EndpointError::Scheme));
        plain.allow_http = true;
        assert!(Endpoint::new(&plain).is_ok());
    }

    #[test]
    fn an_inner_address_is_refused_however_it_is_written() {
        for url in [
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://[::1]/",
            "https://[::ffff:169.254.169.254]/",
            "https://10.0.0.1:8443/hooks",
        ] {
            assert!(matches!(refused(&settings(url)), EndpointError::Address(_)), "{url}");
        }
    }

    #[test]
    fn an_address_with_a_password_or_a_fragment_is_refused() {
        for url in
            ["https://user@app.example.com/", "https://:p@app.example.com/", "https://app.example.com/#a"]
        {
            assert!(matches!(refused(&settings(url)), EndpointError::Extra), "{url}");
        }
    }

    #[test]
    fn an_endpoint_needs_a_secret_and_takes_no_more_than_a_few() {
        let mut none = settings("https://app.example.com/");
        let secret = none.secrets.remove(0);
        assert!(matches!(refused(&none), EndpointError::Secrets));
        none.secrets = vec![secret; SECRETS_MAX + 1];
        assert!(matches!(refused(&none), EndpointError::Secrets));
    }

    #[test]
    fn a_name_that_is_no_label_is_refused() {
        for name in ["", "App", "a b", "a/b", &"a".repeat(NAME_BYTES_MAX + 1)] {
            let mut named = settings("https://app.example.com/");
            named.name = name.to_owned();
            assert!(matches!(refused(&named), EndpointError::Name), "{name:?}");
        }
    }

    #[test]
    fn an_attempt_needs_a_time_within_bounds() {
        for timeout in [Duration::ZERO, TIMEOUT_MAX + Duration::from_millis(1)] {
            let timed = EndpointSettings { timeout, ..settings("https://app.example.com/") };
            assert!(matches!(refused(&timed), EndpointError::Timeout), "{timeout:?}");
        }
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let with =
            EndpointSettings { ca_pem: Some(b"none".to_vec()), ..settings("https://app.example.com/") };
        assert!(matches!(refused(&with), EndpointError::Certificates));
    }

    #[test]
    fn neither_address_nor_secret_shows() {
        let endpoint = Endpoint::new(&settings("https://app.example.com/?token=hidden")).unwrap();
        assert!(!format!("{endpoint:?}").contains("hidden"));
    }
}
