//! Who may use the console, as it is configured.
#![expect(clippy::panic, reason = "a test fails where something is missing")]

use std::fs;

use stallkeeper::config::{Config, ConfigError};

const MIA: &str = "[[operator]]\nname = \"mia\"\ntoken = \"mias-token-of-twenty-or-more\"\n";

fn problems(text: &str) -> Vec<String> {
    match Config::parse(Some(("file", text)), []) {
        Err(ConfigError::Refused { problems }) => problems,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn operators_are_read_with_their_tokens_which_no_text_shows() {
    let config = Config::parse(Some(("file", MIA)), []).unwrap();
    assert_eq!(config.operators[0].operator.name(), "mia");
    assert!(!format!("{config:?}").contains("mias-token"));
}

#[test]
fn operators_can_be_set_by_variables() {
    let variables = [("NAME", "ben"), ("TOKEN", "bens-token-of-twenty-or-more")]
        .map(|(key, value)| (format!("STALLKEEPER_OPERATOR_0_{key}"), value.to_owned()));
    assert_eq!(Config::parse(None, variables).unwrap().operators[0].operator.name(), "ben");
}

#[test]
fn a_token_that_is_short_missing_or_somebody_elses_is_refused_and_not_repeated() {
    let short = problems("[[operator]]\nname = \"mia\"\ntoken = \"secret\"\n");
    assert!(short[0].contains("operator[0].token") && !short[0].contains("secret"), "{short:?}");
    let missing = problems("[[operator]]\nname = \"mia\"\n");
    assert!(missing[0].contains("STALLKEEPER_OPERATOR_0_TOKEN"), "{missing:?}");
    let same = problems(&format!("{MIA}{}", MIA.replace("\"mia\"", "\"ben\"")));
    assert!(same[0].contains("the same as that of `mia`") && !same[0].contains("mias-token"), "{same:?}");
}

#[test]
fn an_operator_may_have_a_second_token_and_one_that_is_only_a_digest() {
    let digest = "token_sha256 = \"0b47c69b1033498d5f33f5f7d97bb6a3126134751629f4d0185c115db44c094e\"";
    let second = MIA.replace("token = \"mias-token-of-twenty-or-more\"", digest);
    let config = Config::parse(Some(("file", &format!("{MIA}{second}"))), []).unwrap();
    assert_eq!(config.operators.len(), 2);
}

#[test]
fn the_proxys_word_needs_its_header_issuer_audience_and_keys() {
    let missing = problems("[console.jwt]\nname_claim = \"sub\"\n").join("\n");
    for key in ["header", "issuer", "audience", "keys_file"] {
        assert!(missing.contains(&format!("console.jwt.{key}")), "{missing}");
    }
}

#[test]
fn keys_are_read_at_start_and_refused_where_they_are_of_no_use() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let text = format!(
        "[console.jwt]\nheader = \"x-token\"\nissuer = \"i\"\naudience = \"a\"\nkeys_file = {file:?}\n"
    );
    assert!(problems(&text)[0].contains("keys.json"));
    fs::write(&file, "{\"keys\": []}").unwrap();
    assert!(problems(&text)[0].contains("RS256 or ES256"));
}

#[test]
fn the_consoles_address_says_whether_operators_come_over_https() {
    let is_https = |url: &str| {
        Config::parse(Some(("file", &format!("[console]\nurl = \"{url}\"\n"))), [])
            .unwrap()
            .console
            .is_https()
    };
    assert!(is_https("https://stallkeeper.example.com"));
    assert!(!is_https("http://127.0.0.1:9090"));
    assert!(problems("[console]\nurl = \"ftp://example.com\"\n")[0].contains("console.url"));
}
