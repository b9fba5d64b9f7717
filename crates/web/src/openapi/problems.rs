use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::doc::{Doc, Problem};

/// Problems of one status that many routes answer with.
pub(super) struct Shared {
    /// Under which they are kept among the document's responses.
    pub(super) name: &'static str,
    pub(super) problems: &'static [Problem],
    answers: fn(&Doc) -> bool,
}

/// What routes answer with that do not say so themselves.
pub(super) const SHARED: [Shared; 6] = [
    Shared {
        name: "BadRequest",
        problems: &[Problem {
            status: StatusCode::BAD_REQUEST,
            kind: "bad-request",
            when: "The parameters or the body cannot be read.",
        }],
        answers: |doc| doc.path.is_some() || doc.query.is_some() || !doc.bodies.is_empty(),
    },
    Shared {
        name: "Unauthorized",
        problems: &[Problem {
            status: StatusCode::UNAUTHORIZED,
            kind: "unauthorized",
            when: "No token was sent, or none that is configured.",
        }],
        answers: |_| true,
    },
    Shared {
        name: "OutOfScope",
        problems: &[Problem {
            status: StatusCode::FORBIDDEN,
            kind: "out-of-scope",
            when: "The token has not the scope that the operation names.",
        }],
        answers: |_| true,
    },
    Shared {
        name: "TooLarge",
        problems: &[Problem {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            kind: "too-large",
            when: "The body has too many bytes.",
        }],
        answers: |doc| !doc.bodies.is_empty(),
    },
    Shared {
        name: "RefusedByStore",
        problems: &[Problem {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            kind: "refused-by-store",
            when: "The database refuses this; trying again does not help, and the worker's log says why.",
        }],
        answers: |_| true,
    },
    Shared {
        name: "Unavailable",
        problems: &[
            Problem {
                status: StatusCode::SERVICE_UNAVAILABLE,
                kind: "unavailable",
                when: "The worker cannot serve this now, as when the database cannot be reached.",
            },
            Problem {
                status: StatusCode::SERVICE_UNAVAILABLE,
                kind: "not-open",
                when: "The database has not been opened yet.",
            },
        ],
        answers: |_| true,
    },
];

impl Shared {
    pub(super) fn status(&self) -> Option<StatusCode> {
        self.problems.first().map(|problem| problem.status)
    }

    /// Whether a route answers so and says nothing else of the status.
    pub(super) fn is_of(&self, doc: &Doc) -> bool {
        let is_own = |problem: &Problem| Some(problem.status) == self.status();
        (self.answers)(doc) && !doc.problems.iter().any(is_own)
    }

    /// What is kept among the document's responses.
    pub(super) fn response(&self) -> Value {
        response(&self.problems.iter().collect::<Vec<_>>())
    }
}

/// The responses of a route's own problems, those of one status together.
pub(super) fn responses(problems: &[Problem]) -> Map<String, Value> {
    let mut responses = Map::new();
    for problem in problems {
        let of_status: Vec<&Problem> =
            problems.iter().filter(|other| other.status == problem.status).collect();
        responses.insert(problem.status.as_str().to_owned(), response(&of_status));
    }
    responses
}

/// A response that is one of these problems, all of one status.
fn response(problems: &[&Problem]) -> Value {
    let description = problems.iter().map(|problem| problem.when).collect::<Vec<_>>().join(" Or: ");
    let types: Vec<String> = problems.iter().map(|problem| problem_type(problem.kind)).collect();
    let first = problems.first();
    let status = first.map_or(0, |problem| problem.status.as_u16());
    let title = first.and_then(|problem| problem.status.canonical_reason());
    let schema = json!({
        "allOf": [{ "$ref": "#/components/schemas/Problem" }],
        "properties": { "type": { "enum": types }, "status": { "const": status } },
    });
    let example = json!({
        "type": types.first(), "title": title, "status": status,
        "detail": first.map(|problem| problem.when),
    });
    let mut response = json!({
        "description": description,
        "content": { "application/problem+json": { "schema": schema, "example": example } },
    });
    if let (Some((name, header)), Some(response)) = (header(status), response.as_object_mut()) {
        response.insert("headers".to_owned(), json!({ name: header }));
    }
    response
}

fn problem_type(kind: &str) -> String {
    format!("urn:stallkeeper:problem:{kind}")
}

/// The header that comes with a status.
fn header(status: u16) -> Option<(&'static str, Value)> {
    match status {
        401 | 403 => {
            let description = "What is wrong with the token (RFC 6750).";
            Some(("WWW-Authenticate", json!({ "description": description, "schema": { "type": "string" } })))
        }
        429 | 503 => {
            let schema = json!({ "type": "integer", "minimum": 0 });
            let description = "When to send it again, in seconds.";
            Some(("Retry-After", json!({ "description": description, "schema": schema })))
        }
        _ => None,
    }
}
