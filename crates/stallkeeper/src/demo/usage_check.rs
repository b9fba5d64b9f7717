//! Holds what the ledger came to against the marketplace's bill, and against what the script had reported.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use stallkeeper_ledger::Hour;

use super::app::Used;
use super::timeline::hour_and_minute;
use super::units::Units;

/// What is billed once: a dimension's usage of one subscription in one hour.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// The subscription's key.
    pub subscription: String,
    /// What was used.
    pub dimension: String,
    /// When.
    pub hour: Hour,
}

/// A subscription's key and a dimension.
pub(super) type Line = (String, String);

/// Usage that is lost, or is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The subscription's key.
    pub subscription: String,
    /// What was used.
    pub dimension: String,
    /// The app's id of it, where it was lost by itself.
    pub id: Option<String>,
    /// How much.
    pub units: Units,
    /// Why.
    pub reason: String,
}

/// Everything that is known of usage, from all sides.
#[derive(Clone, Debug, Default)]
pub struct UsageBooks {
    /// Whose each subscription is.
    pub buyers: BTreeMap<String, String>,
    /// What the app reported.
    pub reported: Vec<Used>,
    /// What of it was reported so that it had to be lost.
    pub planted: Vec<Lost>,
    /// What the ledger has taken in.
    pub recorded: BTreeMap<Line, Units>,
    /// What it holds to be billed.
    pub billed: BTreeMap<Cell, Units>,
    /// What it has still to bill.
    pub pending: BTreeMap<Line, Units>,
    /// What it lists as lost.
    pub lost: Vec<Lost>,
    /// What the marketplace bills.
    pub bill: BTreeMap<Cell, Units>,
}

/// What one buyer used of one dimension, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UsageRow {
    /// Who.
    pub buyer: String,
    /// Of what.
    pub dimension: String,
    /// How much.
    pub recorded: Units,
    /// What of it is billed.
    pub billed: Units,
    /// What is still to be billed.
    pub pending: Units,
    /// What is lost.
    pub lost: Units,
    /// What the marketplace bills.
    pub marketplace_billed: Units,
    /// Why it is lost.
    pub why: BTreeSet<String>,
}

/// What all usage comes to, in units of all dimensions together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// What was reported and taken in.
    pub recorded: Units,
    /// What of it is billed.
    pub billed: Units,
    /// What is still to be billed.
    pub pending: Units,
    /// What is lost.
    pub lost: Units,
    /// What was to be lost.
    pub planted_lost: Units,
    /// What the marketplace bills.
    pub marketplace_billed: Units,
    /// The same by buyer and dimension.
    pub buyers: Vec<UsageRow>,
}

impl UsageBooks {
    /// What it comes to.
    pub fn usage(&self) -> Usage {
        let buyers = self.rows();
        let all = |of: fn(&UsageRow) -> Units| buyers.iter().map(of).sum();
        Usage {
            recorded: all(|row| row.recorded),
            billed: all(|row| row.billed),
            pending: all(|row| row.pending),
            lost: all(|row| row.lost),
            planted_lost: self.planted.iter().map(|lost| lost.units).sum(),
            marketplace_billed: all(|row| row.marketplace_billed),
            buyers,
        }
    }

    /// Whatever is not as it must be, in words: each unit is billed once, or is lost as planned.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.differs_from_the_bill();
        problems.extend(self.does_not_add_up());
        problems.extend(self.differs_from_the_script());
        problems.extend(self.is_left());
        problems.extend(self.loses_otherwise());
        problems
    }

    fn differs_from_the_bill(&self) -> Vec<String> {
        let cells: BTreeSet<&Cell> = self.billed.keys().chain(self.bill.keys()).collect();
        let differ = cells.into_iter().filter_map(|cell| {
            let (ours, theirs) = (self.billed.get(cell), self.bill.get(cell));
            let words = |units: Option<&Units>| units.map_or("nothing".to_owned(), Units::to_string);
            (ours != theirs).then(|| {
                format!(
                    "{}, {} in the hour from {}: the marketplace bills {}, and the worker holds {} to be billed",
                    self.name(&cell.subscription),
                    cell.dimension,
                    hour_and_minute(&cell.hour.to_string()),
                    words(theirs),
                    words(ours)
                )
            })
        });
        differ.collect()
    }

    fn does_not_add_up(&self) -> Vec<String> {
        let differ = self.lines().into_iter().filter_map(|line| {
            let [recorded, billed, pending, lost] = self.sums(&line);
            let sum = billed.plus(pending).plus(lost);
            (recorded != sum).then(|| {
                format!(
                    "{}, {}: {recorded} were taken in, but {billed} billed, {pending} pending and {lost} lost are {sum}",
                    self.name(&line.0),
                    line.1
                )
            })
        });
        differ.collect()
    }

    fn differs_from_the_script(&self) -> Vec<String> {
        let mut reported: BTreeMap<(&str, &str), Units> = BTreeMap::new();
        for used in &self.reported {
            let sum = reported.entry((&used.buyer, &used.dimension)).or_default();
            *sum = sum.plus(used.units);
        }
        let mut recorded: BTreeMap<(&str, &str), Units> = BTreeMap::new();
        for ((subscription, dimension), units) in &self.recorded {
            let sum = recorded.entry((self.name(subscription), dimension)).or_default();
            *sum = sum.plus(*units);
        }
        recorded.retain(|_, units| !units.is_zero());
        let lines: BTreeSet<_> = reported.keys().chain(recorded.keys()).copied().collect();
        let differ = lines.into_iter().filter_map(|line| {
            let of = |sums: &BTreeMap<_, Units>| sums.get(&line).copied().unwrap_or_default();
            let (used, taken) = (of(&reported), of(&recorded));
            (used != taken).then(|| {
                format!("{}, {}: the app reported {used}, and {taken} were taken in", line.0, line.1)
            })
        });
        differ.collect()
    }

    fn is_left(&self) -> Vec<String> {
        let left = self.pending.iter().filter(|(_, units)| !units.is_zero());
        left.map(|((subscription, dimension), units)| {
            format!("{}, {dimension}: {units} are still to be billed", self.name(subscription))
        })
        .collect()
    }

    /// Each side's losses without their match on the other.
    fn loses_otherwise(&self) -> Vec<String> {
        let (mut listed, mut problems) = (self.lost.clone(), Vec::new());
        for planted in &self.planted {
            match listed.iter().position(|lost| lost == planted) {
                Some(place) => {
                    listed.swap_remove(place);
                }
                None => problems.push(format!("{} had to be listed as lost, and is not", self.loss(planted))),
            }
        }
        problems
            .extend(listed.iter().map(|lost| format!("{} is lost, and nobody planned it", self.loss(lost))));
        problems
    }

    fn loss(&self, lost: &Lost) -> String {
        let id = lost.id.as_ref().map(|id| format!(" ({id})")).unwrap_or_default();
        format!(
            "{}, {}: {}{id} as {}",
            self.name(&lost.subscription),
            lost.dimension,
            lost.units,
            lost.reason
        )
    }

    fn rows(&self) -> Vec<UsageRow> {
        let mut rows: BTreeMap<(String, String), UsageRow> = BTreeMap::new();
        for line in self.lines() {
            let [recorded, billed, pending, lost] = self.sums(&line);
            let name = (self.name(&line.0).to_owned(), line.1.clone());
            let row = rows.entry(name.clone()).or_default();
            (row.buyer, row.dimension) = name;
            row.recorded = row.recorded.plus(recorded);
            row.billed = row.billed.plus(billed);
            row.pending = row.pending.plus(pending);
            row.lost = row.lost.plus(lost);
            row.marketplace_billed = row.marketplace_billed.plus(sum_of(&self.bill, &line));
            row.why.extend(self.lost_of(&line).map(|lost| lost.reason.clone()));
        }
        // Hours in which nobody used anything are no row.
        let is_something = |row: &UsageRow| {
            [row.recorded, row.billed, row.pending, row.lost, row.marketplace_billed]
                .into_iter()
                .any(|units| !units.is_zero())
        };
        rows.into_values().filter(is_something).collect()
    }

    fn lines(&self) -> BTreeSet<Line> {
        let cells = self.billed.keys().chain(self.bill.keys());
        let billed = cells.map(|cell| (cell.subscription.clone(), cell.dimension.clone()));
        let lost = self.lost.iter().map(|lost| (lost.subscription.clone(), lost.dimension.clone()));
        let kept = self.recorded.keys().chain(self.pending.keys()).cloned();
        billed.chain(lost).chain(kept).collect()
    }

    /// What is recorded, billed, pending and lost.
    fn sums(&self, line: &Line) -> [Units; 4] {
        let recorded = self.recorded.get(line).copied().unwrap_or_default();
        let pending = self.pending.get(line).copied().unwrap_or_default();
        [recorded, sum_of(&self.billed, line), pending, self.lost_of(line).map(|lost| lost.units).sum()]
    }

    fn lost_of(&self, line: &Line) -> impl Iterator<Item = &Lost> {
        self.lost.iter().filter(move |lost| (&lost.subscription, &lost.dimension) == (&line.0, &line.1))
    }

    /// The buyer's name; the subscription's key where it is nobody's.
    fn name<'a>(&'a self, subscription: &'a str) -> &'a str {
        self.buyers.get(subscription).map_or(subscription, String::as_str)
    }
}

fn sum_of(cells: &BTreeMap<Cell, Units>, line: &Line) -> Units {
    let of_line =
        cells.iter().filter(|(cell, _)| (&cell.subscription, &cell.dimension) == (&line.0, &line.1));
    of_line.map(|(_, units)| *units).sum()
}
