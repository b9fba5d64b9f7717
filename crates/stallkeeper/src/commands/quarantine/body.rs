use std::fmt::Write;

use serde::Serialize;
use stallkeeper_runtime::hex;
use stallkeeper_web::{head, safe_lines};

/// How much of a body is shown, in bytes; JSON has all that a queue lets through.
const TEXT_BYTES_MAX: usize = 8 * 1024;
const JSON_BYTES_MAX: usize = 1024 * 1024;

/// A body in JSON: as text where it is UTF-8, in hexadecimal digits otherwise.
#[derive(Debug, Serialize)]
pub(super) struct BodyJson {
    /// How many bytes it has.
    bytes: usize,
    /// The text; null where it is none.
    text: Option<String>,
    /// The bytes in hexadecimal digits, where it is no text.
    hex: Option<String>,
    /// Whether its end was left out.
    truncated: bool,
}

impl BodyJson {
    pub(super) fn of(body: &[u8]) -> Self {
        let (shown, truncated) = head(body, JSON_BYTES_MAX);
        let text = std::str::from_utf8(shown).ok().map(str::to_owned);
        let hex = if text.is_none() { Some(hex(shown)) } else { None };
        Self { bytes: body.len(), text, hex, truncated }
    }
}

/// A body for people: each line behind a bar, so that none can pass for the command's own words.
pub(super) fn in_words(body: &[u8]) -> String {
    let (shown, truncated) = head(body, TEXT_BYTES_MAX);
    let mut text = safe_lines(shown).into_iter().fold(String::new(), |mut text, line| {
        // Writing to a string cannot fail.
        let _infallible = writeln!(text, "| {line}");
        text
    });
    if truncated {
        let left_out = body.len() - shown.len();
        let _infallible = writeln!(text, "({left_out} more bytes; --json has them)");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_no_line_stands_without_its_bar() {
        assert_eq!(in_words(b"{\n\"a\": \"\x1b[2J\0\"\n}"), "| {\n| \"a\": \"\\u{1b}[2J\\u{0}\"\n| }\n");
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_as_digits() {
        assert_eq!(in_words(&[0xff, 0x00]), "| ff00\n");
        let json = serde_json::to_value(BodyJson::of(&[0xff, 0x00])).unwrap();
        assert_eq!(json, serde_json::json!({"bytes": 2, "text": null, "hex": "ff00", "truncated": false}));
    }

    #[test]
    fn a_long_body_is_cut_between_characters() {
        let body = "ü".repeat(TEXT_BYTES_MAX);
        let text = in_words(format!("x{body}").as_bytes());
        assert!(text.starts_with("| xü") && text.contains("more bytes; --json has them"), "{text:.80}");
        assert!(text.len() < TEXT_BYTES_MAX + 100);
    }
}
