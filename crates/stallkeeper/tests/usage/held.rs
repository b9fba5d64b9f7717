use crate::stall::{KEY, Stall, row};

/// A stall whose hour 11 is closed, with usage of that hour that came afterwards.
async fn with_late_usage() -> Stall {
    let stall = Stall::open().await;
    stall.closed_at("2026-03-01T13:30:00Z").await;
    stall.used("u1", "2.5", "2026-03-01T11:45:00Z").await;
    stall
}

#[tokio::test]
async fn late_usage_is_listed_with_the_time_at_which_it_is_lost() {
    let stall = with_late_usage().await;
    let text = stall.run("usage held").await;
    let cells = row(&text, "search/acme/u1");
    assert_eq!(cells[1..6], [KEY, "requests", "2.5", "2026-03-01T11:45:00Z", "late"]);
    assert!(cells[6].starts_with("in "), "{text}");
    let json = stall.run_json(&format!("usage held {KEY} --json")).await;
    assert_eq!(json["held"][0]["id"], "u1");
}

#[tokio::test]
async fn late_usage_is_billed_in_the_next_hour_once_a_person_says_so() {
    let stall = with_late_usage().await;
    let out = stall.run("usage carry search/acme/u1 --by ann").await;
    assert_eq!(out, "search/acme/u1 is carried: it is billed in the first hour that is open\n");
    assert_eq!(stall.run("usage held").await, "no usage is held\n");
    let text = stall.run(&format!("usage list {KEY}")).await;
    assert_eq!(row(&text, "2026-03-01T12")[2..4], ["open", "2.5"]);
    let story = stall.run_json(&format!("subscriptions show {KEY} --json")).await;
    let line = story["history"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (line["what"].as_str(), line["actor"].as_str()),
        (Some("usage-carried"), Some("operator:ann"))
    );
    assert_eq!((&line["detail"]["usage"], &line["word"]), (&"u1".into(), &"active".into()));
}

#[tokio::test]
async fn late_usage_that_is_written_off_is_lost() {
    let stall = with_late_usage().await;
    stall.run("usage write-off --product search --tenant acme u1 --by ann").await;
    let text = stall.run("usage lost").await;
    let cells = row(&text, "2026-03-01T11");
    assert_eq!((cells[3], cells[4], cells[6]), ("2.5", "written_off", "search/acme/u1"));
}

#[tokio::test]
async fn what_cannot_be_decided_is_told_and_the_others_are() {
    let stall = with_late_usage().await;
    let (out, ended) = stall.try_run("usage carry search/acme/u0 search/acme/u1 search/acme/u1").await;
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "search/acme/u0 stays as it is: no such usage event");
    assert!(lines[1].starts_with("search/acme/u1 is carried"), "{out}");
    assert_eq!(lines[2], "search/acme/u1 stays as it is: it is not held as late");
    assert!(ended.unwrap_err().to_string().starts_with("2 of 3 events stay as they are"));
}

#[tokio::test]
async fn a_name_that_names_no_event_changes_nothing() {
    let stall = with_late_usage().await;
    let words = stall.refused("usage carry search/acme/u1 u1").await;
    assert!(words.starts_with("\"u1\" names no event; expected product/tenant/id"), "{words}");
    assert_eq!(stall.run_json("usage held --json").await["held"].as_array().unwrap().len(), 1);
}
