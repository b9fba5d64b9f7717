//! Who acts by a command.

use std::sync::Arc;

use clap::Args;
use stallkeeper_persistence::{Actor, Content, Door as _, Outcome, Store, SubmitError};
use stallkeeper_runtime::WallClock;

use crate::acts::OwnDoor;
use crate::config::Config;

/// The longest name of a person, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// Who does it.
#[derive(Debug, Args)]
pub(super) struct ByArgs {
    /// Who does this, for the history; the variable USER names him where nothing is said.
    #[arg(long, default_value_t = login(std::env::var("USER").ok()), hide_default_value = true, value_parser = name, value_name = "NAME")]
    by: String,
}

impl ByArgs {
    /// The person as the history names him.
    pub(super) fn actor(&self) -> Actor {
        Actor::Operator(self.by.clone())
    }
}

/// The person who is logged in; nobody is where the variable is empty, as in some containers.
fn login(user: Option<String>) -> String {
    user.filter(|user| !user.trim().is_empty()).unwrap_or_else(|| "unknown".to_owned())
}

fn name(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.len() > NAME_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(format!("expected 1 to {NAME_BYTES_MAX} bytes without control characters"));
    }
    Ok(text.to_owned())
}

/// Takes one thing through the commit.
///
/// # Errors
/// [`SubmitError`] says whether trying again can help.
pub(crate) async fn submit(
    content: Content,
    config: &Config,
    store: Arc<dyn Store>,
    clock: &Arc<dyn WallClock>,
) -> Result<Outcome, SubmitError> {
    OwnDoor { config: Arc::new(config.clone()), store, clock: clock.clone() }.submit(content).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_login_name_is_none() {
        assert_eq!(login(Some("ann".to_owned())), "ann");
        for user in [None, Some(String::new()), Some(" ".to_owned())] {
            assert_eq!(login(user), "unknown");
        }
    }
}
