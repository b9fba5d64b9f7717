//! Usage per hour as bars: what is billed, what is pending, what is lost.

use std::collections::BTreeMap;

use stallkeeper_ledger::{ApiDimension, Hour, MeterTerms, RecordState};
use stallkeeper_persistence::usage::{LossLine, RecordLine};

use super::amount::Amount;
use super::words::hour;
use crate::usage::name_of;

/// How many hours one plot shows.
pub(super) const HOURS: i64 = 48;

/// How many dimensions are drawn; the table of records has all of them.
const PLOTS_MAX: usize = 8;

/// The drawing's height, in its own units; one hour is [`SLOT`] wide.
const HEIGHT: f64 = 100.0;
const SLOT: f64 = 10.0;
/// Blank on each side of a bar.
const GAP: f64 = 1.2;
/// The least that can be seen.
const HEIGHT_MIN: f64 = 1.5;

/// The hours of a plot: from the first to the one before the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: Hour,
    pub(super) to: Hour,
}

impl Span {
    /// The hours that end before `to`.
    pub(super) fn until(to: Hour) -> Self {
        Self { from: Hour::new(to.number().saturating_sub(HOURS)), to }
    }

    fn hours(self) -> impl Iterator<Item = Hour> {
        (self.from.number()..self.to.number()).map(Hour::new)
    }
}

/// One dimension's usage by hours.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plot {
    /// The dimension by the seller's name.
    pub(super) dimension: String,
    /// The drawing's width, in its own units.
    pub(super) width: f64,
    /// And its height.
    pub(super) height: f64,
    /// The quantity at the top.
    pub(super) most: String,
    /// Where it begins and ends, in words.
    pub(super) from: String,
    pub(super) to: String,
    /// What its hours come to.
    pub(super) totals: Parts,
    /// The hours in which there is something.
    pub(super) bars: Vec<Bar>,
}

/// What an hour's usage comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) billed: Amount,
    pub(super) pending: Amount,
    pub(super) lost: Amount,
}

impl Parts {
    fn all(self) -> Amount {
        self.billed.plus(self.pending).plus(self.lost)
    }

    fn is_nothing(self) -> bool {
        self.all().is_zero()
    }

    fn plus(self, other: Self) -> Self {
        Self {
            billed: self.billed.plus(other.billed),
            pending: self.pending.plus(other.pending),
            lost: self.lost.plus(other.lost),
        }
    }
}

/// One hour.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bar {
    /// The hour in words.
    pub(super) hour: String,
    pub(super) parts: Parts,
    pub(super) x: f64,
    pub(super) width: f64,
    /// From the bottom up.
    pub(super) pieces: Vec<Piece>,
}

/// A part of a bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Piece {
    /// The class of the stylesheet.
    pub(super) class: &'static str,
    pub(super) y: f64,
    pub(super) height: f64,
}

/// Draws what there is of each dimension, the dimensions in the order of their names.
pub(super) fn plots(
    span: Span,
    records: &[RecordLine],
    losses: &[LossLine],
    terms: Option<&MeterTerms>,
) -> Vec<Plot> {
    let by_dimension = parts(span, records, losses);
    let plot =
        |(dimension, hours): (&ApiDimension, &BTreeMap<Hour, Parts>)| plot(span, dimension, hours, terms);
    by_dimension.iter().take(PLOTS_MAX).map(plot).collect()
}

type ByHour = BTreeMap<Hour, Parts>;

fn parts(span: Span, records: &[RecordLine], losses: &[LossLine]) -> BTreeMap<ApiDimension, ByHour> {
    let mut found: BTreeMap<ApiDimension, ByHour> = BTreeMap::new();
    let mut add = |dimension: &ApiDimension, hour: Hour, more: Parts| {
        if (span.from..span.to).contains(&hour) {
            let parts = found.entry(dimension.clone()).or_default().entry(hour).or_default();
            *parts = parts.plus(more);
        }
    };
    for RecordLine { record, .. } in records {
        let amount = Amount::of(record.parts_reported(), record.scale);
        let parts = match record.state {
            RecordState::Settled { .. } | RecordState::SettledAssumed { .. } => {
                Parts { billed: amount, ..Parts::default() }
            }
            RecordState::Open | RecordState::Frozen { .. } => Parts { pending: amount, ..Parts::default() },
            // It stands in the list of losses, with all else that is lost.
            RecordState::Ended { .. } => continue,
        };
        add(&record.key.dimension, record.key.hour, parts);
    }
    for LossLine { loss, .. } in losses.iter().filter(|line| line.recovered_at.is_none()) {
        let lost = Amount::of(loss.parts, loss.scale);
        add(&loss.dimension, loss.hour, Parts { lost, ..Parts::default() });
    }
    found
}

fn plot(span: Span, dimension: &ApiDimension, hours: &ByHour, terms: Option<&MeterTerms>) -> Plot {
    let tallest = hours.values().map(|parts| parts.all().height()).fold(0.0, f64::max);
    let most = nice(tallest);
    let bar = |(place, at): (usize, Hour)| {
        let parts = hours.get(&at).copied().filter(|parts| !parts.is_nothing())?;
        Some(bar(place, at, parts, most))
    };
    Plot {
        dimension: crate::safe(&name_of(dimension, terms)),
        width: SLOT * count(span.hours().count()),
        height: HEIGHT,
        most: number(most),
        from: hour(span.from.start()),
        to: hour(span.to.start()),
        totals: hours.values().copied().fold(Parts::default(), Parts::plus),
        bars: span.hours().enumerate().filter_map(bar).collect(),
    }
}

fn bar(place: usize, at: Hour, parts: Parts, most: f64) -> Bar {
    let mut bottom = HEIGHT;
    let mut pieces = Vec::new();
    for (class, amount) in [("billed", parts.billed), ("pending", parts.pending), ("lost", parts.lost)] {
        if amount.is_zero() {
            continue;
        }
        let height = tenth((amount.height() / most * HEIGHT).max(HEIGHT_MIN));
        // Pieces that were too small to be seen may push what is above them out.
        bottom = tenth((bottom - height).max(0.0));
        pieces.push(Piece { class, y: bottom, height });
    }
    Bar {
        hour: hour(at.start()),
        parts,
        x: tenth(SLOT * count(place) + GAP),
        width: tenth(SLOT - 2.0 * GAP),
        pieces,
    }
}

/// The least number of the form 1, 2 or 5 times a power of ten that is not below it; 1 for nothing.
fn nice(tallest: f64) -> f64 {
    if tallest <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(tallest.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    // Rounding may make a power of ten a little too small.
    steps.into_iter().find(|step| *step >= tallest * (1.0 - 1e-9)).unwrap_or(tallest)
}

/// A nice number without the digits that it does not have.
fn number(nice: f64) -> String {
    if nice >= 1.0 { format!("{nice:.0}") } else { format!("{nice:.9}").trim_end_matches('0').to_owned() }
}

fn tenth(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// Hours are few.
fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests {
    use stallkeeper_ledger::{Loss, LossReason, Meter, Record, RecordKey, Scale, SubUnits};
    use stallkeeper_lifecycle::SubscriptionKey;

    use super::*;

    fn key() -> SubscriptionKey {
        "aws/prod-1/customer/c-1".parse().unwrap()
    }

    fn record(hour: i64, dimension: &str, counted: i64, state: RecordState) -> RecordLine {
        let key = RecordKey {
            subscription: key(),
            hour: Hour::new(hour),
            dimension: dimension.parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
        };
        let record = Record::open(key.clone(), &Meter::new(key.subscription), Scale::WHOLE);
        let record = Record { counted: SubUnits::new(counted).unwrap(), state, ..record };
        RecordLine { number: hour, record }
    }

    fn settled() -> RecordState {
        RecordState::Settled { at: Hour::new(0).start(), record_id: "r-1".to_owned() }
    }

    fn lost(hour: i64, parts: i64) -> LossLine {
        let loss = Loss {
            subscription: key(),
            dimension: "hits".parse().unwrap(),
            hour: Hour::new(hour),
            parts: SubUnits::new(parts).unwrap(),
            scale: Scale::WHOLE,
            reason: LossReason::Late,
            at: Hour::new(hour).start(),
            event: None,
            detail: String::new(),
        };
        LossLine { number: 1, loss, recovered_at: None }
    }

    fn span() -> Span {
        Span::until(Hour::new(100))
    }

    #[test]
    fn a_bar_stacks_billed_pending_and_lost_from_the_bottom_up() {
        let records = [record(99, "hits", 40, settled()), record(99, "hits", 30, RecordState::Open)];
        let plots = plots(span(), &records, &[lost(99, 30)], None);
        let [plot] = plots.as_slice() else { panic!("one dimension: {plots:?}") };
        assert_eq!((plot.most.as_str(), plot.width), ("100", 480.0));
        let [bar] = plot.bars.as_slice() else { panic!("one bar: {plot:?}") };
        assert_eq!((bar.x, bar.width), (471.2, 7.6));
        let piece = |class, y, height| Piece { class, y, height };
        let expected = [piece("billed", 60.0, 40.0), piece("pending", 30.0, 30.0), piece("lost", 0.0, 30.0)];
        assert_eq!(bar.pieces, expected);
    }

    #[test]
    fn every_dimension_has_its_own_plot_and_scale() {
        let records = [record(60, "hits", 1_300, settled()), record(61, "seats", 3, settled())];
        let plots = plots(span(), &records, &[], None);
        let heads: Vec<_> = plots.iter().map(|plot| (plot.dimension.as_str(), plot.most.as_str())).collect();
        assert_eq!(heads, [("hits", "2000"), ("seats", "5")]);
    }

    #[test]
    fn what_is_recovered_or_outside_the_hours_is_not_drawn() {
        let recovered = LossLine { recovered_at: Some(Hour::new(99).start()), ..lost(99, 5) };
        let records = [record(51, "hits", 7, settled()), record(100, "hits", 7, settled())];
        assert_eq!(plots(span(), &records, &[recovered], None), []);
        let first = plots(span(), &[record(52, "hits", 7, settled())], &[], None);
        assert!((first[0].bars[0].x - 1.2).abs() < 1e-6, "{:?}", first[0].bars[0]);
    }

    #[test]
    fn a_record_that_is_lost_counts_once() {
        let why = "no answer".to_owned();
        let end = stallkeeper_ledger::RecordEnd::Expired;
        let ended = RecordState::Ended { at: Hour::new(99).start(), end, why };
        let plots = plots(span(), &[record(99, "hits", 7, ended)], &[lost(99, 7)], None);
        assert_eq!(plots[0].totals.lost.to_string(), "7");
    }

    #[test]
    fn even_the_least_can_be_seen_and_nothing_leaves_the_drawing() {
        let records = [record(99, "hits", 1_000_000, settled()), record(99, "hits", 1, RecordState::Open)];
        let plots = plots(span(), &records, &[], None);
        let pieces = &plots[0].bars[0].pieces;
        assert!(pieces.iter().all(|piece| piece.y >= 0.0 && piece.height >= HEIGHT_MIN), "{pieces:?}");
    }

    #[test]
    fn the_top_is_a_number_that_people_would_choose() {
        for (tallest, top) in
            [(0.0, "1"), (1.0, "1"), (3.0, "5"), (1_000.0, "1000"), (0.03, "0.05"), (7.2, "10")]
        {
            assert_eq!(number(nice(tallest)), top);
        }
    }
}
