//! What a builder's own checks say of a Dockerfile (Docker docs, "Build checks").

use std::fmt;

use serde::{Deserialize, Serialize};

/// A remark of a build check.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct BuildCheck {
    /// The Dockerfile, relative to the source's root where it is inside.
    pub(crate) file: String,
    /// The first line, counted from 1; 0 where none is known.
    pub(crate) line: u32,
    /// The last line.
    pub(crate) end_line: u32,
    /// The rule, `FromAsCasing`; absent where the builder names none.
    pub(crate) rule: Option<String>,
    /// What it says.
    pub(crate) message: String,
    /// Where the rule is described, as the builder says.
    pub(crate) url: Option<String>,
    /// Whether the Dockerfile asks for the build to fail on it (`# check=error=true`).
    pub(crate) fails: bool,
}

impl BuildCheck {
    /// A remark as a builder writes it: `FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 1)`.
    #[must_use]
    pub(crate) fn read(short: &str, lines: (u32, u32), url: &str) -> Self {
        let (line, end_line) = lines;
        let short = short.strip_suffix(&format!(" (line {line})")).unwrap_or(short).trim_end();
        let is_rule = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let (rule, message) = match short.split_once(": ") {
            Some((rule, message)) if is_rule(rule) => (Some(rule.to_owned()), message),
            _ => (None, short),
        };
        let url = Some(url.to_owned()).filter(|url| !url.is_empty());
        Self { file: String::new(), line, end_line: end_line.max(line), rule, message: message.to_owned(), url, fails: false }
    }

    /// The rule and what it says.
    #[must_use]
    pub(crate) fn words(&self) -> String {
        self.rule.as_ref().map_or_else(|| self.message.clone(), |rule| format!("{rule}: {}", self.message))
    }
}

/// `Dockerfile line 3: FromAsCasing: …`.
impl fmt::Display for BuildCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = if self.file.is_empty() { "Dockerfile" } else { &self.file };
        write!(f, "{file} line {}: {}", self.line, self.words())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remark_is_a_rule_its_words_and_its_lines() {
        let read =
            BuildCheck::read("FromAsCasing: 'as' and 'FROM' do not match: x (line 3)", (3, 0), "https://docs.docker.com/x");
        assert_eq!((read.rule.as_deref(), &*read.message), (Some("FromAsCasing"), "'as' and 'FROM' do not match: x"));
        assert_eq!((read.line, read.end_line, read.url.as_deref()), (3, 3, Some("https://docs.docker.com/x")));
        assert_eq!(read.to_string(), "Dockerfile line 3: FromAsCasing: 'as' and 'FROM' do not match: x");
        let other = BuildCheck::read("no rule at all: said (line 4)", (3, 5), "");
        assert_eq!((other.rule, &*other.message, other.url), (None, "no rule at all: said (line 4)", None));
        assert_eq!(other.end_line, 5);
    }
}
