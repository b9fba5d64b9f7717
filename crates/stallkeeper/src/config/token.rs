use std::collections::BTreeSet;

use stallkeeper_web::{ApiToken, Scope};

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
    section.require("token");
    let token = section.string("token").filter(|token| {
        let fits = is_token(token);
        if !fits {
            // The token itself is never repeated.
            let words = format!(
                "expected {TOKEN_CHARS_MIN} to {TOKEN_CHARS_MAX} characters without blanks; `openssl rand -hex 32` makes a good one"
            );
            section.refuse("token", &words);
        }
        fits
    });
    section.require("scopes");
    if section.is_empty_list("scopes") {
        section.refuse("scopes", "allows nothing; name at least one, such as usage:write");
    }
    let scopes: BTreeSet<Scope> = section.texts("scopes").into_iter().collect();
    Some(ApiToken { name: name?, token: token?.into(), scopes })
}

fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

fn is_token(text: &str) -> bool {
    (TOKEN_CHARS_MIN..=TOKEN_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}
