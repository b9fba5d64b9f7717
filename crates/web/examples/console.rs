//! Serves the console over a worker that is made up, to look at its pages: `cargo run -p stallkeeper-web --example
//! console`, then sign in at <http://127.0.0.1:9190/console> with the token `look-at-the-console`.
#![expect(clippy::unwrap_used, reason = "an example stops where something is wrong")]

#[path = "../tests/console/fake.rs"]
mod fake;

use std::sync::Arc;

use stallkeeper_runtime::SystemEntropy;
use stallkeeper_web::console::{
    Access, Console, NoDeliveries, Operator, OperatorToken, Operators, console_routes,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() {
    let operator = Operator::new("mia").unwrap();
    let token = OperatorToken { operator, token: "look-at-the-console".to_owned().into() };
    let access = Access { operators: Operators::new([token]).unwrap(), ..Access::default() };
    let api = Arc::new(fake::FakeWorker::default());
    let console =
        Console { api, deliveries: Arc::new(NoDeliveries), access, entropy: Arc::new(SystemEntropy) };
    let listener = TcpListener::bind("127.0.0.1:9190").await.unwrap();
    stallkeeper_web::serve(listener, console_routes(console).unwrap(), CancellationToken::default())
        .await
        .unwrap();
}
