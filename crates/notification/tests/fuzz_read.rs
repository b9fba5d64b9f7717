//! Whatever arrives on a queue is read or refused, never worse; what is read holds to the feed.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot be set up fails")]

use std::sync::LazyLock;

use bolero::{TypeGenerator, check};
use serde_json::{Value, json};
use stallkeeper_lifecycle::{MAX_CLOCK_LEAD, ProductCode, Timestamp};
use stallkeeper_notification::{
    Delivery, EventBus, Feed, FeedConfig, Partition, QueueMeta, SignaturePolicy, Topic, read,
};

const TOPIC: &str = "arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-prod1";

static FEED: LazyLock<Feed> = LazyLock::new(|| {
    Feed::new(FeedConfig {
        marketplace: "aws".parse().unwrap(),
        partition: Partition::Aws,
        topics: vec![Topic::parse(TOPIC).unwrap()],
        delivery: Delivery::Raw,
        events: Some(EventBus::default()),
        products: ["prod2".parse().unwrap()].into(),
        signatures: SignaturePolicy::Warn,
    })
    .unwrap()
});

fn message() -> Value {
    json!({
        "action": "subscribe-success", "customer-identifier": "X01", "product-code": "prod1",
        "offer-identifier": "offer-1", "isFreeTrialTermPresent": "true",
    })
}

fn samples() -> [Value; 5] {
    let envelope = |message: Value| {
        json!({
            "Type": "Notification", "MessageId": "dc1e94d9", "TopicArn": TOPIC, "Message": message,
            "Subject": "s", "Timestamp": "2026-11-22T10:00:00Z", "SignatureVersion": "1", "Signature": "c2ln",
            "SigningCertURL": "https://sns.us-east-1.amazonaws.com/a.pem",
        })
    };
    let event = |detail_type: &str| {
        json!({
            "id": "01234567", "detail-type": detail_type, "source": "aws.agreement-marketplace",
            "account": "123456789012", "time": "2026-11-22T10:00:00Z",
            "resources": ["arn:aws:aws-marketplace::aws:agreement:agmt-1"],
            "detail": {
                "agreement": { "id": "agmt-1", "intent": "NEW", "status": "CANCELLED" },
                "product": { "code": "prod2" }, "license": { "arn": "arn:aws:license-manager::1:license:l-1" },
                "offer": { "id": "offer-1" },
            },
        })
    };
    let text = Value::String(message().to_string());
    [
        envelope(text),
        envelope(message()),
        message(),
        event("License Updated - Manufacturer"),
        event("Purchase Agreement Ended - Proposer"),
    ]
}

/// What is done to one value somewhere in a good message.
#[derive(Debug, TypeGenerator)]
enum Change {
    Remove,
    Null,
    Flag(bool),
    Number(i64),
    Text(String),
    Append(String),
    Wrap,
    Time { micros: i64 },
    Another { sample: u8, pick: u8 },
}

#[derive(Debug, TypeGenerator)]
struct Mutation {
    pick: u8,
    change: Change,
}

fn paths(value: &Value, at: &str, out: &mut Vec<String>) {
    if let Value::Object(fields) = value {
        for (name, inner) in fields {
            let path = format!("{at}/{name}");
            paths(inner, &path, out);
            out.push(path);
        }
    }
}

fn picked(value: &Value, pick: u8) -> Option<String> {
    let mut all = Vec::new();
    paths(value, "", &mut all);
    if all.is_empty() { None } else { Some(all[usize::from(pick) % all.len()].clone()) }
}

fn mutate(value: &mut Value, mutation: &Mutation) {
    let Some(path) = picked(value, mutation.pick) else { return };
    if matches!(mutation.change, Change::Remove) {
        let (parent, name) = path.rsplit_once('/').unwrap();
        value.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
        return;
    }
    let place = value.pointer_mut(&path).unwrap();
    *place = match &mutation.change {
        Change::Remove | Change::Null => Value::Null,
        Change::Flag(flag) => json!(flag),
        Change::Number(number) => json!(number),
        Change::Text(text) => json!(text),
        Change::Append(text) => json!(format!("{}{text}", place.as_str().unwrap_or_default())),
        Change::Wrap => json!([place.take()]),
        Change::Time { micros } => json!(Timestamp::from_micros(*micros).to_string()),
        Change::Another { sample, pick } => {
            let sample = &samples()[usize::from(*sample) % 5];
            picked(sample, *pick).and_then(|path| sample.pointer(&path).cloned()).unwrap_or_default()
        }
    };
}

fn received_at() -> Timestamp {
    "2026-11-22T10:00:02Z".parse().unwrap()
}

/// Reads the bytes; whether they were accepted.
fn holds(body: &[u8]) -> bool {
    let queue =
        QueueMeta { message_id: "059f36b4", sent_at: Some(received_at()), received_at: received_at() };
    let read = match read(body, queue, &FEED) {
        Ok(read) => read,
        Err(refusal) => {
            assert!(!refusal.to_string().contains(char::is_control), "{refusal}");
            return false;
        }
    };
    let notification = &read.notification;
    let subject = &notification.subject;
    let known = FEED.products().contains(&subject.product);
    let agreement = subject.is_agreement() && subject.product == ProductCode::unknown();
    assert!(known || agreement, "{subject}");
    assert!(notification.fact.time() <= received_at().plus(MAX_CLOCK_LEAD));
    for id in [notification.id.as_str(), subject.holder.id()] {
        assert!(!id.is_empty() && !id.contains(char::is_control), "{id:?}");
    }
    if let Some(topic) = &notification.topic {
        assert_eq!(topic.product(), &subject.product);
    }
    assert_eq!(subject.to_string().parse().as_ref(), Ok(subject), "the key survives being written");
    true
}

#[test]
fn fuzz_read_bytes() {
    check!().for_each(|body: &[u8]| {
        holds(body);
    });
}

#[test]
fn fuzz_read_mutations() {
    check!().with_type::<(u8, [Option<Mutation>; 3])>().for_each(|(sample, mutations)| {
        let mut body = samples()[usize::from(*sample) % 5].clone();
        for mutation in mutations.iter().flatten() {
            mutate(&mut body, mutation);
        }
        holds(body.to_string().as_bytes());
    });
}

#[test]
fn fuzz_read_messages_in_an_envelope() {
    check!().with_type::<(String, bool)>().for_each(|(text, nested)| {
        let mut body = samples()[0].clone();
        body["Message"] = if *nested { json!({ "action": text }) } else { json!(text) };
        holds(body.to_string().as_bytes());
    });
}

#[test]
fn the_samples_that_are_mutated_are_good() {
    for sample in samples() {
        assert!(holds(sample.to_string().as_bytes()), "{sample}");
    }
}
