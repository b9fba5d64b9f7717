use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::doc::{Answer, Doc, Media};
use super::problems::{self, SHARED, Shared};
use super::schemas::Schemas;
use crate::Scope;
use crate::problem_document::ProblemBody;
use crate::route::Operation;

const DESCRIPTION: &str = "What the seller's app tells the worker and asks of it. Served by the internal listener only. \
    Quantities are decimal texts in the dimension's units, times RFC 3339. \
    Errors are problem documents (RFC 9457), whose `type` is for programs. \
    A path that is not here is answered with 404 (`not-found`), a method that a path does not have with 405 \
    (`method-not-allowed`), and every call with 503 (`not-open`) until the database is open.";

/// The description of these operations, as `OpenAPI` 3.1 has it.
pub(crate) fn document<'a>(operations: impl Iterator<Item = &'a Operation>) -> Value {
    let mut schemas = Schemas::new();
    let mut paths = Map::new();
    for operation in operations {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        if let Some(methods) = path.as_object_mut() {
            let method = operation.method.as_str().to_ascii_lowercase();
            methods.insert(method, described(operation, &mut schemas));
        }
    }
    let _referred_to = schemas.given(SchemaGenerator::subschema_for::<ProblemBody<'_>>);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Stallkeeper", "version": "1", "description": DESCRIPTION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "securitySchemes": { "bearer": bearer() },
            "responses": shared_responses(),
            "schemas": schemas.definitions(),
        },
    })
}

fn bearer() -> Value {
    let scopes = Scope::ALL.map(Scope::as_str).join(", ");
    let description = format!("A configured token with the scope that an operation names, one of {scopes}.");
    json!({ "type": "http", "scheme": "bearer", "description": description })
}

fn shared_responses() -> Map<String, Value> {
    let response = |shared: &Shared| (shared.name.to_owned(), shared.response());
    SHARED.iter().map(response).collect()
}

fn described(operation: &Operation, schemas: &mut Schemas) -> Value {
    let Operation { path, scope, doc, .. } = operation;
    let mut described = json!({
        "operationId": doc.id,
        "summary": doc.summary,
        "security": [{ "bearer": [scope.as_str()] }],
        "responses": responses(doc, schemas),
    });
    let mut insert = |name: &str, value: Value| {
        described.as_object_mut().and_then(|described| described.insert(name.to_owned(), value));
    };
    if let Some(detail) = doc.detail {
        insert("description", detail.into());
    }
    let parameters = parameters(path, doc, schemas);
    if !parameters.is_empty() {
        insert("parameters", parameters.into());
    }
    if !doc.bodies.is_empty() {
        let form = |media: &Media| (media.content_type.to_owned(), content(media, Schemas::taken, schemas));
        let content: Map<String, Value> = doc.bodies.iter().map(form).collect();
        insert("requestBody", json!({ "required": true, "content": content }));
    }
    described
}

/// Those of the path in their order there, then those of the query by name, then headers.
fn parameters(path: &str, doc: &Doc, schemas: &mut Schemas) -> Vec<Value> {
    let mut parameters = Vec::new();
    for (place, schema) in [("path", doc.path), ("query", doc.query)] {
        let mut fields = schema.map(|schema| schemas.fields(schema)).unwrap_or_default();
        if place == "path" {
            fields.sort_by_key(|(name, ..)| path.find(&format!("{{{name}}}")));
        }
        let parameter = |(name, mut schema, required): (String, Value, bool)| {
            let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            let mut parameter = json!({ "name": name, "in": place, "required": required, "schema": schema });
            if let (Some(description), Some(parameter)) = (description, parameter.as_object_mut()) {
                parameter.insert("description".to_owned(), description);
            }
            parameter
        };
        parameters.extend(fields.into_iter().map(parameter));
    }
    let header = |(name, description): &(&str, &str)| {
        let schema = json!({ "type": "string" });
        json!({ "name": name, "in": "header", "required": false, "schema": schema, "description": description })
    };
    parameters.extend(doc.headers.iter().map(header));
    parameters
}

fn responses(doc: &Doc, schemas: &mut Schemas) -> Map<String, Value> {
    let of_answer = |answer: &Answer| (answer.status.as_str().to_owned(), response(answer, schemas));
    let mut responses: Map<String, Value> = doc.answers.iter().map(of_answer).collect();
    responses.extend(problems::responses(&doc.problems));
    for shared in SHARED.iter().filter(|shared| shared.is_of(doc)) {
        let reference = json!({ "$ref": format!("#/components/responses/{}", shared.name) });
        responses.extend(shared.status().map(|status| (status.as_str().to_owned(), reference)));
    }
    responses
}

fn response(answer: &Answer, schemas: &mut Schemas) -> Value {
    let mut response = Map::new();
    response.insert("description".to_owned(), answer.description.into());
    if let Some(media) = &answer.body {
        let content = json!({ media.content_type: content(media, Schemas::given, schemas) });
        response.insert("content".to_owned(), content);
    }
    let header = |(name, description): &(&str, &str)| {
        let header = json!({ "description": description, "schema": { "type": "string" } });
        ((*name).to_owned(), header)
    };
    let headers: Map<String, Value> = answer.headers.iter().map(header).collect();
    if !headers.is_empty() {
        response.insert("headers".to_owned(), headers.into());
    }
    response.into()
}

fn content(
    media: &Media,
    schema: fn(&mut Schemas, super::doc::SchemaOf) -> Value,
    schemas: &mut Schemas,
) -> Value {
    json!({ "schema": schema(schemas, media.schema), "example": media.example })
}
