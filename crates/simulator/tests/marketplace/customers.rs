//! Products that speak through topics.

use std::time::Duration;

use serde_json::json;
use stallkeeper_simulator::{Act, ActError, Standing, Whose};

use crate::world::World;

const HOUR: Duration = Duration::from_hours(1);

fn ada(product: &str) -> Whose {
    Whose::only("ada", product)
}

#[tokio::test]
async fn a_purchase_is_a_success_with_its_offer() {
    let world = World::new().await;
    let done = world.act(Act::subscribe("ada", "search")).await;
    let arrivals = world.arrivals().await;
    let entry = world.entry("ada");
    assert_eq!(entry, done.subscription);
    assert_eq!(arrivals.len(), 1);
    assert_eq!(
        arrivals[0].body,
        json!({
            "action": "subscribe-success",
            "customer-identifier": entry.customer_id,
            "product-code": "simsearch",
            "offer-identifier": entry.offer_id,
        })
    );
    assert_eq!(
        arrivals[0].from,
        "arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-simsearch"
    );
    assert_eq!(done.notifications, [arrivals[0].id.as_str()]);
    assert_eq!(entry.standing, Standing::Subscribed);
    assert_eq!(entry.periods.len(), 1);
    assert_eq!((entry.periods[0].from, entry.periods[0].to), (arrivals[0].at, None));
    assert_eq!(&*entry.id, format!("simsearch/customer/{}", entry.customer_id.unwrap()));
    assert_eq!((entry.license_arn, entry.agreement_id), (None, None));
}

#[tokio::test]
async fn a_purchase_with_a_trial_says_so_in_a_string() {
    let world = World::new().await;
    world.act(Act::subscribe_with_trial("ada", "search")).await;
    let bodies = world.bodies().await;
    assert_eq!(bodies[0]["isFreeTrialTermPresent"], json!("true"));
    assert!(world.entry("ada").trial);
}

#[tokio::test]
async fn an_amendment_is_another_success_with_a_new_offer_and_ends_the_trial() {
    let world = World::new().await;
    let bought = world.act(Act::subscribe_with_trial("ada", "search")).await.subscription;
    world.act(Act::Amend(ada("search"))).await;
    let bodies = world.bodies().await;
    let entry = world.entry("ada");
    assert_ne!(entry.offer_id, bought.offer_id);
    assert_eq!(
        bodies[1],
        json!({
            "action": "subscribe-success",
            "customer-identifier": entry.customer_id,
            "product-code": "simsearch",
            "offer-identifier": entry.offer_id,
        })
    );
    assert!(!entry.trial);
    assert_eq!((entry.standing, entry.periods), (Standing::Subscribed, bought.periods));
}

#[tokio::test]
async fn a_failed_payment_is_a_failure_with_its_offer() {
    let world = World::new().await;
    world.act(Act::FailPayment(ada("search"))).await;
    let entry = world.entry("ada");
    assert_eq!(
        world.bodies().await,
        [json!({
            "action": "subscribe-fail",
            "customer-identifier": entry.customer_id,
            "product-code": "simsearch",
            "offer-identifier": entry.offer_id,
        })]
    );
    assert_eq!((entry.standing, entry.periods.len()), (Standing::PaymentFailed, 0));
}

#[tokio::test]
async fn a_second_try_after_a_failed_payment_subscribes() {
    let world = World::new().await;
    world.act(Act::FailPayment(ada("search"))).await;
    world.act(Act::FailPayment(ada("search"))).await;
    world.act(Act::subscribe("ada", "search")).await;
    let actions: Vec<_> = world.bodies().await.iter().map(|body| body["action"].clone()).collect();
    assert_eq!(actions, ["subscribe-fail", "subscribe-fail", "subscribe-success"]);
    assert_eq!(world.entry("ada").standing, Standing::Subscribed);
}

#[tokio::test]
async fn whoever_leaves_is_pending_for_an_hour_and_then_out() {
    let world = World::new().await;
    world.act(Act::subscribe("ada", "search")).await;
    let left = world.act(Act::Unsubscribe(ada("search"))).await.subscription;
    let arrivals = world.arrivals().await;
    let customer = left.customer_id.clone();
    let body =
        |action| json!({"action": action, "customer-identifier": customer, "product-code": "simsearch"});
    assert_eq!(arrivals[1].body, body("unsubscribe-pending"));
    let deadline = arrivals[1].at + HOUR;
    assert_eq!((left.standing, left.periods[0].to), (Standing::Ending { deadline }, None));

    world.advance(HOUR).await;
    let last = world.arrivals().await;
    assert_eq!(last.len(), 1);
    assert_eq!((&last[0].body, last[0].at), (&body("unsubscribe-success"), deadline));
    let entry = world.entry("ada");
    assert_eq!((entry.standing, entry.periods[0].to), (Standing::Ended, Some(deadline)));
}

#[tokio::test]
async fn whoever_comes_back_inside_the_hour_is_never_told_to_be_out() {
    let world = World::new().await;
    world.act(Act::subscribe("ada", "search")).await;
    world.act(Act::Unsubscribe(ada("search"))).await;
    world.advance(HOUR / 2).await;
    let back = world.act(Act::subscribe("ada", "search")).await.subscription;
    world.advance(HOUR * 2).await;
    let arrivals = world.arrivals().await;
    let actions: Vec<_> = arrivals.iter().map(|arrival| arrival.body["action"].clone()).collect();
    assert_eq!(actions, ["subscribe-success", "unsubscribe-pending", "subscribe-success"]);
    let periods: Vec<_> = back.periods.iter().map(|period| (period.from, period.to)).collect();
    assert_eq!(periods, [(arrivals[0].at, Some(arrivals[2].at)), (arrivals[2].at, None)]);
    assert_eq!(world.entry("ada"), back);
}

#[tokio::test]
async fn whoever_comes_back_and_leaves_again_has_a_whole_hour() {
    let world = World::new().await;
    world.act(Act::subscribe("ada", "search")).await;
    world.act(Act::Unsubscribe(ada("search"))).await;
    world.advance(HOUR / 2).await;
    world.act(Act::subscribe("ada", "search")).await;
    world.act(Act::Unsubscribe(ada("search"))).await;
    world.advance(HOUR * 3 / 4).await;
    assert!(matches!(world.entry("ada").standing, Standing::Ending { .. }));
    world.advance(HOUR / 4).await;
    assert_eq!(world.entry("ada").standing, Standing::Ended);
    let bodies = world.bodies().await;
    let ends = bodies.iter().filter(|body| body["action"] == "unsubscribe-success").count();
    assert_eq!((bodies.len(), ends), (5, 1));
}

#[tokio::test]
async fn whoever_comes_back_after_the_hour_begins_anew() {
    let world = World::new().await;
    world.act(Act::subscribe("ada", "search")).await;
    world.act(Act::Unsubscribe(ada("search"))).await;
    world.advance(HOUR * 3).await;
    let back = world.act(Act::subscribe("ada", "search")).await.subscription;
    assert_eq!(back.standing, Standing::Subscribed);
    assert_eq!(back.periods.len(), 2);
    assert!(back.periods[0].to.unwrap() + HOUR < back.periods[1].from);
}

#[tokio::test]
async fn a_payment_that_fails_after_an_end_is_what_the_books_say() {
    let world = World::new().await;
    world.act(Act::subscribe("ada", "search")).await;
    world.act(Act::Unsubscribe(ada("search"))).await;
    world.advance(HOUR).await;
    world.act(Act::FailPayment(ada("search"))).await;
    let entry = world.entry("ada");
    assert_eq!((entry.standing, entry.periods.len()), (Standing::PaymentFailed, 1));
}

#[tokio::test]
async fn changed_entitlements_are_told_on_their_own_topic() {
    let world = World::new().await;
    world.act(Act::subscribe("ada", "plan")).await;
    world.act(Act::ChangeEntitlements(ada("plan").into())).await;
    let arrivals = world.arrivals().await;
    let customer = world.entry("ada").customer_id;
    assert_eq!(
        arrivals[1].body,
        json!({"action": "entitlement-updated", "customer-identifier": customer, "product-code": "simplan"})
    );
    assert_eq!(
        arrivals[1].from,
        "arn:aws:sns:us-east-1:287250355862:aws-mp-entitlement-notification-simplan"
    );
}

#[tokio::test]
async fn what_cannot_happen_is_refused_and_changes_nothing() {
    let world = World::new().await;
    let whose = || ada("search");
    for act in [Act::Amend(whose()), Act::Unsubscribe(whose())] {
        assert!(matches!(world.refusal(act).await, ActError::NothingBought { .. }));
    }
    let impossible = |error: &ActError, what| match error {
        ActError::Impossible { standing, .. } => assert_eq!(*standing, what),
        other => panic!("{other:?}"),
    };

    world.act(Act::subscribe("ada", "search")).await;
    let subscribed = world.entry("ada");
    for act in [Act::subscribe("ada", "search"), Act::FailPayment(whose())] {
        impossible(&world.refusal(act).await, "subscribed");
    }
    assert_eq!(world.entry("ada"), subscribed);

    world.act(Act::Unsubscribe(whose())).await;
    for act in [Act::FailPayment(whose()), Act::Amend(whose()), Act::Unsubscribe(whose())] {
        impossible(&world.refusal(act).await, "ending");
    }

    world.advance(HOUR).await;
    for act in [Act::Amend(whose()), Act::Unsubscribe(whose())] {
        impossible(&world.refusal(act).await, "ended");
    }

    world.act(Act::FailPayment(whose())).await;
    for act in [Act::Amend(whose()), Act::Unsubscribe(whose())] {
        impossible(&world.refusal(act).await, "payment-failed");
    }
    assert_eq!(world.bodies().await.len(), 4);
}

#[tokio::test]
async fn what_a_product_has_no_word_for_is_refused() {
    let world = World::new().await;
    world.act(Act::subscribe("ada", "search")).await;
    for act in [
        Act::Renew(ada("search")),
        Act::IssueAdvisory(ada("search")),
        Act::ResolveAdvisory(ada("search")),
        Act::ChangeEntitlements(ada("search").into()),
    ] {
        assert!(matches!(world.refusal(act).await, ActError::NotOffered { .. }));
    }
}

#[tokio::test]
async fn a_buyer_of_two_products_is_one_account_and_one_customer() {
    let world = World::new().await;
    let search = world.act(Act::subscribe("ada", "search")).await.subscription;
    let plan = world.act(Act::subscribe("ada", "plan")).await.subscription;
    let eve = world.act(Act::subscribe("eve", "plan")).await.subscription;
    assert_eq!((&search.account, &search.customer_id), (&plan.account, &plan.customer_id));
    assert_ne!(search.id, plan.id);
    assert_ne!((&eve.account, &eve.customer_id), (&plan.account, &plan.customer_id));
    assert!(search.account.len() == 12 && search.account.bytes().all(|digit| digit.is_ascii_digit()));
}
