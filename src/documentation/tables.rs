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

/// A number of bytes as the page has it, in powers of 1024.
fn bytes(count: u64) -> String {
    match count {
        count if count % (1 << 20) == 0 => format!("{} MiB", count >> 20),
        count if count % (1 << 10) == 0 => format!("{} KiB", count >> 10),
        count => format!("{count} bytes"),
    }
}

#[test]
fn the_table_of_bounds_of_files_is_the_codes() {
    use crate::dockerfile::bounds::{MAX_BYTES, MAX_DEPTH, MAX_STAGES, MAX_VALUES};
    use crate::document::yaml;
    use crate::scan::{gitleaks, trivy};
    use crate::source::definition;
    let count = |limit: usize| bytes(u64::try_from(limit).unwrap());
    let rows = [
        (
            "a Dockerfile",
            format!(
                "{}; {MAX_STAGES} stages; {MAX_DEPTH} variables in each other; {} that variables bring to its `ARG`s and `FROM`s",
                bytes(MAX_BYTES),
                count(MAX_VALUES)
            ),
            "what_is_built_lies_beneath_its_root::a_dockerfile_beyond_a_limit_ends_with_an_error_that_names_the_line",
        ),
        (
            "`.dockerignore`, `NAME.dockerignore`",
            format!(
                "{}; {} patterns of {}",
                bytes(definition::MAX_IGNORE_BYTES),
                definition::MAX_PATTERNS,
                count(definition::MAX_PATTERN_BYTES)
            ),
            "what_is_built_lies_beneath_its_root::an_ignore_file_beyond_a_limit_ends_with_an_error_that_names_the_line",
        ),
        (
            "`.gitleaks.toml`",
            format!("{}; 80 tables and lists in each other", count(gitleaks::MAX_RULES_BYTES)),
            "scan::gitleaks::rules::tests::rules_that_are_deep_are_refused_and_overflow_no_stack",
        ),
        (
            "`.gitleaksignore`",
            bytes(gitleaks::MAX_LIST_BYTES),
            "what_is_built_lies_beneath_its_root::a_list_that_is_none_of_the_sources_files_is_refused_at_once",
        ),
        (
            "`.trivyignore`, `.trivyignore.yaml`",
            format!(
                "{}; {} lists and maps in each other; {} with all aliases written out",
                bytes(trivy::ignore::MAX_BYTES),
                yaml::MAX_DEPTH,
                count(yaml::MAX_WRITTEN_OUT)
            ),
            "what_is_built_lies_beneath_its_root::a_list_that_comes_to_more_than_it_says_is_refused",
        ),
        (
            "a document of JSON",
            "128 lists and objects in each other".to_owned(),
            "document::tests::nesting_without_end_is_refused",
        ),
    ];
    let rows = rows.map(|(what, bound, test)| format!("| {what} | {bound} | `{test}` |\n")).concat();
    holds("docs/security.md", "bounds of files", &format!("| what | at most | shown by |\n|---|---|---|\n{rows}"));
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
