//! What GitHub reads out of a SARIF log, and what it can't take ("SARIF support for code scanning" and "SARIF results exceed
//! one or more limits" in GitHub's documentation). Where no public source quotes an error, its words follow the others'.

use std::collections::BTreeSet;

use serde_json::Value;

/// What a run may hold: of what, how many, and which pointers lead to them.
const RUNS: usize = 20;
const RESULTS: usize = 25_000;
const RULES: usize = 25_000;
const EXTENSIONS: usize = 100;
const STEPS: usize = 10_000;
const LOCATIONS: usize = 1_000;
const TAGS: usize = 20;

const SAME_CATEGORY: &str = "A delivery cannot contain multiple runs with the same category. Please upload a single run per \
                             category. For more information, see https://github.blog/changelog/2025-07-21-code-scanning-will-\
                             stop-combining-multiple-sarif-runs-uploaded-in-the-same-sarif-file/";

/// A list in a document; none is an empty one.
pub fn list<'a>(document: &'a Value, pointer: &str) -> &'a [Value] {
    document.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The name of a run's tool.
pub fn tool(run: &Value) -> String {
    run.pointer("/tool/driver/name").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The category of a run: its id up to the last slash ("runAutomationDetails object").
pub fn category(run: &Value) -> String {
    let id = run.pointer("/automationDetails/id").and_then(Value::as_str).unwrap_or_default();
    id.rsplit_once('/').map_or_else(String::new, |(category, _)| category.to_owned())
}

/// All rules of a run.
pub fn rules(run: &Value) -> Vec<&Value> {
    let extensions = list(run, "/tool/extensions").iter().flat_map(|extension| list(extension, "/rules"));
    list(run, "/tool/driver/rules").iter().chain(extensions).collect()
}

/// Why a log is not processed; empty where it is.
pub fn errors(log: &Value) -> Vec<String> {
    if !log["runs"].is_array() {
        return vec!["SARIF file invalid".to_owned()];
    }
    let runs = list(log, "/runs");
    let found = over(runs.len(), RUNS, "runs").or_else(|| runs.iter().find_map(limit_of_run));
    if let Some(over) = found {
        return vec![format!("rejecting SARIF, as there are more {over}")];
    }
    let categories: BTreeSet<_> = runs.iter().map(|run| (tool(run), category(run))).collect();
    if categories.len() < runs.len() {
        return vec![SAME_CATEGORY.to_owned()];
    }
    let severity = runs.iter().flat_map(rules).find_map(wrong_severity);
    let locations: Vec<&str> = runs.iter().flat_map(|run| list(run, "/results")).filter_map(wrong_location).collect();
    let locations = (!locations.is_empty()).then(|| locations.join(", "));
    severity.or(locations).into_iter().collect()
}

fn limit_of_run(run: &Value) -> Option<String> {
    let results = list(run, "/results");
    let rules = rules(run);
    over(results.len(), RESULTS, "results per run")
        .or_else(|| over(rules.len(), RULES, "rules per run"))
        .or_else(|| over(list(run, "/tool/extensions").len(), EXTENSIONS, "tool extensions per run"))
        .or_else(|| results.iter().find_map(|result| over(steps(result), STEPS, "threadflow steps per result")))
        .or_else(|| results.iter().find_map(|result| over(list(result, "/locations").len(), LOCATIONS, "locations per result")))
        .or_else(|| rules.iter().find_map(|rule| over(list(rule, "/properties/tags").len(), TAGS, "tags per rule")))
}

fn over(count: usize, limit: usize, what: &str) -> Option<String> {
    (count > limit).then(|| format!("{what} than allowed ({count} > {limit})"))
}

fn steps(result: &Value) -> usize {
    let flows = list(result, "/codeFlows").iter().flat_map(|flow| list(flow, "/threadFlows"));
    flows.map(|flow| list(flow, "/locations").len()).sum()
}

fn wrong_severity(rule: &Value) -> Option<String> {
    let severity = rule.pointer("/properties/security-severity")?;
    let text = severity.as_str().map_or_else(|| severity.to_string(), str::to_owned);
    let wrong = text.parse::<f64>().is_err();
    wrong.then(|| format!("could not convert rules: invalid security severity value, is not a number: {text}"))
}

fn wrong_location(result: &Value) -> Option<&'static str> {
    let Some(location) = list(result, "/locations").first() else {
        return Some("locationFromSarifResult: expected at least one location");
    };
    let uri = location.pointer("/physicalLocation/artifactLocation/uri").and_then(Value::as_str);
    uri.is_none().then_some("locationFromSarifResult: expected artifact location")
}
