use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stallkeeper_lifecycle::{Licensee, SubscriptionKey, TenantId, Timestamp};

use crate::profile::whole_second_from;
use crate::{ApiDimension, Hour, MeterTerms, Scale, SourceName, SubUnits, ZeroRecords};

/// What the ledger knows of one metered subscription: the door through which its usage goes.
///
/// Whoever counts, closes or carries holds its row; so nothing is counted in an hour while it is frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meter {
    /// The subscription.
    pub key: SubscriptionKey,
    /// The tenant whose usage it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// Whom a license was granted to, where the holder is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licensee: Option<Licensee>,
    /// What it may do with usage.
    pub phase: Phase,
    /// Whether it changed since it was last looked at.
    #[serde(default)]
    pub news: News,
    /// Counts the stretches from subscribing to ending that were metered, from 1.
    pub period: u32,
    /// When the stretch at hand began; unknown where that was never heard of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_start: Option<Timestamp>,
    /// The first hour that the stretch at hand may use: those before are another stretch's.
    pub first_hour: Hour,
    /// Every hour before this one is closed, in all dimensions.
    pub closed_before: Hour,
    /// The newest frozen hour of a dimension, where it is not before `closed_before`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub taken: BTreeMap<ApiDimension, Hour>,
    /// The oldest and the newest hour in which something is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<(Hour, Hour)>,
    /// When the first of its held events is looked at again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Timestamp>,
    /// What was counted and did not go into a frozen record: less than a unit, or more than a record takes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub carries: BTreeMap<ApiDimension, Carry>,
    /// Up to when each source has said that this tenant's usage is complete.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub watermarks: BTreeMap<SourceName, Timestamp>,
    /// Until when records of earlier stretches may still be sent, where that is over before their age limit;
    /// of the stretch at hand, too, where an attempt to subscribe again failed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub windows: BTreeMap<u32, Timestamp>,
}

/// Whether a meter's subscription changed since it was last looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// It did not.
    #[default]
    None,
    /// Something may be to be frozen, released or lost.
    Some,
}

/// What a meter may do with usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// A tenant is bound, and the marketplace has not confirmed: usage is held.
    Waiting,
    /// Subscribed: usage is counted.
    Running,
    /// The final-usage window is open.
    Ending {
        /// When the marketplace said that the buyer leaves.
        since: Timestamp,
        /// The first instant outside the window.
        deadline: Timestamp,
        /// Until when sending may be tried.
        until: Timestamp,
        /// Whether the final usage was frozen.
        seal: Seal,
    },
    /// No usage is taken.
    Over {
        /// Since when.
        at: Timestamp,
        /// Until when sending may be tried, where that is after the end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// The payment failed: there was no subscription.
    Failed,
}

/// Whether a leaving buyer's final usage was frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seal {
    /// Not yet: usage goes to its own hour.
    Open,
    /// All that was open by then; what comes now goes to the next hour.
    Sealed,
}

/// What was counted and did not go into a frozen record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carry {
    /// The stretch in which it was counted.
    pub period: u32,
    /// The hour in which it was left over.
    pub hour: Hour,
    /// How much.
    pub parts: SubUnits,
    /// In parts of which scale: that of the record that left it over.
    pub scale: Scale,
}

impl Carry {
    /// Whether there is a unit or more of it.
    pub fn is_unit(&self) -> bool {
        self.parts.parts() >= self.scale.parts()
    }
}

impl Meter {
    /// A meter that has counted nothing.
    pub fn new(key: SubscriptionKey) -> Self {
        Self {
            key,
            tenant: None,
            licensee: None,
            phase: Phase::Waiting,
            news: News::None,
            period: 0,
            period_start: None,
            first_hour: Hour::new(0),
            closed_before: Hour::new(0),
            taken: BTreeMap::new(),
            open: None,
            held: None,
            carries: BTreeMap::new(),
            watermarks: BTreeMap::new(),
            windows: BTreeMap::new(),
        }
    }

    /// The first hour of a dimension that is not frozen.
    pub fn first_open(&self, dimension: &ApiDimension) -> Hour {
        let taken = self.taken.get(dimension).map_or(self.closed_before, |hour| hour.next());
        taken.max(self.closed_before).max(self.first_hour)
    }

    /// The final-usage window's end, while it is open.
    pub fn deadline(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Ending { deadline, .. } => Some(deadline),
            _ => None,
        }
    }

    /// Whether usage of a tenant can still end up here.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over { .. } | Phase::Failed)
    }

    /// Takes a source's word in that this tenant's usage is complete up to a time; `false` where that is not news.
    pub fn hears(&mut self, source: &SourceName, complete_through: Timestamp) -> bool {
        let known = self.watermarks.get(source).is_some_and(|known| *known >= complete_through);
        if !known {
            self.watermarks.insert(source.clone(), complete_through);
            self.news = News::Some;
        }
        !known
    }

    /// From when on a record of an hour can be frozen without a time that is still to come: the hour's start,
    /// or the period's where that is later.
    pub(crate) fn begins_at(&self, hour: Hour) -> Timestamp {
        let start = self.period_start.filter(|_| hour >= self.first_hour).map(whole_second_from);
        start.map_or(hour.start(), |start| start.clamp(hour.start(), hour.last_second()))
    }

    /// Notes that something is open in an hour.
    pub(crate) fn opened(&mut self, hour: Hour) {
        self.open =
            Some(self.open.map_or((hour, hour), |(oldest, newest)| (oldest.min(hour), newest.max(hour))));
    }

    /// Notes that something is held.
    pub(crate) fn holds(&mut self, until: Timestamp) {
        self.held = Some(self.held.map_or(until, |first| first.min(until)));
    }

    /// By which final-usage window's end it is found when that comes near: while something is left to be frozen.
    pub fn cut_by(&self, now: Timestamp) -> Option<Timestamp> {
        let Phase::Ending { deadline, seal, .. } = self.phase else { return None };
        let has_begun = self.open.is_some_and(|(oldest, _)| self.begins_at(oldest) <= now);
        (seal == Seal::Open || has_begun).then_some(deadline)
    }

    /// The end of the oldest hour that is to be closed once usage is complete; `None` where none is.
    pub fn closes_by_word(&self, terms: &MeterTerms) -> Option<Timestamp> {
        if terms.sources.is_empty() {
            return None;
        }
        match self.phase {
            Phase::Ending { since, seal: Seal::Open, .. } => Some(since),
            Phase::Running => Some(match (self.open, terms.zero_records) {
                (_, ZeroRecords::Send) => self.closed_before.max(self.first_hour).end(),
                (Some((oldest, _)), ZeroRecords::Skip) => oldest.end(),
                (None, ZeroRecords::Skip) => return None,
            }),
            _ => None,
        }
    }

    /// Whether an hour that ends without usage gets records of zero units: not once final usage is frozen, as
    /// such a record could only be late.
    pub(crate) fn sends_zeros(&self, terms: &MeterTerms) -> bool {
        let may_send = matches!(self.phase, Phase::Running | Phase::Ending { seal: Seal::Open, .. });
        may_send && terms.zero_records == ZeroRecords::Send
    }

    /// Notes that an hour of a dimension is frozen.
    pub(crate) fn froze(&mut self, dimension: &ApiDimension, hour: Hour) {
        let newest = self.taken.get(dimension).map_or(hour, |taken| (*taken).max(hour));
        self.taken.insert(dimension.clone(), newest);
    }
}
