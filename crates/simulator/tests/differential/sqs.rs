//! The script about queues. Each step has a name of its own; what is said to it is noted without ids and times.

use std::collections::BTreeMap;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::operation::create_queue::CreateQueueOutput;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message, MessageAttributeValue,
    MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry,
};

use crate::place::Place;
use crate::record::Record;
use crate::sqs_words::{write_all, write_outcomes, write_sent};

/// One queue of the script, and the record of what is said about it.
struct Script<'a> {
    sqs: &'a Client,
    run: &'a str,
    record: &'a mut Record,
    url: String,
}

/// Everything that is done with queues, in one place.
pub(crate) async fn script(place: &Place, record: &mut Record) {
    let mut script = Script { sqs: &place.sqs, run: &place.run, record, url: String::new() };
    script.queues_are_made_and_found().await;
    script.attributes_are_read_and_set().await;
    script.messages_are_sent().await;
    script.what_is_sent_wrongly_is_refused().await;
    script.messages_are_received().await;
    script.receipts_hide_and_delete().await;
    script.receipts_that_are_not_the_latest().await;
    script.batches_are_sent().await;
    script.batches_are_refused().await;
    script.batches_of_receipts().await;
    script.time_passes().await;
    script.dead_letters_are_put_aside().await;
    script.queues_go().await;
}

impl Script<'_> {
    async fn queues_are_made_and_found(&mut self) {
        let queue = format!("{}-queue", self.run);
        let create = |name: String| self.sqs.create_queue().queue_name(name);
        let with = |name: &str, value: &str| create(queue.clone()).attributes(name.into(), value).send();
        let made = create(queue.clone()).send().await;
        made.as_ref().unwrap().queue_url().unwrap().clone_into(&mut self.url);
        let again = create(queue.clone()).send().await;
        let again_alike = with("VisibilityTimeout", "30").await;
        let again_otherwise = with("VisibilityTimeout", "31").await;
        let bad_name = create("no spaces".to_owned()).send().await;
        let no_name = create(String::new()).send().await;
        let other = |suffix: &str| create(format!("{}-{suffix}", self.run));
        let too_small =
            other("small").attributes(QueueAttributeName::MaximumMessageSize, "1023").send().await;
        let too_hidden =
            other("hidden").attributes(QueueAttributeName::VisibilityTimeout, "43201").send().await;
        let unknown = other("unknown").attributes("Colour".into(), "blue").send().await;
        let url = |_: &mut Record, made: CreateQueueOutput| made.queue_url.unwrap_or_default();
        self.record.answer("make a queue", made, url);
        self.record.answer("make it again", again, url);
        self.record.answer("make it again with the same attribute", again_alike, url);
        self.record.answer("make it again with another attribute", again_otherwise, url);
        self.record.answer("make a queue with a space in its name", bad_name, url);
        self.record.answer("make a queue without a name", no_name, url);
        self.record.answer("make a queue for too small messages", too_small, url);
        self.record.answer("make a queue that hides for too long", too_hidden, url);
        self.record.answer("make a queue with an unknown attribute", unknown, url);

        let found = self.sqs.get_queue_url().queue_name(&queue).send().await;
        self.record.answer("find it by its name", found, |_, found| found.queue_url.unwrap_or_default());
        let missing = self.sqs.get_queue_url().queue_name("missing").send().await;
        self.record.answer("find a missing queue", missing, |_, found| found.queue_url.unwrap_or_default());
        let listed = self.sqs.list_queues().queue_name_prefix(&queue).send().await;
        self.record.answer("list by prefix", listed, |_, listed| format!("{:?}", listed.queue_urls));
        let none = self.sqs.list_queues().queue_name_prefix(format!("{queue}-none")).send().await;
        self.record.answer("list by a prefix of none", none, |_, listed| format!("{:?}", listed.queue_urls));
    }

    async fn attributes_are_read_and_set(&mut self) {
        self.read("read all attributes", &["All"]).await;
        self.read("read two attributes", &["QueueArn", "VisibilityTimeout"]).await;
        self.read("read no attribute", &[]).await;
        self.read("read an attribute that is not set", &["RedrivePolicy"]).await;
        self.read("read an unknown attribute", &["Colour"]).await;
        self.set("hide for 600 s", "VisibilityTimeout", "600").await;
        self.read("read how long it hides", &["VisibilityTimeout"]).await;
        let policy = r#"{"Version": "2012-10-17", "Statement": [{"Sid": "s", "Effect": "Allow"}]}"#;
        self.set("write a policy", "Policy", policy).await;
        self.read("read the policy", &["Policy"]).await;
        self.set("take messages up to 1 MiB", "MaximumMessageSize", "1048576").await;
        self.read("read the policy after another attribute was set", &["Policy"]).await;
        self.set("take away the policy", "Policy", "").await;
        self.read("read the policy that was taken away", &["Policy"]).await;
        self.set("set an unknown attribute", "Colour", "blue").await;
        self.set("set a number to a word", "DelaySeconds", "soon").await;
        let refusals = self.beside("refusals").await;
        let set = self.sqs.set_queue_attributes().queue_url(&refusals);
        let too_long = set.attributes(QueueAttributeName::DelaySeconds, "901").send().await;
        self.record.answer("delay by too much", too_long, |_, _| "done".into());
        let missing = self.sqs.get_queue_attributes().queue_url(format!("{}-missing", self.url)).send().await;
        self.record.answer("read a missing queue", missing, |_, _| "done".into());
    }

    async fn messages_are_sent(&mut self) {
        let sent = self.sqs.send_message().queue_url(&self.url).message_body("plain").send().await;
        self.record.answer("send", sent, |record, sent| {
            let id = record.name("message", sent.message_id());
            format!("{id}, {:?}, {:?}", sent.md5_of_message_body, sent.md5_of_message_attributes)
        });
        let text = MessageAttributeValue::builder().data_type("String.colour").string_value("blue").build();
        let bytes = aws_sdk_sqs::primitives::Blob::new([0, 1, 255]);
        let bytes = MessageAttributeValue::builder().data_type("Binary").binary_value(bytes).build();
        let number = MessageAttributeValue::builder().data_type("Number").string_value("7.5").build();
        let call = self.sqs.send_message().queue_url(&self.url).message_body("mit \u{e4}ttributes \"\\\n");
        let call = call.message_attributes("text", text.unwrap()).message_attributes("bytes", bytes.unwrap());
        let sent = call.message_attributes("number", number.unwrap()).send().await;
        self.record.answer("send with attributes", sent, |record, sent| {
            let id = record.name("message", sent.message_id());
            format!("{id}, {:?}, {:?}", sent.md5_of_message_body, sent.md5_of_message_attributes)
        });
        self.depth("count what was sent").await;
    }

    async fn what_is_sent_wrongly_is_refused(&mut self) {
        let refusals = self.beside("refusals").await;
        let send = |body: &str| self.sqs.send_message().queue_url(&refusals).message_body(body);
        let attribute =
            |kind: &str| MessageAttributeValue::builder().data_type(kind).string_value("a").build();
        let answers = [
            ("send nothing", send("").send().await),
            ("send a character that XML lacks", send("\u{1}").send().await),
            ("send a byte more than a MiB", send(&"x".repeat(1_048_577)).send().await),
            ("send with a delay of 901 s", send("a").delay_seconds(901).send().await),
            ("send with a delay of less than nothing", send("a").delay_seconds(-1).send().await),
            (
                "send with an attribute of an unknown type",
                send("a").message_attributes("a", attribute("Colour").unwrap()).send().await,
            ),
            (
                "send with an attribute with a bad name",
                send("a").message_attributes("a b", attribute("String").unwrap()).send().await,
            ),
            ("send to a missing queue", send("a").queue_url(format!("{refusals}-missing")).send().await),
        ];
        for (step, answer) in answers {
            self.record.answer(step, answer, |_, _| "sent".into());
        }
    }

    async fn messages_are_received(&mut self) {
        let refusals = self.beside("empty").await;
        let receive = || self.sqs.receive_message().queue_url(&refusals);
        let answers = [
            ("receive from an empty queue", receive().send().await),
            ("receive 11", receive().max_number_of_messages(11).send().await),
            ("receive 0", receive().max_number_of_messages(0).send().await),
            ("receive and wait for 21 s", receive().wait_time_seconds(21).send().await),
            ("receive and hide for 43201 s", receive().visibility_timeout(43_201).send().await),
            ("receive from a missing queue", receive().queue_url(format!("{refusals}-missing")).send().await),
        ];
        for (step, answer) in answers {
            self.record.answer(step, answer, |_, answer| format!("{:?}", answer.messages));
        }
        let messages = self.receive("receive with all attributes", "All", 0).await;
        assert_eq!(messages.len(), 2);
        self.receive("receive a second time", "All", 0).await;
        let bare = self.sqs.receive_message().queue_url(&self.url).visibility_timeout(0).send().await;
        self.record.answer("receive without attributes", bare, |record, answer| {
            write_all(record, answer.messages())
        });
        let some =
            self.sqs.receive_message().queue_url(&self.url).max_number_of_messages(2).visibility_timeout(0);
        let some = some.message_attribute_names("te.*").message_attribute_names("number").send().await;
        self.record.answer("receive some attributes", some, |record, answer| {
            let mut messages = answer.messages().to_vec();
            messages.sort_by_key(|message| message.body.clone());
            write_all(record, &messages)
        });
        self.depth("count when nothing is hidden").await;
        let messages = self.receive("receive and hide", "SentTimestamp", 600).await;
        self.depth("count what is hidden").await;
        for message in messages {
            let delete = self.sqs.delete_message().queue_url(&self.url);
            delete.receipt_handle(message.receipt_handle.unwrap()).send().await.unwrap();
        }
        self.depth("count when all are deleted").await;
    }

    async fn receipts_hide_and_delete(&mut self) {
        self.send("to hide").await;
        let message = self.receive("receive one to hide", "ApproximateReceiveCount", 600).await.remove(0);
        let receipt = message.receipt_handle().unwrap();
        self.hide("hide for another minute", receipt, 60).await;
        self.hide("hide for too long", receipt, 43_201).await;
        self.hide("show", receipt, 0).await;
        self.depth("count when it is shown").await;
        self.hide("hide what is visible", receipt, 0).await;
        let message = self.receive("receive what was shown", "ApproximateReceiveCount", 600).await.remove(0);
        let receipt = message.receipt_handle().unwrap();
        self.delete("delete", receipt).await;
        self.delete("delete it again", receipt).await;
        self.hide("hide what is deleted", receipt, 60).await;
        self.delete("delete by a receipt that never was", "bogus").await;
        self.hide("hide by a receipt that never was", "bogus", 60).await;
        let missing = self.sqs.delete_message().queue_url(format!("{}-missing", self.url));
        let missing = missing.receipt_handle(receipt).send().await;
        self.record.answer("delete from a missing queue", missing, |_, _| "done".into());
    }

    async fn receipts_that_are_not_the_latest(&mut self) {
        let url = self.beside("stale").await;
        let main = std::mem::replace(&mut self.url, url);
        self.send("twice").await;
        let earlier = self.receive("receive once", "ApproximateReceiveCount", 0).await.remove(0);
        let latest = self.receive("receive twice", "ApproximateReceiveCount", 600).await.remove(0);
        self.hide("hide by the earlier receipt", earlier.receipt_handle().unwrap(), 600).await;
        self.delete("delete by the earlier receipt", earlier.receipt_handle().unwrap()).await;
        self.depth("count after a delete by the earlier receipt").await;
        self.delete("delete by the latest receipt", latest.receipt_handle().unwrap()).await;
        self.depth("count after a delete by the latest receipt").await;
        self.url = main;
    }

    async fn batches_are_sent(&mut self) {
        let batch = self.sqs.send_message_batch().queue_url(&self.url);
        let sent = batch.entries(entry("a", "first")).entries(entry("b", "second")).send().await;
        self.record.answer("send a batch", sent, |record, sent| write_sent(record, "message", &sent));
        let late = SendMessageBatchRequestEntry::builder().id("late").message_body("x").delay_seconds(901);
        let batch = self.sqs.send_message_batch().queue_url(&self.url).entries(late.build().unwrap());
        let sent = batch.entries(entry("good", "third")).send().await;
        self.record.answer("send a batch of which one is refused", sent, |record, sent| {
            write_sent(record, "message", &sent)
        });
        self.receive("receive what came in batches", "ApproximateReceiveCount", 0).await;
    }

    async fn batches_are_refused(&mut self) {
        let refusals = self.beside("refusals").await;
        let entries = |ids: &[&str], body: &str| ids.iter().map(|id| entry(id, body)).collect::<Vec<_>>();
        let long = "x".repeat(600_000);
        let eleven = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"];
        let cases = [
            ("send an empty batch", vec![]),
            ("send a batch of 11", entries(&eleven, "a")),
            ("send a batch with the same id twice", entries(&["a", "a"], "a")),
            ("send a batch with a bad id", entries(&["a b"], "a")),
            ("send a batch of more than a MiB", entries(&["a", "b"], &long)),
            ("send a batch of which one is no message", vec![entry("good", "a"), entry("bad", "\u{1}")]),
        ];
        for (step, entries) in cases {
            let batch = self.sqs.send_message_batch().queue_url(&refusals).set_entries(Some(entries));
            self.record.answer(step, batch.send().await, |record, sent| write_sent(record, "refused", &sent));
        }
        let missing = self.sqs.send_message_batch().queue_url(format!("{refusals}-missing"));
        let missing = missing.entries(entry("a", "a")).send().await;
        self.record.answer("send a batch to a missing queue", missing, |record, sent| {
            write_sent(record, "message", &sent)
        });
    }

    async fn batches_of_receipts(&mut self) {
        let messages = self.receive("receive for batches", "ApproximateReceiveCount", 600).await;
        let receipts: Vec<_> = messages.iter().map(|message| message.receipt_handle().unwrap()).collect();
        let &[first, second, third] = receipts.as_slice() else { panic!("{messages:?}") };
        self.hide_all("hide a batch", &[("a", first, 600), ("b", second, 600)]).await;
        self.hide_all("hide a batch with a bad receipt", &[("a", first, 600), ("b", "bogus", 600)]).await;
        self.hide_all("hide a batch with too long a time", &[("a", first, 600), ("b", second, 43_201)]).await;
        self.hide_all("hide an empty batch", &[]).await;
        self.hide_all("hide a batch with the same id twice", &[("a", first, 600), ("a", second, 600)]).await;
        self.delete_all("delete a batch with a bad receipt", &[("bad", "bogus"), ("a", first)]).await;
        self.delete_all("delete an empty batch", &[]).await;
        self.delete_all("delete a batch with the same id twice", &[("a", second), ("a", third)]).await;
        self.depth("count after the same id twice").await;
        self.delete_all("delete a batch with the same receipt twice", &[("a", second), ("b", second)]).await;
        self.delete_all("delete what is left", &[("a", second), ("b", third)]).await;
        self.depth("count after the batches").await;
    }

    async fn time_passes(&mut self) {
        let delayed = self.sqs.send_message().queue_url(&self.url).message_body("delayed").delay_seconds(1);
        delayed.send().await.unwrap();
        self.depth("count what is delayed").await;
        self.receive("receive while it is delayed", "All", 600).await;
        self.receive_waiting("wait until it is not", 1).await;
        self.receive_waiting("wait until it is visible again", 600).await;
        let none = self.sqs.receive_message().queue_url(&self.url).wait_time_seconds(1).send().await;
        self.record.answer("wait for nothing", none, |_, answer| format!("{:?}", answer.messages));
    }

    async fn dead_letters_are_put_aside(&mut self) {
        let dead_letters = self.beside("dead-letters").await;
        let url = self.beside("redriven").await;
        let main = std::mem::replace(&mut self.url, url);
        let arn = format!("arn:aws:sqs:us-east-1:123456789012:{}-dead-letters", self.run);
        let policy =
            |arn: &str, max: &str| format!(r#"{{"deadLetterTargetArn": "{arn}", "maxReceiveCount": {max}}}"#);
        self.set("redrive by what is no JSON", "RedrivePolicy", "soon").await;
        self.set("redrive without a count", "RedrivePolicy", r#"{"deadLetterTargetArn": "a"}"#).await;
        self.set("redrive to a missing queue", "RedrivePolicy", &policy(&format!("{arn}-missing"), "1"))
            .await;
        self.set("redrive after 1001 receives", "RedrivePolicy", &policy(&arn, "1001")).await;
        self.set("redrive after one receive", "RedrivePolicy", &policy(&arn, "\"1\"")).await;
        self.read("read where to dead letters go", &["RedrivePolicy"]).await;
        self.send("poison").await;
        self.receive("receive the poison", "ApproximateReceiveCount", 0).await;
        self.receive("receive it once too often", "ApproximateReceiveCount", 0).await;
        self.depth("count what is left of it").await;
        self.url = dead_letters;
        self.receive("receive the dead letter", "ApproximateReceiveCount", 0).await;
        self.receive("ask where the dead letter is from", "DeadLetterQueueSourceArn", 600).await;
        self.url = main;
    }

    async fn queues_go(&mut self) {
        self.send("to purge").await;
        let purge = async |url: &str| self.sqs.purge_queue().queue_url(url).send().await;
        let (first, second) = (purge(&self.url).await, purge(&self.url).await);
        let missing = purge(&format!("{}-missing", self.url)).await;
        self.record.answer("purge", first, |_, _| "done".into());
        self.record.answer("purge again", second, |_, _| "done".into());
        self.record.answer("purge a missing queue", missing, |_, _| "done".into());
        self.depth("count after the purge").await;
        let delete = async || self.sqs.delete_queue().queue_url(&self.url).send().await;
        let (first, second) = (delete().await, delete().await);
        self.record.answer("delete the queue", first, |_, _| "done".into());
        self.record.answer("delete it a second time", second, |_, _| "done".into());
        self.read("read the deleted queue", &["All"]).await;
    }

    /// The URL of another queue of this run, made where it is not there.
    async fn beside(&self, suffix: &str) -> String {
        let create = self.sqs.create_queue().queue_name(format!("{}-{suffix}", self.run));
        create.send().await.unwrap().queue_url.unwrap()
    }

    async fn send(&self, body: &str) {
        self.sqs.send_message().queue_url(&self.url).message_body(body).send().await.unwrap();
    }

    async fn read(&mut self, step: &'static str, names: &[&str]) {
        let names = names.iter().map(|name| QueueAttributeName::from(*name)).collect();
        let call = self.sqs.get_queue_attributes().queue_url(&self.url).set_attribute_names(Some(names));
        self.record.answer(step, call.send().await, |_, answer| {
            let written =
                answer.attributes().into_iter().flatten().map(|(name, value)| match name.as_str() {
                    name @ ("CreatedTimestamp" | "LastModifiedTimestamp") => {
                        // Whole seconds; some write a fraction.
                        let seconds = value.split('.').next().unwrap_or_default();
                        (name.to_owned(), format!("a time of {} digits", seconds.len()))
                    }
                    name @ ("Policy" | "RedrivePolicy") => {
                        let json: serde_json::Value = serde_json::from_str(value).unwrap();
                        (name.to_owned(), json.to_string())
                    }
                    name => (name.to_owned(), value.clone()),
                });
            format!("{:?}", written.collect::<BTreeMap<_, _>>())
        });
    }

    async fn set(&mut self, step: &'static str, name: &str, value: &str) {
        let call = self.sqs.set_queue_attributes().queue_url(&self.url).attributes(name.into(), value);
        self.record.answer(step, call.send().await, |_, _| "done".into());
    }

    async fn depth(&mut self, step: &'static str) {
        self.read(
            step,
            &[
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesNotVisible",
                "ApproximateNumberOfMessagesDelayed",
            ],
        )
        .await;
    }

    async fn receive(&mut self, step: &'static str, attribute: &str, hidden_secs: i32) -> Vec<Message> {
        let call = self.sqs.receive_message().queue_url(&self.url).max_number_of_messages(10);
        let call = call.visibility_timeout(hidden_secs).message_attribute_names("All");
        let call = call.message_system_attribute_names(MessageSystemAttributeName::from(attribute));
        let answer = call.send().await;
        let mut messages = answer.as_ref().map(|answer| answer.messages().to_vec()).unwrap_or_default();
        // A standard queue promises no order.
        messages.sort_by_key(|message| message.body.clone());
        self.record.answer(step, answer, |record, _| write_all(record, &messages));
        messages
    }

    async fn receive_waiting(&mut self, step: &'static str, hidden_secs: i32) {
        let call = self.sqs.receive_message().queue_url(&self.url).wait_time_seconds(5);
        let answer = call.visibility_timeout(hidden_secs).send().await;
        self.record.answer(step, answer, |record, answer| write_all(record, answer.messages()));
    }

    async fn hide(&mut self, step: &'static str, receipt: &str, secs: i32) {
        let call = self.sqs.change_message_visibility().queue_url(&self.url).receipt_handle(receipt);
        self.record.answer(step, call.visibility_timeout(secs).send().await, |_, _| "done".into());
    }

    async fn delete(&mut self, step: &'static str, receipt: &str) {
        let call = self.sqs.delete_message().queue_url(&self.url).receipt_handle(receipt);
        self.record.answer(step, call.send().await, |_, _| "done".into());
    }

    async fn hide_all(&mut self, step: &'static str, entries: &[(&str, &str, i32)]) {
        let entries = entries.iter().map(|(id, receipt, secs)| {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(*id).receipt_handle(*receipt);
            entry.visibility_timeout(*secs).build().unwrap()
        });
        let entries = Some(entries.collect());
        let call = self.sqs.change_message_visibility_batch().queue_url(&self.url).set_entries(entries);
        self.record.answer(step, call.send().await, |_, answer| {
            let done: Vec<_> = answer.successful.iter().map(|entry| entry.id.as_str()).collect();
            write_outcomes(&done, &answer.failed)
        });
    }

    async fn delete_all(&mut self, step: &'static str, entries: &[(&str, &str)]) {
        let entries = entries.iter().map(|(id, receipt)| {
            DeleteMessageBatchRequestEntry::builder().id(*id).receipt_handle(*receipt).build().unwrap()
        });
        let call = self.sqs.delete_message_batch().queue_url(&self.url).set_entries(Some(entries.collect()));
        self.record.answer(step, call.send().await, |_, answer| {
            let done: Vec<_> = answer.successful.iter().map(|entry| entry.id.as_str()).collect();
            write_outcomes(&done, &answer.failed)
        });
    }
}

fn entry(id: &str, body: &str) -> SendMessageBatchRequestEntry {
    SendMessageBatchRequestEntry::builder().id(id).message_body(body).build().unwrap()
}
