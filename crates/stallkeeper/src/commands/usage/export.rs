mod entry;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde::Serialize;
use stallkeeper_ledger::{Hour, Month};
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_persistence::usage::{RecordFilter, RecordLine};
use stallkeeper_persistence::{PAGE_MAX, Page, Store};

use self::entry::{Counts, Entry};
use super::list::known;
use crate::table::Rfc3339;

/// How many records are read at once: each may have been sent many times.
const RECORDS_PAGE: u32 = 100;

/// How many attempts are read at once.
const ATTEMPTS_PAGE: usize = 1_000;

/// Arguments of `usage export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The subscription, as `marketplace/product/kind/id`.
    key: SubscriptionKey,
    /// The month of UTC in which it was used.
    #[arg(long, value_parser = month, value_name = "YYYY-MM")]
    month: Month,
    /// A new file to be written; standard output where it is not set.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

fn month(text: &str) -> Result<Month, String> {
    let parts = text.split_once('-').filter(|(year, month)| year.len() == 4 && month.len() == 2);
    let month = parts.and_then(|(year, month)| Month::new(year.parse().ok()?, month.parse().ok()?));
    month.ok_or_else(|| "expected a month such as 2026-12".to_owned())
}

pub(super) async fn run(
    args: &ExportArgs,
    store: &dyn Store,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    known(store, &args.key).await?;
    let Some(path) = &args.out else {
        Export::new(args, store, out).write(now).await?;
        return Ok(());
    };
    // Evidence is never written over.
    let file = File::create_new(path).with_context(|| format!("{} cannot be made", path.display()))?;
    let mut file = BufWriter::new(file);
    let counts = Export::new(args, store, &mut file).write(now).await?;
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    writeln!(
        out,
        "{}: {} events, {} records, {} attempts, {} losses",
        path.display(),
        counts.events,
        counts.records,
        counts.attempts,
        counts.losses
    )?;
    Ok(())
}

/// A document of JSON lines while it is written.
struct Export<'a, W> {
    key: &'a SubscriptionKey,
    month: Month,
    store: &'a dyn Store,
    out: &'a mut W,
    counts: Counts,
}

impl<'a, W: Write> Export<'a, W> {
    fn new(args: &'a ExportArgs, store: &'a dyn Store, out: &'a mut W) -> Self {
        Self { key: &args.key, month: args.month, store, out, counts: Counts::default() }
    }

    /// Writes the whole document; the last line tells that nothing is missing.
    async fn write(mut self, now: Timestamp) -> anyhow::Result<Counts> {
        self.line(&Entry::Export {
            subscription: self.key.to_string(),
            month: self.month.to_string(),
            exported_at: Rfc3339(now),
            version: env!("CARGO_PKG_VERSION"),
        })?;
        self.events().await?;
        self.records().await?;
        self.losses().await?;
        self.line(&Entry::End(self.counts))?;
        Ok(self.counts)
    }

    async fn events(&mut self) -> anyhow::Result<()> {
        let mut page = Page::first(PAGE_MAX);
        loop {
            let found = self.store.usage_events(&self.filter(), &page).await?;
            let Some(last) = found.last() else { return Ok(()) };
            page.after = Some(last.number);
            for event in &found {
                self.counts.events += 1;
                self.line(&Entry::event(event))?;
            }
        }
    }

    async fn records(&mut self) -> anyhow::Result<()> {
        let mut page = Page::first(RECORDS_PAGE);
        // One attempt carries several records, and is told once.
        let mut told = BTreeSet::new();
        loop {
            let found = self.store.usage_records(&self.filter(), &page).await?;
            let Some(last) = found.last() else { return Ok(()) };
            page.after = Some((last.record.key.hour.number(), last.number));
            for record in &found {
                self.counts.records += 1;
                self.line(&Entry::record(record)?)?;
            }
            self.attempts(&found, &mut told).await?;
        }
    }

    async fn attempts(&mut self, records: &[RecordLine], told: &mut BTreeSet<i64>) -> anyhow::Result<()> {
        let numbers = records.iter().flat_map(|line| line.record.sending.attempts.iter().copied());
        let fresh: BTreeSet<i64> = numbers.filter(|number| !told.contains(number)).collect();
        let numbers: Vec<i64> = fresh.iter().copied().collect();
        for numbers in numbers.chunks(ATTEMPTS_PAGE) {
            for attempt in self.store.attempts(numbers).await? {
                self.counts.attempts += 1;
                self.line(&Entry::attempt(&attempt))?;
            }
        }
        told.extend(fresh);
        Ok(())
    }

    async fn losses(&mut self) -> anyhow::Result<()> {
        let (first, end) = self.hours();
        let mut page = Page::first(PAGE_MAX);
        loop {
            let found = self.store.losses(Some(self.key), &page).await?;
            let Some(last) = found.last() else { return Ok(()) };
            page.after = Some(last.number);
            for loss in found.iter().filter(|line| (first..end).contains(&line.loss.hour)) {
                self.counts.losses += 1;
                self.line(&Entry::loss(loss))?;
            }
        }
    }

    fn filter(&self) -> RecordFilter {
        let (from, to) = self.hours();
        RecordFilter { subscription: self.key.clone(), from, to }
    }

    fn hours(&self) -> (Hour, Hour) {
        (Hour::of(self.month.start()), Hour::of(self.month.next().start()))
    }

    fn line(&mut self, entry: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut *self.out, entry)?;
        writeln!(self.out)
    }
}
