//! Nothing is acknowledged that is not stored.

use stallkeeper_notification::{Delivery, SignaturePolicy};
use stallkeeper_poller::{Handler, PoisonReason, Verdict};

use crate::messages::{delivery, envelope};
use crate::stand::{Plan, Stand};

#[tokio::test]
async fn a_message_is_not_acknowledged_before_its_commit() {
    for body in [envelope("n-1", "subscribe-success").to_string(), "no JSON".to_owned()] {
        let stand = Stand::new(Delivery::Enveloped).await;
        stand.door.plan([Plan::Wait]);
        let message = delivery("m-1", &body);
        let mut handling = Box::pin(stand.handle(&message));
        tokio::select! {
            biased;
            verdict = &mut handling => panic!("{verdict:?} while the commit of {body} was under way"),
            () = stand.door.reached() => {}
        }
        stand.door.open();
        assert_eq!(handling.await, Verdict::Ack);
        assert_eq!(stand.history().await.len() + stand.quarantined().await.len(), 1, "{body} is stored");
    }
}

#[tokio::test]
async fn while_the_database_is_away_messages_stay_where_they_are() {
    let stand = Stand::new(Delivery::Enveloped).await;
    let good = delivery("m-1", &envelope("n-1", "subscribe-success"));
    let bad = delivery("m-2", &"no JSON");
    let poison = PoisonReason::ReceivedTooOften { receives: 10 };
    stand.door.plan([Plan::Unavailable; 3]);
    assert_eq!(stand.handle(&good).await, Verdict::Blocked);
    assert_eq!(stand.handle(&bad).await, Verdict::Blocked);
    assert_eq!(stand.handler.poison(&good, poison).await, Verdict::Blocked);
    assert_eq!(stand.quarantined().await, [""; 0]);

    assert_eq!(stand.handle(&good).await, Verdict::Ack, "the database is back");
    assert_eq!(stand.handle(&bad).await, Verdict::Ack);
    assert_eq!(stand.history().await.len(), 1);
    assert_eq!(stand.quarantined().await, ["not-json"]);
}

#[tokio::test]
async fn what_the_store_refuses_goes_to_quarantine() {
    let stand = Stand::new(Delivery::Enveloped).await;
    let message = delivery("m-1", &envelope("n-1", "subscribe-success"));
    stand.door.plan([Plan::Refuse]);
    assert_eq!(stand.handle(&message).await, Verdict::Ack);
    assert_eq!(stand.quarantined().await, ["store-refused"]);
}

#[tokio::test]
async fn what_not_even_quarantine_takes_is_not_acknowledged() {
    let stand = Stand::new(Delivery::Enveloped).await;
    let message = delivery("m-1", &envelope("n-1", "subscribe-success"));
    stand.door.plan([Plan::Refuse; 2]);
    assert_eq!(stand.handle(&message).await, Verdict::Retry { after: None });
    stand.door.plan([Plan::Refuse, Plan::Unavailable]);
    assert_eq!(stand.handle(&message).await, Verdict::Blocked);
    assert_eq!(stand.quarantined().await, [""; 0]);
}

#[tokio::test]
async fn a_message_that_keeps_coming_back_is_acknowledged_once_it_lies_in_quarantine() {
    let stand = Stand::new(Delivery::Enveloped).await;
    let message = delivery("m-1", &envelope("n-1", "subscribe-success"));
    let verdict = stand.handler.poison(&message, PoisonReason::ReceivedTooOften { receives: 50 }).await;
    assert_eq!(verdict, Verdict::Ack);
    assert_eq!(stand.quarantined().await, ["poison"]);
}

#[tokio::test]
async fn a_good_message_that_came_back_often_is_taken_in_all_the_same() {
    let stand = Stand::new(Delivery::Enveloped).await;
    let message = delivery("m-1", &envelope("n-1", "subscribe-success"));
    let verdict = stand.handler.poison(&message, PoisonReason::ReceivedTooOften { receives: 11 }).await;
    assert_eq!(verdict, Verdict::Ack);
    assert_eq!((stand.history().await.len(), stand.quarantined().await.len()), (1, 0));
}

#[tokio::test]
async fn a_subscription_that_cannot_be_read_makes_its_messages_wait() {
    let stand = Stand::new(Delivery::Enveloped).await;
    let message = delivery("m-1", &envelope("n-1", "subscribe-success"));
    stand.door.plan([Plan::Unreadable]);
    assert_eq!(stand.handle(&message).await, Verdict::Retry { after: None });
    assert_eq!((stand.history().await.len(), stand.quarantined().await.len()), (0, 0));
}

#[tokio::test]
async fn refused_bare_messages_of_equal_bytes_are_all_kept() {
    let stand = Stand::new(Delivery::Enveloped).await;
    let body = crate::messages::message("subscribe-success");
    for id in ["m-1", "m-2", "m-2"] {
        assert_eq!(stand.handle(&delivery(id, &body)).await, Verdict::Ack);
    }
    assert_eq!(stand.quarantined().await, ["raw-undeclared", "raw-undeclared"]);
}

#[tokio::test]
async fn a_message_that_names_a_certificate_that_is_not_there_keeps_no_other_waiting() {
    let stand = Stand::with_policy(Delivery::Enveloped, SignaturePolicy::Enforce).await;
    let mut forged = envelope("n-1", "subscribe-success");
    forged["SigningCertURL"] = "https://sns.us-east-1.amazonaws.com/none.pem".into();
    assert_eq!(stand.handle(&delivery("m-1", &forged)).await, Verdict::Retry { after: None });
    assert_eq!((stand.history().await.len(), stand.quarantined().await.len()), (0, 0));
}

#[tokio::test]
async fn a_message_waits_for_its_certificate_outside_of_quarantine() {
    let stand = Stand::with_policy(Delivery::Enveloped, SignaturePolicy::Enforce).await;
    let message = delivery("m-1", &envelope("n-1", "subscribe-success"));
    assert_eq!(stand.handle(&message).await, Verdict::Blocked);
    assert_eq!((stand.history().await.len(), stand.quarantined().await.len()), (0, 0));
}

#[tokio::test]
async fn under_enforce_a_message_without_a_signature_is_not_believed() {
    let stand = Stand::with_policy(Delivery::Enveloped, SignaturePolicy::Enforce).await;
    let mut unsigned = envelope("n-1", "subscribe-success");
    unsigned.as_object_mut().unwrap().remove("Signature");
    assert_eq!(stand.handle(&delivery("m-1", &unsigned)).await, Verdict::Ack);
    assert_eq!(stand.history().await.len(), 0);
    assert_eq!(stand.quarantined().await, ["unsigned"]);
}
