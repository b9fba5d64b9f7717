//! A short run of what `cargo xtask chaos` does at length.

use stallkeeper_tests::chaos::{self, Plan};

#[tokio::test]
async fn nothing_is_lost_or_applied_twice_and_every_view_equals_the_books_whatever_goes_wrong() {
    let plan = Plan { notifications: 2_000, kills: 6, restarts: 1, workers: 2, seed: 1 };
    let report = chaos::run(&plan).await;
    assert!(report.passed(), "\n{report}");
}
