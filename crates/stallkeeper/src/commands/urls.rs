//! `stallkeeper config urls`

use std::io::Write;

use clap::Args;
use serde::Serialize;
use url::Url;

use crate::config::Config;
use crate::table::{Screen, print_json, safe};

/// Arguments of `config urls`.
#[derive(Debug, Args)]
pub struct UrlsArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What is pasted into one marketplace's portal; the JSON of `config urls` is a list of these.
#[derive(Debug, Serialize)]
struct Urls {
    marketplace: String,
    kind: &'static str,
    /// The fulfilment URL of each product: where buyers are sent to set up their account.
    fulfillment_url: Option<String>,
}

/// Prints what to paste into the marketplaces' portals.
///
/// # Errors
/// When the configuration does not say where buyers reach the worker.
pub fn run(args: &UrlsArgs, config: &Config, out: &mut impl Write) -> anyhow::Result<()> {
    let Some(public) = &config.public_url else {
        anyhow::bail!("public_url is not set: it says under what address buyers reach public_listen");
    };
    let marketplaces = config.marketplaces.iter();
    let urls: Vec<Urls> = marketplaces
        .map(|marketplace| Urls {
            marketplace: marketplace.name.to_string(),
            kind: marketplace.kind.as_str(),
            fulfillment_url: marketplace
                .kind
                .partition()
                .map(|_| register(public, marketplace.name.as_str())),
        })
        .collect();
    if args.json {
        return Ok(print_json(out, &urls)?);
    }
    for (index, urls) in urls.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        let facts = [
            ("marketplace", Some(safe(&urls.marketplace))),
            ("kind", Some(urls.kind.to_owned())),
            (
                "fulfillment URL",
                Some(urls.fulfillment_url.clone().unwrap_or_else(|| "none of this kind".to_owned())),
            ),
        ];
        write!(out, "{}", Screen::detect().facts(&facts))?;
    }
    if public.scheme() != "https" {
        writeln!(out, "\nmarketplaces take addresses that begin with https:// only")?;
    }
    Ok(())
}

fn register(public: &Url, marketplace: &str) -> String {
    let mut url = public.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.clear().extend(["register", marketplace]);
    }
    url.to_string()
}
