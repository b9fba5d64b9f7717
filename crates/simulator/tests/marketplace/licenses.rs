//! Products that speak through the event bus.

use std::time::Duration;

use serde_json::{Value, json};
use stallkeeper_simulator::{Act, ActError, Entry, Standing, Whose};
use time::OffsetDateTime;

use crate::world::{Arrival, World, moment};

const HOUR: Duration = Duration::from_hours(1);
const SELLER: &str = "123456789012";

fn ada() -> Whose {
    Whose::only("ada", "vault")
}

fn one_of(entry: &Entry) -> Whose {
    ada().with_subscription(&entry.id)
}

/// The parts that every event has, around its detail.
fn event(arrival: &Arrival, detail_type: &str, agreement: &str, detail: Value) -> Value {
    let mut detail = detail;
    detail["requestId"] = arrival.body["detail"]["requestId"].clone();
    detail["catalog"] = json!("AWSMarketplace");
    json!({
        "version": "0",
        "id": arrival.id,
        "detail-type": detail_type,
        "source": "aws.agreement-marketplace",
        "account": SELLER,
        "time": arrival.body["time"],
        "region": "us-east-1",
        "resources": [format!("arn:aws:aws-marketplace::aws:agreement:{agreement}")],
        "detail": detail,
    })
}

fn created(arrival: &Arrival, entry: &Entry, agreement: &Value) -> Value {
    let id = agreement["id"].as_str().unwrap();
    event(
        arrival,
        "Purchase Agreement Created - Proposer",
        id,
        json!({
            "agreement": agreement,
            "acceptor": {"accountId": entry.account},
            "proposer": {"accountId": SELLER},
            "offer": {"id": entry.offer_id},
            "resaleAuthorization": {"id": null},
            "product": {"id": "prod-simvault", "title": "vault"},
        }),
    )
}

fn of_license(arrival: &Arrival, detail_type: &str, entry: &Entry) -> Value {
    let agreement = entry.agreement_id.as_deref().unwrap();
    let license = license_id(entry);
    event(
        arrival,
        detail_type,
        agreement,
        json!({
            "agreement": {"id": agreement},
            "product": {"code": "simvault", "id": "prod-simvault"},
            "license": {"arn": format!("aws:license-manager:us-east-1:287250355862:{license}")},
            "acceptor": {"accountId": entry.account},
            "proposer": {"accountId": SELLER},
            "offer": {"id": entry.offer_id.strip_prefix("offer-").unwrap()},
        }),
    )
}

fn ended(arrival: &Arrival, entry: &Entry, agreement: &str, status: &str) -> Value {
    event(
        arrival,
        "Purchase Agreement Ended - Proposer",
        agreement,
        json!({
            "agreement": {"id": agreement, "status": status},
            "acceptor": {"accountId": entry.account},
            "proposer": {"accountId": SELLER},
            "offer": {"id": entry.offer_id},
        }),
    )
}

fn license_id(entry: &Entry) -> String {
    entry.id.rsplit_once('/').unwrap().1.to_owned()
}

fn gaps(arrivals: &[Arrival]) -> Vec<time::Duration> {
    arrivals.windows(2).map(|pair| pair[1].at - pair[0].at).collect()
}

fn types(arrivals: &[Arrival]) -> Vec<&str> {
    arrivals.iter().map(|arrival| arrival.body["detail-type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_purchase_is_an_agreement_and_a_second_later_a_license() {
    let world = World::new().await;
    let done = world.act(Act::subscribe("ada", "vault")).await;
    let arrivals = world.arrivals().await;
    let entry = world.entry("ada");
    assert_eq!(arrivals.len(), 2);
    let starts = arrivals[0].body["time"].clone();
    let agreement = arrivals[0].body["detail"]["agreement"].clone();
    assert_eq!(
        agreement,
        json!({
            "id": entry.agreement_id,
            "intent": "NEW",
            "status": "ACTIVE",
            "acceptanceTime": starts,
            "startTime": starts,
            "endTime": agreement["endTime"],
        })
    );
    assert!(moment(&agreement["endTime"]) > arrivals[0].at + time::Duration::days(365 * 50));
    assert_eq!(arrivals[0].body, created(&arrivals[0], &entry, &agreement));
    assert_eq!(arrivals[1].body, of_license(&arrivals[1], "License Updated - Manufacturer", &entry));
    assert_eq!(gaps(&arrivals), [time::Duration::SECOND]);
    assert!(arrivals.iter().all(|arrival| arrival.at.nanosecond() == 0));
    assert_eq!(done.notifications, [arrivals[0].id.as_str(), arrivals[1].id.as_str()]);
    assert_eq!(entry.standing, Standing::Subscribed);
    assert_eq!((entry.periods.len(), entry.periods[0].from), (1, arrivals[1].at));
    assert_eq!(
        entry.license_arn.clone().unwrap(),
        format!("arn:aws:license-manager::287250355862:license:{}", license_id(&entry))
    );
    assert_eq!(entry.customer_id, None);
    assert_eq!(&*entry.id, format!("simvault/license/{}", license_id(&entry)));
}

#[tokio::test]
async fn a_contract_runs_for_a_year() {
    let world = World::new().await;
    world.act(Act::subscribe("ada", "store")).await;
    let bodies = world.bodies().await;
    let agreement = &bodies[0]["detail"]["agreement"];
    let term = moment(&agreement["endTime"]) - moment(&agreement["startTime"]);
    assert_eq!(term, time::Duration::days(365));
}

#[tokio::test]
async fn each_purchase_of_one_account_is_a_license_of_its_own() {
    let world = World::new().await;
    let one = world.act(Act::subscribe("ada", "vault")).await.subscription;
    let two = world.act(Act::subscribe("ada", "vault")).await.subscription;
    assert_eq!(one.account, two.account);
    assert_ne!(one.id, two.id);
    assert_ne!(one.agreement_id, two.agreement_id);
    world.act(Act::Unsubscribe(one_of(&one))).await;
    let standings: Vec<_> =
        world.simulator.market().books_of("ada").iter().map(|entry| entry.standing.as_str()).collect();
    assert_eq!(standings, ["ending", "subscribed"]);
}

#[tokio::test]
async fn with_several_licenses_one_has_to_say_which() {
    let world = World::new().await;
    let one = world.act(Act::subscribe("ada", "vault")).await.subscription;
    let two = world.act(Act::subscribe("ada", "vault")).await.subscription;
    let words = world.refusal(Act::Unsubscribe(ada())).await.to_string();
    assert!(words.contains(&*one.id) && words.contains(&*two.id), "{words}");
    world.act(Act::Unsubscribe(one_of(&one))).await;
    // The other one is the only one left that this can be about.
    assert_eq!(world.act(Act::Unsubscribe(ada())).await.subscription.id, two.id);
}

#[tokio::test]
async fn an_amendment_is_told_of_the_agreement_and_then_of_the_license() {
    let world = World::new().await;
    let bought = world.act(Act::subscribe("ada", "vault")).await.subscription;
    world.act(Act::Amend(ada())).await;
    let arrivals = world.arrivals().await;
    let entry = world.entry("ada");
    assert_ne!(entry.offer_id, bought.offer_id);
    assert_eq!(entry.agreement_id, bought.agreement_id);
    let amended = &arrivals[2].body["detail"];
    assert_eq!(arrivals[2].body["detail-type"], "Purchase Agreement Amended - Proposer");
    assert_eq!(amended["agreement"]["intent"], "AMEND");
    assert_eq!(amended["agreement"]["autoRenewalEnabled"], json!(true));
    assert_eq!(amended["agreement"]["startTime"], arrivals[0].body["time"]);
    assert_eq!(amended["offer"]["id"], json!(entry.offer_id));
    assert_eq!(arrivals[3].body, of_license(&arrivals[3], "License Updated - Manufacturer", &entry));
    assert_eq!(gaps(&arrivals), [time::Duration::SECOND; 3]);
    assert_eq!((entry.standing, entry.periods), (bought.standing, bought.periods));
}

#[tokio::test]
async fn a_renewal_is_a_new_agreement_on_the_same_license() {
    let world = World::new().await;
    let bought = world.act(Act::subscribe("ada", "vault")).await.subscription;
    let previous = bought.agreement_id.clone().unwrap();
    world.advance(HOUR).await;
    world.act(Act::Renew(ada())).await;
    let arrivals = world.arrivals().await;
    let entry = world.entry("ada");
    assert_eq!(entry.id, bought.id);
    assert_ne!(entry.agreement_id, bought.agreement_id);
    let agreement = arrivals[2].body["detail"]["agreement"].clone();
    assert_eq!(agreement["intent"], "RENEW");
    assert_eq!(agreement["previousAgreementId"], json!(previous));
    assert_eq!(agreement["id"], json!(entry.agreement_id));
    assert_eq!(arrivals[2].body, created(&arrivals[2], &entry, &agreement));
    assert_eq!(arrivals[3].body, ended(&arrivals[3], &bought, &previous, "RENEWED"));
    assert_eq!(arrivals[4].body, of_license(&arrivals[4], "License Updated - Manufacturer", &entry));
    assert_eq!(gaps(&arrivals[2..]), [time::Duration::SECOND; 2]);
    assert_eq!((entry.standing, entry.periods), (bought.standing, bought.periods));
}

#[tokio::test]
async fn whoever_leaves_ends_the_agreement_and_loses_the_license_an_hour_later() {
    let world = World::new().await;
    world.act(Act::subscribe("ada", "vault")).await;
    let left = world.act(Act::Unsubscribe(ada())).await.subscription;
    let arrivals = world.arrivals().await;
    let agreement = left.agreement_id.clone().unwrap();
    assert_eq!(arrivals[2].body, ended(&arrivals[2], &left, &agreement, "CANCELLED"));
    let deadline = arrivals[2].at + HOUR;
    assert_eq!(left.standing, Standing::Ending { deadline });

    world.advance(HOUR + Duration::from_secs(5)).await;
    let last = world.arrivals().await;
    let entry = world.entry("ada");
    assert_eq!(last.len(), 1);
    assert_eq!(last[0].body, of_license(&last[0], "License Deprovisioned - Manufacturer", &entry));
    assert_eq!(last[0].at, deadline);
    assert_eq!((entry.standing, entry.periods[0].to), (Standing::Ended, Some(deadline)));
}

#[tokio::test]
async fn whoever_comes_back_gets_another_license_and_the_old_one_ends_all_the_same() {
    let world = World::new().await;
    let old = world.act(Act::subscribe("ada", "vault")).await.subscription;
    world.act(Act::Unsubscribe(ada())).await;
    let new = world.act(Act::subscribe("ada", "vault")).await.subscription;
    assert_ne!(new.id, old.id);
    world.advance(HOUR + Duration::from_secs(5)).await;
    let standings: Vec<_> =
        world.simulator.market().books_of("ada").iter().map(|entry| entry.standing.as_str()).collect();
    assert_eq!(standings, ["ended", "subscribed"]);
}

#[tokio::test]
async fn an_advisory_is_issued_once_and_resolved_once() {
    let world = World::new().await;
    let entry = world.act(Act::subscribe("ada", "vault")).await.subscription;
    let agreement = entry.agreement_id.clone().unwrap();
    let refused = world.refusal(Act::ResolveAdvisory(ada())).await;
    assert!(matches!(refused, ActError::Impossible { .. }), "{refused:?}");
    world.act(Act::IssueAdvisory(ada())).await;
    let refused = world.refusal(Act::IssueAdvisory(ada())).await;
    assert!(matches!(refused, ActError::Impossible { .. }), "{refused:?}");
    world.act(Act::ResolveAdvisory(ada())).await;
    let arrivals = world.arrivals().await;
    for (arrival, word, field) in
        [(&arrivals[2], "Issued", "issuedAt"), (&arrivals[3], "Resolved", "resolvedAt")]
    {
        let mut detail = json!({
            "agreement": {"id": agreement},
            "product": {"code": "simvault", "id": "prod-simvault"},
            "acceptor": {"accountId": entry.account},
        });
        detail["advisory"][field] = arrival.body["time"].clone();
        let detail_type = format!("Purchase Agreement Advisory {word} - Manufacturer");
        assert_eq!(arrival.body, event(arrival, &detail_type, &agreement, detail));
    }
    assert_eq!(world.entry("ada"), entry);
}

#[tokio::test]
async fn an_advisory_is_resolved_for_the_agreement_that_it_was_issued_for() {
    let world = World::new().await;
    world.act(Act::subscribe("ada", "vault")).await;
    world.advance(HOUR).await;
    world.act(Act::IssueAdvisory(ada())).await;
    world.advance(HOUR).await;
    world.act(Act::Renew(ada())).await;
    world.advance(HOUR).await;
    world.act(Act::ResolveAdvisory(ada())).await;
    let arrivals = world.arrivals().await;
    assert_eq!(types(&arrivals).last(), Some(&"Purchase Agreement Advisory Resolved - Manufacturer"));
    let agreement = |arrival: &Arrival| arrival.body["detail"]["agreement"]["id"].clone();
    assert_eq!(agreement(&arrivals[6]), agreement(&arrivals[2]));
    assert_ne!(agreement(&arrivals[6]), agreement(&arrivals[5]));
}

#[tokio::test]
async fn no_event_of_a_license_runs_far_ahead_of_the_clock() {
    let world = World::new().await;
    world.act(Act::subscribe("ada", "vault")).await;
    let refused = loop {
        match world.simulator.market().act(&Act::Amend(ada())).await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, ActError::AheadOfClock { .. }), "{refused:?}");
    let now: OffsetDateTime = world.simulator.clock().now();
    let arrivals = world.arrivals().await;
    assert!(arrivals.iter().all(|arrival| arrival.at <= now + Duration::from_secs(5)));
    assert!(gaps(&arrivals).iter().all(|gap| *gap >= time::Duration::SECOND));
    // Others are not held up, nor is this one when time has passed.
    world.act(Act::subscribe("eve", "vault")).await;
    world.advance(Duration::from_mins(1)).await;
    world.act(Act::Amend(ada())).await;
}

#[tokio::test]
async fn what_cannot_happen_is_refused_and_changes_nothing() {
    let world = World::new().await;
    let on = |act: fn(Whose) -> Act| act(ada());
    let all = [Act::Amend, Act::Renew, Act::Unsubscribe, Act::IssueAdvisory, Act::ResolveAdvisory];
    for act in all {
        let refused = world.refusal(on(act)).await;
        assert!(matches!(refused, ActError::NothingBought { .. }), "{refused:?}");
    }
    for act in [Act::FailPayment(ada()), Act::ChangeEntitlements(ada().into())] {
        let refused = world.refusal(act).await;
        assert!(matches!(refused, ActError::NotOffered { .. }), "{refused:?}");
    }
    let refused = world.refusal(Act::subscribe_with_trial("ada", "vault")).await;
    assert!(matches!(refused, ActError::NotOffered { .. }), "{refused:?}");
    assert!(world.simulator.market().books().is_empty());

    let bought = world.act(Act::subscribe("ada", "vault")).await.subscription;
    world.act(Act::Unsubscribe(ada())).await;
    for _ in 0..2 {
        for act in all {
            for whose in [ada(), one_of(&bought)] {
                let refused = world.refusal(act(whose)).await;
                assert!(matches!(refused, ActError::Impossible { .. }), "{refused:?}");
            }
        }
        world.advance(HOUR + Duration::from_secs(5)).await;
    }
    let unknown = world.refusal(Act::Amend(ada().with_subscription("simvault/license/l-1"))).await;
    assert!(matches!(unknown, ActError::UnknownSubscription { .. }), "{unknown:?}");
    assert_eq!(world.bodies().await.len(), 4);
}
