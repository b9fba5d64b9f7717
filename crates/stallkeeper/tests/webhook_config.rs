//! Where the app is told of changes, as it is configured.
#![expect(clippy::panic, reason = "a test fails where something is missing")]

use std::fs;

use stallkeeper::config::{Config, ConfigError};
use stallkeeper_persistence::usage::MeterTermsOf as _;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OLD_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

fn endpoint(lines: &str) -> String {
    format!("[[webhook]]\nname = \"app\"\nurl = \"https://app.example.com/\"\n{lines}\n")
}

fn signed(lines: &str) -> String {
    endpoint(&format!("secrets = [\"{SECRET}\"]\n{lines}"))
}

fn problems(text: &str) -> Vec<String> {
    match Config::parse(Some(("file", text)), []) {
        Err(ConfigError::Refused { problems }) => problems,
        other => panic!("not refused: {other:?}"),
    }
}

fn problem(text: &str) -> String {
    let problems = problems(text);
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.concat()
}

#[test]
fn nobody_is_told_unless_an_endpoint_or_a_topic_is_configured() {
    assert!(!Config::parse(None, []).unwrap().is_published());
    assert!(Config::parse(Some(("file", &signed(""))), []).unwrap().is_published());
    let topic = "[sns_events]\ntopic_arn = \"arn:aws:sns:us-east-1:123456789012:events\"\n";
    assert!(Config::parse(Some(("file", topic)), []).unwrap().is_published());
}

#[test]
fn no_text_shows_a_secret() {
    let config = Config::parse(Some(("file", &signed(""))), []).unwrap();
    assert!(!format!("{config:?}").contains("MfKQ"));
    let wrong = problem(&endpoint("secrets = [\"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"]"));
    assert!(wrong.contains("webhook[0].secrets") && !wrong.contains("MfKQ"), "{wrong}");
}

#[test]
fn an_endpoint_can_be_set_by_variables_with_the_new_and_the_old_secret() {
    let both = format!("{SECRET},{OLD_SECRET}");
    let variables = [("NAME", "app"), ("URL", "https://app.example.com/"), ("SECRETS", &both)]
        .map(|(key, value)| (format!("STALLKEEPER_WEBHOOK_0_{key}"), value.to_owned()));
    assert_eq!(Config::parse(None, variables).unwrap().webhooks[0].name(), "app");
}

#[test]
fn secrets_come_from_a_file_or_from_the_configuration_and_not_from_nowhere_or_both() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), format!("{SECRET}\n\n{OLD_SECRET}\n")).unwrap();
    let line = format!("secrets_file = \"{}\"", file.path().display());
    assert_eq!(Config::parse(Some(("file", &endpoint(&line))), []).unwrap().webhooks.len(), 1);
    assert!(problem(&signed(&line)).contains("goes without secrets"));
    assert!(problem(&endpoint("")).contains("webhook[0].secrets: missing"), "{}", problem(&endpoint("")));
    assert!(problem(&endpoint("secrets_file = \"/nowhere/at/all\"")).contains("secrets_file: /nowhere"));
}

#[test]
fn an_inner_address_and_plain_http_have_to_be_allowed() {
    for url in
        ["https://127.0.0.1/", "https://10.1.2.3/", "https://169.254.169.254/", "http://app.example.com/"]
    {
        let text = signed("").replace("https://app.example.com/", url);
        let refused = problem(&text);
        assert!(refused.contains("webhook[0].url") && refused.contains("allow_private"), "{refused}");
        let allowed = format!("{text}allow_private = true\n");
        assert_eq!(Config::parse(Some(("file", &allowed)), []).unwrap().webhooks.len(), 1);
    }
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_line() {
    let unknown = problem(&signed("retries = 3"));
    assert!(unknown.starts_with("file:5") && unknown.contains("unknown key"), "{unknown}");
    assert!(problem(&signed("events = [\"subscription.gone\"]")).contains("webhook[0].events"));
    assert!(problem(&signed("events = [\"usage.at_stake\"]")).contains("there is no event"));
    assert!(problem(&signed("timeout_secs = 31")).contains("from 1 to 30"));
    assert!(problem(&format!("{}{}", signed(""), signed(""))).contains("`app` is taken by webhook[0].name"));
    assert!(problem(&signed("").replace("\"app\"", "\"sns\"")).contains("[sns_events]"));
    assert!(problem("[sns_events]\nevents = [\"*\"]\n").contains("topic_arn: missing"));
    assert!(
        problem("[sns_events]\ntopic_arn = \"arn:aws:sqs:us-east-1:123456789012:q\"\n").contains("topic_arn")
    );
}
