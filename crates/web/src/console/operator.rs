use std::fmt;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use secrecy::ExposeSecret;
use stallkeeper_persistence::Actor;

use crate::TokenSecret;
use crate::tokens::{Digest, digest_of};

/// The longest name of a person, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// Shorter tokens can be guessed.
const TOKEN_BYTES_MIN: usize = 16;

/// A person who works with the console, by the name that the history has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Operator(String);

/// The text is no person's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a name of 1 to {NAME_BYTES_MAX} bytes without control characters")]
pub struct NameError;

impl Operator {
    /// The person with that name; blanks around it do not count.
    ///
    /// # Errors
    /// A name that is empty, has more than 64 bytes, or control characters.
    pub fn new(name: &str) -> Result<Self, NameError> {
        let name = name.trim();
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
            return Err(NameError);
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The person as the history names him.
    pub fn actor(&self) -> Actor {
        Actor::Operator(self.0.clone())
    }
}

/// An operator's token as it is configured.
#[derive(Clone, Debug)]
pub struct OperatorToken {
    /// Whose it is.
    pub operator: Operator,
    /// What he signs in with.
    pub token: TokenSecret,
}

/// Why operators' tokens cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperatorError {
    /// It can be guessed.
    #[error(
        "the token of the operator {name:?} has less than {TOKEN_BYTES_MIN} characters; make a longer one"
    )]
    Short {
        /// The operator.
        name: String,
    },
    /// Two are the same, so that nobody could tell who acts.
    #[error("the operators {first:?} and {second:?} have the same token; give each his own")]
    Same {
        /// The earlier one.
        first: String,
        /// The later one.
        second: String,
    },
}

/// Those who may sign in, of whose tokens only digests are kept. Cheap to clone.
#[derive(Clone, Default)]
pub struct Operators(Arc<[(Operator, Digest)]>);

impl Operators {
    /// Operators from the configuration.
    ///
    /// # Errors
    /// A token that is too short, and two that are the same.
    pub fn new(tokens: impl IntoIterator<Item = OperatorToken>) -> Result<Self, OperatorError> {
        let mut known: Vec<(Operator, Digest)> = Vec::new();
        for OperatorToken { operator, token } in tokens {
            if let TokenSecret::Plain(text) = &token
                && text.expose_secret().len() < TOKEN_BYTES_MIN
            {
                return Err(OperatorError::Short { name: operator.0 });
            }
            let digest = token.digest();
            if let Some((first, _)) = known.iter().find(|(_, known)| *known == digest) {
                return Err(OperatorError::Same { first: first.0.clone(), second: operator.0 });
            }
            known.push((operator, digest));
        }
        Ok(Self(known.into()))
    }

    /// Whether nobody may sign in.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whose token it is; it takes the same time whichever token it is or resembles.
    pub(super) fn find(&self, token: &str) -> Option<&Operator> {
        let presented = digest_of(token.trim());
        let is_it = |(_, digest): &&(Operator, Digest)| verify_slices_are_equal(digest, &presented).is_ok();
        // Every digest is looked at, so that the time does not tell which one it is.
        let found: Vec<&(Operator, Digest)> = self.0.iter().filter(is_it).collect();
        found.first().map(|(operator, _)| operator)
    }
}

impl fmt::Debug for Operators {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(|(operator, _)| operator.name())).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(name: &str, token: &str) -> OperatorToken {
        OperatorToken { operator: Operator::new(name).unwrap(), token: token.to_owned().into() }
    }

    #[test]
    fn an_operator_is_known_by_his_token_and_by_nothing_like_it() {
        let operators =
            Operators::new([token("mia", "mias-very-long-token"), token("ben", "bens-very-long-token")])
                .unwrap();
        let name = |token| operators.find(token).map(Operator::name);
        assert_eq!(name("bens-very-long-token"), Some("ben"));
        assert_eq!(name(" mias-very-long-token\n"), Some("mia"));
        for wrong in ["", "mias-very-long-toke", "mias-very-long-token2", "Mias-very-long-token"] {
            assert_eq!(name(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_operator_may_have_two_tokens_while_one_takes_the_other_s_place_and_one_by_its_digest() {
        let digest = TokenSecret::from("mias-next-long-token".to_owned()).digest();
        let next =
            OperatorToken { operator: Operator::new("mia").unwrap(), token: TokenSecret::Sha256(digest) };
        let operators = Operators::new([token("mia", "mias-very-long-token"), next]).unwrap();
        for text in ["mias-very-long-token", "mias-next-long-token"] {
            assert_eq!(operators.find(text).map(Operator::name), Some("mia"), "{text}");
        }
    }

    #[test]
    fn tokens_that_are_short_or_the_same_are_refused() {
        let short = Operators::new([token("mia", "short")]);
        assert_eq!(short.unwrap_err(), OperatorError::Short { name: "mia".to_owned() });
        let same = Operators::new([token("mia", "the-very-same-token"), token("ben", "the-very-same-token")]);
        assert!(matches!(same, Err(OperatorError::Same { .. })));
    }

    #[test]
    fn no_token_is_in_the_debug_text() {
        let operators = Operators::new([token("mia", "mias-very-long-token")]).unwrap();
        assert_eq!(format!("{operators:?}"), r#"["mia"]"#);
    }

    #[test]
    fn a_name_has_no_control_characters() {
        for name in ["", " ", "a\nb", &"x".repeat(65)] {
            assert_eq!(Operator::new(name), Err(NameError), "{name:?}");
        }
        assert_eq!(Operator::new(" Mia ").unwrap().name(), "Mia");
    }
}
