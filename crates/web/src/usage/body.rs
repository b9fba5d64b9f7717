use std::borrow::Cow;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::error::Category;
use serde_json::value::RawValue;
use stallkeeper_ledger::Submission;

use super::event::{Fields, Malformed, cloud_event, plain_event};

/// How many events one request may hold.
pub const REQUEST_EVENTS_MAX: usize = 1_000;

/// How many bytes one request may have.
pub const REQUEST_BYTES_MAX: usize = 1 << 20;

/// In which form usage is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageFormat {
    /// A list of events, or an object that holds one as `events`: `application/json`.
    Events,
    /// One structured CloudEvent: `application/cloudevents+json`.
    CloudEvent,
    /// A list of them: `application/cloudevents-batch+json`.
    CloudEventBatch,
}

/// One event of a request: understood, or malformed.
pub type UsageEntry = Result<Submission, Malformed>;

/// Why nothing of a request is understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Not JSON.
    #[error("not JSON: {0}")]
    NotJson(String),
    /// JSON, but not of the expected form.
    #[error("expected {expected}")]
    Shape {
        /// What was expected.
        expected: &'static str,
    },
    /// Too many events.
    #[error("{count} events: at most {REQUEST_EVENTS_MAX} are taken at once; send them in parts")]
    TooMany {
        /// How many.
        count: usize,
    },
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
struct Wrapped<'a> {
    #[serde(borrow)]
    #[schemars(with = "EventList<Fields<'_>>")]
    events: Vec<&'a RawValue>,
}

/// So many events as a request may hold; for the description of the API.
pub(super) struct EventList<T>(PhantomData<T>);

impl<T: JsonSchema> JsonSchema for EventList<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("{}List", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let items = generator.subschema_for::<T>();
        json_schema!({ "type": "array", "maxItems": REQUEST_EVENTS_MAX, "items": items })
    }
}

/// What is read as [`UsageFormat::Events`]; for the description of the API.
pub(super) enum EventsBody {}

impl JsonSchema for EventsBody {
    fn schema_name() -> Cow<'static, str> {
        "Events".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let forms =
            [generator.subschema_for::<EventList<Fields<'_>>>(), generator.subschema_for::<Wrapped<'_>>()];
        json_schema!({ "oneOf": forms })
    }
}

impl UsageFormat {
    /// The form that a content type names, JSON where there is none; nothing for one that is not understood.
    pub fn of(content_type: Option<&str>) -> Option<Self> {
        let essence = content_type.map_or("", |value| value.split(';').next().unwrap_or_default().trim());
        match essence.to_ascii_lowercase().as_str() {
            "" | "application/json" => Some(Self::Events),
            "application/cloudevents+json" => Some(Self::CloudEvent),
            "application/cloudevents-batch+json" => Some(Self::CloudEventBatch),
            _ => None,
        }
    }
}

/// Reads a request's events; one that is malformed does not touch the others.
///
/// # Errors
/// A body of which nothing is understood, or that holds too many events.
pub fn read_usage(format: UsageFormat, body: &[u8]) -> Result<Vec<UsageEntry>, BodyError> {
    let text = std::str::from_utf8(body).map_err(|error| BodyError::NotJson(error.to_string()))?;
    let events = split(format, text)?;
    if events.len() > REQUEST_EVENTS_MAX {
        return Err(BodyError::TooMany { count: events.len() });
    }
    let read = match format {
        UsageFormat::Events => plain_event,
        UsageFormat::CloudEvent | UsageFormat::CloudEventBatch => cloud_event,
    };
    Ok(events.into_iter().map(read).collect())
}

fn split(format: UsageFormat, text: &str) -> Result<Vec<&RawValue>, BodyError> {
    let is_object = text.trim_start().starts_with('{');
    match format {
        UsageFormat::Events if is_object => {
            let expected = "an object with the one field `events`, a list";
            parse::<Wrapped<'_>>(text, expected).map(|wrapped| wrapped.events)
        }
        UsageFormat::Events => parse(text, "a list of events, or an object with `events`"),
        UsageFormat::CloudEvent => {
            let expected = "one CloudEvent, an object";
            let event = parse(text, expected)?;
            if is_object { Ok(vec![event]) } else { Err(BodyError::Shape { expected }) }
        }
        UsageFormat::CloudEventBatch => parse(text, "a list of CloudEvents"),
    }
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str, expected: &'static str) -> Result<T, BodyError> {
    serde_json::from_str(text).map_err(|error| {
        // The form is wrong at some place; what comes behind it may be no JSON all the same.
        let error = match error.classify() {
            Category::Data => serde_json::from_str::<&RawValue>(text).err(),
            Category::Io | Category::Syntax | Category::Eof => Some(error),
        };
        match error {
            Some(error) => BodyError::NotJson(error.to_string()),
            None => BodyError::Shape { expected },
        }
    })
}
