//! Alerts: what the Security tab shows of a ref.

use std::collections::BTreeMap;

use serde_json::Value;

use super::code_scanning::Analysis;
use super::sarif::{list, rules};

/// So many results of a run become alerts, the worst first.
const SHOWN: usize = 5_000;

/// One alert.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// `tool.driver.name` of the run.
    pub tool: String,
    /// The category of its analysis.
    pub category: String,
    /// The rule's id.
    pub rule: String,
    /// `primaryLocationLineHash`; none where the result has none.
    pub fingerprint: Option<String>,
    /// `error`, `warning`, `note` or `none`.
    pub level: String,
    /// The rule's `security-severity`.
    pub severity: Option<f64>,
    /// The file, as the result gives it.
    pub path: String,
    /// The line; 1 where the result has none.
    pub line: u64,
    /// `message.text` of the result.
    pub message: String,
}

/// The alerts of some analyses, where a later one of the same tool and category replaces an earlier one.
pub fn alerts<'a>(analyses: impl Iterator<Item = &'a Analysis>) -> Vec<Alert> {
    let mut latest: BTreeMap<(&str, &str), &Analysis> = BTreeMap::new();
    for analysis in analyses {
        latest.insert((&analysis.category, &analysis.tool), analysis);
    }
    latest.into_values().flat_map(of_analysis).collect()
}

fn of_analysis(analysis: &Analysis) -> Vec<Alert> {
    let mut alerts: Vec<Alert> = list(&analysis.run, "/results").iter().map(|result| of_result(analysis, result)).collect();
    let rank = |alert: &Alert| ["error", "warning", "note"].iter().position(|one| *one == alert.level).unwrap_or(3);
    alerts.sort_by(|one, other| {
        let severities = other.severity.unwrap_or(0.0).total_cmp(&one.severity.unwrap_or(0.0));
        severities.then(rank(one).cmp(&rank(other)))
    });
    alerts.truncate(SHOWN);
    let mut seen = std::collections::HashSet::new();
    // "The primaryLocationLineHash … is combined with the repository, file path, and rule data to form the fingerprint."
    alerts.retain(|alert| {
        alert.fingerprint.is_none() || seen.insert((alert.fingerprint.clone(), alert.path.clone(), alert.rule.clone()))
    });
    alerts
}

fn of_result(analysis: &Analysis, result: &Value) -> Alert {
    let text = |pointer: &str| result.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let rules = rules(&analysis.run);
    let index = result["ruleIndex"].as_u64().and_then(|index| usize::try_from(index).ok());
    let id = text("/ruleId").or_else(|| text("/rule/id"));
    let rule = match (index.and_then(|index| rules.get(index)), &id) {
        (Some(rule), _) => Some(*rule),
        (None, Some(id)) => rules.into_iter().find(|rule| rule["id"] == id.as_str()),
        (None, None) => None,
    };
    let of_rule = |pointer: &str| rule.and_then(|rule| rule.pointer(pointer)?.as_str().map(str::to_owned));
    Alert {
        tool: analysis.tool.clone(),
        category: analysis.category.clone(),
        rule: id.or_else(|| of_rule("/id")).unwrap_or_default(),
        fingerprint: text("/partialFingerprints/primaryLocationLineHash"),
        level: text("/level").or_else(|| of_rule("/defaultConfiguration/level")).unwrap_or_else(|| "warning".into()),
        severity: of_rule("/properties/security-severity").and_then(|severity| severity.parse().ok()),
        path: text("/locations/0/physicalLocation/artifactLocation/uri").unwrap_or_default(),
        line: result.pointer("/locations/0/physicalLocation/region/startLine").and_then(Value::as_u64).unwrap_or(1),
        message: text("/message/text").unwrap_or_default(),
    }
}
