use std::path::PathBuf;

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read at all.
    #[error("the configuration file {} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What it says cannot be used; every problem is there at once.
    #[error("the configuration is refused:{}", lines(problems))]
    Refused {
        /// One line each: where, which key, what is wrong and what is expected.
        problems: Vec<String>,
    },
    /// A key that this command needs is not set.
    #[error("{key} is not set: {remedy}")]
    Missing {
        /// The key.
        key: &'static str,
        /// What to do.
        remedy: &'static str,
    },
}

fn lines(problems: &[String]) -> String {
    problems.iter().flat_map(|problem| ["\n  ", problem]).collect()
}
