//! gitleaks' JSON report, without what could hold the secret.

use serde::Deserialize;

use crate::finding::Leak;
use crate::scanner::Tool;
use crate::text::plain;

/// One entry of the report (gitleaks' `report.Finding`). `Secret`, `Match` and the commit's message are left where they
/// are, redacted or not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Match {
    #[serde(rename = "RuleID")]
    pub(super) rule: String,
    pub(super) description: String,
    pub(super) file: String,
    pub(super) start_line: u32,
    pub(super) end_line: u32,
    pub(super) start_column: u32,
    pub(super) end_column: u32,
    #[serde(default)]
    pub(super) commit: String,
}

impl Match {
    /// Where it is, whatever rule found it.
    pub(super) fn place(&self) -> (String, String, u32) {
        (self.commit.clone(), self.file.clone(), self.start_line)
    }

    /// What makes it the same leak in the tree and in a commit.
    pub(super) fn spot(&self) -> (String, String, u32) {
        (self.file.clone(), self.rule.clone(), self.start_line)
    }

    /// `file:rule:line`, as gitleaks names a leak in any commit.
    pub(super) fn place_in_file(&self) -> String {
        format!("{}:{}:{}", self.file, self.rule, self.start_line)
    }

    /// As gitleaks names this leak in this commit.
    pub(super) fn fingerprint(&self) -> String {
        if self.commit.is_empty() { self.place_in_file() } else { format!("{}:{}", self.commit, self.place_in_file()) }
    }

    /// The leak for a report; `commit` is from another match of it, if there is one.
    pub(super) fn leak(&self, commit: Option<String>) -> Leak {
        let own = Some(self.commit.clone()).filter(|commit| !commit.is_empty());
        Leak {
            rule: plain(&self.rule),
            description: plain(&self.description),
            file: plain(&self.file),
            layer: None,
            // A rule that looks at names alone has no line.
            line: self.start_line.max(1),
            commit: own.or(commit),
            fingerprint: plain(&self.fingerprint()),
            tool: Tool::GITLEAKS,
        }
    }
}
