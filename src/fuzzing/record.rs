//! The record of another job: what is told of it, in each form that reports have.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::input::can_be_shown;
use crate::document;
use crate::environment::Environment;
use crate::finding::Severity;
use crate::policy::Threshold;
use crate::record::Record;
use crate::report::claimed::{self, Known};
use crate::report::sarif::{self, RESULTS};
use crate::report::{annotations, outputs, summary};
use crate::scanner::Tool;

/// The most bytes of a summary here, less than what GitHub shows, so that some are cut.
const SUMMARY: usize = 4 << 10;

/// Reads a `record.json` and makes all reports of it: of what stands in it, and of what another job tells of it.
pub fn record(bytes: &[u8]) {
    let Ok(record) = document::read::<Record>(bytes) else { return };
    let written = serde_json::to_vec(&record).unwrap_or_default();
    let again = document::read::<Record>(&written).map(|again| serde_json::to_vec(&again).unwrap_or_default());
    assert!(again.is_ok_and(|again| again == written), "it reads back as it was");
    are_reports(&record);
    let Ok(folder) = tempfile::tempdir() else { return };
    if fs::write(folder.path().join("record.json"), bytes).is_err() {
        return;
    }
    let Ok(claim) = claimed::read(folder.path()) else { return };
    assert!(claim.publication.is_none(), "a change publishes nothing");
    let threshold = Threshold { severity: Severity::High, ignore_unfixed: false };
    let known = Known { environment: Environment::Prod, threshold, commit: "a".repeat(40), name: "team/app".to_owned() };
    let told = claimed::retold(claim, known);
    assert!(told.image.is_none() && told.publication.is_none() && told.destination.is_none() && told.leftovers.is_empty());
    assert_eq!(told.environment, Some(Environment::Prod));
    are_reports(&told);
}

fn are_reports(record: &Record) {
    for tool in Tool::judging() {
        if let Some(json) = sarif::render(record, tool) {
            is_sarif(&json);
        }
    }
    for limit in [SUMMARY, summary::LIMIT] {
        let markdown = summary::render(record, limit);
        assert!(markdown.len() <= limit);
        assert!(!markdown.chars().any(|character| character.is_control() && character != '\n'), "{markdown}");
        assert!(!markdown.lines().any(|line| line.trim_start().starts_with("::") || line.contains("##[")), "{markdown}");
    }
    assert!(annotations::of(record).len() <= annotations::MOST);
    let outputs = outputs::of(record, Path::new("report"));
    let expected: Vec<_> = outputs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    assert_eq!(as_the_runner_reads(&outputs::render(&outputs)), expected, "no output sets another");
}

/// Outputs as actions/runner has them: a name, `<<` and a delimiter, the value, and the delimiter.
fn as_the_runner_reads(text: &str) -> Vec<(String, String)> {
    let mut lines = text.split('\n');
    let mut read = Vec::new();
    while let Some((name, delimiter)) = lines.next().and_then(|line| line.split_once("<<")) {
        let value: Vec<_> = lines.by_ref().take_while(|line| *line != delimiter).collect();
        read.push((name.to_owned(), value.join("\n")));
    }
    read
}

/// Whether a file is what GitHub takes: each result has its rule, a place inside the repository, and words that can be shown.
fn is_sarif(json: &[u8]) {
    let file: Value = serde_json::from_slice(json).unwrap_or_default();
    let run = &file["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().map(Vec::as_slice).unwrap_or_default();
    let results = run["results"].as_array().unwrap_or_else(|| unreachable!("a run has results: {file}"));
    assert!(results.len() <= RESULTS);
    for result in results {
        let index = result["ruleIndex"].as_u64().and_then(|index| usize::try_from(index).ok());
        let rule = index.and_then(|index| rules.get(index));
        assert!(rule.is_some_and(|rule| rule["id"] == result["ruleId"]), "a result has its rule: {result}");
        can_be_shown(&result["message"]["text"].as_str().unwrap_or_default());
        for location in result["locations"].as_array().into_iter().flatten() {
            let place = &location["physicalLocation"];
            let uri = place["artifactLocation"]["uri"].as_str().unwrap_or_default();
            let is_inside = !uri.starts_with('/') && !uri.contains(':') && !uri.split('/').any(|part| part == "..");
            assert!(!uri.is_empty() && is_inside, "{uri:?} is no file of the repository");
            let line = |key: &str| place["region"][key].as_i64().unwrap_or_default();
            assert!(1 <= line("startLine") && line("startLine") <= line("endLine"));
        }
    }
}
