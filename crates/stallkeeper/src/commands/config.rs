//! `stallkeeper config`

use std::io::Write;
use std::path::Path;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::urls;
use crate::config::{Config, DEFAULT_TOML, DatabaseKind, Marketplace};
use crate::table::{Screen, print, print_json, safe};

/// What can be done with the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Read the file and the environment, and show what they come to, or everything that is wrong with them.
    ///
    /// Nothing is connected to; `stallkeeper doctor` looks at the deployment itself.
    Check(CheckArgs),
    /// Print the reference document: every key with its default and what it means.
    Default,
    /// Print what to paste into the marketplaces' portals.
    Urls(urls::UrlsArgs),
}

/// Arguments of `config check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Checks the configuration, or prints the reference document.
///
/// # Errors
/// Everything that is wrong with the configuration.
pub fn run(command: ConfigCommand, file: Option<&Path>, out: &mut impl Write) -> anyhow::Result<()> {
    match command {
        ConfigCommand::Urls(args) => urls::run(&args, &Config::load(file)?, out)?,
        ConfigCommand::Default => out.write_all(DEFAULT_TOML.as_bytes())?,
        ConfigCommand::Check(args) => {
            let config = Config::load(file)?;
            // The files that it names are read too, as a worker would be refused at start without them.
            config.signature.trust()?;
            let summary = Summary::of(&config, file);
            if args.json { print_json(out, &summary)? } else { summary.print(Screen::detect(), out)? }
        }
    }
    Ok(())
}

/// What a configuration comes to; the JSON of `config check`.
#[derive(Debug, Serialize)]
struct Summary {
    /// The file that was read.
    file: Option<String>,
    /// `sqlite` or `postgres`; null where no database is set.
    database: Option<&'static str>,
    /// The simulator that stands in for AWS; null in production.
    simulator_url: Option<String>,
    /// Where health and metrics are served.
    internal_listen: String,
    /// Where buyers' pages are served.
    public_listen: Option<String>,
    /// The marketplaces, in the order of the file.
    marketplaces: Vec<MarketplaceLine>,
    /// The products, in the order of the file.
    products: Vec<ProductLine>,
}

#[derive(Debug, Serialize)]
struct MarketplaceLine {
    name: String,
    kind: &'static str,
    /// Null where the marketplace is not polled.
    queue_url: Option<String>,
    topics: usize,
    eventbridge: bool,
    listings: usize,
}

#[derive(Debug, Serialize)]
struct ProductLine {
    key: String,
    name: String,
    /// `marketplace/code` of each.
    listings: Vec<String>,
    dimensions: Vec<String>,
}

impl Summary {
    fn of(config: &Config, file: Option<&Path>) -> Self {
        let products = config.products.iter().map(|product| ProductLine {
            key: product.key.to_string(),
            name: product.name.clone(),
            listings: product
                .listings
                .iter()
                .map(|listing| format!("{}/{}", listing.marketplace, listing.code))
                .collect(),
            dimensions: product.dimensions.iter().map(|dimension| dimension.name.to_string()).collect(),
        });
        Self {
            file: file.map(|file| file.display().to_string()),
            database: config.database_url.as_ref().and_then(DatabaseKind::of).map(DatabaseKind::as_str),
            simulator_url: config.simulator_url.as_ref().map(ToString::to_string),
            internal_listen: config.internal_listen.to_string(),
            public_listen: config.public_listen.map(|address| address.to_string()),
            marketplaces: config
                .marketplaces
                .iter()
                .map(|found| MarketplaceLine::of(config, found))
                .collect(),
            products: products.collect(),
        }
    }

    fn print(&self, screen: Screen, out: &mut impl Write) -> anyhow::Result<()> {
        let facts = [
            (
                "file",
                Some(
                    self.file.as_deref().map_or_else(|| "none; defaults and variables only".to_owned(), safe),
                ),
            ),
            ("database", Some(self.database.unwrap_or("not set; see STALLKEEPER_DATABASE_URL").to_owned())),
            (
                "simulator",
                self.simulator_url
                    .as_ref()
                    .map(|url| format!("{url}, which stands in for AWS: this is no production")),
            ),
            ("internal", Some(self.internal_listen.clone())),
            ("public", self.public_listen.clone()),
        ];
        write!(out, "{}", screen.facts(&facts))?;
        writeln!(out)?;
        if self.marketplaces.is_empty() {
            writeln!(out, "no marketplace is configured, so `stallkeeper run` has nothing to poll")?;
        } else {
            let mut table =
                screen.table(&["marketplace", "kind", "queue", "topics", "eventbridge", "listings"]);
            for line in &self.marketplaces {
                let queue = line.queue_url.as_deref().unwrap_or("not polled");
                let eventbridge = if line.eventbridge { "yes" } else { "no" };
                table.add_row([
                    safe(&line.name).as_str(),
                    line.kind,
                    &safe(queue),
                    &line.topics.to_string(),
                    eventbridge,
                    &line.listings.to_string(),
                ]);
            }
            print(out, &table)?;
        }
        if !self.products.is_empty() {
            writeln!(out)?;
            let mut table = screen.table(&["product", "name", "listings", "dimensions"]);
            for line in &self.products {
                let (listings, dimensions) = (line.listings.join(", "), line.dimensions.join(", "));
                table.add_row([&line.key, &line.name, &listings, &dimensions].map(|text| safe(text)));
            }
            print(out, &table)?;
        }
        writeln!(out)?;
        writeln!(out, "the configuration can be used")?;
        Ok(())
    }
}

impl MarketplaceLine {
    fn of(config: &Config, marketplace: &Marketplace) -> Self {
        Self {
            name: marketplace.name.to_string(),
            kind: marketplace.kind.as_str(),
            queue_url: marketplace.queue_url.as_ref().map(ToString::to_string),
            topics: marketplace.topic_arns.len(),
            eventbridge: marketplace.eventbridge.is_some(),
            listings: config.listings(&marketplace.name).count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_steer_a_terminal_is_shown_escaped() {
        let file = "[[product]]\nkey = \"search\"\nname = \"a\\u001b[2Jb\"\n";
        let config = Config::parse(Some(("config.toml", file)), []).unwrap();
        let mut out = Vec::new();
        let summary = Summary::of(&config, Some(Path::new("a\u{1b}[2Jb.toml")));
        summary.print(Screen::default(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches("a\\u{1b}[2Jb").count(), 2, "{text}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}
