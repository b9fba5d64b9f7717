//! What becomes of messages.

use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use stallkeeper_poller::{PollerConfig, QueueErrorKind};

use crate::stand::{Stand, config, pass};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test(start_paused = true)]
async fn acked_messages_are_deleted() {
    let stand = Stand::start(config(100), |queue| {
        for number in 0..95 {
            queue.send(format!("ack {number}"));
        }
    });
    stand.emptied().await;
    stand.stop().await;
    assert_eq!(stand.handler.started().len(), 95, "each is handled once");
    assert!(stand.queue.delete_calls() <= 20, "deletes travel together: {}", stand.queue.delete_calls());
}

#[tokio::test(start_paused = true)]
async fn deletes_wait_a_moment_for_company() {
    let stand = Stand::start(config(100), |queue| {
        for number in 0..9 {
            queue.send(format!("slow 1.00{number}"));
        }
    });
    stand.emptied().await;
    assert_eq!(stand.queue.delete_calls(), 1);
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_entry_of_a_batch_delete_is_retried() {
    let stand = Stand::start(config(100), |queue| {
        queue.fail_delete_entries(2);
        for number in 0..5 {
            queue.send(format!("ack {number}"));
        }
    });
    stand.emptied().await;
    assert_eq!(stand.handler.started().len(), 5, "nothing is delivered again for it");
    assert_eq!(stand.queue.delete_calls(), 2);
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_delete_call_that_fails_is_retried_whole() {
    let stand = Stand::start(config(100), |queue| {
        queue.fail_deletes(2, QueueErrorKind::Unavailable);
        queue.send("ack");
    });
    stand.emptied().await;
    assert_eq!(stand.handler.started().len(), 1);
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_is_given_up_costs_only_a_redelivery() {
    let stand = Stand::start(config(100), |queue| {
        queue.fail_deletes(4, QueueErrorKind::Unavailable);
        queue.send("ack");
    });
    stand.emptied().await;
    assert_eq!(stand.handler.started().len(), 2);
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn retry_makes_a_message_visible_again_later_and_later() {
    let config = PollerConfig { poison_after: 6, ..config(100) };
    let (base, cap) = (config.retry_base, config.retry_cap);
    let stand = Stand::start(config, |queue| {
        queue.send("retry");
    });
    stand.emptied().await;
    let starts = stand.handler.starts_of("retry");
    let gaps: Vec<_> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(gaps.len(), 5);
    for (gap, doublings) in gaps.iter().zip(0..) {
        let middle = (base * 2_u32.pow(doublings)).min(cap);
        assert!(*gap >= middle / 2 && *gap <= middle * 3 / 2 + 2 * SECOND, "{doublings}: {gap:?}");
    }
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_retry_with_a_time_of_its_own_keeps_to_it() {
    let config = PollerConfig { poison_after: 2, ..config(100) };
    let stand = Stand::start(config, |queue| {
        queue.send("retry 300");
    });
    stand.emptied().await;
    let starts = stand.handler.starts_of("retry 300");
    let gap = starts[1] - starts[0];
    assert!(gap >= 300 * SECOND && gap < 301 * SECOND, "{gap:?}");
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_panicking_handler_loses_neither_the_message_nor_the_loop() {
    let stand = Stand::start(config(100), |queue| {
        queue.send("panic-once");
        queue.send("ack");
    });
    stand.emptied().await;
    assert_eq!(stand.handler.finished(), ["ack", "panic-once"]);
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_came_too_often_goes_to_poison() {
    let stand = Stand::start(config(100), |queue| {
        queue.send("retry");
    });
    stand.emptied().await;
    assert_eq!(stand.handler.starts_of("retry").len(), 10);
    assert_eq!(stand.handler.poisoned(), ["retry"]);
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_message_is_neither_deleted_nor_hastened() {
    let stand = Stand::start(config(100), |queue| {
        queue.send("dead");
    });
    stand.until("second delivery", |stand| stand.handler.starts_of("dead").len() == 2).await;
    let starts = stand.handler.starts_of("dead");
    assert!(starts[1] - starts[0] >= MINUTE, "it waits for its time-out");
    assert!(stand.queue.visibility_changes().is_empty());
    assert_eq!(stand.queue.len(), 1);
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_blocked_handler_is_asked_again_without_spending_a_receive() {
    let stand = Stand::start(config(100), |queue| {
        queue.send("blocked 50");
    });
    stand.emptied().await;
    assert_eq!(stand.handler.starts_of("blocked 50").len(), 51);
    assert!(stand.handler.poisoned().is_empty(), "an outage makes no poison");
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_delivery_is_handled_again_and_then_gone() {
    let stand = Stand::start(config(100), |queue| {
        queue.duplicate_next(1);
        queue.send("ack");
    });
    stand.emptied().await;
    assert_eq!(stand.handler.started(), ["ack", "ack"]);
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_handler_keeps_its_lease() {
    let stand = Stand::start(config(100), |queue| {
        queue.send("slow 600");
    });
    stand.emptied().await;
    assert_eq!(stand.handler.starts_of("slow 600").len(), 1, "nobody else got it meanwhile");
    assert!(stand.queue.visibility_changes().len() >= 10);
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_is_tried_again_in_time() {
    let stand = Stand::start(config(100), |queue| {
        queue.fail_visibility(10, QueueErrorKind::Unavailable);
        queue.send("slow 90");
    });
    stand.emptied().await;
    assert_eq!(stand.handler.starts_of("slow 90").len(), 1);
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_lease_cancels_the_handler() {
    let stand = Stand::start(config(100), |_| {});
    let id = stand.queue.send("until-lost");
    stand.until("start", |stand| !stand.handler.started().is_empty()).await;
    stand.poller.control().pause();
    stand.until("last receive", |stand| stand.queue.receives_now() == 0).await;
    stand.queue.take_away(&id);
    stand.until("loss", |stand| stand.handler.lost() == ["until-lost"]).await;
    stand.stop().await;
    assert_eq!(
        stand.queue.visibility_calls(),
        1,
        "the renewal that found out; what is not ours is not put back"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_cannot_be_renewed_is_given_up_at_its_deadline() {
    let stand = Stand::start(config(100), |queue| {
        queue.fail_visibility(10_000, QueueErrorKind::Unavailable);
        queue.send("until-lost");
    });
    stand.until("loss", |stand| !stand.handler.lost().is_empty()).await;
    let held = stand.handler.starts_of("until-lost")[0].elapsed();
    assert!(held <= MINUTE + 2 * SECOND, "{held:?}");
    stand.shutdown.stop_now();
    stand.ended().await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_ends_before_the_queue_would_end_it() {
    let stand = Stand::start(config(100), |queue| {
        queue.send("until-lost");
    });
    stand.until("loss", |stand| !stand.handler.lost().is_empty()).await;
    let held = stand.handler.starts_of("until-lost")[0].elapsed();
    assert!(held > Duration::from_hours(10) && held < Duration::from_hours(12), "{held:?}");
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_message_does_not_hold_up_the_others() {
    let stand = Stand::start(config(4), |queue| {
        queue.send("slow 3600");
        for number in 0..50 {
            queue.send(format!("ack {number}"));
        }
    });
    stand.until("the others", |stand| stand.queue.len() == 1).await;
    assert!(stand.handler.starts_of("slow 3600")[0].elapsed() < 10 * SECOND);
    stand.emptied().await;
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn messages_in_flight_show_in_the_health() {
    let stand = Stand::start(config(100), |queue| {
        queue.send("slow 100");
        queue.send("slow 100");
    });
    stand.until("start", |stand| stand.health.snapshot().in_flight == 2).await;
    pass(200 * SECOND).await;
    assert_eq!(stand.health.snapshot().in_flight, 0);
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_counted_from_the_start_of_its_receive() {
    let stand = Stand::start(config(100), |_| {});
    stand.until("long poll", |stand| stand.queue.receive_calls() == 2).await;
    pass(19 * SECOND).await;
    stand.queue.send("slow 100");
    pass(22 * SECOND).await;
    assert_eq!(stand.queue.visibility_changes().len(), 1, "renewed 40 s after the long poll began");
    stand.emptied().await;
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_hangs_does_not_hide_that_a_short_lease_is_over() {
    let short = PollerConfig { long_poll: SECOND, visibility: 5 * SECOND, ..config(100) };
    let stand = Stand::start(short, |queue| {
        queue.delay_changes(12 * SECOND);
        queue.send("until-lost");
    });
    stand.until("loss", |stand| !stand.handler.lost().is_empty()).await;
    let held = stand.handler.starts_of("until-lost")[0].elapsed();
    assert!(held <= Duration::from_millis(5_300), "{held:?}");
    stand.shutdown.stop_now();
    stand.ended().await;
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_hangs_leaves_time_for_another() {
    let short = PollerConfig { long_poll: SECOND, visibility: 5 * SECOND, ..config(100) };
    let stand = Stand::start(short, |queue| {
        queue.delay_changes(12 * SECOND);
        queue.send("slow 20");
    });
    pass(Duration::from_millis(3_800)).await;
    stand.queue.delay_changes(Duration::ZERO);
    stand.emptied().await;
    assert_eq!(stand.handler.starts_of("slow 20").len(), 1, "nobody else got it meanwhile");
    stand.stop().await;
}

#[tokio::test(start_paused = true)]
async fn blocked_messages_are_counted_while_they_wait() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let page = recorder.handle();
    let _counting = metrics::set_default_local_recorder(&recorder);
    let stand = Stand::start(config(100), |queue| {
        queue.send("blocked 20");
        queue.send("blocked 1000000");
        queue.send("slow 600");
    });
    stand.until("both blocked", |stand| stand.health.snapshot().blocked == 2).await;
    assert!(page.render().contains("stallkeeper_queue_blocked{queue=\"test\"} 2\n"), "{}", page.render());
    stand.until("one goes on", |stand| stand.queue.len() == 2).await;
    assert_eq!(stand.health.snapshot().blocked, 1);
    stand.shutdown.stop_now();
    stand.ended().await;
    assert_eq!(stand.health.snapshot().blocked, 0);
    assert!(page.render().contains("stallkeeper_queue_blocked{queue=\"test\"} 0\n"), "{}", page.render());
}
