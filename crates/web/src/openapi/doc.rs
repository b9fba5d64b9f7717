use axum::http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;

/// What `/openapi.json` says of a route; the path, the method and the scope come from the route itself.
///
/// Every route is said to answer 401, 403, 500 and 503, one with parameters or a body 400, and one with a body
/// 413; all else that its handler answers is named here, or a test that sees such an answer fails.
#[derive(Debug)]
pub(crate) struct Doc {
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) detail: Option<&'static str>,
    pub(super) path: Option<SchemaOf>,
    pub(super) query: Option<SchemaOf>,
    /// Headers of the request that change the answer: names and meanings.
    pub(super) headers: Vec<(&'static str, &'static str)>,
    pub(super) bodies: Vec<Media>,
    pub(super) answers: Vec<Answer>,
    pub(super) problems: Vec<Problem>,
}

/// Makes a type's schema, or a reference to it.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// A body in one form.
#[derive(Debug)]
pub(super) struct Media {
    pub(super) content_type: &'static str,
    pub(super) schema: SchemaOf,
    pub(super) example: Value,
}

/// An answer that is no problem.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) description: &'static str,
    pub(super) body: Option<Media>,
    /// Names and meanings.
    pub(super) headers: Vec<(&'static str, &'static str)>,
}

/// A problem document of the route's own.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    /// The last part of its type.
    pub(super) kind: &'static str,
    /// When it is answered.
    pub(super) when: &'static str,
}

impl Doc {
    /// An operation's id, which names it in generated clients, and what it does in a few words.
    pub(crate) fn new(id: &'static str, summary: &'static str) -> Self {
        let (headers, bodies, answers, problems) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { id, summary, detail: None, path: None, query: None, headers, bodies, answers, problems }
    }

    /// What else a caller has to know.
    pub(crate) fn detail(self, detail: &'static str) -> Self {
        Self { detail: Some(detail), ..self }
    }

    /// The path's parameters: the fields of `T`.
    pub(crate) fn path<T: JsonSchema>(self) -> Self {
        Self { path: Some(T::json_schema), ..self }
    }

    /// The query's parameters: the fields of `T`.
    pub(crate) fn query<T: JsonSchema>(self) -> Self {
        Self { query: Some(T::json_schema), ..self }
    }

    /// A header that a request may have.
    pub(crate) fn takes_header(mut self, name: &'static str, description: &'static str) -> Self {
        self.headers.push((name, description));
        self
    }

    /// A form of the body that it takes.
    pub(crate) fn body<T: JsonSchema>(mut self, content_type: &'static str, example: Value) -> Self {
        self.bodies.push(Media { content_type, schema: SchemaGenerator::subschema_for::<T>, example });
        self
    }

    /// An answer in JSON.
    pub(crate) fn answer<T: JsonSchema>(
        self,
        status: StatusCode,
        description: &'static str,
        example: Value,
    ) -> Self {
        let schema = SchemaGenerator::subschema_for::<T>;
        self.any_answer(
            status,
            description,
            Some(Media { content_type: "application/json", schema, example }),
        )
    }

    /// An answer without a body.
    pub(crate) fn empty(self, status: StatusCode, description: &'static str) -> Self {
        self.any_answer(status, description, None)
    }

    /// A header of the answer that was named last.
    pub(crate) fn header(mut self, name: &'static str, description: &'static str) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.headers.push((name, description));
        }
        self
    }

    /// A problem document: its status, the last part of its type, and when it is answered.
    pub(crate) fn problem(mut self, status: StatusCode, kind: &'static str, when: &'static str) -> Self {
        self.problems.push(Problem { status, kind, when });
        self
    }

    fn any_answer(mut self, status: StatusCode, description: &'static str, body: Option<Media>) -> Self {
        self.answers.push(Answer { status, description, body, headers: Vec::new() });
        self
    }
}
