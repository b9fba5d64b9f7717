//! The image's recipe: whose user it has, what it stands on, and that what it starts is the binary's.

use std::collections::BTreeSet;

use stallkeeper_tests::{Database, Installation, Stall};

use crate::read;

/// The instructions, each with what follows it on its line or lines.
fn instructions() -> Vec<(String, String)> {
    let text = read("Containerfile").replace("\\\n", " ");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let split =
        |line: &str| line.split_once(' ').map(|(name, rest)| (name.to_owned(), rest.trim().to_owned()));
    lines.map(|line| split(line).unwrap()).collect()
}

/// What follows an instruction in the last stage, each time it stands there.
fn in_last_stage(wanted: &str) -> Vec<String> {
    let instructions = instructions();
    let last = instructions.iter().rposition(|(name, _)| name == "FROM").unwrap();
    let found = instructions.into_iter().skip(last).filter(|(name, _)| name == wanted);
    found.map(|(_, rest)| rest).collect()
}

/// The arguments of a command in its list form, after the binary's name where it has one.
fn arguments(text: &str) -> Vec<String> {
    let list = text.rsplit_once('[').unwrap_or_else(|| panic!("{text} is no list")).1;
    let words: Vec<String> = serde_json::from_str(&format!("[{list}")).unwrap();
    words.into_iter().filter(|word| word != "stallkeeper").collect()
}

#[test]
fn every_base_is_an_argument_with_a_default() {
    let arguments: BTreeSet<String> = instructions()
        .into_iter()
        .filter(|(name, _)| name == "ARG")
        .map(|(_, rest)| format!("${{{}}}", rest.split_once('=').expect("no default").0))
        .collect();
    let bases = instructions().into_iter().filter(|(name, _)| name == "FROM");
    let bases: Vec<String> = bases.map(|(_, rest)| rest.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(bases, ["${BUILD_IMAGE}", "${BASE_IMAGE}"]);
    assert!(bases.iter().all(|base| arguments.contains(base)), "{bases:?} of {arguments:?}");
}

#[test]
fn the_image_s_user_is_a_number_and_not_root() {
    let users = in_last_stage("USER");
    let id = |part: Option<&str>| part.and_then(|part| part.parse::<u32>().ok()).is_some_and(|id| id > 0);
    let mut parts = users.last().unwrap().split(':');
    assert!(id(parts.next()) && id(parts.next()), "{users:?}");
}

#[test]
fn what_the_image_starts_and_its_health_check_are_commands_of_the_binary() {
    assert_eq!(in_last_stage("ENTRYPOINT"), [r#"["stallkeeper"]"#]);
    for instruction in ["CMD", "HEALTHCHECK"] {
        let stated = in_last_stage(instruction);
        let words = [arguments(stated.last().unwrap()), vec!["--help".to_owned()]].concat();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Installation::new("", "").run(&words).expect_success();
    }
}

#[test]
fn the_port_that_it_exposes_is_the_one_that_it_listens_on() {
    let variables = in_last_stage("ENV");
    let listen = variables.iter().find_map(|text| text.strip_prefix("STALLKEEPER_INTERNAL_LISTEN=")).unwrap();
    let installation = Installation::new("", "").variable("STALLKEEPER_INTERNAL_LISTEN", listen);
    assert_eq!(installation.run(&["config", "check", "--json"]).json()["internal_listen"], listen);
    assert_eq!(in_last_stage("EXPOSE"), [listen.rsplit_once(':').unwrap().1]);
}

#[tokio::test]
async fn a_worker_is_healthy_while_it_runs() {
    let (stall, database) = (Stall::open(1).await, Database::sqlite());
    let installation = Installation::new(&stall.config("[signature]\npolicy = \"off\"\n"), &database.url());
    let worker = installation.start_ready().await;
    let address = worker.internal_url();
    let asking = installation.variable("STALLKEEPER_INTERNAL_LISTEN", address.trim_start_matches("http://"));
    assert_eq!(
        asking.run(&["health"]).expect_success().stdout,
        format!("{address}/healthz answered 200 OK\n")
    );
    worker.kill();
    let finished = asking.run(&["health"]);
    assert_eq!((finished.status, finished.stderr.lines().count()), (Some(1), 1), "{finished:?}");
}
