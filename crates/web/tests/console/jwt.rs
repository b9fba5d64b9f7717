//! Who is let in by the word of the seller's proxy.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use axum::http::{StatusCode, header};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use stallkeeper_web::console::{Access, JwtConfig, JwtKeys};

use crate::fake::{FakeWorker, NOW};
use crate::stage::Browser;

/// A proxy with a key of its own.
struct Proxy {
    key: EncodingKey,
    keys: JwtKeys,
}

impl Proxy {
    fn new() -> Self {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            &aws_lc_rs::rand::SystemRandom::new(),
        )
        .unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
        let point = pair.public_key().as_ref().to_vec();
        let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let set = json!({"keys": [
            {"kty": "EC", "crv": "P-256", "kid": "k1", "x": text(&point[1..33]), "y": text(&point[33..])},
        ]});
        let keys = JwtKeys::parse(&set.to_string()).unwrap();
        Self { key: EncodingKey::from_ec_der(pkcs8.as_ref()), keys }
    }

    fn browser(&self) -> Browser {
        let jwt = JwtConfig {
            header: "x-operator".parse().unwrap(),
            issuer: "https://login.example.com".to_owned(),
            audience: "stallkeeper".to_owned(),
            name_claim: "email".to_owned(),
            keys: self.keys.clone(),
        };
        Browser::before(FakeWorker::default(), Access { jwt: Some(jwt), ..Access::default() })
    }

    fn token(&self, claims: &Value) -> String {
        let header = Header { kid: Some("k1".to_owned()), ..Header::new(Algorithm::ES256) };
        encode(&header, claims, &self.key).unwrap()
    }
}

fn now() -> i64 {
    NOW.as_micros() / 1_000_000
}

fn claims() -> Value {
    json!({"iss": "https://login.example.com", "aud": "stallkeeper", "exp": now() + 60, "email": "mia@example.com"})
}

fn but(field: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[field] = value;
    claims
}

async fn status(browser: &mut Browser, token: &str) -> StatusCode {
    browser.get_with("/console", &[("x-operator", token)]).await.status
}

#[tokio::test]
async fn a_valid_token_lets_its_person_in_and_names_him() {
    let proxy = Proxy::new();
    let token = proxy.token(&claims());
    let answer = proxy.browser().get_with("/console", &[("x-operator", &token)]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert!(answer.body.contains("mia@example.com") && !answer.body.contains("Sign out"));
    assert_eq!(answer.header(header::SET_COOKIE), "", "there is no session");
    let bearer = format!("Bearer {token}");
    assert_eq!(status(&mut proxy.browser(), &bearer).await, StatusCode::OK);
}

#[tokio::test]
async fn a_token_that_is_over_early_endless_foreign_or_nameless_lets_nobody_in() {
    let proxy = Proxy::new();
    for (claims, why) in [
        (but("exp", json!(now() - 61)), "time is over"),
        (but("exp", Value::Null), "until when"),
        (but("nbf", json!(now() + 120)), "not come yet"),
        (but("aud", json!("another")), "audience"),
        (but("iss", json!("https://evil.example")), "issuer"),
        (but("email", json!(7)), "nobody"),
        (but("email", json!("a\nb")), "nobody"),
    ] {
        let token = proxy.token(&claims);
        let answer = proxy.browser().get_with("/console", &[("x-operator", &token)]).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{claims}");
        assert!(answer.body.contains(why), "{claims}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_token_without_a_true_signature_lets_nobody_in() {
    let proxy = Proxy::new();
    let text = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = format!("{}.{}.", text(json!({"alg": "none"})), text(claims()));
    let of_another = Proxy::new().token(&claims());
    // The public key as a secret: what a token says of itself must not choose the algorithm.
    let by_secret =
        encode(&Header::new(Algorithm::HS256), &claims(), &EncodingKey::from_secret(b"k1")).unwrap();
    let good = proxy.token(&claims());
    let changed = format!("{}A", &good[..good.len() - 2]);
    for token in [unsigned.as_str(), &of_another, &by_secret, &changed, "", "a.b.c", "nonsense"] {
        assert_eq!(status(&mut proxy.browser(), token).await, StatusCode::UNAUTHORIZED, "{token}");
    }
}

#[tokio::test]
async fn whoever_goes_around_the_proxy_or_sends_two_tokens_is_not_let_in() {
    let proxy = Proxy::new();
    assert_eq!(proxy.browser().get("/console").await.status, StatusCode::UNAUTHORIZED);
    let token = proxy.token(&claims());
    let two = [("x-operator", token.as_str()), ("x-operator", token.as_str())];
    assert_eq!(proxy.browser().get_with("/console", &two).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_act_through_the_proxy_needs_a_form_of_the_console_too() {
    let proxy = Proxy::new();
    let token = proxy.token(&claims());
    let header = [("x-operator", token.as_str())];
    let mut browser = proxy.browser();
    let forged = browser.post("/console/acts/hold", "product=search", &header).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    let page = browser.get_with("/console/metering", &header).await.body;
    let csrf = page.split_once("name=\"csrf\" value=\"").unwrap().1.split('"').next().unwrap();
    let form = format!("product=search&csrf={csrf}");
    assert_eq!(browser.post("/console/acts/hold", &form, &header).await.status, StatusCode::SEE_OTHER);
}

#[test]
fn keys_of_no_use_are_refused() {
    for text in ["", "{}", "{\"keys\": []}", "-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----"] {
        assert!(JwtKeys::parse(text).is_err(), "{text}");
    }
}
