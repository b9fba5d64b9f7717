//! The README's table of words and access, cell by cell.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use stallkeeper_lifecycle::{
    Access, Binding, End, EndingAccess, Entitlement, Entry, Folded, Period, Pricing, Snapshot, Snapshots,
    Standing, SuspendReason, Terms, Timestamp, Trial, View, Word, view,
};

const NOW: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);
const NEVER: Timestamp = Timestamp::from_micros(i64::MAX);
const PRICINGS: [Pricing; 3] = [Pricing::Subscription, Pricing::Contract, Pricing::ContractWithConsumption];

fn period() -> Period {
    Period {
        number: 1,
        started_at: None,
        entry: Entry::New,
        offer: None,
        trial: Trial::No,
        plan: None,
        expires_at: None,
    }
}

fn standing(word: Word) -> Standing {
    match word {
        Word::Unknown | Word::Registered => Standing::None,
        Word::Unclaimed | Word::Active => Standing::Subscribed(period()),
        Word::Failed => Standing::Failed { at: NOW },
        Word::Suspended => {
            Standing::Suspended { period: period(), since: NOW, reason: SuspendReason::InstanceExpired }
        }
        Word::Ending => {
            Standing::Ending { period: period(), since: NOW, deadline: NEVER, attempts_until: NEVER }
        }
        Word::Ended => Standing::Ended { at: NOW, end: End::Said, period: None, attempts_until: None },
    }
}

fn seen(word: Word, terms: Terms, granted: bool) -> View {
    let folded = Folded { standing: standing(word), ..Folded::default() };
    let bound = !matches!(word, Word::Unknown | Word::Unclaimed);
    let binding = bound.then(|| Binding { tenant: "tenant-1".parse().unwrap(), user: None });
    let mut snapshots = Snapshots::default();
    if granted {
        let seats = Entitlement { dimension: "seats".to_owned(), value: "5".to_owned(), expires_at: None };
        // Asked before everything else, so that it speaks of access only.
        let asked_at = NOW.minus(std::time::Duration::from_mins(1));
        snapshots.insert(Snapshot { asked_at, entitlements: vec![seats] });
    }
    view(&folded, binding.as_ref(), &snapshots, NOW, terms)
}

fn cells(word: Word) -> Vec<&'static str> {
    let table =
        include_str!("../README.md").lines().skip_while(|line| !line.starts_with("| word | subscription |"));
    let row = table
        .take_while(|line| line.starts_with('|'))
        .find(|line| line.starts_with(&format!("| {} |", word.as_str())));
    let row = row.unwrap_or_else(|| panic!("the README has no access for {}", word.as_str()));
    row.trim_matches('|').split('|').map(str::trim).skip(1).collect()
}

#[test]
fn every_word_gives_the_access_that_the_readme_says() {
    for word in Word::ALL {
        let cells = cells(word);
        assert_eq!(cells.len(), PRICINGS.len());
        for (pricing, cell) in PRICINGS.into_iter().zip(cells) {
            check(word, pricing, cell);
        }
    }
}

fn check(word: Word, pricing: Pricing, cell: &str) {
    let (granted, not) = match cell {
        "none" => (Access::None, Access::None),
        "full" => (Access::Full, Access::Full),
        "full by a granting answer, else none" => (Access::Full, Access::None),
        "by the listing's policy, limited by default" => (Access::Limited, Access::Limited),
        other => panic!("the cell reads {other:?}, which means nothing here"),
    };
    let terms = Terms { pricing, ..Terms::default() };
    // Where no fact was heard, a contract's grant alone makes a subscriber.
    let speaks = pricing == Pricing::Contract && matches!(word, Word::Unknown | Word::Registered);
    for (answered, access) in [(true, granted), (false, not)] {
        if !(answered && speaks) {
            let seen = seen(word, terms, answered);
            assert_eq!((seen.word, seen.access), (word, access), "{pricing:?}, granted: {answered}");
        }
    }
}

#[test]
fn a_grant_without_any_fact_makes_a_contracts_subscriber() {
    let terms = Terms { pricing: Pricing::Contract, ..Terms::default() };
    assert_eq!(seen(Word::Registered, terms, true).word, Word::Active);
    assert_eq!(seen(Word::Unknown, terms, true).word, Word::Unclaimed);
}

#[test]
fn a_listings_policy_sets_the_access_while_ending() {
    for (ending, access) in [
        (EndingAccess::Limited, Access::Limited),
        (EndingAccess::None, Access::None),
        (EndingAccess::Full, Access::Full),
    ] {
        assert_eq!(seen(Word::Ending, Terms { ending, ..Terms::default() }, false).access, access);
    }
}
