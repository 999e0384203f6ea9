//! SARIF 2.1.0 for GitHub's code scanning: one file per tool.
//!
//! What GitHub accepts and keeps is in GitHub Docs, "SARIF support for code scanning". The limits are applied here, the worst
//! findings first, and the file says what was left out: GitHub cuts silently.

mod fingerprint;
mod leaks;
mod location;
mod registry_scan;
mod vulnerabilities;
mod watched;

use std::collections::HashMap;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_sarif::sarif::{
    Invocation, Message, Notification, ReportingDescriptor, Result as Alert, Run, RunAutomationDetails, Sarif, Tool as SarifTool,
    ToolComponent,
};

use super::catalogue::{Catalogue, is_complete};
use crate::record::Record;
use crate::scanner::{Driver, Finds, Tool};
use crate::sink::Redacted;
use crate::text;

/// The results of a run that GitHub keeps, by severity.
pub(crate) const RESULTS: usize = 5000;
/// The most bytes that GitHub takes, after gzip.
pub(crate) const COMPRESSED: usize = 10_000_000;
/// The most characters of a text in a rule.
const TEXT: usize = 1000;

/// A tool's results, the worst first, and how to make the rules that they name.
struct Alerts<'a> {
    results: Vec<Alert>,
    rule: MakeRule<'a>,
}

impl Alerts<'_> {
    /// These, and after them others.
    fn and(mut self, others: Self) -> Self {
        self.results.extend(others.results);
        Self { results: self.results, rule: Box::new(move |id| (self.rule)(id).or_else(|| (others.rule)(id))) }
    }
}

/// Makes the rule with an id.
type MakeRule<'a> = Box<dyn Fn(&str) -> Option<ReportingDescriptor> + 'a>;

pub(crate) use registry_scan::{NAME as REGISTRY_SCAN, render as registry_scan};
pub(crate) use vulnerabilities::merged;
pub(crate) use watched::render as watched;

/// The SARIF file of each tool that has one, under the tool's name; see [`render`].
pub(crate) fn files(record: &Record) -> impl Iterator<Item = (Tool, Option<Redacted>)> {
    Tool::judging().map(|tool| (tool, render(record, tool).map(|json| Redacted::of_json(&json))))
}

/// The SARIF file of a tool, with no results if it found nothing, so that GitHub closes earlier alerts. `None` if its scan
/// did not run to the end: a file without results would then be wrong.
#[must_use]
pub(crate) fn render(record: &Record, tool: Tool) -> Option<Vec<u8>> {
    tool.finds.as_ref().filter(|_| is_complete(record, tool)).map(|finds| fit(record, tool, finds, (RESULTS, COMPRESSED)))
}

/// The file with at most `results` results and at most `bytes` bytes after gzip.
fn fit(record: &Record, tool: Tool, finds: &Finds, (results, bytes): (usize, usize)) -> Vec<u8> {
    let catalogue = Catalogue::of(record);
    let alerts = leaks::alerts(&catalogue, tool, finds).and(vulnerabilities::alerts(&catalogue, tool));
    fitted(&finds.driver, &category(record, tool.name()), &alerts, (results, bytes))
}

fn fitted(driver: &Driver, category: &str, alerts: &Alerts<'_>, (results, bytes): (usize, usize)) -> Vec<u8> {
    let mut kept = alerts.results.len().min(results);
    loop {
        let json = super::json(&log(driver, category, (alerts, kept)));
        // Most files are small enough before they are compressed.
        if kept == 0 || json.len() <= bytes {
            return json;
        }
        let size = compressed(&json);
        if size <= bytes {
            return json;
        }
        // In proportion, and a little less, for the mildest need not be the shortest.
        kept = usize::try_from(kept as u128 * bytes as u128 * 9 / (size as u128 * 10)).unwrap_or(0);
    }
}

fn log(driver: &Driver, category: &str, (alerts, kept): (&Alerts<'_>, usize)) -> Sarif {
    let mut results = alerts.results[..kept].to_vec();
    let rules = number(&mut results, &alerts.rule);
    let Driver { name, information_uri } = *driver;
    let driver = ToolComponent::builder().name(name).information_uri(information_uri).rules(rules).build();
    let run = Run::builder()
        .tool(SarifTool::builder().driver(driver).build())
        .automation_details(RunAutomationDetails::builder().id(category).build())
        .invocations(vec![invocation(alerts.results.len() - kept)])
        .column_kind("utf16CodeUnits")
        .results(results)
        .build();
    Sarif::builder().version("2.1.0").schema("https://json.schemastore.org/sarif-2.1.0.json").runs(vec![run]).build()
}

/// Gives each result the index of its rule, and makes the rules.
fn number(results: &mut [Alert], make: impl Fn(&str) -> Option<ReportingDescriptor>) -> Vec<ReportingDescriptor> {
    let mut rules = Vec::new();
    let mut indexes: HashMap<String, i64> = HashMap::new();
    for result in results {
        let Some(id) = &result.rule_id else { continue };
        if !indexes.contains_key(id) {
            let Some(rule) = make(id) else { continue };
            indexes.insert(id.clone(), i64::try_from(rules.len()).unwrap_or(i64::MAX));
            rules.push(rule);
        }
        result.rule_index = indexes.get(id).copied();
    }
    rules
}

/// What GitHub keeps apart: two analyses of one category replace each other (GitHub Docs, "SARIF support for code scanning",
/// "runAutomationDetails object": all up to the last slash).
fn category(record: &Record, tool: &str) -> String {
    category_of(tool, record.name.as_deref().unwrap_or("image"))
}

fn category_of(what: &str, image: &str) -> String {
    format!("gp-deliver/{what}/{}/", text::line(image, TEXT).trim_matches('/'))
}

fn invocation(left_out: usize) -> Invocation {
    let invocation = Invocation::builder().execution_successful(true);
    if left_out == 0 {
        return invocation.build();
    }
    let left_out = text::count(left_out, "result");
    let message = format!(
        "{left_out} left out, lowest severity first: GitHub accepts {RESULTS} results and 10 MB. All are in record.json."
    );
    let message = Message::builder().text(message).build();
    let notification = Notification::builder().level("warning").message(message).build();
    invocation.tool_execution_notifications(vec![notification]).build()
}

/// A text for a message: no placeholder and no link can begin in it (SARIF 2.1.0, sections 3.11.5 and 3.11.6).
fn message_text(message: &str) -> String {
    text::line(message, TEXT).replace('{', "(").replace('}', ")").replace("](", "] (")
}

fn compressed(json: &[u8]) -> usize {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Into memory: it can't fail.
    let _ = encoder.write_all(json);
    encoder.finish().map_or(usize::MAX, |compressed| compressed.len())
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod with_parts;
