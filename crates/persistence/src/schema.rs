/// How the database's tables stand to what this version of the worker expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaState {
    /// They agree.
    Current,
    /// Migrations are missing.
    Behind {
        /// How many.
        missing: usize,
    },
    /// A newer version has migrated the database.
    Ahead,
}
