//! One script of calls, through AWS' own SDK, to the simulator and to moto: they say the same, but for what is
//! listed, and in that AWS' documentation is on the simulator's side.
//!
//! moto is an implementation that nobody here wrote; where it agrees, the simulator is not our own fiction.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be prepared fails"
)]

mod place;
mod record;
mod signature;
mod sns;
mod sns_known;
mod sqs;
mod sqs_known;
mod sqs_words;

use crate::place::Place;
use crate::record::{Known, Record, problems};

#[tokio::test]
async fn the_simulator_says_of_queues_what_moto_says_or_what_aws_documents() {
    let (simulator, moto) = (Place::simulator().await, Place::moto());
    let (mut ours, mut theirs) = (Record::new(&simulator), Record::new(&moto));
    tokio::join!(sqs::script(&simulator, &mut ours), sqs::script(&moto, &mut theirs));
    assert_alike(&ours, &theirs, sqs_known::KNOWN);
}

#[tokio::test]
async fn the_simulator_says_of_topics_what_moto_says_or_what_aws_documents() {
    let (simulator, moto) = (Place::simulator().await, Place::moto());
    let (mut ours, mut theirs) = (Record::new(&simulator), Record::new(&moto));
    tokio::join!(sns::script(&simulator, &mut ours), sns::script(&moto, &mut theirs));
    assert_alike(&ours, &theirs, sns_known::KNOWN);
}

fn assert_alike(simulator: &Record, moto: &Record, known: &[Known]) {
    let problems = problems(simulator, moto, known);
    assert!(problems.is_empty(), "of {} steps:\n{}", simulator.len(), problems.join("\n"));
}

#[test]
fn a_difference_is_a_problem_unless_it_is_listed_as_it_is() {
    let known = |simulator, moto| [Known { step: "a", simulator, moto, reason: "documented" }];
    let (one, other) = (Record::of(&[("a", "1"), ("b", "2")]), Record::of(&[("a", "9"), ("b", "2")]));
    assert_eq!(problems(&one, &other, &[]).len(), 1);
    assert_eq!(problems(&one, &other, &known("1", "9")), [""; 0]);
    assert_eq!(problems(&one, &other, &known("1", "8")).len(), 1);
}

#[test]
fn a_listed_difference_that_is_gone_is_a_problem() {
    let one = Record::of(&[("a", "1")]);
    for step in ["a", "no such step"] {
        let known = [Known { step, simulator: "1", moto: "9", reason: "documented" }];
        assert_eq!(problems(&one, &one, &known).len(), 1);
    }
}

#[test]
fn a_step_that_only_one_of_the_two_took_is_a_problem() {
    let (one, other) = (Record::of(&[("a", "1")]), Record::of(&[("a", "1"), ("b", "2")]));
    assert_eq!(problems(&one, &other, &[]).len(), 1);
}
