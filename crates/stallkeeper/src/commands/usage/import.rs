mod fields;
mod lines;
mod tally;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use stallkeeper_ledger::Submission;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::usage::{Taken, take_in, try_in};
use stallkeeper_persistence::{Store, StoreError};
use stallkeeper_runtime::WallClock;

use self::lines::{Line, lines};
use self::tally::Tally;
use super::{CONFLICTS_MAX, is_conflict};
use crate::config::Config;

/// How many events one transaction takes.
const BATCH_MAX: usize = 1_000;

/// Arguments of `usage import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The file; `-` for standard input.
    file: PathBuf,
    /// Its form; by its name's ending where it is not set.
    #[arg(long)]
    format: Option<Format>,
    /// Only say what would become of it.
    #[arg(long)]
    dry_run: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// How events are written in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Columns id, tenant, product, dimension, quantity, `occurred_at`, and if need be user and subscription.
    Csv,
    /// One JSON object a line, as the API takes them.
    Jsonl,
}

/// Whether anything is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Take,
    Try,
}

pub(super) async fn run(
    args: &ImportArgs,
    config: &Config,
    store: &Arc<dyn Store>,
    clock: &dyn WallClock,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let format = args.format.or_else(|| by_ending(&args.file));
    let format =
        format.context("the file's name does not say its form; give --format csv or --format jsonl")?;
    let mode = if args.dry_run { Mode::Try } else { Mode::Take };
    let mut importer = Importer { config, store, clock, mode, tally: Tally::default(), bar: bar()? };
    let ended = importer.import(lines(format, open(&args.file)?)?).await;
    importer.bar.finish_and_clear();
    // What was taken in before a failure is told all the same.
    importer.tally.print(mode, args.json, out)?;
    ended.context("the rest of the file was not looked at; it is safe to import all of it again")?;
    match importer.tally.refused {
        0 => Ok(()),
        refused => bail!("{refused} of {} events are refused", importer.tally.all()),
    }
}

fn by_ending(file: &Path) -> Option<Format> {
    match file.extension()?.to_str()? {
        "csv" => Some(Format::Csv),
        "jsonl" | "ndjson" => Some(Format::Jsonl),
        _ => None,
    }
}

fn open(file: &Path) -> anyhow::Result<Box<dyn Read>> {
    if file == Path::new("-") {
        return Ok(Box::new(io::stdin()));
    }
    let opened = File::open(file).with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(Box::new(opened))
}

/// Shown on a terminal only.
fn bar() -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{spinner} {pos} events, {per_sec}, {elapsed}")?;
    Ok(ProgressBar::no_length().with_style(style))
}

struct Importer<'a> {
    config: &'a Config,
    store: &'a Arc<dyn Store>,
    clock: &'a dyn WallClock,
    mode: Mode,
    tally: Tally,
    bar: ProgressBar,
}

impl Importer<'_> {
    async fn import(&mut self, lines: impl Iterator<Item = io::Result<Line>>) -> anyhow::Result<()> {
        let (mut numbers, mut batch) = (Vec::new(), Vec::new());
        for line in lines {
            let Line { number, submission } = line?;
            match submission {
                Ok(submission) => {
                    numbers.push(number);
                    batch.push(submission);
                }
                Err(unreadable) => self.tally.refuse(number, unreadable.id, "unreadable", unreadable.why),
            }
            if batch.len() >= BATCH_MAX {
                self.take(&numbers, &batch).await?;
                (numbers, batch) = (Vec::new(), Vec::new());
            }
        }
        if !batch.is_empty() {
            self.take(&numbers, &batch).await?;
        }
        Ok(())
    }

    async fn take(&mut self, numbers: &[u64], batch: &[Submission]) -> anyhow::Result<()> {
        let taken = self.take_in(batch).await?;
        for ((number, submission), taken) in numbers.iter().zip(batch).zip(taken) {
            self.tally.count(*number, submission, taken);
        }
        self.bar.inc(u64::try_from(batch.len())?);
        Ok(())
    }

    async fn take_in(&self, batch: &[Submission]) -> Result<Vec<Taken>, StoreError> {
        let mut conflicts = 0;
        loop {
            let now = Timestamp::from(self.clock.now());
            let taken = match self.mode {
                Mode::Take => take_in(&**self.store, batch, now, self.config).await,
                Mode::Try => try_in(&**self.store, batch, now, self.config).await,
            };
            match taken {
                Err(error) if is_conflict(&error) && conflicts < CONFLICTS_MAX => conflicts += 1,
                ended => return ended,
            }
        }
    }
}
