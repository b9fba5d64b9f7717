//! A worker's configuration for a simulator.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use stallkeeper_simulator::{Feed, Pricing, Product, Simulator};

/// The name that the marketplace has in the configuration, and so in every subscription's key.
pub const MARKETPLACE: &str = "aws";
/// The queue that the simulator makes.
pub const QUEUE: &str = "stallkeeper";

/// Writes `stallkeeper.toml` and the certificates' root into a folder; gives the path of the former.
///
/// The database stands beside them; `STALLKEEPER_DATABASE_URL` goes before it.
///
/// # Errors
/// When a file cannot be written.
pub fn write(simulator: &Simulator, folder: &Path) -> anyhow::Result<PathBuf> {
    let text = toml(simulator, folder)?;
    let path = folder.join("stallkeeper.toml");
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// The text of a configuration whose files stand in a folder; the certificates' root is written there.
///
/// # Errors
/// When the root cannot be written, or the simulator has no queue.
pub fn toml(simulator: &Simulator, folder: &Path) -> anyhow::Result<String> {
    let root = folder.join("root.pem");
    fs::write(&root, simulator.root_pem()).with_context(|| format!("cannot write {}", root.display()))?;
    let queue = simulator.queue(QUEUE).context("the simulator has no queue")?;
    let products = simulator.market().products();
    let topics: Vec<String> = products.iter().flat_map(Product::topics).collect();
    let mut text = format!(
        "# A worker's configuration for the simulator at {url}.\n\
         database_url = {database:?}\n\
         simulator_url = \"{url}\"\n\n\
         [signature]\npolicy = \"enforce\"\ntrusted_roots = \"{root}\"\n\n\
         [queue]\nwait_secs = 2\nvisibility_secs = 5\n\n\
         [[marketplace]]\nname = \"{MARKETPLACE}\"\nkind = \"aws\"\nqueue_url = \"{queue}\"\n\
         topic_arns = {topics:?}\n",
        url = simulator.url(),
        root = root.display(),
        database = format!("sqlite://{}", folder.join("stallkeeper.db").display()),
        queue = queue.url(),
    );
    if products.iter().any(|product| product.feed == Feed::EventBridge) {
        writeln!(text, "[marketplace.eventbridge]\nrule_arn = \"{}\"", simulator.rule_arn())?;
    }
    for product in &products {
        let pricing = match product.pricing {
            Pricing::Subscription => "subscription",
            Pricing::Contract => "contract",
        };
        writeln!(
            text,
            "\n[[product]]\nkey = \"{}\"\n[[product.listing]]\nmarketplace = \"{MARKETPLACE}\"\n\
             code = \"{}\"\npricing = \"{pricing}\"",
            product.key, product.code,
        )?;
    }
    Ok(text)
}
