//! The words for what went wrong. Errors carry values; this is the one place that makes sentences of them.
//! A [`Diagnosis`] is data of the record; how one is worded is said here.
//!
//! `STYLE.md` says how they are written: `what` without a full stop, `why` and `remedy` as sentences. `punctuation`
//! checks that, and `troubleshooting` checks the document of that name against them.

mod aws;
mod build;
mod delivery;
mod github;
mod gitops;
mod kubernetes;
mod layout;
#[cfg(test)]
mod literals;
mod permission;
mod process;
mod publish;
mod pull;
#[cfg(test)]
mod punctuation;
mod registry;
mod registry_scan;
mod report;
mod scan;
mod session;
mod signing;
#[cfg(test)]
mod troubleshooting;
mod trust;

pub(crate) use trust::Explanation;

pub(crate) use crate::record::Diagnosis;

impl Diagnosis {
    /// A diagnosis without an excerpt and without anything to copy. A cause in someone else's words gets a full stop where
    /// it has none.
    #[must_use]
    pub(crate) fn new(what: impl Into<String>, why: impl Into<String>, remedy: impl Into<String>) -> Self {
        let why = sentence(&why.into());
        Self { what: what.into(), why, remedy: remedy.into(), excerpt: Vec::new(), to_copy: Vec::new() }
    }

    /// The diagnosis as a warning has it: what, why and what to do, one after the other.
    #[must_use]
    pub(crate) fn in_a_row(&self) -> String {
        format!("{}. {} {}", self.what, self.why, self.remedy)
    }

    /// The same, with what the remedy gives to copy.
    #[must_use]
    pub(crate) fn whole_in_a_row(&self) -> String {
        let lines: Vec<_> = self.to_copy.iter().map(|line| line.trim()).collect();
        if lines.is_empty() { self.in_a_row() } else { format!("{} {}", self.in_a_row(), lines.join(" ")) }
    }

    /// The cause, what to do and what there is to copy, on one line: why one of several was passed over.
    #[must_use]
    pub(crate) fn as_a_reason(&self) -> String {
        let words = [&self.why, &self.remedy].into_iter().chain(&self.to_copy).flat_map(|text| text.lines());
        words.map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// Adds the last words of what failed, oldest first.
    #[must_use]
    pub(crate) fn with_excerpt(self, lines: &[String]) -> Self {
        Self { excerpt: lines.to_vec(), ..self }
    }

    /// Adds what the remedy gives to copy.
    #[must_use]
    pub(crate) fn with_copy(self, text: &str) -> Self {
        Self { to_copy: text.lines().map(str::to_owned).collect(), ..self }
    }
}

/// Each of several causes as a sentence on a line of its own.
fn sentences(causes: &[impl ToString]) -> String {
    causes.iter().map(|cause| sentence(&cause.to_string())).collect::<Vec<_>>().join("\n")
}

/// Adds a full stop, unless the words end with a punctuation mark or with an indented line, which is a value.
fn sentence(words: &str) -> String {
    let words = words.trim_end();
    let last = words.lines().last().unwrap_or_default();
    let complete = last.is_empty() || last.starts_with("  ") || last.ends_with(['.', '!', '?', ':', '…']);
    if complete { words.to_owned() } else { format!("{words}.") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_in_other_words_than_ours_gets_one_full_stop() {
        let why = |words: &str| Diagnosis::new("It broke", words, "Mend it.").why;
        assert_eq!(why("permission denied\n"), "permission denied.");
        assert_eq!(why("Permission denied."), "Permission denied.");
        assert_eq!(
            why("The token says:\n  sub: repo:acme/app"),
            "The token says:\n  sub: repo:acme/app",
            "a value stays as it is"
        );
        assert_eq!(why(""), "");
    }
}
