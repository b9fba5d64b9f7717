//! Tokens that buyers bring to a seller, and what AWS' own client makes of the answers.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod world;

use std::time::Duration;

use aws_sdk_marketplacemetering::operation::resolve_customer::ResolveCustomerError as Error;
use serde_json::json;
use stallkeeper_simulator::{Act, ActError, RegistrationFaultSettings, Whose};

use crate::world::World;

#[tokio::test]
async fn a_customer_of_topics_is_resolved_to_account_product_and_customer() {
    let world = World::new().await;
    let ada = world.act(Act::subscribe("ada", "search")).await;
    let token = world.token("ada", "search");
    let answer = world.resolve(&token).await.unwrap();
    assert_eq!(answer.customer_aws_account_id(), Some(ada.account.as_str()));
    assert_eq!(answer.product_code(), Some("simsearch"));
    assert_eq!(answer.customer_identifier(), ada.customer_id.as_deref());
    assert_eq!((answer.license_arn(), answer.metadata()), (None, None));
}

#[tokio::test]
async fn a_licensee_is_resolved_to_license_and_agreement_and_has_no_customer_identifier() {
    let world = World::new().await;
    let eve = world.act(Act::subscribe("eve", "vault")).await;
    let answer = world.resolve(&world.token("eve", "vault")).await.unwrap();
    assert_eq!(answer.customer_aws_account_id(), Some(eve.account.as_str()));
    assert_eq!(answer.product_code(), Some("simvault"));
    assert_eq!(answer.license_arn(), eve.license_arn.as_deref());
    assert_eq!(answer.customer_identifier(), None);
    let agreement = answer.metadata().and_then(|metadata| metadata.agreement_id());
    assert_eq!(agreement, eve.agreement_id.as_deref());
}

#[tokio::test]
async fn a_token_says_the_same_as_often_as_it_is_asked_for_four_hours_and_is_expired_then() {
    let world = World::new().await;
    world.act(Act::subscribe("eve", "vault")).await;
    let token = world.token("eve", "vault");
    let first = world.resolve(&token).await.unwrap();
    world.act(Act::Renew(Whose::only("eve", "vault"))).await;
    world.advance(Duration::from_mins(239)).await;
    let second = world.resolve(&token).await.unwrap();
    assert_eq!(first.license_arn(), second.license_arn());
    assert_eq!(first.metadata(), second.metadata());
    world.advance(Duration::from_mins(1)).await;
    let expired = world.resolve(&token).await.unwrap_err();
    assert!(matches!(expired, Error::ExpiredTokenException(_)), "{expired:?}");
    world.resolve(&world.token("eve", "vault")).await.unwrap();
}

#[tokio::test]
async fn whoever_comes_again_brings_another_token() {
    let world = World::new().await;
    let tokens = [world.token("ada", "search"), world.token("ada", "search")];
    assert_ne!(tokens[0], tokens[1]);
    for token in tokens {
        // A form that is not encoded would turn its `+` into a space.
        assert!(token.contains('+') && token.contains('/'), "{token}");
        world.resolve(&token).await.unwrap();
    }
}

#[tokio::test]
async fn a_token_that_nobody_issued_is_invalid() {
    let world = World::new().await;
    for token in ["forged", ""] {
        let refusal = world.resolve(token).await.unwrap_err();
        assert!(matches!(refusal, Error::InvalidTokenException(_)), "{refusal:?}");
    }
}

#[tokio::test]
async fn a_customer_can_come_before_the_first_notification_and_a_licensee_cannot() {
    let world = World::new().await;
    let answer = world.resolve(&world.token("ada", "search")).await.unwrap();
    let later = world.act(Act::subscribe("ada", "search")).await;
    assert_eq!(answer.customer_identifier(), later.customer_id.as_deref());
    let tokens = world.simulator.tokens();
    let refusal = tokens.issue_token("ada", "vault").unwrap_err();
    assert!(matches!(refusal, ActError::NothingBought { .. }), "{refusal:?}");
    let refusal = tokens.issue_token("ada", "nothing").unwrap_err();
    assert!(matches!(refusal, ActError::UnknownProduct { .. }), "{refusal:?}");
}

#[tokio::test]
async fn one_of_several_licenses_has_to_be_named() {
    let world = World::new().await;
    world.act(Act::subscribe("eve", "vault")).await;
    let second = world.act(Act::subscribe("eve", "vault")).await;
    let tokens = world.simulator.tokens();
    let refusal = tokens.issue_token("eve", "vault").unwrap_err();
    assert!(matches!(refusal, ActError::SeveralLicenses { .. }), "{refusal:?}");
    let issued = tokens.issue(&Whose::only("eve", "vault").with_subscription(&second.id)).unwrap();
    let answer = world.resolve(&issued.token).await.unwrap();
    assert_eq!(answer.license_arn(), second.license_arn.as_deref());
}

#[tokio::test]
async fn the_sdk_knows_what_goes_wrong_on_demand_by_its_type() {
    let world = World::new().await;
    let token = world.token("ada", "search");
    let none = RegistrationFaultSettings::default();
    let set = |settings| world.simulator.faults().set_registration(Some(settings)).unwrap();
    set(RegistrationFaultSettings { error: 1.0, ..none });
    let failed = world.resolve(&token).await.unwrap_err();
    assert!(matches!(failed, Error::InternalServiceErrorException(_)), "{failed:?}");
    set(RegistrationFaultSettings { throttle: 1.0, ..none });
    let throttled = world.resolve(&token).await.unwrap_err();
    assert!(matches!(throttled, Error::ThrottlingException(_)), "{throttled:?}");
    set(RegistrationFaultSettings { expired: 1.0, ..none });
    let expired = world.resolve(&token).await.unwrap_err();
    assert!(matches!(expired, Error::ExpiredTokenException(_)), "{expired:?}");
    set(RegistrationFaultSettings { invalid: 1.0, ..none });
    let invalid = world.resolve(&token).await.unwrap_err();
    assert!(matches!(invalid, Error::InvalidTokenException(_)), "{invalid:?}");
    set(RegistrationFaultSettings { drop_answer: 1.0, ..none });
    let lost = world.client.resolve_customer().registration_token(&token).send().await.unwrap_err();
    assert!(lost.as_service_error().is_none(), "{lost:?}");
    world.simulator.faults().set_registration(None).unwrap();
    world.resolve(&token).await.unwrap();
}

#[tokio::test]
async fn more_than_ten_calls_at_once_are_throttled() {
    let world = World::new().await;
    let token = world.token("ada", "search");
    for _ in 0..10_000 {
        match world.resolve(&token).await {
            Ok(_) => {}
            Err(Error::ThrottlingException(_)) => return,
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("ten thousand calls were taken");
}

#[tokio::test]
async fn an_unsigned_call_is_refused() {
    let world = World::new().await;
    let (status, refusal) = world.post(r#"{"RegistrationToken": "x"}"#).await;
    assert_eq!((status, &refusal["__type"]), (400, &json!("MissingAuthenticationTokenException")));
}

#[tokio::test]
async fn the_control_api_issues_tokens_and_sets_their_faults() {
    let world = World::new().await;
    let (status, issued) =
        world.control("POST", "tokens", Some(json!({"buyer": "ada", "product": "search"}))).await;
    assert_eq!(status, 200, "{issued}");
    world.resolve(issued["token"].as_str().unwrap()).await.unwrap();
    assert!(issued["expires_at"].as_str().unwrap().ends_with('Z'), "{issued}");
    let (status, refusal) =
        world.control("POST", "tokens", Some(json!({"buyer": "ada", "product": "vault"}))).await;
    assert_eq!(status, 409, "{refusal}");
    let (status, _) = world.control("PUT", "faults/registration", Some(json!({"expired": 0.5}))).await;
    assert_eq!(status, 200);
    let (status, _) = world.control("PUT", "faults/registration", Some(json!({"expired": 2}))).await;
    assert_eq!(status, 400);
    let (_, settings) = world.control("GET", "faults/registration", None).await;
    assert_eq!(settings["expired"], json!(0.5));
    world.control("DELETE", "faults", None).await;
    let (_, settings) = world.control("GET", "faults/registration", None).await;
    assert_eq!(settings["expired"], json!(0.0));
}
