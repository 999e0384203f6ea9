//! An action's `action.yml`, as the runner reads it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

/// A Docker container action.
#[derive(Clone, Debug, Deserialize)]
pub struct Action {
    #[serde(default)]
    inputs: BTreeMap<String, Input>,
    runs: Runs,
}

#[derive(Clone, Debug, Deserialize)]
struct Input {
    #[serde(default)]
    default: Option<serde_yaml::Value>,
}

#[derive(Clone, Debug, Deserialize)]
struct Runs {
    using: String,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    entrypoint: Option<String>,
}

impl Action {
    /// Reads an `action.yml`. The image that it names is not looked at: tests run the one that was built for them.
    pub fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let action: Self = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(action.runs.using, "docker", "{}", path.display());
        action
    }

    /// The inputs: what the workflow gives, over the defaults. One that neither gives is empty, not absent.
    pub fn inputs(&self, given: &BTreeMap<String, String>, github: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let default = |input: &Input| match &input.default {
            None | Some(serde_yaml::Value::Null) => String::new(),
            Some(serde_yaml::Value::String(text)) => evaluate(text, "github", github),
            Some(serde_yaml::Value::Bool(value)) => value.to_string(),
            Some(serde_yaml::Value::Number(value)) => value.to_string(),
            Some(other) => panic!("a default that the runner does not take: {other:?}"),
        };
        let mut inputs: BTreeMap<_, _> = self.inputs.iter().map(|(name, input)| (name.clone(), default(input))).collect();
        inputs.extend(given.clone());
        inputs
    }

    /// The arguments. An empty one is passed as well.
    pub fn arguments(&self, inputs: &BTreeMap<String, String>) -> Vec<String> {
        self.runs.args.iter().map(|argument| evaluate(argument, "inputs", inputs)).collect()
    }

    /// What the action adds to the environment, where the workflow has not set it.
    pub fn environment(&self, inputs: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        self.runs.env.iter().map(|(name, value)| (name.clone(), evaluate(value, "inputs", inputs))).collect()
    }

    /// What is run in place of the image's entry point.
    pub fn entrypoint(&self) -> Option<&str> {
        self.runs.entrypoint.as_deref()
    }
}

/// The name of the variable in which a container finds an input.
pub fn variable(input: &str) -> String {
    format!("INPUT_{}", input.replace(' ', "_").to_uppercase())
}

/// Fills in `${{ CONTEXT.NAME }}`. Other expressions are no part of what these tests need.
fn evaluate(text: &str, context: &str, values: &BTreeMap<String, String>) -> String {
    let Some((before, rest)) = text.split_once("${{") else { return text.to_owned() };
    let (expression, after) = rest.split_once("}}").unwrap_or_else(|| panic!("an expression without an end: {text}"));
    let name = expression.trim().strip_prefix(context).and_then(|rest| rest.strip_prefix('.'));
    let value = name.and_then(|name| values.get(name)).unwrap_or_else(|| panic!("an unknown expression: {expression}"));
    format!("{before}{value}{}", evaluate(after, context, values))
}
