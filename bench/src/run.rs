use std::time::Duration;

use tokio::time::Instant;

use crate::numbers::{median, number};
use crate::process::Process;
use crate::report::Row;
use crate::server::Server;
use crate::simulator::Simulator;

/// One timed emptying of the queue, from the start of the process that does it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Run {
    /// How many were taken in.
    pub(crate) items: u64,
    pub(crate) took: Duration,
    /// Of the process.
    pub(crate) cpu: Duration,
    /// Of Postgres, where it takes part.
    pub(crate) server_cpu: Option<Duration>,
}

impl Run {
    /// Starts the process and lets it empty the queue of all that it holds.
    pub(crate) async fn timed(
        simulator: &Simulator,
        server: Option<&Server>,
        start: impl FnOnce() -> anyhow::Result<Process>,
    ) -> anyhow::Result<Self> {
        let items = simulator.depth().await?.total();
        let server_before = server.map(Server::cpu).transpose()?;
        let started = Instant::now();
        let mut process = start()?;
        simulator.deleted(items, &mut process).await?;
        let took = started.elapsed();
        let cpu = process.cpu()?;
        let server_after = server.map(Server::cpu).transpose()?;
        process.stop().await?;
        let server_cpu = server_after.zip(server_before).map(|(after, before)| after.saturating_sub(before));
        Ok(Self { items, took, cpu, server_cpu })
    }

    /// How many a second.
    pub(crate) fn per_sec(&self) -> f64 {
        number(self.items) / self.took.as_secs_f64()
    }

    fn cpu_micros(&self) -> f64 {
        self.micros_each(self.cpu)
    }

    fn micros_each(&self, time: Duration) -> f64 {
        time.as_secs_f64() * 1e6 / number(self.items)
    }
}

/// The same several times.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runs(Vec<Run>);

impl Runs {
    pub(crate) fn push(&mut self, run: Run) {
        self.0.push(run);
    }

    pub(crate) fn per_sec(&self) -> f64 {
        median(self.0.iter().map(Run::per_sec)).unwrap_or_default()
    }

    /// Its line of the table.
    pub(crate) fn row(&self, what: &str) -> Row {
        let server = |run: &Run| run.server_cpu.map(|time| run.micros_each(time));
        Row {
            cpu_micros: median(self.0.iter().map(Run::cpu_micros)),
            server_cpu_micros: median(self.0.iter().filter_map(server)),
            ..Row::new(what, self.per_sec(), "a second")
                .with_rounds(self.0.iter().map(Run::per_sec).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(took_ms: u64) -> Run {
        Run {
            items: 1_000,
            took: Duration::from_millis(took_ms),
            cpu: Duration::from_millis(50),
            server_cpu: Some(Duration::from_millis(20)),
        }
    }

    #[test]
    fn a_line_shows_the_median_rate_and_what_each_notification_cost() {
        let mut runs = Runs::default();
        for took_ms in [500, 100, 200] {
            runs.push(run(took_ms));
        }
        let row = runs.row("worker");
        assert_eq!(Some(row.value), Some(5_000.0));
        assert_eq!((row.cpu_micros, row.server_cpu_micros), (Some(50.0), Some(20.0)));
        assert_eq!(row.rounds, [2_000.0, 10_000.0, 5_000.0]);
    }

    #[test]
    fn a_run_without_postgres_shows_none_of_its_time() {
        let mut runs = Runs::default();
        runs.push(Run { server_cpu: None, ..run(100) });
        assert_eq!(runs.row("drain").server_cpu_micros, None);
    }
}
