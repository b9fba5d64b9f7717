//! Holds what is answered against the API's own description.

use axum::http::Method;
use serde_json::{Value, json};

use crate::stage::Answer;

/// An operation of the document and its template's path.
pub(crate) struct Operation<'a> {
    document: &'a Value,
    pub(crate) path: &'a str,
    pub(crate) method: &'a str,
    pub(crate) described: &'a Value,
}

/// All operations of the document.
pub(crate) fn operations<'a>(document: &'a Value) -> Vec<Operation<'a>> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, methods): (&'a String, &'a Value)| {
        let operation = move |(method, described): (&'a String, &'a Value)| Operation {
            document,
            path,
            method,
            described,
        };
        methods.as_object().unwrap().iter().map(operation)
    };
    paths.iter().flat_map(of_path).collect()
}

/// The operation that a call is of; none for what the API does not have.
pub(crate) fn operation<'a>(document: &'a Value, method: &Method, path: &str) -> Option<Operation<'a>> {
    let is_it = |operation: &Operation<'_>| {
        let (template, path) = (operation.path.split('/'), path.split('/'));
        operation.method.eq_ignore_ascii_case(method.as_str())
            && template.clone().count() == path.clone().count()
            && template.zip(path).all(|(part, given)| part.starts_with('{') || part == given)
    };
    operations(document).into_iter().find(is_it)
}

impl Operation<'_> {
    /// The response with this status, where it is described.
    pub(crate) fn response(&self, status: u16) -> Option<&Value> {
        self.described["responses"].get(status.to_string()).map(|response| resolved(self.document, response))
    }

    /// Holds that an answer's status, content type, headers and body are as they are described.
    pub(crate) fn hold(&self, answer: &Answer) {
        let (method, path, status) = (self.method, self.path, answer.status.as_u16());
        let response = self.response(status);
        let response =
            response.unwrap_or_else(|| panic!("{method} {path} says nothing of {status}: {answer:?}"));
        for name in response["headers"].as_object().into_iter().flat_map(|headers| headers.keys()) {
            assert!(answer.headers.contains_key(name), "{method} {path} answers {status} without {name}");
        }
        let Some(content) = response["content"].as_object() else {
            assert_eq!(answer.header("content-type"), "", "{method} {path}: a body with {status}");
            return;
        };
        let media = content.get(answer.header("content-type"));
        let media = media.unwrap_or_else(|| panic!("{method} {path}: another content type in {answer:?}"));
        hold(self.document, &media["schema"], &answer.json);
    }
}

/// Holds that a value is as a schema of the document says.
pub(crate) fn hold(document: &Value, schema: &Value, value: &Value) {
    let schema = json!({ "allOf": [schema], "components": document["components"] });
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:?} in {value:#}");
}

/// A response as the document has it, where it is kept among the components, too.
pub(crate) fn resolved<'a>(document: &'a Value, response: &'a Value) -> &'a Value {
    match response["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => response,
    }
}
