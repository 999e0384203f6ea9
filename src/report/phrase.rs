//! A sentence that mixes our words with text from outside, for a terminal and for Markdown alike.

use crate::text::{self, markdown};

/// A sentence in parts, so that what comes from outside is told from what is ours until it is rendered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Phrase(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Words(String),
    Code(String),
    Prose(String),
}

impl Phrase {
    /// A phrase that begins with words of ours: no text from outside, no markup.
    #[must_use]
    pub(crate) fn new(words: impl Into<String>) -> Self {
        Self(vec![Part::Words(words.into())])
    }

    /// Adds words of ours: no text from outside, no markup.
    #[must_use]
    pub(crate) fn words(mut self, words: impl Into<String>) -> Self {
        self.0.push(Part::Words(words.into()));
        self
    }

    /// Adds a name, a version or a path from outside.
    #[must_use]
    pub(crate) fn code(mut self, text: impl Into<String>) -> Self {
        self.0.push(Part::Code(text.into()));
        self
    }

    /// Adds a sentence from outside.
    #[must_use]
    pub(crate) fn prose(mut self, text: impl Into<String>) -> Self {
        self.0.push(Part::Prose(text.into()));
        self
    }

    /// Adds names from outside, with commas, at most `limit` and the number of the others.
    #[must_use]
    pub(crate) fn codes<S: AsRef<str>>(mut self, names: &[S], limit: usize) -> Self {
        for (index, name) in names.iter().take(limit).enumerate() {
            if index > 0 {
                self = self.words(", ");
            }
            self = self.code(name.as_ref());
        }
        if names.len() > limit { self.words(format!(" and {} more", names.len() - limit)) } else { self }
    }

    /// Adds another phrase.
    #[must_use]
    pub(crate) fn phrase(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The phrase for GitHub-flavoured Markdown, on one line.
    #[must_use]
    pub(crate) fn to_markdown(&self) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Words(words) => words.clone(),
            Part::Code(text) => markdown::code(text),
            Part::Prose(text) => markdown::prose(text),
        });
        parts.collect()
    }

    /// The phrase for a terminal or a log, on one line.
    #[must_use]
    pub(crate) fn to_plain(&self) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Words(words) => words.clone(),
            Part::Code(text) | Part::Prose(text) => text::line(text, markdown::LIMIT).into(),
        });
        // What is harmless in each part can be a command where two meet.
        text::line(&parts.collect::<String>(), usize::MAX).into()
    }
}
