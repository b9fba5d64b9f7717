//! Whatever is posted as usage is read or refused, never worse; what is read holds to the bounds.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot be set up fails")]

use bolero::{TypeGenerator, check};
use serde_json::{Value, json};
use stallkeeper_lifecycle::UserId;
use stallkeeper_web::{REQUEST_EVENTS_MAX, UsageFormat, read_usage};

const FORMATS: [UsageFormat; 3] =
    [UsageFormat::Events, UsageFormat::CloudEvent, UsageFormat::CloudEventBatch];

fn event() -> Value {
    json!({
        "id": "u-1", "tenant": "acme", "product": "p", "dimension": "calls", "quantity": 0.1,
        "occurred_at": "2026-11-26T12:10:00Z", "user": "ann", "tags": { "team": "red" },
        "subscription": "aws/prod-1/customer/X01",
    })
}

fn cloud_event() -> Value {
    json!({
        "specversion": "1.0", "id": "u-1", "source": "/app", "type": "used", "subject": "acme",
        "time": "2026-11-26T12:10:00Z", "data": { "product": "p", "dimension": "calls", "quantity": "12" },
    })
}

fn samples() -> [(UsageFormat, Value); 4] {
    [
        (UsageFormat::Events, json!([event(), event()])),
        (UsageFormat::Events, json!({ "events": [event()] })),
        (UsageFormat::CloudEvent, cloud_event()),
        (UsageFormat::CloudEventBatch, json!([cloud_event(), cloud_event()])),
    ]
}

/// What is done to one value somewhere in a good body.
#[derive(Debug, TypeGenerator)]
enum Change {
    Null,
    Flag(bool),
    Number(i64),
    Text(String),
    Append(String),
    Wrap,
    Another { sample: u8, pick: u8 },
}

#[derive(Debug, TypeGenerator)]
struct Mutation {
    pick: u8,
    change: Change,
}

fn paths(value: &Value, at: &str, out: &mut Vec<String>) {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(n, value)| (n.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (name, value) in inner {
        let path = format!("{at}/{name}");
        paths(value, &path, out);
        out.push(path);
    }
}

fn picked(value: &Value, pick: u8) -> Option<String> {
    let mut all = Vec::new();
    paths(value, "", &mut all);
    if all.is_empty() { None } else { Some(all[usize::from(pick) % all.len()].clone()) }
}

fn mutate(value: &mut Value, mutation: &Mutation) {
    let Some(path) = picked(value, mutation.pick) else { return };
    let place = value.pointer_mut(&path).unwrap();
    *place = match &mutation.change {
        Change::Null => Value::Null,
        Change::Flag(flag) => json!(flag),
        Change::Number(number) => json!(number),
        Change::Text(text) => json!(text),
        Change::Append(text) => json!(format!("{}{text}", place.as_str().unwrap_or_default())),
        Change::Wrap => json!([place.take()]),
        Change::Another { sample, pick } => {
            let (_, sample) = &samples()[usize::from(*sample) % 4];
            picked(sample, *pick).and_then(|path| sample.pointer(&path).cloned()).unwrap_or_default()
        }
    };
}

/// Reads the bytes; how many events of them were understood.
fn holds(format: UsageFormat, body: &[u8]) -> usize {
    let Ok(entries) = read_usage(format, body) else { return 0 };
    assert!(entries.len() <= REQUEST_EVENTS_MAX);
    for entry in &entries {
        match entry {
            Ok(submission) => {
                let texts = [submission.id.as_str(), submission.tenant.as_str(), submission.product.as_str()];
                let user = submission.user.as_ref().map(UserId::as_str);
                for text in texts.into_iter().chain([submission.dimension.as_str()]).chain(user) {
                    assert!((1..=256).contains(&text.len()) && !text.contains(char::is_control), "{text:?}");
                }
                assert!(submission.quantity.len() <= 64 && submission.tags.len() <= 64);
            }
            Err(malformed) => {
                assert!(!malformed.message.is_empty() && malformed.message.chars().count() <= 300);
                assert!(malformed.id.as_ref().is_none_or(|id| id.len() <= 128));
            }
        }
    }
    entries.iter().flatten().count()
}

#[test]
fn fuzz_usage_bytes() {
    check!().for_each(|body: &[u8]| {
        for format in FORMATS {
            holds(format, body);
        }
    });
}

#[test]
fn fuzz_usage_mutations() {
    check!().with_type::<(u8, [Option<Mutation>; 3])>().for_each(|(sample, mutations)| {
        let (format, mut body) = samples()[usize::from(*sample) % 4].clone();
        for mutation in mutations.iter().flatten() {
            mutate(&mut body, mutation);
        }
        holds(format, body.to_string().as_bytes());
    });
}

#[test]
fn fuzz_usage_quantities_stay_as_they_were_sent() {
    check!().with_type::<(u32, u32, bool)>().for_each(|(whole, fraction, quoted)| {
        let quantity = format!("{whole}.{fraction}");
        let sent = if *quoted { format!("\"{quantity}\"") } else { quantity.clone() };
        let body = format!("[{}]", event().to_string().replace("0.1", &sent));
        let entries = read_usage(UsageFormat::Events, body.as_bytes()).unwrap();
        assert_eq!(entries[0].as_ref().unwrap().quantity, quantity);
    });
}

#[test]
fn the_samples_that_are_mutated_are_good() {
    for (format, sample) in samples() {
        assert!(holds(format, sample.to_string().as_bytes()) > 0, "{sample}");
    }
}
