//! Acts, and whose forms are taken.

use axum::http::{StatusCode, header};

use crate::fake::FakeWorker;
use crate::stage::Browser;

#[tokio::test]
async fn an_act_is_done_in_the_operators_name_and_leads_back_with_a_message() {
    let worker = FakeWorker::default();
    let acts = worker.acts.clone();
    let mut browser = Browser::signed_in_to(worker).await;
    let form = "key=aws%2F3f9k2prod%2Fcustomer%2FX02Harm&tenant=borealis&user=";
    let answer = browser.act("/console/acts/bind", form).await;
    let back = answer.header(header::LOCATION).to_owned();
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(back, "/console/subscription?key=aws%2F3f9k2prod%2Fcustomer%2FX02Harm");
    assert_eq!(*acts.lock().unwrap(), ["mia bound aws/3f9k2prod/customer/X02Harm to borealis"]);
    assert!(browser.get(&back).await.body.contains("Done: bound aws/3f9k2prod/customer/X02Harm to borealis"));
    assert!(!browser.get(&back).await.body.contains("Done: "), "a message is shown once");
}

#[tokio::test]
async fn every_act_reaches_the_worker() {
    let worker = FakeWorker::default();
    let acts = worker.acts.clone();
    let mut browser = Browser::signed_in_to(worker).await;
    let key = "key=aws%2F3f9k2prod%2Fcustomer%2FX02Harm";
    for (act, form) in [
        ("unbind", key.to_owned()),
        ("discard", "marketplace=aws&hash=0a0a".to_owned()),
        ("carry", "product=search&tenant=acme&id=req-1".to_owned()),
        ("write-off", "product=search&tenant=acme&id=req-2".to_owned()),
        ("hold", "product=search".to_owned()),
        ("release", "product=search".to_owned()),
        ("retry", format!("{key}&kind=wake")),
    ] {
        let answer = browser.act(&format!("/console/acts/{act}"), &form).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{act}");
    }
    let key = "aws/3f9k2prod/customer/X02Harm";
    let expected = [
        format!("mia bound {key} to nobody"),
        "mia discarded a message of aws".to_owned(),
        "mia Carry req-1".to_owned(),
        "mia WriteOff req-2".to_owned(),
        "mia held search".to_owned(),
        "mia released search".to_owned(),
        format!("mia retried wake of {key}"),
    ];
    assert_eq!(*acts.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_refused_act_says_why() {
    let mut browser = Browser::signed_in().await;
    browser.act("/console/acts/replay", "marketplace=aws&hash=0a0a").await;
    let page = browser.get("/console/quarantine").await.body;
    assert!(page.contains("Not done: the message stays held: unknown action &#60;script&#62;"), "{page}");
    browser.act("/console/acts/bind", "key=nonsense&tenant=acme").await;
    assert!(browser.get("/console").await.body.contains("Not done: not a subscription"));
}

#[tokio::test]
async fn a_form_of_another_site_or_session_is_refused_and_nothing_is_done() {
    let worker = FakeWorker::default();
    let acts = worker.acts.clone();
    let mut browser = Browser::signed_in_to(worker).await;
    let of_another = Browser::signed_in().await.csrf().await;
    let own = browser.csrf().await;
    let no_header: &[(&str, &str)] = &[];
    for (form, headers) in [
        ("product=search".to_owned(), no_header),
        ("product=search&csrf=".to_owned(), no_header),
        (format!("product=search&csrf={of_another}"), no_header),
        (format!("product=search&csrf={own}"), &[("sec-fetch-site", "cross-site")]),
    ] {
        let answer = browser.post("/console/acts/hold", &form, headers).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{form}");
    }
    let large = format!("product=search&csrf={own}&more={}", "x".repeat(20_000));
    assert_eq!(browser.post("/console/acts/hold", &large, &[]).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(acts.lock().unwrap().is_empty());
    assert_eq!(browser.get("/console/acts/hold").await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn while_the_database_is_down_pages_say_so_and_tell_nothing_of_it() {
    let mut browser = Browser::signed_in_to(FakeWorker { is_down: true, ..FakeWorker::default() }).await;
    for path in ["/console", "/console/subscriptions", "/console/held"] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(!answer.body.contains("10.0.0.7"), "{path}");
    }
}
