use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::{Client, Response};
use serde::Deserialize;
use serde_json::json;
use stallkeeper_lifecycle::Timestamp;
use tokio::time::Instant;

use crate::process::{Process, tied};
use crate::seller::parse;

const QUEUE: &str = "stallkeeper";
const ACCOUNT: &str = "123456789012";
const TOPIC_ACCOUNT: &str = "287250355862";
const PROBE_EVERY: Duration = Duration::from_millis(10);
/// Nothing that is measured here comes near it.
const PATIENCE: Duration = Duration::from_mins(20);

/// A marketplace with its queue, as a process of its own.
#[derive(Debug)]
pub(crate) struct Simulator {
    process: Process,
    url: String,
    http: Client,
}

/// What a queue holds, and how much it ever did.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Depth {
    name: String,
    visible: u64,
    in_flight: u64,
    delayed: u64,
    pub(crate) deleted: u64,
}

/// What metering calls came to, as far as it matters here.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct MeteringCounts {
    pub(crate) calls: u64,
    pub(crate) refused: u64,
    pub(crate) records: u64,
    pub(crate) success: u64,
    pub(crate) after_end: u64,
}

/// All bills together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bill {
    pub(crate) entries: u64,
    pub(crate) quantity: i64,
    /// When the first record was taken, and the last.
    pub(crate) first_at: Option<Timestamp>,
    pub(crate) last_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Clock {
    now: String,
}

#[derive(Deserialize)]
struct Calls {
    counts: MeteringCounts,
}

#[derive(Deserialize)]
struct BillPage {
    entries: Vec<BillEntry>,
    next: Option<u64>,
}

#[derive(Deserialize)]
struct BillEntry {
    quantity: i64,
    taken_at: String,
}

#[derive(Deserialize)]
struct Announcement {
    url: String,
}

#[derive(Deserialize)]
struct Crowd {
    done: bool,
}

impl Depth {
    pub(crate) fn total(&self) -> u64 {
        self.visible + self.in_flight + self.delayed
    }
}

impl Simulator {
    pub(crate) fn start(binary: &Path, folder: &Path) -> anyhow::Result<Self> {
        let mut command = tied(binary);
        command.args(["simulate", "--listen", "127.0.0.1:0", "--json"]);
        let mut process = Process::spawn_piped(&mut command, &folder.join("simulator.log"))?;
        let stdout = process.stdout().context("the simulator's output is not a pipe")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let Announcement { url } = serde_json::from_str(&line)
            .with_context(|| format!("the simulator does not say where it listens, but {line:?}"))?;
        Ok(Self { process, url, http: Client::new() })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn queue_url(&self) -> String {
        format!("{}/{ACCOUNT}/{QUEUE}", self.url)
    }

    /// The topics of a product that has some.
    pub(crate) fn topic_arns(code: &str) -> [String; 2] {
        ["subscription", "entitlement"]
            .map(|feed| format!("arn:aws:sns:us-east-1:{TOPIC_ACCOUNT}:aws-mp-{feed}-notification-{code}"))
    }

    pub(crate) fn rule_arn() -> String {
        format!("arn:aws:events:us-east-1:{ACCOUNT}:rule/{QUEUE}")
    }

    /// The root certificate of the envelopes' signatures.
    pub(crate) async fn root_pem(&self) -> anyhow::Result<String> {
        let answer = self.http.get(format!("{}/root.pem", self.url)).send().await?;
        Ok(accepted(answer).await?.text().await?)
    }

    /// Starts buyers who act at random until so many notifications went out.
    pub(crate) async fn start_crowd(&self, notifications: u64, seed: u64) -> anyhow::Result<()> {
        let crowd = json!({ "notifications": notifications, "seed": seed });
        let call = self.http.post(format!("{}/control/crowd", self.url)).json(&crowd);
        accepted(call.send().await?).await.map(drop)
    }

    /// The same, all of which lies in the queue afterwards.
    pub(crate) async fn preload(&self, notifications: u64, seed: u64) -> anyhow::Result<()> {
        self.start_crowd(notifications, seed).await?;
        let deadline = Instant::now() + PATIENCE;
        while !self.crowd_is_done().await? || self.depth().await?.total() < notifications {
            ensure!(Instant::now() < deadline, "{notifications} notifications do not reach the queue");
            tokio::time::sleep(PROBE_EVERY).await;
        }
        Ok(())
    }

    async fn crowd_is_done(&self) -> anyhow::Result<bool> {
        let answer = self.http.get(format!("{}/control/crowd", self.url)).send().await?;
        Ok(accepted(answer).await?.json::<Crowd>().await?.done)
    }

    pub(crate) async fn depth(&self) -> anyhow::Result<Depth> {
        let answer = self.http.get(format!("{}/control/queues", self.url)).send().await?;
        let queues: Vec<Depth> = accepted(answer).await?.json().await?;
        queues.into_iter().find(|queue| queue.name == QUEUE).context("the simulator has no queue of ours")
    }

    /// Waits until so many messages were deleted; `consumer` has to run all the while.
    pub(crate) async fn deleted(&self, messages: u64, consumer: &mut Process) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let depth = self.depth().await?;
            if depth.deleted >= messages {
                return Ok(());
            }
            consumer.ensure_running()?;
            ensure!(Instant::now() < deadline, "the queue is not emptied: {depth:?}");
            tokio::time::sleep(PROBE_EVERY).await;
        }
    }

    /// The marketplace's time.
    pub(crate) async fn clock(&self) -> anyhow::Result<Timestamp> {
        let answer = self.http.get(format!("{}/control/clock", self.url)).send().await?;
        parse(&accepted(answer).await?.json::<Clock>().await?.now)
    }

    /// Moves it on; whoever follows has come along when this answers.
    pub(crate) async fn set_clock(&self, to: Timestamp) -> anyhow::Result<()> {
        let to = json!({ "set": to.to_string() });
        let answer = self.http.post(format!("{}/control/clock", self.url)).json(&to).send().await?;
        accepted(answer).await.map(drop)
    }

    /// That many buyers do the same, one after the other.
    pub(crate) async fn act_all(&self, act: &str, product: &str, buyers: u64) -> anyhow::Result<()> {
        for buyer in 0..buyers {
            let act = json!({ "act": act, "buyer": format!("buyer-{buyer}"), "product": product });
            let call = self.http.post(format!("{}/control/acts", self.url)).json(&act);
            accepted(call.send().await?).await?.bytes().await?;
        }
        Ok(())
    }

    /// What all metering calls came to.
    pub(crate) async fn metering_counts(&self) -> anyhow::Result<MeteringCounts> {
        let answer = self.http.get(format!("{}/control/metering/calls?limit=1", self.url)).send().await?;
        Ok(accepted(answer).await?.json::<Calls>().await?.counts)
    }

    /// All bills together.
    pub(crate) async fn bill(&self) -> anyhow::Result<Bill> {
        let (mut bill, mut after) = (Bill::default(), 0);
        loop {
            let url = format!("{}/control/bill?limit=10000&after={after}", self.url);
            let page: BillPage = accepted(self.http.get(url).send().await?).await?.json().await?;
            for entry in &page.entries {
                let at = parse(&entry.taken_at)?;
                bill.entries += 1;
                bill.quantity += entry.quantity;
                bill.first_at = Some(bill.first_at.map_or(at, |first| first.min(at)));
                bill.last_at = Some(bill.last_at.map_or(at, |last| last.max(at)));
            }
            let Some(next) = page.next else { return Ok(bill) };
            after = next;
        }
    }

    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.process.stop().await
    }
}

/// The answer, or what the simulator says is wrong.
async fn accepted(answer: Response) -> anyhow::Result<Response> {
    if answer.status().is_success() {
        return Ok(answer);
    }
    let (status, url) = (answer.status(), answer.url().clone());
    anyhow::bail!("{url} answers {status}: {}", answer.text().await.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_empty_only_without_hidden_messages_too() {
        let text = r#"{"name":"stallkeeper","url":"u","arn":"a","visible":1,"in_flight":2,"delayed":3,"put":9,"received":8,"deleted":3}"#;
        let depth: Depth = serde_json::from_str(text).unwrap();
        assert_eq!((depth.total(), depth.deleted), (6, 3));
    }
}
