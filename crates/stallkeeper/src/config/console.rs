use std::path::Path;

use axum::http::HeaderName;
use stallkeeper_web::console::{JwtConfig, JwtKeys, Operator, OperatorToken};
use url::Url;

use super::section::Section;
use super::token;

/// Where operators reach the console, and how a proxy says who they are.
#[derive(Clone, Debug, Default)]
pub struct ConsoleConfig {
    /// The address under which operators reach the internal listener.
    pub url: Option<Url>,
    /// The seller's proxy.
    pub jwt: Option<JwtConfig>,
}

impl ConsoleConfig {
    /// Whether operators come over HTTPS only.
    pub fn is_https(&self) -> bool {
        self.url.as_ref().is_some_and(|url| url.scheme() == "https")
    }
}

/// Reads an operator.
pub(super) fn operator(section: &Section<'_>) -> Option<OperatorToken> {
    section.require("name");
    let name = section.string("name");
    let operator = name.and_then(|name| {
        Operator::new(&name).map_err(|error| section.refuse("name", &error.to_string())).ok()
    });
    let token = token::secret(section);
    Some(OperatorToken { operator: operator?, token: token? })
}

/// Reads the section `console`.
pub(super) fn read(section: &Section<'_>) -> ConsoleConfig {
    let url: Option<Url> = section.text("url");
    if url.as_ref().is_some_and(|url| !matches!(url.scheme(), "http" | "https")) {
        section.refuse("url", "expected an address that begins with https:// or http://");
    }
    let is_asked = section.has("jwt");
    let jwt = section.section("jwt", |section| if is_asked { jwt(section) } else { no_jwt(section) });
    ConsoleConfig { url, jwt }
}

/// The keys are asked for all the same, so that a variable for one of them is not unknown.
fn no_jwt(section: &Section<'_>) -> Option<JwtConfig> {
    for key in ["header", "issuer", "audience", "name_claim", "keys_file"] {
        let _absent = section.has(key);
    }
    None
}

fn jwt(section: &Section<'_>) -> Option<JwtConfig> {
    let required = |key| {
        section.require(key);
        section.string(key).filter(|text| {
            let fits = !text.trim().is_empty();
            if !fits {
                section.refuse(key, "is empty");
            }
            fits
        })
    };
    section.require("header");
    let header: Option<HeaderName> = section.text("header");
    let (issuer, audience) = (required("issuer"), required("audience"));
    let name_claim = section.string("name_claim").unwrap_or_else(|| "email".to_owned());
    let keys = required("keys_file").and_then(|file| keys(section, Path::new(&file)));
    Some(JwtConfig { header: header?, issuer: issuer?, audience: audience?, name_claim, keys: keys? })
}

fn keys(section: &Section<'_>, file: &Path) -> Option<JwtKeys> {
    let text = std::fs::read_to_string(file);
    let text =
        text.map_err(|error| section.refuse("keys_file", &format!("{}: {error}", file.display()))).ok()?;
    let keys = JwtKeys::parse(&text);
    keys.map_err(|error| section.refuse("keys_file", &format!("{}: {error}", file.display()))).ok()
}
