use fastrand::Rng;

use crate::setting::{Identity, Place, Setting, Temper};

/// What happens, in its order. A story is made from its seed alone, and parts of it can be left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Time goes by, and the worker works.
    Pass {
        /// How long.
        secs: u64,
    },
    /// A buyer sets up the account.
    Bind {
        /// Who.
        buyer: usize,
    },
    /// A buyer subscribes, or does so again.
    Subscribe {
        /// Who.
        buyer: usize,
    },
    /// A buyer's payment fails.
    FailPayment {
        /// Who.
        buyer: usize,
    },
    /// A buyer leaves.
    Unsubscribe {
        /// Who.
        buyer: usize,
    },
    /// The marketplace freezes a buyer's account, or lets go of it.
    Freeze {
        /// Who.
        buyer: usize,
        /// Which of both.
        frozen: Frozen,
    },
    /// A buyer uses something, and the app reports it.
    Use {
        /// Who.
        buyer: usize,
        /// Which of the dimensions.
        dimension: usize,
        /// How much, in the dimension's smallest parts.
        parts: u32,
        /// How long ago.
        ago_secs: u64,
    },
    /// The app reports again what it has reported before, as it did not hear the answer.
    Repeat {
        /// Which, counted from the newest.
        back: usize,
    },
    /// The app says that all usage has been reported up to now.
    Watermark {
        /// Which source.
        source: usize,
        /// Of one buyer, or of all.
        buyer: Option<usize>,
    },
    /// An operator decides on the first held usage.
    Decide {
        /// Whether it is carried or written off.
        carry: Verdict,
    },
    /// Another system reports a buyer's current hour, as one does that was not switched off.
    Intrude {
        /// Who.
        buyer: usize,
        /// Which of the dimensions.
        dimension: usize,
    },
    /// Something goes wrong in the next round of work.
    Fault(Fault),
    /// An operator holds the product's metering, or releases it.
    Hold {
        /// Which of both.
        held: Frozen,
    },
}

/// Whether something stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frozen {
    /// It does.
    Yes,
    /// It goes on.
    No,
}

/// What an operator decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Billed in a later hour.
    Carry,
    /// Not billed.
    WriteOff,
}

/// What goes wrong; the number says how many times it goes well before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The worker dies before a commit reaches the database.
    CrashBeforeCommit(u8),
    /// The worker dies when a commit has reached the database.
    CrashAfterCommit(u8),
    /// The worker dies before a call reaches the marketplace.
    CrashBeforeCall(u8),
    /// The worker dies when the marketplace has done a call.
    CrashAfterCall(u8),
    /// The database does not take a transaction.
    StoreDown(u8),
    /// The database takes a transaction, and its answer is lost.
    CommitUnknown(u8),
    /// The marketplace has too many calls.
    Throttle(u8),
    /// The marketplace does nothing, and says so with an error that does not tell.
    ServerError(u8),
    /// The marketplace does a call, and its answer is lost.
    LostAnswer(u8),
    /// Some records come back undone.
    Unprocessed(u8),
    /// Credentials have run out.
    NotPossible(u8),
    /// The whole round does not happen: the worker is down.
    Outage {
        /// For so many rounds.
        rounds: u8,
    },
}

/// The story of a seed.
pub(crate) fn story(setting: &Setting, rng: &mut Rng) -> Vec<Step> {
    let mut steps = Vec::new();
    for buyer in 0..setting.buyers {
        arrive(setting, buyer, rng, &mut steps);
    }
    let length = rng.usize(20..=60);
    for _ in 0..length {
        steps.push(Step::Pass { secs: pass(setting, rng) });
        for _ in 0..rng.usize(0..=3) {
            steps.push(event(setting, rng));
        }
    }
    steps
}

fn arrive(setting: &Setting, buyer: usize, rng: &mut Rng, steps: &mut Vec<Step>) {
    match rng.u8(0..6) {
        0 => steps.extend([Step::Bind { buyer }, Step::Pass { secs: 30 }, Step::Subscribe { buyer }]),
        1 if setting.temper == Temper::Harsh => {
            steps.extend([Step::Bind { buyer }, Step::FailPayment { buyer }]);
        }
        2 if setting.temper == Temper::Harsh => steps.push(Step::Subscribe { buyer }),
        _ => steps.extend([Step::Subscribe { buyer }, Step::Bind { buyer }]),
    }
}

/// Hours are crossed often, and small things happen between.
fn pass(setting: &Setting, rng: &mut Rng) -> u64 {
    match (setting.temper, rng.u8(0..10)) {
        (_, 0..=3) => rng.u64(20..300),
        (_, 4..=7) => rng.u64(300..1_500),
        (Temper::Mild, _) => rng.u64(1_500..4_000),
        (Temper::Harsh, 8) => rng.u64(1_500..4_500),
        (Temper::Harsh, _) => rng.u64(4_500..20_000),
    }
}

fn event(setting: &Setting, rng: &mut Rng) -> Step {
    let buyer = rng.usize(0..setting.buyers);
    match rng.u8(0..100) {
        50..=55 => Step::Repeat { back: rng.usize(0..5) },
        56..=67 if !setting.terms.sources.is_empty() => Step::Watermark {
            source: rng.usize(0..setting.terms.sources.len()),
            buyer: rng.bool().then_some(buyer),
        },
        0..=49 | 56..=67 => usage(setting, buyer, rng),
        68..=73 => Step::Unsubscribe { buyer },
        74..=79 => Step::Subscribe { buyer },
        80..=81 if setting.temper == Temper::Harsh => Step::Bind { buyer },
        82..=83 if setting.temper == Temper::Harsh => {
            Step::Freeze { buyer, frozen: if rng.bool() { Frozen::Yes } else { Frozen::No } }
        }
        84..=88 if setting.temper == Temper::Harsh => {
            Step::Decide { carry: if rng.bool() { Verdict::Carry } else { Verdict::WriteOff } }
        }
        90 if setting.temper == Temper::Harsh => {
            Step::Intrude { buyer, dimension: rng.usize(0..setting.terms.dimensions.len()) }
        }
        89 if setting.temper == Temper::Harsh => {
            Step::Hold { held: if rng.bool() { Frozen::Yes } else { Frozen::No } }
        }
        _ => Step::Fault(fault(setting, rng)),
    }
}

fn usage(setting: &Setting, buyer: usize, rng: &mut Rng) -> Step {
    let ago_secs = match (setting.temper, setting.place, rng.u8(0..10)) {
        (Temper::Harsh, _, 0) => rng.u64(3_600..100_000),
        (Temper::Harsh, _, 1..=4) => rng.u64(60..9_000),
        (Temper::Mild, Place::Global, 0) => rng.u64(0..600),
        _ => rng.u64(0..45),
    };
    let parts = match rng.u8(0..20) {
        0 => 0,
        1 if setting.temper == Temper::Harsh => rng.u32(2_000_000_000..4_000_000_000),
        _ => rng.u32(1..1_000),
    };
    Step::Use { buyer, dimension: rng.usize(0..setting.terms.dimensions.len()), parts, ago_secs }
}

fn fault(setting: &Setting, rng: &mut Rng) -> Fault {
    let after = rng.u8(0..4);
    match rng.u8(0..13) {
        0 => Fault::CrashBeforeCommit(after),
        1 => Fault::CrashAfterCommit(after),
        2 => Fault::CrashBeforeCall(after.min(1)),
        3 | 4 => Fault::CrashAfterCall(after.min(1)),
        5 => Fault::StoreDown(after),
        6 => Fault::CommitUnknown(after),
        7 => Fault::Throttle(after.min(1)),
        8 => Fault::ServerError(after.min(1)),
        9 | 10 => Fault::LostAnswer(after.min(1)),
        11 => Fault::Unprocessed(after.min(1)),
        _ if setting.temper == Temper::Harsh && rng.bool() => Fault::Outage { rounds: rng.u8(1..=6) },
        _ => Fault::NotPossible(after.min(1)),
    }
}

/// Of so many stories one ends with buyers who come back at once: two periods that want the same hour.
pub(crate) const RETURNS_EVERY: u64 = 5;

/// Buyers leave and come back within minutes; some have said before that their usage is complete, so that
/// what they leave is sent while their hour runs.
pub(crate) fn returns_within_the_hour(setting: &Setting, rng: &mut Rng) -> Vec<Step> {
    let mut steps = Vec::new();
    for buyer in 0..setting.buyers {
        let dimension = rng.usize(0..setting.terms.dimensions.len());
        let used = |rng: &mut Rng| Step::Use { buyer, dimension, parts: rng.u32(1..1_000), ago_secs: 2 };
        steps.extend([Step::Subscribe { buyer }, Step::Bind { buyer }, Step::Pass { secs: 300 }]);
        steps.extend([used(rng), Step::Unsubscribe { buyer }, Step::Pass { secs: 60 }]);
        if rng.bool() {
            steps.extend(
                (0..setting.terms.sources.len()).map(|source| Step::Watermark { source, buyer: None }),
            );
        }
        steps.extend([Step::Pass { secs: 90 }, Step::Subscribe { buyer }, Step::Pass { secs: 300 }]);
        steps.extend([used(rng), Step::Pass { secs: 3_600 }]);
    }
    steps
}

/// Whether a buyer who has left can come back under the same name.
pub(crate) fn can_return(setting: &Setting) -> bool {
    setting.identity == Identity::Customer
}
