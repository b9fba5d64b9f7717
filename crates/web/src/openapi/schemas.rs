use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value};

use super::doc::SchemaOf;

/// The schemas of what is taken and of what is given, kept under their names.
pub(super) struct Schemas {
    taken: SchemaGenerator,
    given: SchemaGenerator,
    /// Parameters have no names of their own.
    parameters: SchemaGenerator,
}

impl Schemas {
    pub(super) fn new() -> Self {
        let settings = || {
            let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(tidy));
            settings.with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        let given = settings().for_serialize().with_transform(RecursiveTransform(close));
        let parameters = settings().with(|settings| settings.inline_subschemas = true);
        Self {
            taken: settings().into_generator(),
            given: given.into_generator(),
            parameters: parameters.into_generator(),
        }
    }

    pub(super) fn taken(&mut self, schema: SchemaOf) -> Value {
        schema(&mut self.taken).to_value()
    }

    pub(super) fn given(&mut self, schema: SchemaOf) -> Value {
        schema(&mut self.given).to_value()
    }

    /// The fields of an object: name, schema, and whether it has to be there.
    pub(super) fn fields(&mut self, schema: SchemaOf) -> Vec<(String, Value, bool)> {
        let mut schema = schema(&mut self.parameters);
        RecursiveTransform(tidy).transform(&mut schema);
        let schema = schema.to_value();
        let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
        let properties = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
        let field = |(name, mut schema): (String, Value)| {
            let is_required = required.contains(&Value::from(name.as_str()));
            leave_out_null(&mut schema);
            (name, schema, is_required)
        };
        let mut fields: Vec<_> = properties.into_iter().map(field).collect();
        fields.sort_by(|one, other| one.0.cmp(&other.0));
        fields
    }

    /// All that was named so far.
    pub(super) fn definitions(mut self) -> Map<String, Value> {
        let mut definitions = self.taken.take_definitions(true);
        definitions.extend(self.given.take_definitions(true));
        definitions
    }
}

/// Breaks no lines where a comment in the code does, and names no format that is Rust's own.
fn tidy(schema: &mut Schema) {
    if let Some(Value::String(description)) = schema.get_mut("description") {
        *description = description.replace('\n', " ");
    }
    if schema.get("format").is_some_and(|format| format == "uint" || format == "int") {
        schema.remove("format");
    }
}

/// Nothing is given that is not documented, and what may be left out is left out instead of being null.
fn close(schema: &mut Schema) {
    let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let is_composed = ["oneOf", "anyOf", "allOf"].iter().any(|word| schema.get(*word).is_some());
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    for (name, property) in properties {
        if !required.contains(&Value::from(name.as_str())) {
            leave_out_null(property);
        }
    }
    if !is_composed && schema.get("additionalProperties").is_none() {
        schema.insert("additionalProperties".to_owned(), false.into());
    }
}

/// What is left out where it would be null.
fn leave_out_null(schema: &mut Value) {
    let Some(types) = schema.get_mut("type").filter(|types| types.is_array()) else { return };
    let others = types.as_array().into_iter().flatten().filter(|word| *word != "null");
    *types = match others.collect::<Vec<_>>().as_slice() {
        [only] => (*only).clone(),
        several => several.iter().copied().cloned().collect(),
    };
}
