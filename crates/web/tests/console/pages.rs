//! What pages show, and that nothing in them runs or steers.

use axum::http::{StatusCode, header};

use crate::stage::Browser;

const HARM: &str = "/console/subscription?key=aws%2F3f9k2prod%2Fcustomer%2FX02Harm";

const PAGES: [&str; 9] = [
    "/console",
    "/console/subscriptions",
    HARM,
    "/console/held",
    "/console/losses",
    "/console/metering",
    "/console/quarantine",
    "/console/jobs",
    "/console/jobs?state=due",
];

/// What follows the tag that was begun.
fn after_tag(text: &str) -> &str {
    text.split_once('>').map_or(text, |(_, rest)| rest)
}

#[tokio::test]
async fn hostile_names_are_shown_and_do_nothing_on_any_page() {
    let mut browser = Browser::signed_in().await;
    for path in PAGES {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        assert!(!answer.body.contains("<script>"), "{path} has a script of somebody's");
        assert!(!answer.body.contains("<i>ben") && !answer.body.contains("<b>\""), "{path}");
        // What a form sends back unseen has to be the name itself.
        let shown: String = answer.body.split("<input type=\"hidden\"").map(after_tag).collect();
        assert!(!shown.contains('\u{202e}'), "{path} turns the writing");
        assert!(!answer.body.contains(" style=") && !answer.body.contains(" onclick="), "{path}");
    }
    let held = browser.get("/console/held").await.body;
    assert!(held.contains("&#60;script&#62;alert(&#39;acme&#39;)&#60;/script&#62;\\u{202e}"), "{held}");
}

#[tokio::test]
async fn the_overview_has_numbers_windows_risks_and_problems() {
    let page = Browser::signed_in().await.get("/console").await.body;
    for part in [
        "1\u{202f}284",
        "10\u{202f}000+",
        "queue aws-china",
        "X04Soon",
        "28:54",
        "data-left=\"1734\"",
        "1 unsent",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let (soon, later) = (page.find("X04Soon").unwrap(), page.find("X02Harm").unwrap());
    assert!(soon < later, "the first window to close comes first");
}

#[tokio::test]
async fn a_subscriptions_page_has_its_head_its_plots_its_records_and_its_timeline() {
    let page = Browser::signed_in().await.get(HARM).await.body;
    for part in [
        "ending",
        "limited",
        "<svg",
        "class=\"pending\"",
        "As a table",
        "8f2c",
        "usage carried",
        "by <bdi>mia</bdi>",
        "its beginning was never heard of",
        "Still to be done",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("Deliveries") && !page.contains("Webhooks"), "nothing is delivered");
}

#[tokio::test]
async fn what_is_typed_finds_a_key_a_word_a_listing_a_tenant_or_the_beginning_of_an_id() {
    let mut browser = Browser::signed_in().await;
    for (typed, to) in [
        ("aws%2F3f9k2prod%2Fcustomer%2FX02Harm", HARM),
        ("ending", "/console/subscriptions?word=ending"),
        ("aws%2F3f9k2prod", "/console/subscriptions?listing=aws%2F3f9k2prod"),
        ("acme", "/console/subscriptions?tenant=acme"),
        ("X0", "/console/subscriptions?id=X0"),
    ] {
        let answer = browser.get(&format!("/console/subscriptions?q={typed}")).await;
        assert_eq!(answer.header(header::LOCATION), to);
    }
    assert!(browser.get("/console/subscriptions?id=X03").await.body.contains("X03Nobody"));
    assert_eq!(browser.get("/console/subscriptions?word=gone").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_message_is_shown_with_its_bytes_made_harmless() {
    let mut browser = Browser::signed_in().await;
    let list = browser.get("/console/quarantine").await.body;
    let (_, rest) = list.split_once("/console/quarantine/message").unwrap();
    let link = rest.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
    let page = browser.get(&format!("/console/quarantine/message{link}")).await.body;
    assert!(page.contains("&#60;script&#62;\\u{1b}[2J\\u{0}") && page.contains("second line"), "{page}");
    assert!(page.contains("Replay") && page.contains("Discard"));
}

#[tokio::test]
async fn what_is_not_there_is_said_so() {
    let mut browser = Browser::signed_in().await;
    for path in [
        "/console/nothing",
        "/console/webhooks",
        "/console/subscription?key=aws%2Fp%2Fcustomer%2Fnobody",
        "/console/quarantine/message?marketplace=aws&hash=00",
    ] {
        assert_eq!(browser.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(browser.get("/console/subscription?key=nonsense").await.status, StatusCode::BAD_REQUEST);
}
