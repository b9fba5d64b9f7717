//! Where a worker fetches signing certificates from.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::{Authority, Moto, SigningKey, unique};

/// The name that SNS' signing certificates carry.
const HOST: &str = "sns.amazonaws.com";

/// A loopback endpoint that answers as SNS does: `/SimpleNotificationService-<id>.pem`.
///
/// moto makes its own certificates, which nobody trusts, so each is issued again for the same key under the
/// test's authority. Stops when dropped.
#[derive(Debug)]
pub struct CertificateServer {
    url: String,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    authority: Arc<Authority>,
    moto_url: String,
    /// Certificates by their file's name.
    served: Mutex<HashMap<String, String>>,
}

impl CertificateServer {
    /// Serves moto's keys, certified by the authority.
    pub async fn start(authority: Arc<Authority>, moto: &Moto) -> Self {
        Self::start_on(0, authority, moto).await
    }

    /// The same on a given port, where a worker has looked for it before.
    pub async fn start_on(port: u16, authority: Arc<Authority>, moto: &Moto) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the loopback port is not free");
        let address = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared {
            authority,
            moto_url: moto.url().to_owned(),
            served: Mutex::new(HashMap::new()),
        });
        let router = Router::new().route("/{file}", get(serve)).with_state(Arc::clone(&shared));
        let mut tasks = JoinSet::new();
        tasks
            .spawn(async move { axum::serve(listener, router).await.expect("the certificate server broke") });
        Self { url: format!("http://{address}"), shared, _tasks: tasks }
    }

    /// Where it answers, without a closing slash.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Serves an own key's certificate, and gives the `SigningCertURL` that an envelope names it by.
    pub fn publish(&self, key: &SigningKey) -> String {
        let file = format!("SimpleNotificationService-{}.pem", unique("own"));
        self.shared.served().insert(file.clone(), key.certificate_pem().to_owned());
        format!("https://sns.us-east-1.amazonaws.com/{file}")
    }
}

impl Shared {
    fn served(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(State(shared): State<Arc<Shared>>, Path(file): Path<String>) -> Result<String, StatusCode> {
    if let Some(known) = shared.served().get(&file) {
        return Ok(known.clone());
    }
    let Some(theirs) = fetch_from_moto(&shared.moto_url, &file).await else {
        return Err(StatusCode::NOT_FOUND);
    };
    let ours = shared.authority.reissue(&theirs, HOST);
    shared.served().insert(file, ours.clone());
    Ok(ours)
}

/// moto tells its services apart by the signature's scope, so the request needs one, though nobody checks it.
async fn fetch_from_moto(moto_url: &str, file: &str) -> Option<String> {
    const SCOPED: &str = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sns/aws4_request, \
                          SignedHeaders=host, Signature=none";
    let request = reqwest::Client::new().get(format!("{moto_url}/{file}")).header("authorization", SCOPED);
    let answer = request.send().await.ok()?.error_for_status().ok()?;
    answer.text().await.ok()
}
