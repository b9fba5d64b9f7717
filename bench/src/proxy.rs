//! A proxy before SQS that notes when the first receive comes.

use std::net::SocketAddr;

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The header's value that names the action.
const RECEIVE: &[u8] = b"AmazonSQS.ReceiveMessage";

/// Where calls go through.
#[derive(Debug)]
pub(crate) struct Proxy {
    url: String,
    seen: watch::Receiver<Option<Instant>>,
    _task: JoinSet<()>,
}

impl Proxy {
    /// Passes everything on to `target`, such as `http://127.0.0.1:4566`.
    pub(crate) async fn start(target: &str) -> anyhow::Result<Self> {
        let target: SocketAddr = target
            .trim_start_matches("http://")
            .parse()
            .with_context(|| format!("{target} is no address"))?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (note, seen) = watch::channel(None);
        let mut task = JoinSet::new();
        task.spawn(serve(listener, target, note));
        Ok(Self { url, seen, _task: task })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// When the first receive came; waits for it.
    pub(crate) async fn first_receive(&mut self) -> anyhow::Result<Instant> {
        let seen = self.seen.wait_for(Option::is_some).await?;
        (*seen).context("a receive was seen without its moment")
    }
}

async fn serve(listener: TcpListener, target: SocketAddr, note: watch::Sender<Option<Instant>>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let note = note.clone();
        // A connection that breaks is tried again by the client.
        connections.spawn(async move { pass(client, target, &note).await.ok() });
    }
}

async fn pass(
    mut client: TcpStream,
    target: SocketAddr,
    note: &watch::Sender<Option<Instant>>,
) -> std::io::Result<()> {
    let mut server = TcpStream::connect(target).await?;
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let calls = async {
        let (mut scanner, mut buffer) = (Scanner::default(), vec![0; 16 * 1024]);
        loop {
            let count = from_client.read(&mut buffer).await?;
            let bytes = buffer.get(..count).unwrap_or_default();
            if count == 0 {
                return to_server.shutdown().await;
            }
            if scanner.finds(bytes) {
                note.send_if_modified(|seen| seen.replace(Instant::now()).is_none());
            }
            to_server.write_all(bytes).await?;
        }
    };
    let answers = async {
        tokio::io::copy(&mut from_server, &mut to_client).await?;
        to_client.shutdown().await
    };
    tokio::try_join!(calls, answers).map(drop)
}

/// Looks for the action in a stream, also where it is cut in two.
#[derive(Debug, Default)]
struct Scanner {
    end: Vec<u8>,
}

impl Scanner {
    fn finds(&mut self, bytes: &[u8]) -> bool {
        self.end.extend_from_slice(bytes);
        let found = self.end.windows(RECEIVE.len()).any(|window| window.eq_ignore_ascii_case(RECEIVE));
        let keep = if found { 0 } else { self.end.len().min(RECEIVE.len() - 1) };
        self.end.drain(..self.end.len() - keep);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_found_where_it_is_cut_in_two() {
        let mut scanner = Scanner::default();
        assert!(!scanner.finds(b"POST / HTTP/1.1\r\nx-amz-target: AmazonSQS.Rec"));
        assert!(scanner.finds(b"eiveMessage\r\n"));
    }

    #[test]
    fn other_actions_are_not_taken_for_it() {
        let mut scanner = Scanner::default();
        assert!(!scanner.finds(b"x-amz-target: AmazonSQS.GetQueueAttributes\r\n"));
        assert!(!scanner.finds(b"x-amz-target: AmazonSQS.DeleteMessageBatch\r\n"));
    }

    #[test]
    fn one_call_is_found_once() {
        let mut scanner = Scanner::default();
        assert!(scanner.finds(b"AmazonSQS.ReceiveMessage"));
        assert!(!scanner.finds(b"\r\n\r\n{}"));
    }
}
