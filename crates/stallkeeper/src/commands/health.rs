//! `stallkeeper health`

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use reqwest::redirect::Policy;
use url::Url;

use crate::config::Config;

/// Below the time-out of the container's health check, so that it is this command that says what is wrong.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Arguments of `health`.
#[derive(Debug, Args)]
pub struct HealthArgs {
    /// Ask this address, by plain HTTP, instead of `/healthz` at the configuration's `internal_listen`.
    #[arg(long)]
    url: Option<Url>,
}

/// Asks a worker on this machine whether it serves: the health check of a container that has no other program.
///
/// # Errors
/// When nothing answers in time, or with anything but a 2xx status.
pub async fn run(args: HealthArgs, file: Option<&Path>, out: &mut impl Write) -> anyhow::Result<()> {
    let url = match args.url {
        Some(url) => url,
        None => own_url(Config::load(file)?.internal_listen)?,
    };
    let answer = client()?.get(url.clone()).send().await.map_err(reqwest::Error::without_url);
    let status = answer.with_context(|| format!("{url} does not answer"))?.status();
    ensure!(status.is_success(), "{url} answered {status}");
    writeln!(out, "{url} answered {status}")?;
    Ok(())
}

/// A worker that listens everywhere is asked on loopback.
fn own_url(listen: SocketAddr) -> anyhow::Result<Url> {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::from(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::from(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let address = SocketAddr::new(ip, listen.port());
    Url::parse(&format!("http://{address}/healthz")).context("internal_listen cannot be asked")
}

/// No proxy, no redirect and no certificates, whose loading would cost more than the question.
fn client() -> anyhow::Result<reqwest::Client> {
    let client = reqwest::Client::builder().no_proxy().redirect(Policy::none()).tls_certs_only([]);
    client.timeout(TIMEOUT).build().context("cannot ask by HTTP")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_trait::async_trait;
    use stallkeeper_web::{Problem, Readiness, internal_routes, serve};
    use tokio::net::TcpListener;
    use tokio_util::sync::CancellationToken;

    use super::*;

    struct Unready;

    #[async_trait]
    impl Readiness for Unready {
        async fn problems(&self) -> Vec<Problem> {
            vec![Problem { part: "queue".to_owned(), problem: "away".to_owned(), remedy: "wait".to_owned() }]
        }
    }

    async fn ask(url: &str) -> anyhow::Result<String> {
        let mut out = Vec::new();
        run(HealthArgs { url: Some(url.parse()?) }, None, &mut out).await?;
        Ok(String::from_utf8(out)?)
    }

    /// Asks a worker at this path, and gives what is said of it.
    async fn ask_worker(path: &str) -> anyhow::Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}{path}", listener.local_addr()?);
        let routes = internal_routes(Arc::new(Unready), Arc::new(String::new));
        let stop = CancellationToken::new();
        tokio::select! {
            _ = serve(listener, routes, stop) => anyhow::bail!("the server ended"),
            answer = ask(&url) => answer,
        }
    }

    #[tokio::test]
    async fn a_worker_that_serves_is_healthy_also_while_it_is_not_ready() {
        assert!(ask_worker("/healthz").await.unwrap().ends_with("/healthz answered 200 OK\n"));
    }

    #[tokio::test]
    async fn an_answer_that_is_no_success_is_not_healthy() {
        let said = ask_worker("/readyz").await.unwrap_err().to_string();
        assert!(said.ends_with("/readyz answered 503 Service Unavailable"), "{said}");
    }

    #[tokio::test]
    async fn nobody_there_is_not_healthy() {
        // Nobody listens on port 1.
        let said = ask("http://127.0.0.1:1/healthz").await.unwrap_err().to_string();
        assert_eq!(said, "http://127.0.0.1:1/healthz does not answer");
    }

    #[test]
    fn a_worker_that_listens_everywhere_is_asked_on_loopback() {
        let url = |listen: &str| own_url(listen.parse().unwrap()).unwrap().to_string();
        assert_eq!(url("0.0.0.0:9090"), "http://127.0.0.1:9090/healthz");
        assert_eq!(url("[::]:9090"), "http://[::1]:9090/healthz");
        assert_eq!(url("10.0.0.7:80"), "http://10.0.0.7/healthz");
    }
}
