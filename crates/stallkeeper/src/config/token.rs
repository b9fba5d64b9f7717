use std::collections::BTreeSet;

use stallkeeper_web::{ApiToken, NoDigest, Scope, TokenSecret};

use super::section::Section;

/// The longest name of a token, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// Shorter ones could be guessed.
const TOKEN_CHARS_MIN: usize = 20;

/// Longer ones do not fit a header.
const TOKEN_CHARS_MAX: usize = 512;

pub(super) fn read(section: &Section<'_>) -> Option<ApiToken> {
    section.require("name");
    let name = section.string("name").filter(|name| {
        let fits = is_name(name);
        if !fits {
            let words =
                format!("expected 1 to {NAME_BYTES_MAX} letters, digits, dots, hyphens or underscores");
            section.refuse("name", &words);
        }
        fits
    });
    let token = secret(section);
    section.require("scopes");
    if section.is_empty_list("scopes") {
        section.refuse("scopes", "allows nothing; name at least one, such as usage:write");
    }
    let scopes: BTreeSet<Scope> = section.texts("scopes").into_iter().collect();
    Some(ApiToken { name: name?, token: token?, scopes })
}

/// The token, or the digest that stands for it; neither is ever repeated.
pub(super) fn secret(section: &Section<'_>) -> Option<TokenSecret> {
    match (section.string("token"), section.string("token_sha256")) {
        (Some(_), Some(_)) => {
            section.refuse("token_sha256", "only one of `token` and `token_sha256` can be given");
            None
        }
        (None, Some(digest)) => {
            let refuse = |error: NoDigest| {
                let words = format!("{error}, as `printf %s \"$TOKEN\" | sha256sum` prints it");
                section.refuse("token_sha256", &words);
            };
            digest.parse().map_err(refuse).ok()
        }
        (Some(token), None) if is_token(&token) => Some(token.into()),
        (Some(_), None) => {
            let words = format!(
                "expected {TOKEN_CHARS_MIN} to {TOKEN_CHARS_MAX} characters without blanks; `openssl rand -hex 32` makes a good one"
            );
            section.refuse("token", &words);
            None
        }
        (None, None) => {
            section.require("token");
            None
        }
    }
}

fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

fn is_token(text: &str) -> bool {
    (TOKEN_CHARS_MIN..=TOKEN_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}
