//! The template as `CloudFormation` reads it: parameters, conditions and functions put in.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::yaml;

/// The account in which the template is filled in.
pub(crate) const ACCOUNT: &str = "123456789012";

/// The template with its parameters, and what its resources are called once they are made.
pub(crate) struct Template {
    document: Value,
    parameters: BTreeMap<String, Value>,
    /// By `Resource.Attribute`.
    made: BTreeMap<String, String>,
}

impl Template {
    /// With its defaults, for topics that are handed over.
    pub(crate) fn new(region: &str, topics: &[&str]) -> Self {
        let document =
            yaml("cloudformation.yaml", "from cfnlint.decode import cfn_yaml", "cfn_yaml.load(path)");
        let partition = if region.starts_with("cn-") { "aws-cn" } else { "aws" };
        let mut parameters = BTreeMap::new();
        for (name, parameter) in document["Parameters"].as_object().unwrap() {
            parameters.extend(parameter.get("Default").map(|default| (name.clone(), default.clone())));
        }
        let pseudo = [("AWS::Region", region), ("AWS::Partition", partition), ("AWS::AccountId", ACCOUNT)];
        parameters.extend(pseudo.map(|(name, value)| (name.to_owned(), json!(value))));
        parameters.insert("TopicArns".to_owned(), json!(topics));
        let arn = |service: &str, name: &str| format!("arn:{partition}:{service}:{region}:{ACCOUNT}:{name}");
        let made = BTreeMap::new();
        Self { document, parameters, made }
            .made("Queue.Arn", &arn("sqs", "stall"))
            .made("DeadLetters.Arn", &arn("sqs", "stall-dead"))
            .made("Rule.Arn", &arn("events", "rule/stall"))
    }

    pub(crate) fn with(mut self, parameter: &str, value: &str) -> Self {
        assert!(self.parameters.contains_key(parameter), "the template has no parameter {parameter}");
        self.parameters.insert(parameter.to_owned(), json!(value));
        self
    }

    pub(crate) fn made(mut self, name: &str, value: &str) -> Self {
        self.made.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn name_made(&self, name: &str) -> &str {
        self.made.get(name).unwrap_or_else(|| panic!("nobody said what {name} is called"))
    }

    /// A resource's properties.
    pub(crate) fn resource(&self, name: &str) -> Value {
        self.resolve(&self.document["Resources"][name]["Properties"])
    }

    /// The properties of all resources of a type whose condition holds.
    pub(crate) fn resources(&self, kind: &str) -> Vec<Value> {
        let resources = self.document["Resources"].as_object().unwrap().values();
        let wanted = resources.filter(|resource| resource["Type"] == kind).filter(|resource| {
            resource.get("Condition").is_none_or(|name| self.holds(name.as_str().unwrap()))
        });
        wanted.map(|resource| self.resolve(&resource["Properties"])).collect()
    }

    fn holds(&self, condition: &str) -> bool {
        self.resolve(&self.document["Conditions"][condition]).as_bool().unwrap()
    }

    fn resolve(&self, value: &Value) -> Value {
        match value {
            Value::Array(items) => items.iter().map(|item| self.resolve(item)).filter(is_there).collect(),
            Value::Object(fields) if fields.len() == 1 => {
                let (name, argument) = fields.iter().next().unwrap();
                self.call(name, argument).unwrap_or_else(|| self.resolve_fields(fields))
            }
            Value::Object(fields) => self.resolve_fields(fields),
            plain => plain.clone(),
        }
    }

    fn resolve_fields(&self, fields: &Map<String, Value>) -> Value {
        let resolved = fields.iter().map(|(name, value)| (name.clone(), self.resolve(value)));
        Value::Object(resolved.filter(|(_, value)| is_there(value)).collect())
    }

    /// What a function comes to, if it is one; `null` stands for what is left out.
    fn call(&self, function: &str, argument: &Value) -> Option<Value> {
        if function == "Fn::If" {
            let branch = if self.holds(argument[0].as_str().unwrap()) { 1 } else { 2 };
            return Some(self.resolve(&argument[branch]));
        }
        let argument = self.resolve(argument);
        let text = |at: usize| argument[at].as_str().unwrap();
        Some(match function {
            "Ref" => self.reference(argument.as_str().unwrap()),
            "Condition" => json!(self.holds(argument.as_str()?)),
            "Fn::GetAtt" => json!(self.name_made(&format!("{}.{}", text(0), text(1)))),
            "Fn::Equals" => json!(argument[0] == argument[1]),
            "Fn::Not" => json!(!argument[0].as_bool().unwrap()),
            "Fn::And" => json!(argument.as_array().unwrap().iter().all(|part| part == true)),
            "Fn::Join" => json!(texts(&argument[1]).join(text(0))),
            "Fn::Split" => json!(text(1).split(text(0)).collect::<Vec<_>>()),
            "Fn::Select" => argument[1][usize::try_from(argument[0].as_u64().unwrap()).unwrap()].clone(),
            "Fn::Sub" => self.substitute(&argument),
            other => {
                assert!(!other.starts_with("Fn::"), "{other} is not known here");
                return None;
            }
        })
    }

    fn reference(&self, name: &str) -> Value {
        match self.parameters.get(name) {
            Some(value) => value.clone(),
            None if name == "AWS::NoValue" => Value::Null,
            // A resource's own name does as well as the one that it is given.
            None => {
                assert!(self.document["Resources"].get(name).is_some(), "nothing is called {name}");
                json!(name)
            }
        }
    }

    fn substitute(&self, argument: &Value) -> Value {
        let (text, own) = match argument {
            Value::Array(parts) => (parts[0].as_str().unwrap(), parts[1].as_object().unwrap().clone()),
            text => (text.as_str().unwrap(), Map::new()),
        };
        let known =
            own.iter().chain(&self.parameters).filter_map(|(name, value)| Some((name, value.as_str()?)));
        let text =
            known.fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value));
        assert!(!text.contains("${"), "nobody said what stands for the variable in {text}");
        json!(text)
    }
}

fn is_there(value: &Value) -> bool {
    !value.is_null()
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}
