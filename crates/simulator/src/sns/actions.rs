use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::SnsState;
use super::error::SnsError;
use super::form::{Fields, Form};
use super::publishing;
use super::subscription::{self, BodyForm, PROTOCOL, Subscription};
use super::topic;
use super::topics::{Page, Topics};
use super::xml::Xml;

/// Where topics are that callers make, and whose they are.
const ARN_PREFIX: &str = "arn:aws:sns:us-east-1:123456789012:";

/// What a call writes into its answer.
pub(super) type Outcome = Result<Xml, SnsError>;

pub(super) fn answer(state: &SnsState, body: &[u8]) -> Response {
    let fields = Fields::parse(body);
    let form = fields.form();
    let request_id = state.topics.request_id();
    let result = form.get("Action").ok_or(SnsError::MissingAction).and_then(|action| {
        let result = act(state, action, &form)?;
        Ok((action, result))
    });
    let (status, document) = match result {
        Ok((action, result)) => (StatusCode::OK, success(action, &result, &request_id)),
        Err(error) => {
            tracing::debug!(code = error.code(), reason = %error, "a call to SNS is refused");
            (error.status(), refusal(&error, &request_id))
        }
    };
    let headers = [("x-amzn-requestid", request_id.as_str()), (header::CONTENT_TYPE.as_str(), "text/xml")];
    (status, headers, document).into_response()
}

fn act(state: &SnsState, action: &str, form: &Form<'_>) -> Outcome {
    let topics = &state.topics;
    match action {
        "CreateTopic" => create_topic(topics, form),
        "DeleteTopic" => delete_topic(topics, form),
        "ListTopics" => list_topics(topics, form),
        "GetTopicAttributes" => topic_attributes(topics, form),
        "SetTopicAttributes" => set_topic_attributes(topics, form),
        "Subscribe" => subscribe(topics, form),
        "Unsubscribe" => unsubscribe(topics, form),
        "ListSubscriptions" => list_subscriptions(topics, form),
        "ListSubscriptionsByTopic" => list_subscriptions_by_topic(topics, form),
        "GetSubscriptionAttributes" => subscription_attributes(topics, form),
        "SetSubscriptionAttributes" => set_subscription_attributes(topics, form),
        "Publish" => publishing::publish(state, form),
        "PublishBatch" => publishing::publish_batch(state, form),
        _ => Err(SnsError::InvalidAction(action.to_owned())),
    }
}

fn create_topic(topics: &Topics, form: &Form<'_>) -> Outcome {
    let name = form.required("Name")?;
    topic::check_name(name)?;
    let arn = format!("{ARN_PREFIX}{name}");
    topics.add_topic(&arn, &form.map("Attributes")?)?;
    Ok(text("TopicArn", &arn))
}

fn delete_topic(topics: &Topics, form: &Form<'_>) -> Outcome {
    topics.remove_topic(topic_arn(form)?);
    Ok(Xml::default())
}

fn list_topics(topics: &Topics, form: &Form<'_>) -> Outcome {
    let page = topics.list_topics(&page_start(form)?);
    Ok(listing("Topics", &page, |xml, arn, ()| {
        xml.text("TopicArn", arn);
    }))
}

fn topic_attributes(topics: &Topics, form: &Form<'_>) -> Outcome {
    let attributes = topics.topic_attributes(topic_arn(form)?)?;
    Ok(map(attributes))
}

fn set_topic_attributes(topics: &Topics, form: &Form<'_>) -> Outcome {
    let (name, value) = (form.required("AttributeName")?, form.get("AttributeValue").unwrap_or_default());
    topics.set_topic_attribute(topic_arn(form)?, name, value)?;
    Ok(Xml::default())
}

fn subscribe(topics: &Topics, form: &Form<'_>) -> Outcome {
    let topic_arn = topic_arn(form)?;
    subscription::check_protocol(form.required("Protocol")?)?;
    let queue_arn = form.required("Endpoint")?;
    subscription::check_queue(queue_arn)?;
    let arn = topics.add_subscription(Subscription {
        topic_arn: topic_arn.to_owned(),
        queue_arn: queue_arn.to_owned(),
        form: BodyForm::from_attributes(&form.map("Attributes")?)?,
    })?;
    Ok(text("SubscriptionArn", &arn))
}

fn unsubscribe(topics: &Topics, form: &Form<'_>) -> Outcome {
    topics.remove_subscription(subscription_arn(form)?);
    Ok(Xml::default())
}

fn list_subscriptions(topics: &Topics, form: &Form<'_>) -> Outcome {
    let page = topics.list_subscriptions(&page_start(form)?);
    Ok(listing("Subscriptions", &page, describe))
}

fn list_subscriptions_by_topic(topics: &Topics, form: &Form<'_>) -> Outcome {
    let page = topics.list_subscriptions_of(topic_arn(form)?, &page_start(form)?)?;
    Ok(listing("Subscriptions", &page, describe))
}

fn subscription_attributes(topics: &Topics, form: &Form<'_>) -> Outcome {
    let attributes = topics.subscription_attributes(subscription_arn(form)?)?;
    Ok(map(attributes))
}

fn set_subscription_attributes(topics: &Topics, form: &Form<'_>) -> Outcome {
    let (name, value) = (form.required("AttributeName")?, form.get("AttributeValue").unwrap_or_default());
    topics.set_subscription_attribute(subscription_arn(form)?, name, value)?;
    Ok(Xml::default())
}

fn describe(xml: &mut Xml, arn: &str, subscription: &Subscription) {
    xml.text("SubscriptionArn", arn)
        .text("Owner", subscription.owner())
        .text("Protocol", PROTOCOL)
        .text("Endpoint", &subscription.queue_arn)
        .text("TopicArn", &subscription.topic_arn);
}

fn topic_arn<'a>(form: &Form<'a>) -> Result<&'a str, SnsError> {
    topic::check_arn("TopicArn", form.required("TopicArn")?)
}

fn subscription_arn<'a>(form: &Form<'a>) -> Result<&'a str, SnsError> {
    topic::check_arn("SubscriptionArn", form.required("SubscriptionArn")?)
}

/// The ARN that a page goes on after, which the token of the page before carries.
fn page_start(form: &Form<'_>) -> Result<String, SnsError> {
    let token = form.get("NextToken").unwrap_or_default();
    let arn = URL_SAFE_NO_PAD.decode(token).ok().and_then(|arn| String::from_utf8(arn).ok());
    arn.ok_or_else(|| SnsError::InvalidParameter("NextToken".to_owned()))
}

fn listing<T>(name: &str, page: &Page<T>, describe: impl Fn(&mut Xml, &str, &T)) -> Xml {
    let mut xml = Xml::default();
    xml.within(name, |xml| {
        for (arn, item) in &page.items {
            xml.within("member", |xml| describe(xml, arn, item));
        }
    });
    if let Some(next) = &page.next {
        xml.text("NextToken", &URL_SAFE_NO_PAD.encode(next));
    }
    xml
}

fn map(attributes: Vec<(&'static str, String)>) -> Xml {
    let mut xml = Xml::default();
    xml.map("Attributes", attributes);
    xml
}

pub(super) fn text(name: &str, text: &str) -> Xml {
    let mut xml = Xml::default();
    xml.text(name, text);
    xml
}

fn success(action: &str, result: &Xml, request_id: &str) -> String {
    Xml::document(&format!("{action}Response"), |xml| {
        if !result.is_empty() {
            xml.within(&format!("{action}Result"), |xml| xml.append(result));
        }
        xml.within("ResponseMetadata", |xml| {
            xml.text("RequestId", request_id);
        });
    })
}

fn refusal(error: &SnsError, request_id: &str) -> String {
    Xml::document("ErrorResponse", |xml| {
        xml.within("Error", |xml| {
            let side = if error.is_senders_fault() { "Sender" } else { "Receiver" };
            xml.text("Type", side).text("Code", error.code()).text("Message", &error.to_string());
        });
        xml.text("RequestId", request_id);
    })
}
