//! The `stallkeeper` command.

use std::process::ExitCode;

use clap::Parser;
use stallkeeper::cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    match runtime.block_on(cli.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

#[expect(clippy::print_stderr, reason = "the one line that says why a command failed")]
fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("stallkeeper: {error:#}");
    ExitCode::FAILURE
}
