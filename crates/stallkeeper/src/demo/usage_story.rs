//! What buyers use, and how it is billed: the usage part of the story's lines.

use std::time::Duration;

use anyhow::ensure;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_simulator::{BillEntry, Entry, Standing};
use time::OffsetDateTime;

use super::app::{Answer, Used};
use super::check::key;
use super::story::Story;
use super::timeline::{Said, hour_and_minute};
use super::units::Units;
use super::usage_check::{Lost, UsageBooks};
use super::{Mismatch, Stage};

/// How often the clock is moved on at the most until nothing is pending.
const ROUNDS_MAX: usize = 3;
/// Behind every hour's end and every window's.
const ROUND: Duration = Duration::from_mins(70);

/// What is used at once: dimensions and decimal quantities.
type Quantities<'a> = &'a [(&'a str, &'a str)];

impl Story<'_, '_> {
    /// A buyer uses something, and its app reports that at once.
    pub(super) async fn uses(
        &mut self,
        buyer: &str,
        product: &str,
        quantities: Quantities<'_>,
    ) -> anyhow::Result<Vec<Used>> {
        let used = self.used(buyer, product, quantities, self.stage.now())?;
        let answers = self.stage.app().report(&used).await?;
        let what = format!("uses {}", in_words(used.iter().map(|used| (&*used.dimension, used.units))));
        self.answered(buyer, &what, &answers, |answer| answer.status == "counted", "counted")?;
        Ok(used)
    }

    /// The app does not know whether its report came through, and sends it again.
    pub(super) async fn reports_again(&mut self, used: &[Used]) -> anyhow::Result<()> {
        let buyer = used.first().map(|used| used.buyer.clone()).unwrap_or_default();
        let answers = self.stage.app().report_again(used).await?;
        let what = "its app sends that again, as the first answer was lost";
        self.answered(&buyer, what, &answers, |answer| answer.status == "known", "known")
    }

    /// One unit is reported when no window is open for it any more.
    pub(super) async fn reports_too_late(
        &mut self,
        entry: &Entry,
        product: &str,
        dimension: &str,
        at: Timestamp,
    ) -> anyhow::Result<()> {
        let used = self.used(&entry.buyer, product, &[(dimension, "1")], at)?;
        for used in &used {
            self.stage.plant(Lost {
                subscription: key(entry),
                dimension: used.dimension.clone(),
                id: Some(used.id.clone()),
                units: used.units,
                reason: "window_closed".to_owned(),
            });
        }
        let answers = self.stage.app().report(&used).await?;
        let is_lost = |answer: &Answer| answer.reason.as_deref() == Some("window_closed");
        let what = "its app finds 1 more of its requests, too late";
        self.answered(&entry.buyer, what, &answers, is_lost, "lost: window_closed")
    }

    /// The app says that it has reported everything that all buyers of a product used so far.
    pub(super) async fn hour_is_complete(&mut self, product: &str) -> anyhow::Result<()> {
        self.stage.app().complete(product, None, self.stage.now()).await?;
        self.stage.metered().await?;
        Ok(self
            .timeline
            .note(&format!("— the app of {product} says that its usage until now is complete —"))?)
    }

    /// Shows what the marketplace bills a buyer for the hour in which a moment lies.
    pub(super) fn billed(
        &mut self,
        buyer: &str,
        what: &str,
        at: Timestamp,
        quantities: Quantities<'_>,
    ) -> anyhow::Result<()> {
        let bill = self.stage.simulator().metering().bill_of_buyer(buyer);
        let hour = stallkeeper_ledger::Hour::of(at).start();
        let of_hour = bill.iter().filter(|entry| Timestamp::from(entry.hour) == hour);
        let words = of_bill(of_hour);
        let what = format!("{what} {}", hour_and_minute(&hour.to_string()));
        self.said(
            buyer,
            &what,
            words,
            in_words(parsed(quantities)?.iter().map(|(name, units)| (*name, *units))),
        )
    }

    /// The app of a buyer who leaves says that its usage is complete, and the final hour goes out.
    pub(super) async fn final_hour(
        &mut self,
        entry: &Entry,
        product: &str,
        quantities: Quantities<'_>,
    ) -> anyhow::Result<()> {
        let (buyer, before) = (&entry.buyer, self.bill_of(entry).len());
        self.stage.app().complete(product, Some(buyer), self.stage.now()).await?;
        self.stage.metered().await?;
        let bill = self.bill_of(entry);
        let fresh = bill.get(before..).unwrap_or_default();
        let expected = in_words(parsed(quantities)?.iter().map(|(name, units)| (*name, *units)));
        let what = "its app says that this was all, and the final hour goes out";
        self.said(buyer, what, of_bill(fresh.iter()), expected)?;
        let Some(last) = fresh.iter().map(|record| record.taken_at).max() else { return Ok(()) };
        let deadline = deadline(self.stage, entry)?;
        let early = (deadline - last).whole_minutes();
        let note = format!(
            "billed at {}, {early} minutes before the window ends at {}",
            clock(last),
            clock(deadline)
        );
        Ok(self.timeline.note(&note)?)
    }

    /// Shows whom the bill names where a license is metered.
    pub(super) fn identities(&mut self, entry: &Entry) -> anyhow::Result<()> {
        let bill = self.bill_of(entry);
        let Some(last) = bill.last() else { return Ok(()) };
        let license = last.subscription.rsplit('/').next().unwrap_or_default();
        Ok(self.timeline.note(&format!("billed under license {license} of account {}", last.account))?)
    }

    fn bill_of(&self, entry: &Entry) -> Vec<BillEntry> {
        self.stage.simulator().metering().bill_of(&entry.id)
    }

    fn used(
        &self,
        buyer: &str,
        product: &str,
        quantities: Quantities<'_>,
        at: Timestamp,
    ) -> anyhow::Result<Vec<Used>> {
        let known = self.stage.app().reported().len();
        let used =
            parsed(quantities)?.into_iter().zip(known + 1..).map(|((dimension, units), number)| Used {
                id: format!("{buyer}-{number}"),
                buyer: buyer.to_owned(),
                product: product.to_owned(),
                subscription: None,
                dimension: dimension.to_owned(),
                units,
                at,
            });
        Ok(used.collect())
    }

    fn answered(
        &mut self,
        buyer: &str,
        what: &str,
        answers: &[Answer],
        is_right: impl Fn(&Answer) -> bool,
        expected: &str,
    ) -> anyhow::Result<()> {
        let odd = answers.iter().find(|answer| !is_right(answer));
        match (odd, answers.first()) {
            (Some(odd), _) => self.said(buyer, what, odd.in_words(), expected.to_owned()),
            (None, Some(first)) => self.said(buyer, what, first.in_words(), first.in_words()),
            (None, None) => Ok(()),
        }
    }

    /// Shows what is said of a buyer's usage, and keeps it where it is not what it should be.
    fn said(&mut self, buyer: &str, what: &str, words: String, expected: String) -> anyhow::Result<()> {
        let said = if words == expected {
            Said::Right(words)
        } else {
            self.mismatches.push(Mismatch {
                subscription: format!("{buyer}, {what}"),
                books: expected.clone(),
                worker: words.clone(),
            });
            Said::Wrong { words, but: expected }
        };
        Ok(self.timeline.usage(self.stage.now(), buyer, what, &said)?)
    }
}

/// Moves the clock on until nothing is pending; what is, after a few hours, stays so. Gives all that is known of usage.
///
/// # Errors
/// When a part fails.
pub async fn wind_down(stage: &Stage) -> anyhow::Result<UsageBooks> {
    for _ in 0..ROUNDS_MAX {
        stage.metered().await?;
        let books = stage.usage_books().await?;
        if books.pending.values().all(|units| units.is_zero()) {
            return Ok(books);
        }
        stage.simulator().market().advance(ROUND).await?;
        stage.settle().await?;
        for product in stage.simulator().market().products() {
            stage.app().complete(&product.key, None, stage.now()).await?;
        }
    }
    stage.metered().await?;
    stage.usage_books().await
}

fn deadline(stage: &Stage, entry: &Entry) -> anyhow::Result<OffsetDateTime> {
    let books = stage.simulator().market().books_of(&entry.buyer);
    let standing = books.iter().find(|listed| listed.id == entry.id).map(|listed| listed.standing);
    let Some(Standing::Ending { deadline }) = standing else {
        anyhow::bail!("{} does not leave, by the books", entry.buyer)
    };
    Ok(deadline)
}

fn parsed<'a>(quantities: Quantities<'a>) -> anyhow::Result<Vec<(&'a str, Units)>> {
    ensure!(!quantities.is_empty(), "nothing is used");
    let parse = |(name, text): &(&'a str, &str)| Ok((*name, Units::parse(text)?));
    quantities.iter().map(parse).collect()
}

/// What is billed, without hours in which nothing was used.
fn of_bill<'a>(bill: impl Iterator<Item = &'a BillEntry>) -> String {
    let mut used: Vec<(&str, Units)> = bill
        .filter(|entry| entry.quantity > 0)
        .map(|entry| (entry.dimension.as_str(), Units::of_whole(entry.quantity)))
        .collect();
    used.sort_by_key(|(dimension, _)| *dimension);
    in_words(used.into_iter())
}

/// `120 requests, 1.25 storage`
fn in_words<'a>(quantities: impl Iterator<Item = (&'a str, Units)>) -> String {
    let words: Vec<String> = quantities.map(|(name, units)| format!("{units} {name}")).collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

fn clock(time: OffsetDateTime) -> String {
    hour_and_minute(&Timestamp::from(time).to_string())
}
