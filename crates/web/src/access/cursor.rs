use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::problem_document::ProblemDocument;

/// A cursor that nobody needs to understand: what it is for, and where it stands.
pub(super) fn encode(what: &str, position: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{what}:{position}"))
}

/// The position of a cursor that [`encode`] made for the same purpose.
pub(super) fn decode(what: &str, cursor: &str) -> Result<String, ProblemDocument> {
    let text = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let position = text.as_deref().and_then(|text| text.strip_prefix(what)?.strip_prefix(':'));
    position.map(str::to_owned).ok_or_else(unknown)
}

/// What a cursor is that cannot be understood.
pub(super) fn unknown() -> ProblemDocument {
    ProblemDocument::bad_request("cursor: expected one that an answer of this path named as `next`")
}
