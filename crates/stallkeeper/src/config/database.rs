use secrecy::{ExposeSecret, SecretString};

use super::section::Section;
use super::{Config, ConfigError};

/// Which database a URL names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseKind {
    /// `sqlite:`, for one worker.
    Sqlite,
    /// `postgres:` or `postgresql:`, for several.
    Postgres,
}

impl DatabaseKind {
    /// The kind that the URL's scheme names, where it is one of those that are served.
    pub fn of(url: &SecretString) -> Option<Self> {
        match url.expose_secret().split_once(':') {
            Some(("sqlite", _)) => Some(Self::Sqlite),
            Some(("postgres" | "postgresql", _)) => Some(Self::Postgres),
            _ => None,
        }
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

impl Config {
    /// The database, for commands that cannot do without.
    ///
    /// # Errors
    /// [`ConfigError::Missing`] with what to set.
    pub fn required_database_url(&self) -> Result<&SecretString, ConfigError> {
        self.database_url.as_ref().ok_or(ConfigError::Missing {
            key: "database_url",
            remedy: "set STALLKEEPER_DATABASE_URL to sqlite:///path/to/stallkeeper.db (one worker) or \
                     postgres://user:password@host/database (several)",
        })
    }
}

pub(super) fn read(root: &Section<'_>) -> Option<SecretString> {
    let url = SecretString::from(root.string("database_url")?);
    if DatabaseKind::of(&url).is_none() {
        // The text itself may hold a password.
        root.refuse("database_url", "expected a URL that begins with sqlite:// or postgres://");
        return None;
    }
    Some(url)
}
