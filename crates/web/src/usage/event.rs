use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::value::RawValue;
use stallkeeper_ledger::Submission;

use crate::openapi::{Id, Moment, Name, SubscriptionText};

/// How many tags of an event are read; the marketplace takes fewer.
const TAGS_READ_MAX: usize = 64;
/// The longest text that is read as a quantity.
const QUANTITY_BYTES_MAX: usize = 64;
const MESSAGE_CHARS_MAX: usize = 200;

/// Why an event is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Its id, where that can be read.
    pub id: Option<String>,
    /// The word for programs.
    pub reason: &'static str,
    /// The same in words.
    pub message: String,
}

/// An event's fields as they stand in the text; `null` is as good as none.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Event")]
pub(super) struct Fields<'a> {
    /// The app's own, unique within the product and tenant.
    #[serde(borrow)]
    #[schemars(with = "String", length(min = 1, max = 128))]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schemars(with = "Id")]
    tenant: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schemars(with = "Name")]
    product: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schemars(with = "Name")]
    dimension: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schemars(with = "Quantity")]
    quantity: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schemars(with = "Moment")]
    occurred_at: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schemars(with = "Option<Id>")]
    user: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schemars(with = "Option<BTreeMap<String, String>>", extend("maxProperties" = 5))]
    tags: Option<&'a RawValue>,
    /// Which of the tenant's subscriptions, where there are several.
    #[serde(borrow)]
    #[schemars(with = "Option<SubscriptionText>")]
    subscription: Option<&'a RawValue>,
}

/// What is read of a CloudEvent (CloudEvents 1.0, JSON format); its other attributes say nothing about usage.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "CloudEvent")]
pub(super) struct Envelope<'a> {
    #[serde(borrow)]
    #[schemars(with = "String", extend("const" = "1.0"))]
    specversion: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schemars(with = "String")]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schemars(with = "Option<Moment>")]
    time: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schemars(with = "Option<String>")]
    subject: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schemars(with = "CloudEventData")]
    data: Option<&'a RawValue>,
}

/// A number of units; as a text it passes through any JSON library unchanged.
enum Quantity {}

impl JsonSchema for Quantity {
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A decimal number of units without an exponent; as a text it passes through any JSON \
                library unchanged.",
            "oneOf": [
                { "type": "number", "minimum": 0 },
                { "type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$", "maxLength": QUANTITY_BYTES_MAX },
            ],
        })
    }
}

/// An event's fields, of which a CloudEvent's attributes stand for some.
enum CloudEventData {}

impl JsonSchema for CloudEventData {
    fn schema_name() -> Cow<'static, str> {
        "CloudEventData".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Fields::json_schema(generator);
        schema.insert("required".to_owned(), vec!["product", "dimension", "quantity"].into());
        let description = "An event's fields; id, tenant and occurred_at may be left out for the attributes id, \
            subject and time.";
        schema.insert("description".to_owned(), description.into());
        schema
    }
}

/// What is wrong, before it is known with which event.
struct Wrong {
    reason: &'static str,
    message: String,
}

/// Reads an event as the app reports it.
pub(super) fn plain_event(raw: &RawValue) -> Result<Submission, Malformed> {
    let fields = object::<Fields<'_>>(raw).map_err(|wrong| wrong.of(None))?;
    submission(&fields).map_err(|wrong| wrong.of(fields.id))
}

/// Reads a CloudEvent: its data has the fields, and what those leave out of id, time and tenant is taken from
/// its attributes `id`, `time` and `subject`.
pub(super) fn cloud_event(raw: &RawValue) -> Result<Submission, Malformed> {
    let envelope = object::<Envelope<'_>>(raw).map_err(|wrong| wrong.of(None))?;
    let fields = unwrap(&envelope).map_err(|wrong| wrong.of(envelope.id))?;
    submission(&fields).map_err(|wrong| wrong.of(fields.id))
}

fn unwrap<'a>(envelope: &Envelope<'a>) -> Result<Fields<'a>, Wrong> {
    match envelope.specversion.map(text).transpose()?.as_deref() {
        Some("1.0") => {}
        _ => return Err(Wrong::new("malformed", "specversion: expected \"1.0\", of a CloudEvent")),
    }
    let data = envelope.data.ok_or_else(|| Wrong::new("malformed", "data: missing; expected an object"))?;
    let fields = object::<Fields<'a>>(data).map_err(|wrong| wrong.in_field("data"))?;
    Ok(Fields {
        id: fields.id.or(envelope.id),
        tenant: fields.tenant.or(envelope.subject),
        occurred_at: fields.occurred_at.or(envelope.time),
        ..fields
    })
}

fn submission(fields: &Fields<'_>) -> Result<Submission, Wrong> {
    Ok(Submission {
        id: required("id", "bad_id", fields.id)?,
        tenant: required("tenant", "bad_tenant", fields.tenant)?,
        product: required("product", "bad_product", fields.product)?,
        dimension: required("dimension", "bad_dimension", fields.dimension)?,
        quantity: quantity(fields.quantity).map_err(|wrong| wrong.in_field("quantity"))?,
        occurred_at: required("occurred_at", "bad_time", fields.occurred_at)?,
        user: optional("user", "bad_user", fields.user)?,
        tags: fields.tags.map(tags).transpose().map_err(|wrong| wrong.in_field("tags"))?.unwrap_or_default(),
        subscription: optional("subscription", "bad_subscription", fields.subscription)?,
    })
}

/// Reads an object; a list would pass for one whose fields stand in order.
fn object<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, Wrong> {
    if !raw.get().starts_with('{') {
        return Err(Wrong::new("malformed", "expected an object"));
    }
    serde_json::from_str(raw.get()).map_err(|error| Wrong::new("malformed", error))
}

fn required<T: FromStr<Err: Display>>(
    field: &'static str,
    reason: &'static str,
    raw: Option<&RawValue>,
) -> Result<T, Wrong> {
    optional(field, reason, raw)?.ok_or_else(|| Wrong::new("missing_field", format_args!("{field}: missing")))
}

fn optional<T: FromStr<Err: Display>>(
    field: &'static str,
    reason: &'static str,
    raw: Option<&RawValue>,
) -> Result<Option<T>, Wrong> {
    let Some(raw) = raw else { return Ok(None) };
    let parse = |text: Cow<'_, str>| text.parse().map_err(|error| Wrong::new(reason, error));
    text(raw).and_then(parse).map(Some).map_err(|wrong| Wrong { reason, ..wrong }.in_field(field))
}

fn text(raw: &RawValue) -> Result<Cow<'_, str>, Wrong> {
    // Without an escape in it, the text is not copied.
    if let Ok(text) = serde_json::from_str::<&str>(raw.get()) {
        return Ok(Cow::Borrowed(text));
    }
    let text = serde_json::from_str::<String>(raw.get());
    text.map(Cow::Owned).map_err(|_| Wrong::new("malformed", "expected a text"))
}

/// A JSON number's own digits, or a text; never by way of a float, which would not keep 0.1.
fn quantity(raw: Option<&RawValue>) -> Result<String, Wrong> {
    let raw = raw.ok_or_else(|| Wrong::new("missing_field", "missing"))?;
    let digits = match raw.get().bytes().next() {
        Some(b'-' | b'0'..=b'9') => Cow::Borrowed(raw.get()),
        Some(b'"') => text(raw)?,
        _ => return Err(Wrong::new("bad_quantity", "expected a number, or a text that holds one")),
    };
    if digits.len() > QUANTITY_BYTES_MAX {
        let message = format_args!("more than {QUANTITY_BYTES_MAX} characters");
        return Err(Wrong::new("bad_quantity", message));
    }
    Ok(digits.into_owned())
}

fn tags(raw: &RawValue) -> Result<BTreeMap<String, String>, Wrong> {
    let tags = serde_json::from_str::<BTreeMap<String, String>>(raw.get());
    let tags = tags.map_err(|_| Wrong::new("bad_tags", "expected an object of texts"))?;
    if tags.len() > TAGS_READ_MAX {
        let message = format_args!("{} of them: at most {TAGS_READ_MAX} are read", tags.len());
        return Err(Wrong::new("bad_tags", message));
    }
    Ok(tags)
}

impl Wrong {
    fn new(reason: &'static str, message: impl Display) -> Self {
        Self { reason, message: message.to_string().chars().take(MESSAGE_CHARS_MAX).collect() }
    }

    fn in_field(self, field: &str) -> Self {
        Self { message: format!("{field}: {}", self.message), ..self }
    }

    /// The same about an event, whose id is told where it is one.
    fn of(self, id: Option<&RawValue>) -> Malformed {
        let id = id.and_then(|raw| text(raw).ok()).filter(|id| id.len() <= 128).map(Cow::into_owned);
        Malformed { id, reason: self.reason, message: self.message }
    }
}
