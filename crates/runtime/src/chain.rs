use std::error::Error;

/// An error and its causes on one line.
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut words: Vec<String> = Vec::new();
    for error in std::iter::successors(Some(error), |error| (*error).source()) {
        let text = error.to_string();
        let cause = text.split_whitespace().collect::<Vec<_>>().join(" ");
        // Some libraries repeat the cause in their own message.
        if !words.last().is_some_and(|last| last.ends_with(&cause)) {
            words.push(cause);
        }
    }
    words.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_several_lines_is_told_on_one() {
        #[derive(Debug, thiserror::Error)]
        #[error("tried:\n  this\n  that")]
        struct Tried;
        assert_eq!(error_chain(&Tried), "tried: this that");
    }

    #[test]
    fn a_cause_that_its_error_repeats_is_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("it broke: {0}")]
        struct Repeating(#[source] std::fmt::Error);
        assert_eq!(error_chain(&Repeating(std::fmt::Error)), format!("it broke: {}", std::fmt::Error));
    }
}
