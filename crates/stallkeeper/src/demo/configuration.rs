//! A worker's configuration for a simulator.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use secrecy::{ExposeSecret, SecretString};
use stallkeeper_simulator::{Feed, Pricing, Product, Signer, Simulator, SimulatorConfig};
use tempfile::NamedTempFile;

/// The name that the marketplace has in the configuration, and so in every subscription's key.
pub const MARKETPLACE: &str = "aws";
/// All that the app's token may do, so that whoever plays can try everything.
const SCOPES: &str = r#"["usage:write", "usage:read", "entitlements:read", "grants:write", "subscriptions:read", "registrations:read", "registrations:write"]"#;

/// The queue that the simulator makes.
pub const QUEUE: &str = "stallkeeper";

/// The system that reports usage, and has to say when its usage of an hour is complete.
pub const SOURCE: &str = "app";

/// What is counted of every product's use, and how many places its quantities may have.
const DIMENSIONS: [(&str, u8); 2] = [("requests", 0), ("storage", 2)];

/// How the first line of a configuration begins that was written here, and may be written again.
const FIRST_WORDS: &str = "# A worker's configuration for the simulator at ";
const FILE: &str = "stallkeeper.toml";
/// The key that signs notifications with its certificates, for the next start.
const SIGNER: &str = "signer.pem";

/// Makes a folder ready for a configuration, and gives the signer that was kept there, if there is one.
///
/// # Errors
/// When the folder holds a configuration of somebody's own, or cannot be made or read.
pub fn prepare(folder: &Path) -> anyhow::Result<Option<Signer>> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join(FILE);
    if read(&path)?.is_some_and(|text| !text.starts_with(FIRST_WORDS)) {
        bail!(
            "{} was not written by `simulate`, and is left as it is; move it away or name another folder",
            path.display()
        );
    }
    let path = folder.join(SIGNER);
    let signer = read(&path)?.map(|pem| Signer::from_pem(&pem)).transpose();
    signer.with_context(|| format!("{}: delete it, and the next start makes a new one", path.display()))
}

/// Keeps a simulator's signer in a folder, so that the next one is trusted where this one is; for its owner only.
///
/// # Errors
/// When the file cannot be written.
pub fn keep_signer(simulator: &Simulator, folder: &Path) -> anyhow::Result<()> {
    let path = folder.join(SIGNER);
    let keep = || -> io::Result<()> {
        // A temporary file is its owner's only, and whole when it takes its name.
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(simulator.signer().to_pem().as_bytes())?;
        file.persist(&path)?;
        Ok(())
    };
    keep().with_context(|| format!("cannot write {}", path.display()))
}

fn read(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// How usage is taken in and reported.
#[derive(Clone, Debug)]
pub struct Metered {
    /// With what the app calls the API.
    pub token: SecretString,
    /// Whether hours without usage are reported: `send` or `skip`.
    pub zero_records: &'static str,
    /// What people find afterwards, if the demonstration stays open for them.
    pub served: Option<Served>,
}

/// What a demonstration that stays open has for people.
#[derive(Clone, Debug)]
pub struct Served {
    /// Where buyers reach the worker.
    pub public: SocketAddr,
    /// With what one signs in to the console.
    pub operator_token: SecretString,
}

impl Served {
    /// Where buyers reach the worker, without a closing slash.
    pub fn public_url(&self) -> String {
        format!("http://{}", self.public)
    }

    /// Where the marketplace sends buyers who set up their account.
    pub fn fulfilment_url(&self) -> String {
        format!("{}/register/{MARKETPLACE}", self.public_url())
    }
}

/// Writes `stallkeeper.toml` and the certificates' root into a folder; gives the path of the former.
///
/// The database stands beside them; `STALLKEEPER_DATABASE_URL` goes before it.
///
/// # Errors
/// When a file cannot be written.
pub fn write(simulator: &Simulator, folder: &Path, metered: Option<&Metered>) -> anyhow::Result<PathBuf> {
    let text = toml(simulator, folder, metered)?;
    let path = folder.join(FILE);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// The text of a configuration whose files stand in a folder; the certificates' root is written there.
///
/// # Errors
/// When the root cannot be written, or the simulator has no queue.
pub fn toml(simulator: &Simulator, folder: &Path, metered: Option<&Metered>) -> anyhow::Result<String> {
    let root = folder.join("root.pem");
    fs::write(&root, simulator.root_pem()).with_context(|| format!("cannot write {}", root.display()))?;
    let queue = simulator.queue(QUEUE).context("the simulator has no queue")?;
    let products = simulator.market().products();
    let topics: Vec<String> = products.iter().flat_map(Product::topics).collect();
    let served = metered.and_then(|metered| metered.served.as_ref());
    let mut text = format!(
        "{FIRST_WORDS}{url}.\n\
         database_url = {database:?}\n\
         simulator_url = \"{url}\"\n\
         {listen}\n\
         [signature]\npolicy = \"enforce\"\ntrusted_roots = \"{root}\"\n\n\
         [queue]\nwait_secs = 2\nvisibility_secs = 5\n\n\
         [[marketplace]]\nname = \"{MARKETPLACE}\"\nkind = \"aws\"\nqueue_url = \"{queue}\"\n\
         topic_arns = {topics:?}\n",
        url = simulator.url(),
        listen = served.map(public_listen).unwrap_or_default(),
        root = root.display(),
        database = format!("sqlite://{}", folder.join("stallkeeper.db").display()),
        queue = queue.url(),
    );
    if products.iter().any(|product| product.feed == Feed::EventBridge) {
        writeln!(text, "[marketplace.eventbridge]\nrule_arn = \"{}\"", simulator.rule_arn())?;
    }
    for product in &products {
        write_product(&mut text, product, metered)?;
    }
    if let Some(Served { operator_token, .. }) = served {
        writeln!(text, "\n[[operator]]\nname = \"demo\"\ntoken = \"{}\"", operator_token.expose_secret())?;
    }
    if let Some(Metered { token, .. }) = metered {
        writeln!(
            text,
            "\n[[api_token]]\nname = \"{SOURCE}\"\ntoken = \"{}\"\nscopes = {SCOPES}",
            token.expose_secret()
        )?;
    }
    Ok(text)
}

fn public_listen(served: &Served) -> String {
    format!("public_listen = \"{}\"\npublic_url = \"{}\"\n", served.public, served.public_url())
}

fn write_product(text: &mut String, product: &Product, metered: Option<&Metered>) -> std::fmt::Result {
    let pricing = match product.pricing {
        Pricing::Subscription => "subscription",
        Pricing::Contract => "contract",
    };
    let metered = metered.filter(|_| product.pricing == Pricing::Subscription);
    writeln!(text, "\n[[product]]\nkey = \"{}\"", product.key)?;
    if metered.is_some() {
        writeln!(text, "usage_sources = [\"{SOURCE}\"]")?;
    }
    writeln!(
        text,
        "[[product.listing]]\nmarketplace = \"{MARKETPLACE}\"\ncode = \"{}\"\npricing = \"{pricing}\"",
        product.code,
    )?;
    let Some(metered) = metered else { return Ok(()) };
    writeln!(text, "zero_records = \"{}\"", metered.zero_records)?;
    for (name, scale) in DIMENSIONS {
        writeln!(text, "[[product.dimension]]\nname = \"{name}\"\nscale = {scale}")?;
    }
    Ok(())
}

/// The simulator's products, as the demonstration sells them: each with its dimensions.
pub fn metered_products() -> Vec<Product> {
    let names = DIMENSIONS.map(|(name, _)| name);
    SimulatorConfig::default().products.into_iter().map(|product| product.with_dimensions(&names)).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tempfile::TempDir;

    use super::*;

    async fn start(folder: &Path) -> Simulator {
        let signer = prepare(folder).unwrap().map(Arc::new);
        let simulator =
            Simulator::start(SimulatorConfig { signer, ..SimulatorConfig::default() }).await.unwrap();
        keep_signer(&simulator, folder).unwrap();
        write(&simulator, folder, None).unwrap();
        simulator
    }

    #[tokio::test]
    async fn the_next_simulator_of_a_folder_signs_under_the_root_that_a_worker_trusts() {
        let folder = TempDir::new().unwrap();
        let first = start(folder.path()).await;
        let again = start(folder.path()).await;
        assert_eq!(again.root_pem(), first.root_pem());
        assert_eq!(fs::read_to_string(folder.path().join("root.pem")).unwrap(), first.root_pem());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_kept_key_is_its_owner_s_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = TempDir::new().unwrap();
        start(folder.path()).await;
        let mode = fs::metadata(folder.path().join(SIGNER)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_configuration_of_somebody_s_own_is_not_overwritten() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join(FILE);
        fs::write(&path, "database_url = \"sqlite://mine.db\"\n").unwrap();
        let words = prepare(folder.path()).unwrap_err().to_string();
        assert!(words.ends_with("is left as it is; move it away or name another folder"), "{words}");
    }

    #[test]
    fn a_signer_that_cannot_be_read_is_named_with_what_to_do() {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join(SIGNER), "-----BEGIN").unwrap();
        let words = prepare(folder.path()).unwrap_err().to_string();
        assert!(words.contains("signer.pem: delete it"), "{words}");
    }
}
