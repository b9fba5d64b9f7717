//! What `stallkeeper doctor` looks at, and what it makes of it: [`look`] asks, [`examine`] judges.

mod check;
mod database;
mod finding;
mod look;
mod marketplace;
mod words;

use stallkeeper_lifecycle::Timestamp;

pub use check::{Check, Report, Status};
pub use finding::{Books, DatabaseFinding, Findings, Look, MarketplaceFinding, Unseen};
pub use look::look;

/// Judges what was found; every part gets its checks, whatever is broken elsewhere.
pub fn examine(findings: &Findings, now: Timestamp) -> Report {
    let mut checks: Vec<Check> = findings.simulator.iter().map(simulated).collect();
    checks.extend(database::checks(&findings.database, now));
    if findings.marketplaces.is_empty() {
        checks.push(Check::warning(
            "marketplaces",
            "none has a queue, so there is nothing to take in",
            "add a [[marketplace]] with its queue_url; `stallkeeper config default` shows how",
        ));
    }
    checks.extend(findings.marketplaces.iter().flat_map(marketplace::checks));
    Report::new(checks)
}

fn simulated(url: &url::Url) -> Check {
    Check::warning(
        "simulator",
        format!("{url} stands in for AWS and for this machine's clock; nothing of what follows is about AWS"),
        "remove simulator_url before this is used in production",
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn without_database() -> Report {
        examine(&findings(None), NOW)
    }

    fn findings(simulator: Option<url::Url>) -> Findings {
        Findings { simulator, database: DatabaseFinding::NotConfigured, marketplaces: Vec::new() }
    }

    #[test]
    fn a_simulator_is_the_first_thing_that_is_warned_of() {
        let report = examine(&findings(Some("http://127.0.0.1:4560".parse().unwrap())), NOW);
        let first = report.checks().first().unwrap();
        assert_eq!((first.name(), first.status()), ("simulator", Status::Warning));
    }

    #[test]
    fn what_failed_is_one_line_and_warnings_are_not_in_it() {
        assert_eq!(without_database().failed().as_deref(), Some("1 of 5 checks failed: database"));
    }

    #[test]
    fn a_stall_without_any_queue_is_warned() {
        let report = without_database();
        let last = report.checks().last().unwrap();
        assert_eq!((last.name(), last.status()), ("marketplaces", Status::Warning));
    }

    #[test]
    fn the_json_has_the_promised_shape() {
        let json = serde_json::to_value(without_database()).unwrap();
        assert_eq!(json["ok"], false);
        let first = json["checks"][0].as_object().unwrap();
        let keys: BTreeSet<&str> = first.keys().map(String::as_str).collect();
        assert_eq!(keys, BTreeSet::from(["check", "status", "found", "remedy"]));
        assert_eq!((&first["check"], &first["status"]), (&"database".into(), &"failure".into()));
        let right = serde_json::to_value(Check::ok("schema", "fine")).unwrap();
        assert_eq!((&right["status"], &right["remedy"]), (&"ok".into(), &serde_json::Value::Null));
    }
}
