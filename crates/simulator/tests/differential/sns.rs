//! The script about topics. Each step has a name of its own; what is said to it is noted without ids and times.

use aws_sdk_sns::config::http::HttpResponse;
use aws_sdk_sns::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry, Subscription};
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};

use crate::place::Place;
use crate::record::Record;
use crate::signature;

/// The record of one place's answers, with ids left out.
struct Recorder<'a> {
    record: &'a mut Record,
    place: &'a Place,
}

impl Recorder<'_> {
    /// A name for something that no other run has.
    fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.place.run)
    }

    fn is_own(&self, text: &str) -> bool {
        text.contains(&self.place.run)
    }

    /// Notes a text as it is, anything else as JSON.
    fn note(&mut self, step: &'static str, seen: &Value) {
        self.record.say(step, words(seen));
    }

    /// Notes an answer or its error; gives the answer on.
    fn call<T, E>(
        &mut self,
        step: &'static str,
        answer: Result<T, SdkError<E, HttpResponse>>,
        describe: impl FnOnce(&T) -> Value,
    ) -> Option<T>
    where
        E: ProvideErrorMetadata,
    {
        let (answer, given) = match answer {
            Ok(given) => (Ok(words(&describe(&given))), Some(given)),
            Err(error) => (Err(error), None),
        };
        self.record.answer(step, answer, |_, said| said);
        given
    }
}

/// Everything that is done with topics and subscriptions, in one place.
pub(crate) async fn script(place: &Place, record: &mut Record) {
    let recorder = &mut Recorder { record, place };
    let sns = &place.sns;
    let queue = Queue::create(recorder).await;
    let topic = topics(recorder, sns).await;
    let subscription = subscriptions(recorder, sns, &topic, &queue.arn).await;
    envelopes(recorder, sns, &topic, &queue).await;
    raw_delivery(recorder, sns, &topic, &subscription, &queue).await;
    refused_publications(recorder, sns, &topic, &queue).await;
    batches(recorder, sns, &topic, &queue).await;
    endings(recorder, sns, &topic, &subscription).await;
}

struct Queue {
    sqs: aws_sdk_sqs::Client,
    url: String,
    arn: String,
}

impl Queue {
    async fn create(recorder: &Recorder<'_>) -> Self {
        let sqs = &recorder.place.sqs;
        let created = sqs.create_queue().queue_name(recorder.name("queue")).send().await.unwrap();
        let url = created.queue_url.unwrap();
        let wanted = sqs.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::QueueArn);
        let arn = wanted.send().await.unwrap().attributes.unwrap().remove(&QueueAttributeName::QueueArn);
        Self { sqs: sqs.clone(), url, arn: arn.unwrap() }
    }

    /// The next message's body, which is deleted.
    async fn take(&self) -> String {
        let received = self.sqs.receive_message().queue_url(&self.url).wait_time_seconds(20).send().await;
        let message = received.unwrap().messages.unwrap_or_default().pop();
        let message = message.expect("nothing arrived in twenty seconds");
        let delete = self.sqs.delete_message().queue_url(&self.url);
        delete.receipt_handle(message.receipt_handle.unwrap()).send().await.unwrap();
        message.body.unwrap()
    }
}

async fn topics(recorder: &mut Recorder<'_>, sns: &aws_sdk_sns::Client) -> String {
    let name = recorder.name("topic");
    let created = sns.create_topic().name(&name).send().await;
    let created = recorder.call("create a topic", created, |made| json!(made.topic_arn));
    let arn = created.unwrap().topic_arn.unwrap();
    let again = sns.create_topic().name(&name).send().await;
    recorder.call("create it again", again, |made| json!(made.topic_arn));
    let bad = sns.create_topic().name("no blanks").send().await;
    recorder.call("create a topic with a bad name", bad, |made| json!(made.topic_arn));
    let mut pages = sns.list_topics().into_paginator().items().send();
    let mut own = Vec::new();
    while let Some(topic) = pages.next().await {
        own.extend(topic.unwrap().topic_arn.filter(|arn| recorder.is_own(arn)));
    }
    recorder.note("list topics", &json!(own));
    let set = sns.set_topic_attributes().topic_arn(&arn).attribute_name("DisplayName");
    recorder.call("set an attribute", set.attribute_value("Sales <&>").send().await, |_| json!("done"));
    let set = sns.set_topic_attributes().topic_arn(&arn).attribute_name("NoSuchAttribute");
    recorder.call("set an unknown attribute", set.attribute_value("1").send().await, |_| json!("done"));
    let version = sns.set_topic_attributes().topic_arn(&arn).attribute_name("SignatureVersion");
    recorder.call("choose the signature", version.attribute_value("2").send().await, |_| json!("done"));
    let attributes = sns.get_topic_attributes().topic_arn(&arn).send().await;
    recorder.call("get a topic's attributes", attributes, |answer| {
        let wanted = ["TopicArn", "Owner", "DisplayName", "SubscriptionsPending", "SubscriptionsConfirmed"];
        let attributes = answer.attributes.as_ref().unwrap();
        json!(wanted.map(|name| (name, attributes.get(name))))
    });
    let missing = sns.get_topic_attributes().topic_arn(format!("{arn}-2")).send().await;
    recorder.call("get a missing topic's attributes", missing, |_| json!("done"));
    arn
}

async fn subscriptions(
    recorder: &mut Recorder<'_>,
    sns: &aws_sdk_sns::Client,
    topic: &str,
    queue: &str,
) -> String {
    let subscribe = |protocol: &str, endpoint: &str| {
        sns.subscribe().topic_arn(topic).protocol(protocol).endpoint(endpoint)
    };
    let made = subscribe("sqs", queue).send().await;
    let made = recorder.call("subscribe a queue", made, |made| json!(made.subscription_arn));
    let arn = made.unwrap().subscription_arn.unwrap();
    let again = subscribe("sqs", queue).send().await;
    recorder.call("subscribe it again", again, |made| json!(made.subscription_arn.as_ref() == Some(&arn)));
    let raw = subscribe("sqs", queue).attributes("RawMessageDelivery", "true").send().await;
    recorder.call("subscribe it with other attributes", raw, |_| json!("done"));
    let reset = sns.set_subscription_attributes().subscription_arn(&arn);
    let reset = reset.attribute_name("RawMessageDelivery").attribute_value("false").send().await;
    recorder.call("back to envelopes", reset, |_| json!("done"));
    let pigeon = subscribe("pigeon", "coop").send().await;
    recorder.call("subscribe a pigeon", pigeon, |_| json!("done"));
    let nonsense = subscribe("sqs", "nonsense").send().await;
    recorder.call("subscribe what is no queue", nonsense, |_| json!("done"));
    let missing = sns.subscribe().topic_arn(format!("{topic}-2")).protocol("sqs").endpoint(queue);
    recorder.call("subscribe to a missing topic", missing.send().await, |_| json!("done"));
    listings(recorder, sns, topic).await;
    let attributes = sns.get_subscription_attributes().subscription_arn(&arn).send().await;
    recorder.call("get a subscription's attributes", attributes, |answer| json!(answer.attributes));
    let missing = sns.get_subscription_attributes().subscription_arn(format!("{arn}-2")).send().await;
    recorder.call("get a missing subscription's attributes", missing, |_| json!("done"));
    let odd = sns.set_subscription_attributes().subscription_arn(&arn).attribute_name("NoSuchAttribute");
    let odd = odd.attribute_value("1").send().await;
    recorder.call("set a subscription's unknown attribute", odd, |_| json!("done"));
    arn
}

async fn listings(recorder: &mut Recorder<'_>, sns: &aws_sdk_sns::Client, topic: &str) {
    let describe = |one: &Subscription| {
        json!([one.subscription_arn, one.owner, one.protocol, one.endpoint, one.topic_arn])
    };
    let of_topic = sns.list_subscriptions_by_topic().topic_arn(topic).send().await;
    recorder.call("list a topic's subscriptions", of_topic, |answer| {
        let of_queues = answer.subscriptions().iter().filter(|one| one.protocol() == Some("sqs"));
        json!([of_queues.map(describe).collect::<Vec<_>>(), answer.next_token])
    });
    let missing = sns.list_subscriptions_by_topic().topic_arn(format!("{topic}-2")).send().await;
    recorder.call("list a missing topic's subscriptions", missing, |_| json!("done"));
    let mut all = sns.list_subscriptions().into_paginator().items().send();
    let mut own = Vec::new();
    while let Some(one) = all.next().await {
        let one = one.unwrap();
        if one.protocol() == Some("sqs") && one.topic_arn().is_some_and(|arn| recorder.is_own(arn)) {
            own.push(describe(&one));
        }
    }
    recorder.note("list all subscriptions", &json!(own));
}

async fn envelopes(recorder: &mut Recorder<'_>, sns: &aws_sdk_sns::Client, topic: &str, queue: &Queue) {
    let plain =
        sns.publish().topic_arn(topic).message("{\"action\": \"subscribe-success\"}\n<&>").send().await;
    let plain = recorder.call("publish", plain, |sent| json!(sent.message_id));
    envelope(
        recorder,
        ["a plain message", "a plain message: its signature"],
        &queue.take().await,
        plain.unwrap().message_id(),
    )
    .await;
    let titled = sns.publish().topic_arn(topic).message("text").subject("A subject").send().await;
    let titled = recorder.call("publish with a subject", titled, |sent| json!(sent.message_id));
    envelope(
        recorder,
        ["a message with a subject", "a message with a subject: its signature"],
        &queue.take().await,
        titled.unwrap().message_id(),
    )
    .await;
    let value = |kind: &str, text: &str| {
        MessageAttributeValue::builder().data_type(kind).string_value(text).build().unwrap()
    };
    let with = sns.publish().topic_arn(topic).message("text");
    let with = with
        .message_attributes("event", value("String", "sale"))
        .message_attributes("count", value("Number", "3"));
    let with = recorder.call("publish with attributes", with.send().await, |sent| json!(sent.message_id));
    envelope(
        recorder,
        ["a message with attributes", "a message with attributes: its signature"],
        &queue.take().await,
        with.unwrap().message_id(),
    )
    .await;
    let texts = json!({ "default": "for others", "sqs": "for queues" }).to_string();
    let by_protocol = sns.publish().topic_arn(topic).message(texts).message_structure("json").send().await;
    recorder.call("publish by protocol", by_protocol, |sent| json!(sent.message_id));
    let body: Value = serde_json::from_str(&queue.take().await).unwrap();
    recorder.note("a message by protocol", body.get("Message").unwrap());
}

/// An envelope but for what each server has its own of, and whether the documented words are signed.
async fn envelope(
    recorder: &mut Recorder<'_>,
    [step, signature_step]: [&'static str; 2],
    body: &str,
    message_id: Option<&str>,
) {
    let mut body: Value = serde_json::from_str(body).unwrap();
    let signed = signature::is_right(&recorder.place.base_url, &body).await;
    recorder.note(signature_step, &json!(signed));
    assert_eq!(
        body.get("MessageId").and_then(Value::as_str),
        message_id,
        "{step} has the id that the call answered"
    );
    let fields = body.as_object_mut().unwrap();
    let time = fields.remove("Timestamp").unwrap();
    let time: String =
        time.as_str().unwrap().chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    fields.remove("Signature").unwrap();
    let certificate = fields.remove("SigningCertURL").unwrap();
    let (certificate, _) = certificate.as_str().unwrap().rsplit_once('-').unwrap();
    let certificate = certificate.to_owned();
    let unsubscribe = fields.remove("UnsubscribeURL").unwrap();
    let (unsubscribe, _) = unsubscribe.as_str().unwrap().split_once("=arn:").unwrap();
    let unsubscribe = unsubscribe.to_owned();
    fields.extend([
        ("Timestamp".to_owned(), json!(time)),
        ("SigningCertURL".to_owned(), json!(certificate)),
        ("UnsubscribeURL".to_owned(), json!(unsubscribe)),
    ]);
    recorder.note(step, &body);
}

async fn raw_delivery(
    recorder: &mut Recorder<'_>,
    sns: &aws_sdk_sns::Client,
    topic: &str,
    subscription: &str,
    queue: &Queue,
) {
    let set = |value: &str| {
        let set = sns.set_subscription_attributes().subscription_arn(subscription);
        set.attribute_name("RawMessageDelivery").attribute_value(value).send()
    };
    recorder.call("ask for raw delivery", set("true").await, |_| json!("done"));
    sns.publish().topic_arn(topic).message("bare").send().await.unwrap();
    recorder.note("a raw message", &json!(queue.take().await));
    recorder.call("ask for neither", set("perhaps").await, |_| json!("done"));
    recorder.call("ask for envelopes", set("false").await, |_| json!("done"));
}

async fn refused_publications(
    recorder: &mut Recorder<'_>,
    sns: &aws_sdk_sns::Client,
    topic: &str,
    queue: &Queue,
) {
    let publish = |arn: &str, text: &str| sns.publish().topic_arn(arn).message(text);
    let cases = [
        ("publish to a missing topic", publish(&format!("{topic}-2"), "text")),
        ("publish to what is no ARN", publish("nonsense", "text")),
        ("publish nothing", publish(topic, "")),
        ("publish too much", publish(topic, &"x".repeat(256 * 1024 + 1))),
        ("publish with too long a subject", publish(topic, "text").subject("x".repeat(101))),
        ("publish with an unknown structure", publish(topic, "text").message_structure("yaml")),
        (
            "publish with an attribute of an unknown type",
            publish(topic, "text").message_attributes(
                "odd",
                MessageAttributeValue::builder().data_type("Colour").string_value("red").build().unwrap(),
            ),
        ),
    ];
    for (step, call) in cases {
        if recorder.call(step, call.send().await, |_| json!("done")).is_some() {
            queue.take().await;
        }
    }
}

async fn batches(recorder: &mut Recorder<'_>, sns: &aws_sdk_sns::Client, topic: &str, queue: &Queue) {
    let entry = |id: &str| PublishBatchRequestEntry::builder().id(id).message(format!("text {id}"));
    let batch = |entries: Vec<PublishBatchRequestEntry>| {
        sns.publish_batch().topic_arn(topic).set_publish_batch_request_entries(Some(entries)).send()
    };
    let describe = |answer: &aws_sdk_sns::operation::publish_batch::PublishBatchOutput| {
        let sent = answer.successful().iter().map(|one| json!([one.id, one.message_id]));
        let failed = answer.failed().iter().map(|one| json!([one.id, one.code, one.sender_fault]));
        json!({ "sent": sent.collect::<Vec<_>>(), "failed": failed.collect::<Vec<_>>() })
    };
    let plain = |id: &str| entry(id).build().unwrap();
    let odd = entry("odd").message_structure("yaml").build().unwrap();
    let partly = batch(vec![plain("one"), odd, plain("two")]).await;
    recorder.call("publish a batch that fails in part", partly, describe);
    let mut texts = Vec::new();
    for _ in 0..2 {
        let body: Value = serde_json::from_str(&queue.take().await).unwrap();
        texts.push(body.get("Message").and_then(Value::as_str).unwrap().to_owned());
    }
    texts.sort();
    recorder.note("what the batch delivered", &json!(texts));
    recorder.call("publish an empty batch", batch(Vec::new()).await, describe);
    recorder.call("publish one id twice", batch(vec![plain("one"), plain("one")]).await, describe);
    let many = (0..11).map(|number| plain(&number.to_string())).collect();
    recorder.call("publish too large a batch", batch(many).await, describe);
}

async fn endings(recorder: &mut Recorder<'_>, sns: &aws_sdk_sns::Client, topic: &str, subscription: &str) {
    for step in ["unsubscribe", "unsubscribe again"] {
        let gone = sns.unsubscribe().subscription_arn(subscription).send().await;
        recorder.call(step, gone, |_| json!("done"));
    }
    let gone = sns.get_subscription_attributes().subscription_arn(subscription).send().await;
    recorder.call("get the gone subscription's attributes", gone, |_| json!("done"));
    for step in ["delete the topic", "delete it again"] {
        let gone = sns.delete_topic().topic_arn(topic).send().await;
        recorder.call(step, gone, |_| json!("done"));
    }
    let gone = sns.publish().topic_arn(topic).message("text").send().await;
    recorder.call("publish to the gone topic", gone, |_| json!("done"));
}

fn words(seen: &Value) -> String {
    without_ids(&seen.as_str().map_or_else(|| seen.to_string(), str::to_owned))
}

/// The text with `{id}` in place of each UUID.
fn without_ids(text: &str) -> String {
    const FORM: &str = "00000000-0000-0000-0000-000000000000";
    let is_id = |part: &str| {
        let same = |(one, form): (char, char)| if form == '-' { one == '-' } else { one.is_ascii_hexdigit() };
        part.len() == FORM.len() && part.chars().zip(FORM.chars()).all(same)
    };
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let id = rest.get(..FORM.len()).filter(|part| is_id(part));
        plain.push_str(id.map_or_else(|| &rest[..first.len_utf8()], |_| "{id}"));
        rest = &rest[id.map_or(first.len_utf8(), str::len)..];
    }
    plain
}
