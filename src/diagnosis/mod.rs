//! The words for what went wrong. Errors carry values; this is the one place that makes sentences of them.

mod aws;
mod build;
mod delivery;
mod github;
mod layout;
mod permission;
mod process;
mod publish;
mod registry;
mod report;
mod scan;
mod session;
mod trust;

use serde::{Deserialize, Serialize};

pub use trust::Explanation;

/// A failure as a person reads it, at the end of a delivery that did not work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Diagnosis {
    /// What happened: one sentence without a full stop.
    pub what: String,
    /// Why, as far as it is known: the cause in the other side's own words, or ours. May have several lines.
    pub why: String,
    /// What to do about it.
    pub remedy: String,
    /// The last words of what failed (a build step's output, a scanner's standard error), oldest first. May be empty.
    pub excerpt: Vec<String>,
    /// What the remedy gives to copy, line by line: commands, or a document. May be empty.
    #[serde(default)]
    pub to_copy: Vec<String>,
}

impl Diagnosis {
    /// A diagnosis without an excerpt and without anything to copy.
    #[must_use]
    pub fn new(what: impl Into<String>, why: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into(), remedy: remedy.into(), excerpt: Vec::new(), to_copy: Vec::new() }
    }

    /// The diagnosis as a warning has it: what, why and what to do, one after the other.
    #[must_use]
    pub fn in_a_row(&self) -> String {
        format!("{}. {} {}", self.what, self.why, self.remedy)
    }

    /// Adds what the remedy gives to copy.
    #[must_use]
    pub fn with_copy(self, text: &str) -> Self {
        Self { to_copy: text.lines().map(str::to_owned).collect(), ..self }
    }
}
