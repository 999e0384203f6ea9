//! Tables of environments, inputs and outputs, and the action that has them.

#![allow(clippy::format_push_string, reason = "a table reads well so")]

use super::document::holds;
use crate::environment::Environment;
use crate::inputs;
use crate::report::outputs;

fn environments() -> String {
    let mut table = "| environment | leaked secrets | vulnerabilities | SARIF upload |\n|---|---|---|---|\n".to_owned();
    for environment in Environment::ALL {
        let demands = environment.requirements();
        let sarif = if demands.sarif_upload { "yes" } else { "no" };
        table += &format!("| `{environment}` | {} | {} | {sarif} |\n", demands.secrets, demands.vulnerabilities);
    }
    table
}

#[test]
fn the_table_of_environments_is_the_codes() {
    holds("README.md", "environments", &environments());
    holds("docs/inputs.md", "environments", &environments());
}

#[test]
fn the_table_of_inputs_is_the_codes() {
    let mut table = "| input | default | what it is |\n|---|---|---|\n".to_owned();
    for input in inputs::of_action() {
        let default = input.default_value().map_or(input.default.to_owned(), |value| format!("`{value}`"));
        table += &format!("| `{}` | {default} | {} |\n", input.name, input.help.replace('|', "\\|"));
    }
    holds("docs/inputs.md", "inputs", &table);
}

#[test]
fn the_table_of_outputs_is_the_codes() {
    let rows = outputs::ALL.iter().map(|(name, what)| format!("| `{name}` | {what} |\n"));
    holds("docs/inputs.md", "outputs", &format!("| output | what it is |\n|---|---|\n{}", rows.collect::<String>()));
}

/// Text as a scalar of YAML.
fn scalar(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[test]
fn the_action_has_the_inputs_and_outputs_of_the_code() {
    let mut inputs = String::new();
    for input in inputs::of_action() {
        let words = if input.default_value().is_none() && !input.default.is_empty() {
            format!(" [default: {}]", input.default)
        } else {
            String::new()
        };
        let allowed = if input.switch { ": true or false" } else { "" };
        let description = scalar(&format!("{}{allowed}{words}", input.help));
        let default = scalar(input.default_value().unwrap_or_default());
        inputs += &format!("  {}:\n    description: {description}\n    required: false\n    default: {default}\n", input.name);
    }
    // The runner takes an output of a container action from the file that the container writes.
    let outputs = outputs::ALL.iter().map(|(name, what)| format!("  {name}:\n    description: {}\n", scalar(what)));
    holds("action.yml", "inputs", &format!("inputs:\n{inputs}"));
    holds("action.yml", "outputs", &format!("outputs:\n{}", outputs.collect::<String>()));
}
