use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::ListenerExt;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::control::{self, Control};
use crate::entitlement_service::Entitlements;
use crate::metering_service::{self, RESOLVE};
use crate::shop;
use crate::sns::{self, SnsState};
use crate::sqs::{self, CALL_BYTES_MAX};
use crate::wiring::wire;
use crate::{
    CrowdError, CrowdPlan, CrowdProgress, Delivery, EventBus, Faults, Feed, MarketClock, Marketplace,
    Metering, MeteringSettings, Pricing, Product, Queue, Queues, RegistrationTokens, Signer, SignerError,
    SqsState, Topics,
};

/// The Region of everything.
pub(crate) const REGION: &str = "us-east-1";
/// The account of whoever sells.
pub(crate) const SELLER_ACCOUNT: &str = "123456789012";
/// The account that the marketplace's topics belong to.
pub(crate) const MARKETPLACE_ACCOUNT: &str = "287250355862";
/// The rule of the seller's event bus.
pub(crate) const RULE_ARN: &str = "arn:aws:events:us-east-1:123456789012:rule/stallkeeper";

/// As HTTP writes dates (RFC 9110, 5.6.7).
const HTTP_DATE: StaticFormatDescription =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
/// How long stopping waits for what is being answered.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// How a simulator is set up.
#[derive(Clone, Debug)]
pub struct SimulatorConfig {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where others reach it, without a closing slash, if that is not the address that it listens on; without
    /// it, whoever listens on every address is reached by `127.0.0.1`.
    pub url: Option<String>,
    /// The seed of all chance in it.
    pub seed: u64,
    /// What signs notifications; a new key where it is left out.
    pub signer: Option<Arc<Signer>>,
    /// What is sold.
    pub products: Vec<Product>,
    /// The name of the queue that notifications arrive in.
    pub queue: String,
    /// How often a message is received before it is moved to the dead-letter queue.
    pub receives_max: u32,
    /// Whether the queue is subscribed to the topics and a target of the rule from the start.
    pub wired: bool,
    /// How metering behaves at first.
    pub metering: MeteringSettings,
}

impl Default for SimulatorConfig {
    /// A free port of this machine, the queue `stallkeeper`, and the products `search` and `vault`, wired.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            url: None,
            seed: 1,
            signer: None,
            products: vec![
                Product::new("search", "simsearch", Feed::Sns, Pricing::Subscription),
                Product::new("vault", "simvault", Feed::EventBridge, Pricing::Subscription),
            ],
            queue: "stallkeeper".to_owned(),
            receives_max: 20,
            wired: true,
            metering: MeteringSettings::default(),
        }
    }
}

/// A simulator does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken or not this machine's: give another one, or port 0.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Two products share a name: rename one.
    #[error("two products are called `{0}`; keys and codes are unique")]
    TwiceTheSameProduct(String),
    /// There is no key to sign with: try again.
    #[error("the key that signs notifications was not made")]
    Signer(#[source] SignerError),
    /// The runtime is shutting down.
    #[error("the simulator was stopped while it started")]
    Stopped(#[source] JoinError),
}

/// A running simulator; it stops when dropped.
#[derive(Debug)]
pub struct Simulator {
    url: String,
    market: Marketplace,
    metering: Metering,
    tokens: RegistrationTokens,
    queues: Queues,
    topics: Topics,
    faults: Arc<Faults>,
    signer: Arc<Signer>,
    server: JoinSet<()>,
    stop: DropGuard,
}

impl Simulator {
    /// Starts it: it answers as soon as this returns.
    ///
    /// # Errors
    ///
    /// [`StartError`] if the address cannot be listened on, or the configuration contradicts itself.
    pub async fn start(config: SimulatorConfig) -> Result<Self, StartError> {
        check(&config.products)?;
        let signer = match &config.signer {
            Some(signer) => Arc::clone(signer),
            None => new_signer().await?,
        };
        let (listener, url) = listen(&config).await?;

        let clock = MarketClock::new();
        // A source of chance for each part: parts that shared one would give out each other's ids.
        let mut seeds = fastrand::Rng::with_seed(config.seed);
        let mut seed = || seeds.u64(..);
        let faults = Arc::new(Faults::new(seed()));
        let queues = Queues::with_clock(&url, &clock, seed());
        let delivery = Delivery::new(queues.clone(), Arc::clone(&faults));
        let topics = Topics::new(delivery.clone(), Arc::clone(&signer)).with_seed(seed());
        let bus = EventBus::new(delivery);
        wire(&config, &queues, &topics, &bus);
        let market = Marketplace::new(&config.products, seed(), clock.clone(), topics.clone(), bus);
        market.inner.tasks.spawn(market.clone().keep_agenda());
        let metering = Metering::new(market.clone(), Arc::clone(&faults), config.metering, seed());
        let tokens = RegistrationTokens::new(market.clone(), Arc::clone(&faults), seed());

        let entitlements = Entitlements::new(market.clone(), Arc::clone(&faults));

        let stop = market.inner.stop.clone();
        let control = Control {
            market: market.clone(),
            metering: metering.clone(),
            tokens: tokens.clone(),
            queues: queues.clone(),
            faults: Arc::clone(&faults),
            base_url: url.as_str().into(),
            is_loopback: config.listen.ip().is_loopback(),
        };
        let router = Router::new()
            .merge(calls(CallState {
                sqs: SqsState::new(queues.clone(), Arc::clone(&faults)),
                sns: SnsState::new(topics.clone(), clock.clone()),
                metering: metering.clone(),
                tokens: tokens.clone(),
                entitlements,
            }))
            .merge(sns::certificates(&signer))
            .merge(control::router(control.clone()))
            .merge(shop::router(control))
            .layer(middleware::map_response_with_state(clock, dated))
            .layer(middleware::from_fn_with_state(stop.clone(), until_stopped));
        let mut server = JoinSet::new();
        server.spawn(serve(listener, router, stop.clone()));
        let stop = stop.drop_guard();
        Ok(Self { url, market, metering, tokens, queues, topics, faults, signer, server, stop })
    }

    /// Where it answers, without a closing slash.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The marketplace's clock. To move it use [`Simulator::market`], which waits for those who follow it.
    pub fn clock(&self) -> MarketClock {
        self.market.clock().clone()
    }

    /// The marketplace.
    pub fn market(&self) -> &Marketplace {
        &self.market
    }

    /// What is metered, and the bills.
    pub fn metering(&self) -> &Metering {
        &self.metering
    }

    /// The tokens that buyers bring to the seller.
    pub fn tokens(&self) -> &RegistrationTokens {
        &self.tokens
    }

    /// What goes wrong.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The queue of a name.
    pub fn queue(&self, name: &str) -> Option<Arc<Queue>> {
        self.queues.by_name(name)
    }

    /// All queues.
    pub fn queues(&self) -> &Queues {
        &self.queues
    }

    /// The rule of the event bus, by ARN.
    pub fn rule_arn(&self) -> &'static str {
        RULE_ARN
    }

    /// All topics.
    pub fn topics(&self) -> &Topics {
        &self.topics
    }

    /// The certificate of the root that notifications are signed under.
    pub fn root_pem(&self) -> &str {
        self.signer.root_pem()
    }

    /// What signs notifications.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Lets a crowd come, as [`Marketplace::start_crowd`] does.
    ///
    /// # Errors
    ///
    /// [`CrowdError`] while another crowd runs, or if a number of the plan is out of its bounds.
    pub fn start_crowd(&self, plan: CrowdPlan) -> Result<CrowdProgress, CrowdError> {
        self.market.start_crowd(plan)
    }

    /// Stops it, and waits until nothing of it runs.
    pub async fn stop(mut self) {
        drop(self.stop);
        let tasks = &self.market.inner.tasks;
        tasks.close();
        let all = async {
            while self.server.join_next().await.is_some() {}
            tasks.wait().await;
        };
        if tokio::time::timeout(STOP_WITHIN, all).await.is_err() {
            tracing::warn!("the simulator was stopped while it still answered");
        }
    }
}

fn check(products: &[Product]) -> Result<(), StartError> {
    for (position, product) in products.iter().enumerate() {
        let others = || products.iter().skip(position + 1);
        if others().any(|other| other.key == product.key) {
            return Err(StartError::TwiceTheSameProduct(product.key.clone()));
        }
        if others().any(|other| other.code == product.code) {
            return Err(StartError::TwiceTheSameProduct(product.code.clone()));
        }
    }
    Ok(())
}

async fn new_signer() -> Result<Arc<Signer>, StartError> {
    let signer = tokio::task::spawn_blocking(Signer::new).await.map_err(StartError::Stopped)?;
    signer.map(Arc::new).map_err(StartError::Signer)
}

async fn listen(config: &SimulatorConfig) -> Result<(TcpListener, String), StartError> {
    let address = config.listen;
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let local = listener.local_addr().map_err(failed)?;
    let reached_by = match local.ip() {
        ip if ip.is_unspecified() => IpAddr::from(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    let reached_by = SocketAddr::new(reached_by, local.port());
    let url = config.url.clone().unwrap_or_else(|| format!("http://{reached_by}"));
    Ok((listener, url.trim_end_matches('/').to_owned()))
}

/// What calls act on.
#[derive(Clone)]
struct CallState {
    sqs: SqsState,
    sns: SnsState,
    metering: Metering,
    tokens: RegistrationTokens,
    entitlements: Entitlements,
}

/// The calls of SQS, SNS and metering, which share their paths, and those of entitlements, which name theirs.
fn calls(state: CallState) -> Router {
    Router::new()
        .route("/", post(call))
        .route("/{account}/{queue}", post(call))
        .route("/service/AWSMPEntitlementService/operation/{operation}", post(ask))
        .layer(DefaultBodyLimit::max(CALL_BYTES_MAX))
        .with_state(state)
}

async fn call(State(state): State<CallState>, headers: HeaderMap, body: Bytes) -> Response {
    match headers.get("x-amz-target").map(|target| target.to_str()) {
        Some(Ok(target)) => match target.strip_prefix(metering_service::TARGET_PREFIX) {
            Some(RESOLVE) => {
                metering_service::resolve(&state.tokens, state.metering.number(), &headers, &body)
            }
            Some(action) => metering_service::answer(&state.metering, action, &headers, &body),
            None => sqs::answer(&state.sqs, target, &body).await,
        },
        Some(Err(_)) => {
            (StatusCode::BAD_REQUEST, "`x-amz-target` is not readable; send `AmazonSQS.<Action>`")
                .into_response()
        }
        None => sns::answer(&state.sns, body).await,
    }
}

async fn ask(
    State(state): State<CallState>,
    Path(operation): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    state.entitlements.answer(&operation, &headers, &body)
}

/// Answers say the marketplace's time, as whoever compares clocks shall find them alike.
async fn dated(State(clock): State<MarketClock>, mut response: Response) -> Response {
    let date = clock.now().format(HTTP_DATE).ok().and_then(|date| HeaderValue::try_from(date).ok());
    // Without it the server itself says the machine's time.
    if let Some(date) = date {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

/// Long polls end when the simulator stops.
async fn until_stopped(State(stop): State<CancellationToken>, request: Request, next: Next) -> Response {
    let stopping = || (StatusCode::SERVICE_UNAVAILABLE, "the simulator is stopping").into_response();
    stop.run_until_cancelled(next.run(request)).await.unwrap_or_else(stopping)
}

async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let listener = listener.tap_io(|connection| {
        // Only speed is lost without it.
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(error = &error as &dyn std::error::Error, "a connection gathers its answers");
        }
    });
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await {
        tracing::error!(error = &error as &dyn std::error::Error, "the simulator does not serve any more");
    }
}
