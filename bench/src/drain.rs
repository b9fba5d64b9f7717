//! The first half of the limit: receive and delete by the SDK, and nothing else.

use aws_config::BehaviorVersion;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName as Attribute};
use clap::Args;
use tokio::task::JoinSet;

use crate::installation::credentials;
use crate::process::{Process, tied};
use crate::run::Run;
use crate::stand::Stand;

/// As many as a worker has by default.
const RECEIVERS: u32 = 8;
const BATCH: i32 = 10;
const WAIT_SECS: i32 = 20;

/// What the program itself is told.
#[derive(Clone, Debug, Args)]
pub(crate) struct DrainArgs {
    #[arg(long)]
    queue_url: String,
    #[arg(long)]
    receivers: u32,
}

/// Lets this very binary empty a full queue, as a process of its own.
pub(crate) async fn measure(stand: &Stand<'_>, notifications: u64) -> anyhow::Result<Run> {
    let simulator = stand.loaded_simulator(notifications).await?;
    let program = std::env::current_exe()?;
    let mut command = tied(&program);
    command.args(["drain", "--queue-url", &simulator.queue_url(), "--receivers", &RECEIVERS.to_string()]);
    command.envs(credentials()).env("AWS_ENDPOINT_URL_SQS", simulator.url());
    let log = stand.folder().join("drain.log");
    let run = Run::timed(&simulator, None, || Process::spawn(&mut command, &log)).await?;
    simulator.stop().await?;
    Ok(run)
}

/// The program: on all processors, as the worker.
pub(crate) fn main(args: &DrainArgs) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
        let client = Client::new(&config);
        let mut receivers = JoinSet::new();
        for _ in 0..args.receivers {
            receivers.spawn(drain(client.clone(), args.queue_url.clone()));
        }
        while let Some(ended) = receivers.join_next().await {
            ended??;
        }
        Ok(())
    })
}

/// Each deletes what it has while it receives the next.
async fn drain(client: Client, queue_url: String) -> anyhow::Result<()> {
    let mut messages = Vec::new();
    loop {
        let (received, deleted) =
            tokio::join!(receive(&client, &queue_url), delete(&client, &queue_url, &messages));
        deleted?;
        messages = received?;
        // Nothing comes soon, so what is held must not wait for it.
        if messages.len() < usize::try_from(BATCH)? {
            delete(&client, &queue_url, &messages).await?;
            messages.clear();
        }
    }
}

async fn receive(client: &Client, queue_url: &str) -> anyhow::Result<Vec<Message>> {
    let call = client.receive_message().queue_url(queue_url);
    let call = call.max_number_of_messages(BATCH).wait_time_seconds(WAIT_SECS);
    // What a worker asks for, too.
    let call = call
        .message_system_attribute_names(Attribute::ApproximateReceiveCount)
        .message_system_attribute_names(Attribute::ApproximateFirstReceiveTimestamp)
        .message_system_attribute_names(Attribute::SentTimestamp);
    Ok(call.send().await?.messages.unwrap_or_default())
}

async fn delete(client: &Client, queue_url: &str, messages: &[Message]) -> anyhow::Result<()> {
    if messages.is_empty() {
        return Ok(());
    }
    let entries = messages.iter().enumerate().map(|(index, message)| {
        DeleteMessageBatchRequestEntry::builder()
            .id(index.to_string())
            .set_receipt_handle(message.receipt_handle.clone())
            .build()
    });
    let entries = entries.collect::<Result<Vec<_>, _>>()?;
    let answer = client.delete_message_batch().queue_url(queue_url).set_entries(Some(entries)).send().await?;
    anyhow::ensure!(answer.failed.is_empty(), "not deleted: {:?}", answer.failed);
    Ok(())
}
