//! When messages are asked for.

use std::time::Duration;

use stallkeeper_poller::{PollerConfig, QueueErrorKind, Standing};

use crate::stand::{Stand, config, pass};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test(start_paused = true)]
async fn nothing_is_received_without_a_permit() {
    let stand = Stand::start(config(4), |queue| {
        for number in 0..20 {
            queue.send(format!("slow {}", 3_000 + number));
        }
    });
    stand.until("all permits taken", |stand| stand.handler.started().len() == 4).await;
    let calls = stand.queue.receive_calls();
    pass(30 * MINUTE).await;
    assert_eq!(stand.queue.receive_calls(), calls);
    assert_eq!(stand.queue.visible(), 16);
    assert!(stand.queue.asked_for().iter().all(|asked| *asked <= 4), "{:?}", stand.queue.asked_for());
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn messages_in_flight_never_pass_the_permits() {
    let stand = Stand::start(config(25), |queue| {
        for number in 0..500 {
            queue.send(format!("slow {}", 1 + number % 7));
        }
    });
    stand.emptied().await;
    assert_eq!(stand.handler.running_at_once(), 25);
    assert_eq!(stand.handler.started().len(), 500);
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_nearly_full_poller_does_not_fetch_messages_one_by_one() {
    let stand = Stand::start(config(100), |queue| {
        for number in 0..1_000 {
            queue.send(format!("slow 1.{:03}", number % 100));
        }
    });
    stand.emptied().await;
    assert!(stand.queue.receive_calls() < 300, "{}", stand.queue.receive_calls());
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_poller_costs_one_long_poll() {
    let stand = Stand::start(config(100), |_| {});
    pass(10 * MINUTE + SECOND).await;
    assert_eq!(stand.queue.receives_at_once(), 1);
    let calls = stand.queue.receive_calls();
    assert!((30..=33).contains(&calls), "one each 20 s and a short one at the start: {calls}");
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn receivers_grow_under_load_and_go_back_to_one_when_idle() {
    let stand = Stand::start(config(1_000), |queue| {
        queue.delay_receives(Duration::from_millis(10));
        for number in 0..2_000 {
            queue.send(format!("ack {number}"));
        }
    });
    stand.emptied().await;
    assert_eq!(stand.queue.receives_at_once(), 8);
    pass(MINUTE).await;
    assert_eq!(stand.queue.receives_now(), 1);
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn receive_errors_back_off_name_themselves_and_recover() {
    let stand = Stand::start(config(100), |queue| {
        queue.fail_receives(8, QueueErrorKind::MissingCredentials);
    });
    assert_eq!(stand.health.snapshot().standing, Standing::Starting);
    assert!(!stand.health.snapshot().is_ready(), "nobody knows yet whether the queue works");

    pass(10 * SECOND).await;
    let health = stand.health.snapshot();
    let Standing::Failing(problem) = &health.standing else { panic!("not failing: {health:?}") };
    assert_eq!(problem.kind, QueueErrorKind::MissingCredentials);
    assert!(problem.kind.remedy().contains("AWS_ACCESS_KEY_ID"));
    assert!(problem.lasting >= 9 * SECOND);
    assert!(!health.is_ready());
    assert!(stand.queue.receive_calls() < 8, "pauses grow: {}", stand.queue.receive_calls());

    stand.until("recovery", |stand| stand.health.snapshot().is_ready()).await;
    assert_eq!(stand.health.snapshot().standing, Standing::Working);
    stand.queue.send("ack");
    stand.emptied().await;
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn throttling_slows_down_and_stays_ready() {
    let stand = Stand::start(config(100), |queue| queue.fail_receives(1, QueueErrorKind::Throttled));
    stand.until("failing", |stand| matches!(stand.health.snapshot().standing, Standing::Failing(_))).await;
    assert!(stand.health.snapshot().is_ready());
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_working_queue_is_ready_at_once_and_not_after_a_long_poll() {
    let stand = Stand::start(config(100), |_| {});
    pass(SECOND).await;
    assert!(stand.health.snapshot().is_ready());
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_poller_receives_nothing_until_it_is_resumed() {
    let stand = Stand::start(config(100), |_| {});
    let control = stand.poller.control();
    control.pause();
    assert!(control.is_paused());
    stand.until("last receive", |stand| stand.queue.receives_now() == 0).await;
    stand.queue.send("ack");
    pass(10 * MINUTE).await;
    assert_eq!(stand.queue.visible(), 1);
    assert!(stand.health.snapshot().paused);

    control.resume();
    stand.emptied().await;
    assert!(!stand.health.snapshot().paused);
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_receive_that_runs_at_a_pause_is_not_dropped() {
    let stand = Stand::start(config(100), |queue| {
        queue.delay_receives(5 * SECOND);
        queue.send("ack");
    });
    stand.until("taken", |stand| stand.queue.visible() == 0).await;
    stand.poller.control().pause();
    stand.emptied().await;
    assert_eq!(stand.handler.started(), ["ack"]);
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_health_tells_since_when_nothing_has_come() {
    let stand = Stand::start(config(100), |queue| {
        queue.send("ack");
    });
    stand.emptied().await;
    pass(10 * MINUTE).await;
    let health = stand.health.snapshot();
    assert!(health.since_last_message.unwrap() >= 10 * MINUTE);
    assert!(health.since_last_receive.unwrap() <= 21 * SECOND);
    stand.stop().await;
}

#[test]
fn a_poller_whose_permits_cannot_feed_the_commit_is_refused() {
    let config = PollerConfig { permits: 300, ..PollerConfig::default() };
    assert!(config.validate().unwrap_err().to_string().contains("allow more permits"));
}
