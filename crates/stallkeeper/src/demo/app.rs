//! The seller's app, as far as usage goes: it reports what buyers use, and says when that is all.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::redirect::Policy;
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use stallkeeper_lifecycle::Timestamp;
use tokio::time::Instant;
use url::Url;

use super::configuration::SOURCE;
use super::timeline::hour_and_minute;
use super::units::Units;

const TIMEOUT: Duration = Duration::from_secs(30);
/// How long the worker may say that it cannot take usage yet.
const PATIENCE: Duration = Duration::from_secs(30);
/// How soon an app sends again what was not taken.
const SEND_AGAIN_AFTER: Duration = Duration::from_millis(25);

/// Whoever reports usage, by the worker's HTTP API as any app does.
pub struct App {
    client: reqwest::Client,
    url: Url,
    token: SecretString,
    reported: Mutex<Vec<Used>>,
}

/// Something that a buyer used.
#[derive(Clone, Debug)]
pub struct Used {
    /// The app's id of it.
    pub id: String,
    /// Who used it; the demonstration's tenants are called like their buyers.
    pub buyer: String,
    /// The product's key.
    pub product: String,
    /// By which subscription; the worker finds the only one where it is not said.
    pub subscription: Option<String>,
    /// What was used.
    pub dimension: String,
    /// How much.
    pub units: Units,
    /// When.
    pub at: Timestamp,
}

/// What the worker says of one thing that was used.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Answer {
    /// `counted`, `held`, `lost`, `known` or `refused`.
    pub status: String,
    /// In which hour it is counted.
    #[serde(default)]
    pub hour: Option<String>,
    /// Why it is not.
    #[serde(default)]
    pub reason: Option<String>,
}

#[derive(Deserialize)]
struct Answers {
    results: Vec<Answer>,
}

impl App {
    /// An app that reports to the worker at an address.
    ///
    /// # Errors
    /// When it cannot make calls.
    pub fn new(url: Url, token: SecretString) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().no_proxy().redirect(Policy::none()).tls_certs_only([]);
        let client = client.timeout(TIMEOUT).build().context("cannot call the worker by HTTP")?;
        Ok(Self { client, url, token, reported: Mutex::default() })
    }

    /// With what it calls.
    pub fn token(&self) -> &SecretString {
        &self.token
    }

    /// Where it reports to.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// All that it reported, each thing once, however often it was sent.
    pub fn reported(&self) -> MutexGuard<'_, Vec<Used>> {
        self.reported.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports what was used for the first time: one answer for each.
    ///
    /// # Errors
    /// When the worker does not answer, or not as it should.
    pub async fn report(&self, used: &[Used]) -> anyhow::Result<Vec<Answer>> {
        self.reported().extend(used.iter().cloned());
        self.report_again(used).await
    }

    /// Reports what was reported before.
    ///
    /// # Errors
    /// The same.
    pub async fn report_again(&self, used: &[Used]) -> anyhow::Result<Vec<Answer>> {
        let events: Vec<Value> = used.iter().map(Used::to_json).collect();
        let answer = self.call(Method::POST, "v1/usage", &json!({ "events": events })).await?;
        let answers: Answers = answer.json().await.context("the worker's answer to usage")?;
        ensure!(answers.results.len() == used.len(), "the worker answers for another number of events");
        Ok(answers.results)
    }

    /// Says that all usage of a product up to a time was reported: of one buyer, or of all.
    ///
    /// # Errors
    /// When the worker does not take it.
    pub async fn complete(
        &self,
        product: &str,
        buyer: Option<&str>,
        through: Timestamp,
    ) -> anyhow::Result<()> {
        let mark = json!({
            "product": product, "tenant": buyer, "source": SOURCE, "complete_through": through.to_string(),
        });
        self.call(Method::PUT, "v1/watermarks", &mark).await?;
        Ok(())
    }

    /// Makes a call, again for as long as the worker says that it will take it later.
    async fn call(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<reqwest::Response> {
        let (url, begun) = (self.url.join(path)?, Instant::now());
        loop {
            let request = self.client.request(method.clone(), url.clone());
            let request = request.bearer_auth(self.token.expose_secret()).json(body);
            let answer = request.send().await.with_context(|| format!("{method} {path}"))?;
            let status = answer.status();
            let is_later = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS].contains(&status);
            if !is_later || begun.elapsed() > PATIENCE {
                ensure!(
                    status.is_success(),
                    "{method} {path}: {status}: {}",
                    answer.text().await.unwrap_or_default()
                );
                return Ok(answer);
            }
            tokio::time::sleep(SEND_AGAIN_AFTER).await;
        }
    }
}

impl Used {
    fn to_json(&self) -> Value {
        json!({
            "id": self.id, "tenant": self.buyer, "product": self.product, "dimension": self.dimension,
            "subscription": self.subscription,
            "quantity": self.units.to_string(), "occurred_at": self.at.to_string(),
        })
    }
}

impl Answer {
    /// It in words.
    pub fn in_words(&self) -> String {
        match (&self.hour, &self.reason) {
            (Some(hour), _) => format!("{} in the hour from {}", self.status, hour_and_minute(hour)),
            (None, Some(reason)) => format!("{}: {reason}", self.status),
            (None, None) => self.status.clone(),
        }
    }
}
