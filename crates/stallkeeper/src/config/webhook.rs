use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;
use stallkeeper_aws::{Account, CredentialsSource, Endpoints, TopicArn};
use stallkeeper_webhook::{Endpoint, EndpointError, EndpointSettings, EventFilter, Reach};

use super::marketplace;
use super::section::Section;

/// What the events' topic is called among the endpoints.
pub const SNS_ENDPOINT: &str = "sns";

/// A topic to which the same events are published.
#[derive(Clone, Debug)]
pub struct SnsEvents {
    /// The topic.
    pub topic: TopicArn,
    /// How it is reached.
    pub account: Account,
    /// Which events it gets.
    pub filter: EventFilter,
}

/// Reads an endpoint.
pub(super) fn endpoint(section: &Section<'_>) -> Option<Endpoint> {
    for key in ["name", "url"] {
        section.require(key);
    }
    let (name, url) = (section.string("name"), section.string("url"));
    let is_private = section.flag("allow_private");
    let settings = EndpointSettings {
        secrets: secrets(section)?,
        events: events(section),
        timeout: Duration::from_secs(section.number("timeout_secs", 10, &(1..=30))),
        reach: if is_private { Reach::Anywhere } else { Reach::Public },
        allow_http: is_private,
        ca_pem: section.string("ca_file").and_then(|file| bytes(section, "ca_file", Path::new(&file))),
        name: name?,
        url: url?,
    };
    if settings.name == SNS_ENDPOINT {
        section.refuse("name", "is what the topic of [sns_events] is called");
    }
    Endpoint::new(&settings).map_err(|error| section.refuse(key_of(&error), &words(&error))).ok()
}

/// The key that an endpoint is refused for.
fn key_of(error: &EndpointError) -> &'static str {
    match error {
        EndpointError::Name => "name",
        EndpointError::Url | EndpointError::Scheme | EndpointError::Extra | EndpointError::Address(_) => {
            "url"
        }
        EndpointError::Secrets | EndpointError::Secret(_) => "secrets",
        EndpointError::Filter(_) => "events",
        EndpointError::Timeout => "timeout_secs",
        EndpointError::Certificates => "ca_file",
    }
}

fn words(error: &EndpointError) -> String {
    match error {
        EndpointError::Scheme | EndpointError::Address(_) => format!("{error} by `allow_private`"),
        error => error.to_string(),
    }
}

/// Given here or in a file, one to a line; never repeated in a problem.
fn secrets(section: &Section<'_>) -> Option<Vec<SecretString>> {
    let given: Vec<String> = section.texts("secrets");
    let file = section.string("secrets_file");
    let lines = match file {
        Some(_) if !given.is_empty() => {
            section.refuse("secrets_file", "goes without secrets: they come from one of them");
            return None;
        }
        Some(file) => {
            let text = String::from_utf8(bytes(section, "secrets_file", Path::new(&file))?);
            let text = text.map_err(|_| section.refuse("secrets_file", "is no text")).ok()?;
            text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
        }
        None => given,
    };
    if lines.is_empty() {
        section.refuse(
            "secrets",
            "missing; `echo whsec_$(openssl rand -base64 32)` makes a good one, and secrets_file may hold it",
        );
        return None;
    }
    Some(lines.into_iter().map(SecretString::from).collect())
}

fn bytes(section: &Section<'_>, key: &'static str, file: &Path) -> Option<Vec<u8>> {
    let read = std::fs::read(file);
    read.map_err(|error| section.refuse(key, &format!("{}: {error}", file.display()))).ok()
}

/// All, where none is named.
fn events(section: &Section<'_>) -> Vec<String> {
    if section.has("events") { section.texts("events") } else { vec!["*".to_owned()] }
}

/// Reads the section `sns_events`.
pub(super) fn topic(section: &Section<'_>, is_asked: bool) -> Option<SnsEvents> {
    if is_asked {
        section.require("topic_arn");
    }
    let topic: Option<TopicArn> = section.text("topic_arn");
    let filter = EventFilter::parse(events(section).iter().map(String::as_str));
    let filter = filter.map_err(|error| section.refuse("events", &error.to_string()));
    let credentials: CredentialsSource = marketplace::credentials(section);
    let endpoints = Endpoints { sns: section.string("endpoint_url"), ..Endpoints::default() };
    let (topic, filter) = (topic?, filter.ok()?);
    let account = Account { region: topic.region().to_owned(), credentials, endpoints };
    Some(SnsEvents { topic, account, filter })
}
