use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::story::Fault;

/// Where something can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// A transaction begins.
    Begin,
    /// A transaction is about to be committed.
    BeforeCommit,
    /// A transaction was committed.
    AfterCommit,
    /// A call is about to be done.
    BeforeCall,
    /// A call was done.
    AfterCall,
}

/// What is to go wrong, and what did. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    inner: Arc<Mutex<Inner>>,
    crash: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Inner {
    planned: Vec<Planned>,
    happened: BTreeMap<&'static str, u64>,
}

#[derive(Clone, Copy, Debug)]
struct Planned {
    fault: Fault,
    left: u8,
}

impl Faults {
    /// Lets something go wrong from now on.
    pub(crate) fn plan(&self, fault: Fault) {
        let left = match fault {
            Fault::CrashBeforeCommit(left)
            | Fault::CrashAfterCommit(left)
            | Fault::CrashBeforeCall(left)
            | Fault::CrashAfterCall(left)
            | Fault::StoreDown(left)
            | Fault::CommitUnknown(left)
            | Fault::Throttle(left)
            | Fault::ServerError(left)
            | Fault::LostAnswer(left)
            | Fault::Unprocessed(left)
            | Fault::NotPossible(left) => left,
            Fault::Outage { .. } => 0,
        };
        self.with(|inner| inner.planned.push(Planned { fault, left }));
    }

    /// Nothing that is planned happens any more.
    pub(crate) fn heal(&self) {
        self.with(|inner| inner.planned.clear());
    }

    /// What goes wrong here and now.
    pub(crate) fn at(&self, point: Point) -> Option<Fault> {
        self.with(|inner| {
            let place = inner.planned.iter().position(|planned| point_of(planned.fault) == Some(point))?;
            let planned = inner.planned.get_mut(place)?;
            if planned.left > 0 {
                planned.left -= 1;
                return None;
            }
            let fault = inner.planned.remove(place).fault;
            *inner.happened.entry(name(fault)).or_default() += 1;
            Some(fault)
        })
    }

    /// The worker dies here: whatever runs never goes on.
    pub(crate) async fn die(&self) -> ! {
        self.crash.notify_one();
        std::future::pending().await
    }

    /// Answers when the worker dies.
    pub(crate) async fn died(&self) {
        self.crash.notified().await;
    }

    /// How often each fault happened.
    pub(crate) fn happened(&self) -> BTreeMap<&'static str, u64> {
        self.with(|inner| inner.happened.clone())
    }

    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn point_of(fault: Fault) -> Option<Point> {
    match fault {
        Fault::StoreDown(_) => Some(Point::Begin),
        Fault::CrashBeforeCommit(_) => Some(Point::BeforeCommit),
        Fault::CrashAfterCommit(_) | Fault::CommitUnknown(_) => Some(Point::AfterCommit),
        Fault::CrashBeforeCall(_)
        | Fault::Throttle(_)
        | Fault::ServerError(_)
        | Fault::Unprocessed(_)
        | Fault::NotPossible(_) => Some(Point::BeforeCall),
        Fault::CrashAfterCall(_) | Fault::LostAnswer(_) => Some(Point::AfterCall),
        Fault::Outage { .. } => None,
    }
}

/// A fault's name in the table of what was covered.
pub(crate) fn name(fault: Fault) -> &'static str {
    match fault {
        Fault::CrashBeforeCommit(_) => "crash before a commit",
        Fault::CrashAfterCommit(_) => "crash after a commit",
        Fault::CrashBeforeCall(_) => "crash before a call",
        Fault::CrashAfterCall(_) => "crash after a call",
        Fault::StoreDown(_) => "database down",
        Fault::CommitUnknown(_) => "commit's answer lost",
        Fault::Throttle(_) => "throttled",
        Fault::ServerError(_) => "server error",
        Fault::LostAnswer(_) => "call's answer lost",
        Fault::Unprocessed(_) => "unprocessed records",
        Fault::NotPossible(_) => "credentials gone",
        Fault::Outage { .. } => "outage",
    }
}

/// Every fault's name.
pub(crate) const NAMES: [&str; 12] = [
    "crash before a commit",
    "crash after a commit",
    "crash before a call",
    "crash after a call",
    "database down",
    "commit's answer lost",
    "throttled",
    "server error",
    "call's answer lost",
    "unprocessed records",
    "credentials gone",
    "outage",
];
