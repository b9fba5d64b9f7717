//! Everything goes wrong at once: workers are killed, Postgres restarts, connections break, the clock jumps and
//! the queue misbehaves, while buyers act; then the outcome is held against the marketplace's books.
//!
//! What happens is seeded; when it happens follows from conditions, so that every kill meets work.

mod crew;
mod load;
mod outcome;
mod plan;
mod report;
mod run;
mod verdict;

pub use plan::Plan;
pub use report::Report;
pub use verdict::Verdict;

/// Does all that is planned on a Postgres, a simulator and workers of its own, and judges what came of it.
///
/// Call it in the body of a test or of `main`: what it starts ends with the thread that started it.
pub async fn run(plan: &Plan) -> Report {
    run::Run::start(plan).await.play().await
}
