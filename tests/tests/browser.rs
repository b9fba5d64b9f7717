//! Pages in a real browser.
#![expect(clippy::unwrap_used, reason = "a broken set-up fails the test")]

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use serde_json::json;
use stallkeeper_tests::{browse, eventually, unique};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const LIMIT: Duration = Duration::from_mins(2);
const PATIENCE: Duration = Duration::from_secs(20);

const GOOD: &str = "<!doctype html><html lang=en><title>A stall</title>
    <meta name=viewport content='width=device-width'><main><h1>A stall</h1><p>Open. 营业中</p></main></html>";
const BAD: &str = "<!doctype html><html><title>A stall</title>
    <meta name=viewport content='width=device-width'><main><h1>A stall</h1>
    <p style='color: #ccc; background: #fff; width: 600px'>Open</p><input></main></html>";

/// Serves the two pages from the test itself, which works only where the browser does not hold it up.
async fn serve() -> (String, JoinSet<io::Result<()>>) {
    let routes =
        Router::new().route("/good", get(async || Html(GOOD))).route("/bad", get(async || Html(BAD)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut serving = JoinSet::new();
    serving.spawn(async { axum::serve(listener, routes).await });
    (url, serving)
}

#[tokio::test]
async fn a_page_is_read_shot_at_two_widths_and_found_good() {
    let ((url, _serving), folder) = (serve().await, tempfile::tempdir().unwrap());
    let given = json!({ "url": format!("{url}/good"), "heading": "A stall" });
    let report = browse("visit.mjs", &given, folder.path(), LIMIT).await;
    report.expect_good();
    assert_eq!(report.names(), ["open the page", "the page (desktop)", "the page (phone)"]);
    assert_eq!(report.data, json!({ "title": "A stall", "text": "A stall\n\nOpen. 营业中" }));
    for screenshot in report.steps.iter().filter_map(|step| step.screenshot.as_ref()) {
        assert!(fs::metadata(folder.path().join(screenshot)).unwrap().len() > 1_000);
    }
}

#[tokio::test]
async fn a_page_that_is_hard_to_use_is_found_out() {
    let ((url, _serving), folder) = (serve().await, tempfile::tempdir().unwrap());
    let report = browse("visit.mjs", &json!({ "url": format!("{url}/bad") }), folder.path(), LIMIT).await;
    let phone = report.steps.last().unwrap();
    let found: Vec<&str> = phone.violations.iter().map(|violation| violation.id.as_str()).collect();
    assert_eq!(found, ["color-contrast", "html-has-lang", "label", "horizontal-scroll"]);
}

#[tokio::test]
async fn a_step_that_fails_is_named_and_shown() {
    let ((url, _serving), folder) = (serve().await, tempfile::tempdir().unwrap());
    let given = json!({ "url": format!("{url}/good"), "heading": "Another stall" });
    let report = browse("visit.mjs", &given, folder.path(), LIMIT).await;
    assert!(report.error.as_deref().unwrap().starts_with("open the page: "), "{report:?}");
    assert!(report.steps.last().unwrap().name.contains("营业中"), "{report:?}");
}

#[tokio::test]
async fn a_script_that_hangs_is_ended_with_its_browser() {
    let ((url, _serving), folder) = (serve().await, tempfile::tempdir().unwrap());
    let mark = format!("--stallkeeper-test={}", unique("hang"));
    let given = json!({ "url": format!("{url}/good"), "browser_args": [&mark] });
    let path = folder.path().to_owned();
    let mut hanging = JoinSet::new();
    hanging.spawn(async move { browse("hang.mjs", &given, &path, Duration::from_secs(8)).await });
    eventually("the browser runs", PATIENCE, async || runs(&mark)).await;
    let said = hanging.join_next().await.unwrap().unwrap_err();
    assert!(said.is_panic(), "a script without a report is an error");
    eventually("the browser is gone", PATIENCE, async || !runs(&mark)).await;
}

/// Whether a process was started with this argument.
fn runs(argument: &str) -> bool {
    let processes = fs::read_dir(Path::new("/proc")).unwrap().flatten();
    // Processes end at any time.
    let arguments = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    arguments.map(|line| String::from_utf8_lossy(&line).into_owned()).any(|line| line.contains(argument))
}
