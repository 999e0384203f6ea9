//! Why a delivery failed, as data: `diagnosis` has the words.

use serde::{Deserialize, Serialize};

/// A failure as a person reads it, at the end of a delivery that did not work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Diagnosis {
    /// What happened: one sentence without a full stop.
    pub(crate) what: String,
    /// Why, as far as it is known: the cause in the other side's own words, or ours. May have several lines.
    pub(crate) why: String,
    /// What to do about it.
    pub(crate) remedy: String,
    /// The last words of what failed (a build step's output, a scanner's standard error), oldest first. May be empty.
    pub(crate) excerpt: Vec<String>,
    /// What the remedy gives to copy, line by line: commands, or a document. May be empty.
    #[serde(default)]
    pub(crate) to_copy: Vec<String>,
}
