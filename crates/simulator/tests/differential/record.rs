use std::collections::HashMap;
use std::fmt::Display;

use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};

use crate::place::Place;

/// What one place said to each step of a script, with everything replaced that is another each time.
pub(crate) struct Record {
    steps: Vec<(&'static str, String)>,
    /// Ids, receipts and times, each under the order of its first appearance among its kind.
    seen: HashMap<&'static str, Vec<String>>,
    /// What stands for this place's address and this run's names.
    own: [(String, &'static str); 2],
}

/// A difference that is there for a reason.
pub(crate) struct Known {
    pub(crate) step: &'static str,
    pub(crate) simulator: &'static str,
    pub(crate) moto: &'static str,
    /// What AWS documents.
    pub(crate) reason: &'static str,
}

impl Record {
    pub(crate) fn new(place: &Place) -> Self {
        let own = [(place.base_url.clone(), "{base}"), (place.run.clone(), "{run}")];
        Self { steps: Vec::new(), seen: HashMap::new(), own }
    }

    /// A record of its own, to test the comparison.
    pub(crate) fn of(steps: &[(&'static str, &str)]) -> Self {
        let steps = steps.iter().map(|(step, said)| (*step, (*said).to_owned())).collect();
        Self { steps, seen: HashMap::new(), own: Default::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.steps.len()
    }

    /// Notes what was said to a step.
    pub(crate) fn say(&mut self, step: &'static str, said: impl Display) {
        assert!(self.steps.iter().all(|(other, _)| *other != step), "two steps are called {step:?}");
        let filled = self.own.iter().filter(|(own, _)| !own.is_empty());
        let said = filled.fold(said.to_string(), |said, (own, word)| said.replace(own, word));
        self.steps.push((step, said));
    }

    /// Notes an answer or its error: the error's code and the HTTP status.
    pub(crate) fn answer<T, E>(
        &mut self,
        step: &'static str,
        answer: Result<T, SdkError<E, HttpResponse>>,
        words: impl FnOnce(&mut Self, T) -> String,
    ) where
        E: ProvideErrorMetadata,
    {
        let said = match answer {
            Ok(answer) => words(self, answer),
            Err(error) => {
                let status = error.raw_response().map_or(0, |response| response.status().as_u16());
                format!("{status} {}", error.code().unwrap_or("without a code"))
            }
        };
        self.say(step, said);
    }

    /// The name under which something is noted that is another each time.
    pub(crate) fn name(&mut self, kind: &'static str, value: Option<&str>) -> String {
        let Some(value) = value else { return format!("no {kind}") };
        let seen = self.seen.entry(kind).or_default();
        let known = seen.iter().position(|other| other == value);
        let index = known.unwrap_or_else(|| {
            seen.push(value.to_owned());
            seen.len() - 1
        });
        format!("{kind} {}", index + 1)
    }
}

/// Where two records differ without being listed, or are listed without differing so.
pub(crate) fn problems(simulator: &Record, moto: &Record, known: &[Known]) -> Vec<String> {
    let mut problems = Vec::new();
    for index in 0..simulator.steps.len().max(moto.steps.len()) {
        let (Some((step, ours)), Some((their_step, theirs))) =
            (simulator.steps.get(index), moto.steps.get(index))
        else {
            problems.push(format!("step {index} was taken in one place only"));
            break;
        };
        if step != their_step {
            problems.push(format!("step {index} is {step:?} in one place and {their_step:?} in the other"));
            break;
        }
        problems.extend(problem(step, ours, theirs, known.iter().find(|known| known.step == *step)));
    }
    let steps: Vec<_> = simulator.steps.iter().map(|(step, _)| *step).collect();
    let absent = known.iter().filter(|known| !steps.contains(&known.step));
    problems.extend(absent.map(|known| format!("{:?} is listed and no step is called so", known.step)));
    problems
}

fn problem(step: &str, ours: &str, theirs: &str, known: Option<&Known>) -> Option<String> {
    match known {
        None if ours == theirs => None,
        None => Some(format!("{step:?} differs:\n  simulator: {ours}\n  moto:      {theirs}")),
        Some(_) if ours == theirs => {
            Some(format!("{step:?} does not differ any more; take it off the list:\n  both: {ours}"))
        }
        Some(Known { simulator, moto, .. }) if (*simulator, *moto) == (ours, theirs) => None,
        Some(Known { simulator, moto, reason, .. }) => Some(format!(
            "{step:?} differs otherwise than is listed ({reason}):\n  simulator: {ours}\n  listed:    \
             {simulator}\n  moto:      {theirs}\n  listed:    {moto}"
        )),
    }
}
