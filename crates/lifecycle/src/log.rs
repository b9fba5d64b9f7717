use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Fact, Folded, Position, fold};

/// How long facts are kept one by one: longer than SQS keeps a message (14 days), so that no redelivery
/// finds its neighbours collapsed.
pub const KEPT: Duration = Duration::from_hours(15 * 24);

/// How many facts are kept one by one at the most.
pub const FACTS_MAX: usize = 256;

/// The facts about one subscription, sorted, the oldest of them collapsed into a tombstone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactLog {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base: Option<Base>,
    facts: Vec<Fact>,
}

/// The tombstone: what the facts up to a position came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// The last collapsed fact's position: a fact that is not later changes nothing.
    pub through: Position,
    /// What they came to.
    pub folded: Folded,
}

/// What became of a fact that was put into the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It was not there.
    New,
    /// It was.
    Known,
    /// It is older than the tombstone: it changes nothing, and a look-up should tell.
    TooOld,
}

impl FactLog {
    /// The tombstone, where facts have been collapsed.
    pub fn base(&self) -> Option<&Base> {
        self.base.as_ref()
    }

    /// The facts that are kept one by one, oldest first.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// Puts a fact where it belongs.
    pub fn insert(&mut self, fact: Fact) -> Inserted {
        if self.base.as_ref().is_some_and(|base| *fact.position() <= base.through) {
            return Inserted::TooOld;
        }
        match self.facts.binary_search(&fact) {
            Ok(_) => Inserted::Known,
            Err(index) => {
                self.facts.insert(index, fact);
                Inserted::New
            }
        }
    }

    /// Collapses the facts that are [`KEPT`] older than the newest one, and the oldest beyond [`FACTS_MAX`].
    ///
    /// It changes no view: the fold of what remains on top of the tombstone is the fold of all.
    /// It reads no clock, so that one which is set wrong cannot make true facts too old.
    pub fn collapse(&mut self) {
        let Some(newest) = self.facts.iter().map(Fact::time).max() else { return };
        let horizon = newest.minus(KEPT);
        let old = self.facts.iter().take_while(|fact| fact.time() < horizon).count();
        let excess = self.facts.len().saturating_sub(FACTS_MAX);
        let count = old.max(excess);
        let collapsed: Vec<Fact> = self.facts.drain(..count).collect();
        if let Some(last) = collapsed.last() {
            let through = last.position().clone();
            let (folded, _) = fold(&Self { base: self.base.take(), facts: collapsed });
            self.base = Some(Base { through, folded });
        }
    }
}
