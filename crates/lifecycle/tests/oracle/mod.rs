//! What a set of facts, a binding and a set of answers should look like, written from the design alone:
//! sort the facts, then take one after the other. It knows nothing of what arrived when.

use stallkeeper_lifecycle::{
    Access, Advisory, AgreementEnd, End, Entry, Fact, FactKind, InstanceStatus, Period, Position, Pricing,
    Standing, SuspendReason, Timestamp, Trial, View, Word,
};

const HOUR: i64 = 3_600_000_000;
const MINUTE: i64 = 60 * 1_000_000;

/// All that tells two views apart, flat.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    word: &'static str,
    access: &'static str,
    books: Books,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Nowhere,
    In,
    Failed,
    Frozen,
    Leaving,
    Gone,
}

/// The stretch from subscribing to ending that the buyer is in or was in last.
#[derive(Clone, Debug, PartialEq)]
struct Stretch {
    number: u32,
    started: Option<i64>,
    entry: Entry,
    offer: Option<String>,
    trial: Trial,
    plan: Option<String>,
    expiry: Option<i64>,
}

#[derive(Clone, Debug, PartialEq)]
struct Books {
    place: Place,
    /// When it came to that place.
    since: i64,
    /// While leaving: the first instant at which it is gone.
    deadline: i64,
    /// While leaving or gone: until when sending may be tried.
    tries: i64,
    /// Of the gone.
    how: End,
    /// Of the frozen.
    why: SuspendReason,
    stretch: Option<Stretch>,
    warned: Option<i64>,
    agreement: Option<String>,
}

/// A fact by what it means to the books.
enum Verb {
    Begin { offer: Option<String>, trial: Trial },
    Update { offer: Option<String> },
    Fail,
    Leave,
    Deprovision,
    LastWord,
    Create { plan: Option<String>, trial: Trial, expiry: Option<i64> },
    Renew { expiry: Option<i64> },
    Upgrade { plan: String },
    Freeze(SuspendReason),
    Delete,
    Warn,
    Calm,
    Nothing,
}

fn verb(kind: &FactKind) -> Verb {
    let micros = |time: &Option<Timestamp>| time.map(Timestamp::as_micros);
    match kind {
        FactKind::SubscribeSuccess { offer, trial } => {
            Verb::Begin { offer: offer.as_ref().map(ToString::to_string), trial: *trial }
        }
        FactKind::LicenseConfirmed { offer, .. } => {
            Verb::Begin { offer: offer.as_ref().map(ToString::to_string), trial: Trial::Unknown }
        }
        FactKind::LicenseUpdated { offer, .. } => {
            Verb::Update { offer: offer.as_ref().map(ToString::to_string) }
        }
        FactKind::SubscribeFail => Verb::Fail,
        FactKind::UnsubscribePending
        | FactKind::AgreementEnded(
            AgreementEnd::Cancelled | AgreementEnd::Expired | AgreementEnd::Terminated,
        ) => Verb::Leave,
        FactKind::LicenseDeprovisioned => Verb::Deprovision,
        FactKind::UnsubscribeSuccess => Verb::LastWord,
        FactKind::InstanceCreated { plan, trial, expires_at } => Verb::Create {
            plan: plan.as_ref().map(|plan| plan.id.to_string()),
            trial: *trial,
            expiry: micros(expires_at),
        },
        FactKind::CodeActivated { expires_at } => {
            Verb::Create { plan: None, trial: Trial::Unknown, expiry: micros(expires_at) }
        }
        FactKind::InstanceRenewed { expires_at } | FactKind::CodeRenewed { expires_at } => {
            Verb::Renew { expiry: micros(expires_at) }
        }
        FactKind::InstanceResumed => Verb::Renew { expiry: None },
        FactKind::InstanceUpgraded { plan } => Verb::Upgrade { plan: plan.id.to_string() },
        FactKind::InstanceExpired | FactKind::InstanceObserved(InstanceStatus::Expired) => {
            Verb::Freeze(SuspendReason::InstanceExpired)
        }
        FactKind::CodeExpired => Verb::Freeze(SuspendReason::CodeExpired),
        FactKind::InstanceReleased
        | FactKind::CodeDiscarded
        | FactKind::InstanceObserved(InstanceStatus::Closed) => Verb::Delete,
        FactKind::AdvisoryIssued => Verb::Warn,
        FactKind::AdvisoryResolved => Verb::Calm,
        _ => Verb::Nothing,
    }
}

/// Time, then rank, then id; or the order of receipt.
fn order(fact: &Fact) -> (i64, u32, String) {
    let rank = match fact.kind() {
        FactKind::SubscribeFail => 10,
        FactKind::UnsubscribePending | FactKind::AgreementEnded(_) => 40,
        FactKind::LicenseConfirmed { .. } => 30,
        FactKind::LicenseDeprovisioned => 50,
        FactKind::UnsubscribeSuccess => 60,
        FactKind::AdvisoryResolved => 80,
        FactKind::AdvisoryIssued
        | FactKind::EntitlementUpdated
        | FactKind::AgreementAmended
        | FactKind::Notice(_) => 70,
        _ => 20,
    };
    match fact.position() {
        Position::Marketplace { time, id, .. } => (time.as_micros(), rank, id.to_string()),
        Position::Receipt { sequence, .. } => (i64::try_from(*sequence).unwrap(), 0, String::new()),
    }
}

/// What is known beside the facts.
#[derive(Clone, Debug)]
pub(crate) struct Known<'a> {
    pub(crate) bound: bool,
    pub(crate) pricing: Pricing,
    /// When it was asked, and whether the answer granted anything.
    pub(crate) answers: &'a [(Timestamp, bool)],
}

/// How the subscription should look at `now`.
pub(crate) fn look<'a>(facts: impl IntoIterator<Item = &'a Fact>, known: &Known<'_>, now: Timestamp) -> Seen {
    let mut facts: Vec<&Fact> = facts.into_iter().collect();
    facts.sort_by_key(|fact| order(fact));
    facts.dedup();
    let mut books = Books {
        place: Place::Nowhere,
        since: 0,
        deadline: 0,
        tries: 0,
        how: End::Said,
        why: SuspendReason::InstanceExpired,
        stretch: None,
        warned: None,
        agreement: None,
    };
    let mut count = 0;
    for fact in facts {
        books.run_out(fact.time().as_micros());
        books.hear(fact, &mut count);
    }
    books.run_out(now.as_micros());
    let granted = books.answered(known, count);
    books.run_out(now.as_micros());
    books.seen(known, granted)
}

impl Books {
    fn run_out(&mut self, now: i64) {
        if self.place == Place::Leaving && now >= self.deadline {
            let tries = self.tries;
            self.leave_for(Place::Gone, self.deadline);
            self.how = End::Lapsed;
            self.tries = tries;
        }
    }

    fn leave_for(&mut self, place: Place, since: i64) {
        self.place = place;
        self.since = since;
        self.tries = since;
        if place == Place::Leaving {
            self.deadline = since + HOUR;
            self.tries = self.deadline;
        }
    }

    fn gone(&mut self, since: i64, how: End) {
        self.leave_for(Place::Gone, since);
        self.how = how;
    }

    fn open(&mut self, count: &mut u32, started: Option<i64>, entry: Entry) -> &mut Stretch {
        *count += 1;
        self.stretch.insert(Stretch {
            number: *count,
            started,
            entry,
            offer: None,
            trial: Trial::Unknown,
            plan: None,
            expiry: None,
        })
    }

    fn hear(&mut self, fact: &Fact, count: &mut u32) {
        let at = fact.time().as_micros();
        if let FactKind::LicenseUpdated { agreement: Some(id), .. }
        | FactKind::LicenseConfirmed { agreement: Some(id), .. } = fact.kind()
        {
            self.agreement = Some(id.to_string());
        }
        let for_good = self.place == Place::Gone && self.how == End::Final;
        match verb(fact.kind()) {
            Verb::Warn => self.warned = Some(at),
            Verb::Calm => self.warned = None,
            Verb::Nothing => {}
            _ if for_good => {}
            Verb::Begin { offer, trial } => self.begin(at, count, offer, trial),
            Verb::Update { .. } if matches!(self.place, Place::Leaving | Place::Gone) => {}
            Verb::Update { offer } => self.begin(at, count, offer, Trial::Unknown),
            Verb::Fail => {
                if matches!(self.place, Place::Nowhere | Place::Failed | Place::Gone) {
                    self.leave_for(Place::Failed, at);
                    self.stretch = None;
                }
            }
            Verb::Leave => match self.place {
                Place::Nowhere => {
                    self.open(count, None, Entry::Unseen);
                    self.leave_for(Place::Leaving, at);
                }
                Place::In | Place::Frozen => self.leave_for(Place::Leaving, at),
                Place::Failed => self.gone(at, End::Said),
                Place::Leaving | Place::Gone => {}
            },
            Verb::Deprovision => match self.place {
                Place::Nowhere | Place::Failed => self.gone(at, End::Said),
                Place::In | Place::Frozen => self.leave_for(Place::Leaving, at),
                Place::Leaving | Place::Gone => self.tries = self.tries.max(at + HOUR),
            },
            Verb::LastWord => match self.place {
                Place::Gone if self.how == End::Lapsed => self.gone(self.since, End::Said),
                Place::Gone => {}
                _ => self.gone(at, End::Said),
            },
            Verb::Delete => self.gone(if self.place == Place::Gone { self.since } else { at }, End::Final),
            Verb::Freeze(why) => {
                if self.place == Place::In {
                    self.leave_for(Place::Frozen, at);
                    self.why = why;
                }
            }
            Verb::Create { plan, trial, expiry } => {
                if matches!(self.place, Place::Nowhere | Place::Failed) {
                    self.leave_for(Place::In, at);
                    let stretch = self.open(count, Some(at), Entry::New);
                    (stretch.plan, stretch.trial, stretch.expiry) = (plan, trial, expiry);
                }
            }
            Verb::Renew { expiry } => self.renew(at, expiry),
            Verb::Upgrade { plan } => {
                if matches!(self.place, Place::In | Place::Frozen | Place::Leaving) {
                    self.stretch.as_mut().unwrap().plan = Some(plan);
                }
            }
        }
        if let FactKind::InstanceObserved(InstanceStatus::Opened { expires_at }) = fact.kind() {
            let expiry = expires_at.map(Timestamp::as_micros);
            match self.place {
                Place::Nowhere | Place::Failed => {
                    self.leave_for(Place::In, at);
                    self.open(count, Some(at), Entry::New).expiry = expiry;
                }
                _ => self.renew(at, expiry),
            }
        }
    }

    fn begin(&mut self, at: i64, count: &mut u32, offer: Option<String>, trial: Trial) {
        match self.place {
            Place::In | Place::Frozen => {}
            Place::Leaving => {
                self.open(count, Some(at), Entry::Resumed);
            }
            Place::Nowhere | Place::Failed | Place::Gone => {
                self.open(count, Some(at), Entry::New);
            }
        }
        self.leave_for(Place::In, at);
        let stretch = self.stretch.as_mut().unwrap();
        stretch.offer = offer.or(stretch.offer.take());
        if trial != Trial::Unknown {
            stretch.trial = trial;
        }
    }

    fn renew(&mut self, at: i64, expiry: Option<i64>) {
        if matches!(self.place, Place::In | Place::Frozen | Place::Leaving) {
            self.leave_for(Place::In, at);
            let stretch = self.stretch.as_mut().unwrap();
            stretch.expiry = expiry.or(stretch.expiry);
        }
    }

    /// What the answers make of it; says whether the newest word on entitlements was ever a grant.
    fn answered(&mut self, known: &Known<'_>, count: u32) -> bool {
        let grant =
            known.answers.iter().filter(|(_, granting)| *granting).map(|(at, _)| at.as_micros()).max();
        let Some(grant) = grant else { return false };
        let mut empty: Vec<i64> =
            known.answers.iter().map(|(at, _)| at.as_micros()).filter(|at| *at > grant).collect();
        empty.sort_unstable();
        empty.dedup();
        let confirmed = match (empty.first(), empty.last()) {
            (Some(first), Some(last)) if last - first >= MINUTE => Some(*first),
            _ => None,
        };
        match known.pricing {
            Pricing::Subscription => {}
            Pricing::Contract => self.follow_contract(grant, confirmed, count),
            Pricing::ContractWithConsumption => {
                if let (Place::In, Some(at)) = (self.place, confirmed) {
                    self.leave_for(Place::Leaving, at);
                }
            }
        }
        true
    }

    fn follow_contract(&mut self, grant: i64, confirmed: Option<i64>, mut count: u32) {
        match self.place {
            Place::Leaving => return,
            Place::Gone if self.how == End::Final => return,
            Place::Gone | Place::Failed if grant <= self.since => return,
            Place::Gone | Place::Failed | Place::Nowhere => {
                self.open(&mut count, None, Entry::New);
                self.leave_for(Place::In, grant);
            }
            Place::In | Place::Frozen => {}
        }
        if let Some(at) = confirmed {
            self.gone(at, End::Said);
        }
    }

    fn seen(self, known: &Known<'_>, granted: bool) -> Seen {
        let word = match (self.place, known.bound) {
            (Place::Nowhere, false) => "unknown",
            (Place::Nowhere, true) => "registered",
            (Place::In, false) => "unclaimed",
            (Place::In, true) => "active",
            (Place::Failed, _) => "failed",
            (Place::Frozen, _) => "suspended",
            (Place::Leaving, _) => "ending",
            (Place::Gone, _) => "ended",
        };
        let access = match word {
            "active" if known.pricing == Pricing::Subscription || granted => "full",
            "ending" => "limited",
            _ => "none",
        };
        Seen { word, access, books: self.without_the_past() }
    }

    /// Forgets what does not belong to the place.
    fn without_the_past(mut self) -> Self {
        let (leaving, gone) = (self.place == Place::Leaving, self.place == Place::Gone);
        if matches!(self.place, Place::Nowhere | Place::In) {
            self.since = 0;
        }
        if !leaving {
            self.deadline = 0;
        }
        if !leaving && !gone {
            self.tries = 0;
        }
        if !gone {
            self.how = End::Said;
        }
        if self.place != Place::Frozen {
            self.why = SuspendReason::InstanceExpired;
        }
        self
    }
}

impl Seen {
    /// The same of a view of the code under test.
    pub(crate) fn of(view: &View) -> Self {
        let (mut since, mut deadline, mut tries) = (0, 0, 0);
        let (mut how, mut why) = (End::Said, SuspendReason::InstanceExpired);
        let place = match &view.standing {
            Standing::None => Place::Nowhere,
            Standing::Subscribed(_) => Place::In,
            Standing::Failed { at } => {
                since = at.as_micros();
                Place::Failed
            }
            Standing::Suspended { since: at, reason, .. } => {
                (since, why) = (at.as_micros(), *reason);
                Place::Frozen
            }
            Standing::Ending { since: at, deadline: until, attempts_until, .. } => {
                (since, deadline, tries) = (at.as_micros(), until.as_micros(), attempts_until.as_micros());
                Place::Leaving
            }
            Standing::Ended { at, end, attempts_until, .. } => {
                (since, how, tries) = (at.as_micros(), *end, attempts_until.unwrap_or(*at).as_micros());
                Place::Gone
            }
        };
        let warned = match view.advisory {
            Advisory::Clear => None,
            Advisory::Issued { at } => Some(at.as_micros()),
        };
        let agreement = view.agreement.as_ref().map(ToString::to_string);
        let stretch = view.standing.period().map(stretch_of);
        let books = Books { place, since, deadline, tries, how, why, stretch, warned, agreement };
        Self { word: word_of(view.word), access: access_of(view.access), books }
    }
}

fn stretch_of(period: &Period) -> Stretch {
    Stretch {
        number: period.number,
        started: period.started_at.map(Timestamp::as_micros),
        entry: period.entry,
        offer: period.offer.as_ref().map(ToString::to_string),
        trial: period.trial,
        plan: period.plan.as_ref().map(|plan| plan.id.to_string()),
        expiry: period.expires_at.map(Timestamp::as_micros),
    }
}

fn word_of(word: Word) -> &'static str {
    match word {
        Word::Unknown => "unknown",
        Word::Registered => "registered",
        Word::Unclaimed => "unclaimed",
        Word::Active => "active",
        Word::Failed => "failed",
        Word::Suspended => "suspended",
        Word::Ending => "ending",
        Word::Ended => "ended",
    }
}

fn access_of(access: Access) -> &'static str {
    match access {
        Access::None => "none",
        Access::Limited => "limited",
        Access::Full => "full",
    }
}
