use stallkeeper_entitlement::{Amount, Refused};
use stallkeeper_lifecycle::FactKind;

use crate::stage::{Stage, Story, grant, minute};

/// Tenant AAA (users 111, 222, 333) has product1111; tenant BBB (users 111, 222) has both.
fn two_tenants() -> Stage {
    Stage::new()
        .with(Story::of("aws/p1/customer/a").subscribed().bound("AAA", None))
        .with(Story::of("aws/p1/customer/b").subscribed().bound("BBB", None))
        .with(Story::of("aws/p2/customer/b").subscribed().bound("BBB", None))
}

#[test]
fn every_user_of_a_tenant_may_use_what_it_bought() {
    let stage = two_tenants();
    for user in ["111", "222", "333"] {
        assert_eq!(stage.words("AAA", user, "product1111"), "full active");
    }
    for user in ["111", "222"] {
        assert_eq!(stage.words("BBB", user, "product1111"), "full active");
        assert_eq!(stage.words("BBB", user, "product2222"), "full active");
    }
}

#[test]
fn a_product_that_was_not_bought_is_refused_with_where_to_buy_it() {
    let stage = two_tenants();
    for user in ["", "111", "222", "333"] {
        assert_eq!(stage.words("AAA", user, "product2222"), "none not_subscribed");
    }
    let answer = stage.ask("AAA", "111", "product2222");
    assert_eq!(answer.subscribe_url.as_deref(), Some("https://aws.example/p2"));
    assert_eq!(stage.ask("AAA", "111", "product1111").subscribe_url, None);
}

#[test]
fn a_tenant_that_never_came_through_a_marketplace_is_not_managed() {
    let stage = two_tenants();
    assert_eq!(stage.words("CCC", "111", "product1111"), "none not_managed");
    // Ids are told apart to the letter.
    assert_eq!(stage.words("aaa", "111", "product1111"), "none not_managed");
}

#[test]
fn an_unknown_product_is_refused() {
    let refused = two_tenants().try_ask("AAA", "", "product3333").unwrap_err();
    assert_eq!(refused, Refused::UnknownProduct("product3333".to_owned()));
}

#[test]
fn who_buys_on_another_marketplace_is_led_to_the_listing_there() {
    let stage = Stage::new().with(Story::of("aws-china/unlisted/customer/a").subscribed().bound("AAA", None));
    let answer = stage.ask("AAA", "", "product2222");
    assert_eq!(answer.subscribe_url.as_deref(), Some("https://aws-china.example/p2"));
}

#[test]
fn a_subscription_bound_to_a_user_is_for_that_user_only() {
    let stage = Stage::new().with(Story::of("aws/p1/customer/a").subscribed().bound("AAA", Some("111")));
    assert_eq!(stage.words("AAA", "111", "product1111"), "full active");
    assert_eq!(stage.words("AAA", "222", "product1111"), "none not_subscribed");
    assert_eq!(stage.words("AAA", "", "product1111"), "none not_subscribed");
}

#[test]
fn every_standing_has_its_reason() {
    let of = |story: Story| Stage::new().with(story.bound("AAA", None)).words("AAA", "", "product1111");
    let story = || Story::of("aws/p1/customer/a");
    assert_eq!(of(story()), "none pending");
    assert_eq!(of(story().told(0, FactKind::SubscribeFail)), "none payment_failed");
    assert_eq!(of(story().subscribed().leaving(1)), "limited ending");
    assert_eq!(of(story().subscribed().told(1, FactKind::UnsubscribeSuccess)), "none ended");
    assert_eq!(of(story().subscribed().told(1, FactKind::InstanceExpired)), "none suspended");
}

#[test]
fn a_window_that_has_passed_is_an_end_though_nothing_woke() {
    let stage = Stage::new().with(Story::of("aws/p1/customer/a").subscribed().leaving(1).bound("AAA", None));
    let stage = stage.at(60);
    assert_eq!(stage.words("AAA", "", "product1111"), "limited ending");
    assert_eq!(stage.ask("AAA", "", "product1111").ending, Some(minute(61)));
    let stage = stage.at(61);
    assert_eq!(stage.words("AAA", "", "product1111"), "none ended");
    assert_eq!(stage.ask("AAA", "", "product1111").ending, None);
}

#[test]
fn the_best_of_several_licenses_wins() {
    let stage = Stage::new()
        .with(Story::of("aws/p1/license/gone").told(0, FactKind::UnsubscribeSuccess).bound("AAA", None))
        .with(Story::of("aws/p1/license/leaving").subscribed().leaving(1).bound("AAA", None));
    assert_eq!(stage.words("AAA", "", "product1111"), "limited ending");
    let stage = stage.with(Story::of("aws/p1/license/here").subscribed().bound("AAA", None));
    let answer = stage.ask("AAA", "", "product1111");
    assert_eq!((answer.access.as_str(), answer.reason.as_str()), ("full", "active"));
    assert_eq!(answer.ending, None);
    let keys: Vec<_> = answer.subscriptions.iter().map(|rests| rests.key.as_str()).collect();
    assert_eq!(keys, ["aws/p1/license/gone", "aws/p1/license/here", "aws/p1/license/leaving"]);
}

#[test]
fn quantities_of_licenses_add_up_under_the_sellers_names() {
    let contract = |id: &str, entitlements: &[(&str, &str)]| {
        Story::of(&format!("aws/p3/license/{id}")).granted(1, entitlements).bound("AAA", None)
    };
    let stage = Stage::new()
        .with(contract("one", &[("Seats", "10"), ("tier", "gold")]))
        .with(contract("two", &[("Seats", "5"), ("tier", "silver")]));
    let answer = stage.ask("AAA", "", "seats");
    assert_eq!((answer.access.as_str(), answer.reason.as_str()), ("full", "active"));
    assert_eq!(answer.expires_at, Some(minute(10_001)), "as long as every dimension holds");
    let amounts: Vec<_> =
        answer.dimensions.into_iter().map(|dimension| (dimension.name, dimension.amount)).collect();
    let texts = ["gold", "silver"].map(str::to_owned).into();
    assert_eq!(
        amounts,
        [("seats".to_owned(), Amount::Sum("15".to_owned())), ("tier".to_owned(), Amount::Texts(texts))]
    );
}

#[test]
fn a_contract_without_an_answer_of_the_marketplace_is_pending() {
    let stage = Stage::new().with(Story::of("aws/p3/license/one").subscribed().bound("AAA", None));
    assert_eq!(stage.words("AAA", "", "seats"), "none pending");
}

#[test]
fn a_grant_gives_access_until_its_end_on_the_instant() {
    let mut pilot = grant("pilot", "AAA", None, "product1111");
    pilot.grant.until = Some(minute(10));
    let stage = Stage::new().with_grant(&pilot).at(9);
    assert_eq!(stage.words("AAA", "111", "product1111"), "full granted");
    assert_eq!(stage.words("AAA", "111", "product2222"), "none not_subscribed");
    assert_eq!(stage.ask("AAA", "", "product1111").expires_at, Some(minute(10)));
    assert_eq!(stage.at(10).words("AAA", "", "product1111"), "none ended");
}

#[test]
fn a_grant_to_a_user_is_for_that_user_only() {
    let stage = Stage::new().with_grant(&grant("pilot", "AAA", Some("111"), "product1111"));
    assert_eq!(stage.words("AAA", "111", "product1111"), "full granted");
    assert_eq!(stage.words("AAA", "222", "product1111"), "none not_subscribed");
}

#[test]
fn who_had_a_grant_is_no_direct_customer_once_it_is_revoked() {
    let mut pilot = grant("pilot", "AAA", None, "product1111");
    let stage = Stage::new().with_grant(&pilot);
    pilot.revoked = Some((pilot.by.clone(), minute(1)));
    let stage = stage.with_grant(&pilot);
    assert_eq!(stage.words("AAA", "", "product1111"), "none ended");
    assert_eq!(stage.words("AAA", "", "product2222"), "none not_subscribed");
}

#[test]
fn a_grant_helps_who_is_leaving_and_leaves_who_is_subscribed_alone() {
    let stage = Stage::new()
        .with(Story::of("aws/p1/customer/a").subscribed().leaving(1).bound("AAA", None))
        .with(Story::of("aws/p1/customer/b").subscribed().bound("BBB", None))
        .with_grant(&grant("a", "AAA", None, "product1111"))
        .with_grant(&grant("b", "BBB", None, "product1111"));
    assert_eq!(stage.words("AAA", "", "product1111"), "full granted");
    assert_eq!(stage.words("BBB", "", "product1111"), "full active");
}

#[test]
fn a_subscription_that_is_bound_anew_is_the_new_tenants_only() {
    let story = Story::of("aws/p1/customer/a").subscribed().bound("AAA", None);
    let stage = Stage::new().with(story.clone()).with(story.bound("BBB", None));
    assert_eq!(stage.words("AAA", "", "product1111"), "none not_subscribed", "and no direct customer");
    assert_eq!(stage.words("BBB", "", "product1111"), "full active");
    assert_eq!(stage.index.len(), 1);
}

#[test]
fn a_tenant_with_a_subscription_that_cannot_be_read_gets_no_answer_until_it_can() {
    let story = Story::of("aws/p1/customer/a").subscribed().bound("AAA", None);
    let mut stage = Stage::new().with(Story::of("aws/p1/customer/b").subscribed().bound("BBB", None));
    stage.index.put_subscription(&story.damaged());
    let refused = stage.try_ask("AAA", "", "product1111").unwrap_err();
    assert_eq!(refused, Refused::Unreadable("aws/p1/customer/a".to_owned()));
    assert_eq!(stage.words("BBB", "", "product1111"), "full active");
    assert_eq!(stage.with(story).words("AAA", "", "product1111"), "full active");
}
