//! The worker's clock beside a simulator's.
#![expect(clippy::unwrap_used, reason = "a broken set-up fails the test")]

use std::time::Duration;

use stallkeeper::config::Config;
use stallkeeper::simulated_clock::clock_of;
use stallkeeper_runtime::{Shutdown, SystemClock, Tasks, WallClock};
use stallkeeper_simulator::{Simulator, SimulatorConfig};
use time::Duration as Span;

fn config(url: &str) -> Config {
    Config::parse(Some(("it", &format!("simulator_url = \"{url}\"\n"))), []).unwrap()
}

fn ahead(clock: &dyn WallClock) -> Span {
    clock.now() - SystemClock.now()
}

#[tokio::test]
async fn a_move_is_answered_only_when_the_worker_has_followed() {
    let simulator = Simulator::start(SimulatorConfig::default()).await.unwrap();
    let (clock, follower) = clock_of(&config(simulator.url())).await.unwrap();
    let shutdown = Shutdown::new();
    let tasks = Tasks::new(shutdown.clone());
    tasks.spawn("clock", follower.unwrap().run(shutdown.soft.clone()));
    // Whoever has not asked yet is not waited for.
    simulator.market().advance(Duration::from_hours(1)).await.unwrap();
    let catching_up = async {
        while ahead(&*clock) < Span::minutes(59) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), catching_up).await.unwrap();
    for hours in 2..=20 {
        simulator.market().advance(Duration::from_hours(1)).await.unwrap();
        let ahead = ahead(&*clock);
        assert!((ahead - Span::hours(hours)).abs() < Span::minutes(1), "{ahead} after {hours} hours");
    }
    shutdown.stop_now();
    simulator.stop().await;
}

#[tokio::test]
async fn a_worker_that_starts_later_has_the_time_at_once() {
    let simulator = Simulator::start(SimulatorConfig::default()).await.unwrap();
    simulator.market().advance(Duration::from_hours(5)).await.unwrap();
    let (clock, _) = clock_of(&config(simulator.url())).await.unwrap();
    assert!(ahead(&*clock) > Span::hours(4));
    simulator.stop().await;
}

#[tokio::test]
async fn without_a_simulator_it_is_the_machines_clock() {
    let (clock, follower) = clock_of(&Config::parse(None, []).unwrap()).await.unwrap();
    assert!(follower.is_none());
    assert!(ahead(&*clock).abs() < Span::seconds(5));
}

#[tokio::test]
async fn a_simulator_that_is_not_there_is_named() {
    let error = clock_of(&config("http://127.0.0.1:1")).await.unwrap_err();
    let words = format!("{error:#}");
    assert!(words.contains("simulator_url: http://127.0.0.1:1/control/clock cannot be read"), "{words}");
}
