//! Figures of a delivery, as Amazon CloudWatch takes them: how it ended, how long it took, what was found, how old the
//! vulnerability database is. They have two dimensions, repository and environment, and no other: each further one would be
//! a series of its own, and each commit or tag in one would cost for ever.

use std::str::FromStr;

use jiff::Timestamp;
use serde_json::json;

use crate::environment::Environment;
use crate::finding::{Finding, Severity};
use crate::record::{Record, RunResult, Stage, StageName, StageOutcome};

/// The namespace of the figures.
pub(crate) const NAMESPACE: &str = "GpDeliver";
/// The most characters of a dimension's value; CloudWatch takes 1024 (Amazon CloudWatch API reference, `Dimension`).
const LONGEST: usize = 255;

/// Where figures are put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// Nowhere.
    Off,
    /// Into a file of the report.
    Emf,
    /// To Amazon CloudWatch.
    CloudWatch,
}

impl FromStr for Demand {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self::Off),
            "emf" => Ok(Self::Emf),
            "cloudwatch" => Ok(Self::CloudWatch),
            _ => Err(()),
        }
    }
}

/// One figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Figure {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its unit, in CloudWatch's word (Amazon CloudWatch API reference, `MetricDatum`).
    pub(crate) unit: &'static str,
    /// Its value.
    pub(crate) value: u64,
}

/// All figures of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Figures {
    /// When they are of.
    pub(crate) at: Timestamp,
    /// The dimensions, each with its value.
    pub(crate) dimensions: [(&'static str, String); 2],
    /// The figures. What is not known has none: it is not 0.
    pub(crate) values: Vec<Figure>,
}

impl Figures {
    /// Those of a delivery that ends now.
    #[must_use]
    pub(crate) fn of(record: &Record, result: RunResult, now: Timestamp) -> Self {
        let figure = |name, unit, value| Figure { name, unit, value };
        let ended = |how| u64::from(result == how);
        let elapsed = u64::try_from(now.duration_since(record.started_at).as_millis()).unwrap_or_default();
        let mut figures = vec![
            figure("Deliveries", "Count", ended(RunResult::Delivered)),
            figure("Blocked", "Count", ended(RunResult::Blocked)),
            figure("Failed", "Count", ended(RunResult::Failed)),
            figure("Duration", "Milliseconds", elapsed),
        ];
        if has_ended(record, StageName::Secrets) {
            let leaks = record.findings.iter().filter(|finding| matches!(finding, Finding::Leak(_))).count();
            figures.push(figure("FindingsLeaks", "Count", number(leaks)));
        }
        if has_ended(record, StageName::Vulnerabilities) {
            figures.extend(Severity::ALL.map(|severity| figure(name_of(severity), "Count", vulnerabilities(record, severity))));
        }
        if let Some(database) = &record.database {
            let age = u64::try_from(now.duration_since(database.updated_at).as_secs()).unwrap_or_default();
            figures.push(figure("DatabaseAge", "Seconds", age));
        }
        let repository = record.name.as_deref().or(record.destination.as_deref()).unwrap_or_default();
        let environment = record.environment.map(Environment::name).unwrap_or_default();
        Self {
            at: now,
            dimensions: [("Repository", dimension(repository)), ("Environment", dimension(environment))],
            values: figures,
        }
    }

    /// The line in CloudWatch's embedded metric format (Amazon CloudWatch User Guide, "Specification: Embedded metric format").
    #[must_use]
    pub(crate) fn to_emf(&self) -> String {
        let names: Vec<_> = self.dimensions.iter().map(|(name, _)| *name).collect();
        let metrics: Vec<_> = self.values.iter().map(|figure| json!({ "Name": figure.name, "Unit": figure.unit })).collect();
        let mut line = json!({
            "_aws": {
                "Timestamp": self.at.as_millisecond(),
                "CloudWatchMetrics": [{ "Namespace": NAMESPACE, "Dimensions": [names], "Metrics": metrics }],
            },
        });
        self.dimensions.iter().for_each(|(name, value)| line[*name] = value.as_str().into());
        self.values.iter().for_each(|figure| line[figure.name] = figure.value.into());
        format!("{line}\n")
    }
}

fn name_of(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "FindingsCritical",
        Severity::High => "FindingsHigh",
        Severity::Medium => "FindingsMedium",
        Severity::Low => "FindingsLow",
        Severity::Unknown => "FindingsUnknown",
    }
}

fn vulnerabilities(record: &Record, severity: Severity) -> u64 {
    let of = |finding: &&Finding| matches!(finding, Finding::Vulnerability(one) if one.severity == severity);
    number(record.findings.iter().filter(of).count())
}

fn number(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Whether a scan ran to its end: one that did not has found nothing, and that is no figure.
fn has_ended(record: &Record, name: StageName) -> bool {
    let ended = |stage: &Stage| matches!(stage.outcome, StageOutcome::Passed | StageOutcome::Advised | StageOutcome::Blocked);
    record.stages.iter().any(|stage| stage.name == name && ended(stage))
}

/// A value of a dimension: of printable ASCII, not empty, and not led by a colon.
fn dimension(text: &str) -> String {
    let plain = |character: char| if character.is_ascii_graphic() { character } else { '_' };
    let value: String = text.trim().trim_start_matches(':').chars().map(plain).take(LONGEST).collect();
    if value.is_empty() { "unknown".to_owned() } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    fn figures(record: &Record, result: RunResult) -> Figures {
        Figures::of(record, result, "2026-08-03T10:00:42Z".parse().unwrap())
    }

    #[test]
    fn a_blocked_delivery_has_its_figures_in_cloudwatchs_format() {
        let line = figures(&fixture::blocked(), RunResult::Blocked).to_emf();
        assert!(line.ends_with("}\n") && line.lines().count() == 1);
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["_aws"]["Timestamp"], 1_785_751_242_000_i64);
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], NAMESPACE);
        assert_eq!(directive["Dimensions"], json!([["Repository", "Environment"]]));
        for metric in directive["Metrics"].as_array().unwrap() {
            assert!(line[metric["Name"].as_str().unwrap()].is_u64(), "{metric} has no value");
        }
        assert_eq!((&line["Repository"], &line["Environment"]), (&json!("team/hello"), &json!("prod")));
        let values =
            ["Deliveries", "Blocked", "Failed", "Duration", "FindingsLeaks", "DatabaseAge"].map(|name| line[name].as_u64());
        assert_eq!(values, [0, 1, 0, 42_000, 2, 100_842].map(Some));
    }

    #[test]
    fn the_terraform_modules_dashboard_shows_the_figures_that_are_put() {
        let dashboard = include_str!("../terraform/dashboard.tf");
        assert!(dashboard.contains(&format!("namespace = \"{NAMESPACE}\"")));
        let figures = figures(&fixture::blocked(), RunResult::Blocked);
        // Leaks are in the count of what a gate held back.
        for figure in figures.values.iter().filter(|figure| figure.name != "FindingsLeaks") {
            assert!(dashboard.contains(&format!("\"{}\"", figure.name)), "{}", figure.name);
        }
    }

    #[test]
    fn what_was_not_looked_for_is_no_figure() {
        let mut record = fixture::blocked();
        record.stages.retain(|stage| stage.name != StageName::Vulnerabilities);
        record.database = None;
        let names: Vec<_> = figures(&record, RunResult::Failed).values.iter().map(|figure| figure.name).collect();
        assert_eq!(names, ["Deliveries", "Blocked", "Failed", "Duration", "FindingsLeaks"]);
    }

    #[test]
    fn a_dimension_is_what_cloudwatch_takes_whatever_the_name_is() {
        for (text, value) in [("team/app", "team/app"), ("", "unknown"), (" : ", "unknown"), ("a b\u{1b}ü", "a_b__"), (":x", "x")]
        {
            assert_eq!(dimension(text), value, "{text:?}");
        }
        assert_eq!(dimension(&"x".repeat(2000)).len(), LONGEST);
    }
}
