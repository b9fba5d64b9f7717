//! A seller's stall: products with their topics, and the queue that they come to.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use crate::{Database, Envelope, Moto, Queue, Topics, action_body, eventually};

/// How long a message stays hidden that nobody renews, where the worker asks for nothing else.
const VISIBILITY: Duration = Duration::from_secs(30);

/// What a seller has at a marketplace called `aws`.
#[derive(Clone, Debug)]
pub struct Stall {
    /// The server that all of it is on.
    pub moto: Moto,
    /// Where notifications come to.
    pub queue: Queue,
    /// What is sold.
    pub products: Vec<Product>,
}

/// A product with one listing.
#[derive(Clone, Debug)]
pub struct Product {
    /// The listing's product code.
    pub code: String,
    /// The topics that the marketplace handed over for it.
    pub topics: Topics,
}

impl Stall {
    /// So many products with their topics, and a queue that nothing delivers to yet.
    pub async fn open(products: usize) -> Self {
        let moto = Moto::connect().await;
        let queue = moto.create_queue(VISIBILITY).await;
        let mut stall = Self { moto, queue, products: Vec::new() };
        for _ in 0..products {
            let code = stall.moto.unique_code();
            let topics = stall.moto.create_topics(&code).await;
            stall.products.push(Product { code, topics });
        }
        stall
    }

    /// The same with the given number of its products, as before the others were listed.
    #[must_use]
    pub fn with_products(&self, count: usize) -> Self {
        Self { products: self.products.iter().take(count).cloned().collect(), ..self.clone() }
    }

    /// The configuration, after settings that go before: `[signature]`, `[queue]` and the like.
    pub fn config(&self, settings: &str) -> String {
        let topics: Vec<&String> = self
            .products
            .iter()
            .flat_map(|product| [&product.topics.subscription, &product.topics.entitlement])
            .collect();
        let (url, queue) = (self.moto.url(), &self.queue.url);
        let mut config = format!(
            "{settings}\n[[marketplace]]\nname = \"aws\"\nkind = \"aws\"\nqueue_url = \"{queue}\"\n\
             topic_arns = {topics:?}\nregion = \"us-east-1\"\n\
             endpoint_url = {{ sqs = \"{url}\", sns = \"{url}\" }}\n"
        );
        for (number, product) in self.products.iter().enumerate() {
            let listing = format!(
                "[[product]]\nkey = \"product-{number}\"\n[[product.listing]]\nmarketplace = \"aws\"\n\
                 code = \"{}\"\npricing = \"subscription\"\n",
                product.code
            );
            config.write_str(&listing).expect("a string takes all");
        }
        config
    }

    /// Puts texts into the queue.
    pub async fn send(&self, texts: &[String]) {
        self.moto.send_all(&self.queue.url, texts).await;
    }

    /// Waits until so many notifications are taken in and the queue is empty; none may be a dead letter.
    pub async fn wait_until_taken_in(&self, database: &Database, notifications: usize, limit: Duration) {
        let mut seen = 0;
        eventually(&format!("{notifications} notifications are taken in"), limit, async || {
            seen = database.count("inbox").await;
            seen >= notifications
        })
        .await;
        assert_eq!(seen, notifications, "more notifications than were sent");
        self.moto.wait_until_empty(&self.queue.url, limit).await;
        assert_eq!(self.moto.depth(&self.queue.dead_letters_url).await.total(), 0, "dead letters");
    }
}

impl Product {
    /// The key of a buyer's subscription.
    pub fn key(&self, customer: &str) -> String {
        format!("aws/{}/customer/{customer}", self.code)
    }

    /// The body of an action of a buyer.
    pub fn body(&self, action: &str, customer: &str) -> Value {
        action_body(action, customer, &self.code)
    }

    /// An action of a buyer in the subscription topic's envelope.
    pub fn envelope(&self, action: &str, customer: &str) -> Envelope {
        Envelope::new(&self.topics.subscription, &self.body(action, customer))
    }
}
