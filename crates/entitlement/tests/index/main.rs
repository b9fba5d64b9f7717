//! Who may use what, by the index alone.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where something is missing")]

mod answers;
mod oracle;
mod stage;
