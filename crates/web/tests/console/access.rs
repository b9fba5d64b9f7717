//! Who is let in, and for how long.

use std::time::Duration;

use axum::http::{StatusCode, header};
use stallkeeper_web::console::Access;
use tokio::time::advance;

use crate::fake::FakeWorker;
use crate::stage::{Browser, TOKEN, mia_only};

#[tokio::test]
async fn without_an_operator_the_console_says_how_to_name_one_and_nothing_else() {
    let mut browser = Browser::before(FakeWorker::default(), Access::default());
    for path in ["/console", "/console/subscriptions", "/console/sign-in", "/console/nothing"] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert!(answer.body.contains("[[operator]]") && !answer.body.contains("acme"), "{path}");
    }
}

#[tokio::test]
async fn whoever_is_not_signed_in_is_led_to_the_sign_in_page() {
    let mut browser = Browser::before(FakeWorker::default(), mia_only());
    let answer = browser.get("/console/subscriptions").await;
    assert_eq!((answer.status, answer.header(header::LOCATION)), (StatusCode::SEE_OTHER, "/console/sign-in"));
    let answer = browser.post("/console/acts/hold", "product=search", &[]).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_operator_signs_in_with_his_token_and_out_again() {
    let mut browser = Browser::before(FakeWorker::default(), mia_only());
    assert_eq!(browser.sign_in("another-long-token").await.status, StatusCode::UNAUTHORIZED);
    let answer = browser.sign_in(TOKEN).await;
    let cookie = answer.header(header::SET_COOKIE);
    for part in ["HttpOnly", "SameSite=Strict", "Path=/console"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains(TOKEN) && !cookie.contains("Secure"), "{cookie}");
    assert_eq!(browser.get("/console").await.status, StatusCode::OK);
    assert_eq!(browser.get("/console/").await.header(header::LOCATION), "/console");
    browser.act("/console/sign-out", "").await;
    assert_eq!(browser.get("/console").await.header(header::LOCATION), "/console/sign-in");
}

#[tokio::test]
async fn over_https_the_cookie_is_bound_to_this_very_host() {
    let mut browser = Browser::before(FakeWorker::default(), Access { is_https: true, ..mia_only() });
    let answer = browser.sign_in(TOKEN).await;
    let cookie = answer.header(header::SET_COOKIE);
    assert!(
        cookie.starts_with("__Host-") && cookie.contains("; Path=/;") && cookie.contains("Secure"),
        "{cookie}"
    );
    assert_eq!(browser.get("/console").await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_nobody_uses_ends() {
    let mut browser = Browser::signed_in().await;
    advance(Duration::from_hours(2)).await;
    assert_eq!(browser.get("/console").await.header(header::LOCATION), "/console/sign-in");
}

#[tokio::test(start_paused = true)]
async fn too_many_failed_attempts_close_the_door_for_a_while_also_to_the_right_token() {
    let mut browser = Browser::before(FakeWorker::default(), mia_only());
    for _ in 0..10 {
        browser.sign_in("another-long-token").await;
    }
    let answer = browser.sign_in(TOKEN).await;
    assert_eq!((answer.status, answer.header(header::RETRY_AFTER)), (StatusCode::TOO_MANY_REQUESTS, "60"));
    advance(Duration::from_mins(1)).await;
    assert_eq!(browser.sign_in(TOKEN).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn another_site_cannot_sign_anybody_in() {
    let mut browser = Browser::before(FakeWorker::default(), mia_only());
    let form = format!("token={TOKEN}");
    let answer = browser.post("/console/sign-in", &form, &[("sec-fetch-site", "cross-site")]).await;
    assert_eq!((answer.status, answer.header(header::SET_COOKIE)), (StatusCode::FORBIDDEN, ""));
}

#[tokio::test]
async fn every_answer_forbids_what_a_page_does_not_need() {
    let mut browser = Browser::signed_in().await;
    for path in ["/console", "/console/sign-in", "/console/nothing", "/console/assets/console.css"] {
        let answer = browser.get(path).await;
        let policy = answer.header(header::CONTENT_SECURITY_POLICY);
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff", "{path}");
    }
    assert_eq!(browser.get("/console").await.header(header::CACHE_CONTROL), "no-store");
}
