//! `stallkeeper doctor`

use std::io::Write;

use clap::Args;
use stallkeeper_lifecycle::Timestamp;

use crate::config::Config;
use crate::doctor::{self, Report, Status};

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Print JSON: {ok, checks: [{check, status, found, remedy}]}; status is ok, warning or failure.
    #[arg(long)]
    json: bool,
}

/// Looks at everything that the worker stands on and changes nothing.
///
/// # Errors
/// When a check failed, with the names of those that did.
pub async fn run(
    args: DoctorArgs,
    config: &Config,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    // Boxed: the SDK's futures are too large for the stack.
    let findings = Box::pin(doctor::look(config, now)).await;
    let report = doctor::examine(&findings, now);
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &report)?;
        writeln!(out)?;
    } else {
        print(&report, out)?;
    }
    out.flush()?;
    report.failed().map_or(Ok(()), |failed| Err(anyhow::Error::msg(failed)))
}

/// One line for what was found, and one below it for what to do: ARNs are too long for more columns.
fn print(report: &Report, out: &mut impl Write) -> std::io::Result<()> {
    let width = report.checks().iter().map(|check| check.name().chars().count()).max().unwrap_or_default();
    for check in report.checks() {
        let mark = match check.status() {
            Status::Ok => '✓',
            Status::Warning => '!',
            Status::Failure => '✗',
        };
        writeln!(out, "{mark} {:width$}  {}", check.name(), check.found())?;
        if let Some(remedy) = check.remedy() {
            writeln!(out, "  {:width$}  → {remedy}", "")?;
        }
    }
    Ok(())
}
