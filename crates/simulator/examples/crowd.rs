//! Lets a crowd come and tells how fast it is: `cargo run --release -p stallkeeper-simulator --example crowd`.

use std::time::Instant;

use stallkeeper_simulator::{CrowdPlan, Simulator, SimulatorConfig};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let simulator = Simulator::start(SimulatorConfig::default()).await?;
    for span_secs in [None, Some(86_400)] {
        let started = Instant::now();
        simulator.start_crowd(CrowdPlan { span_secs, ..CrowdPlan::new(20_000, 7) })?;
        simulator.market().crowd_done().await;
        let took = started.elapsed();
        let per_sec = 20_000.0 / took.as_secs_f64();
        let books = simulator.market().books().len();
        println!(
            "20000 notifications in {took:.1?}: {per_sec:.0}/s, {books} subscriptions, span {span_secs:?}"
        );
    }
    simulator.stop().await;
    Ok(())
}
