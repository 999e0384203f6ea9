//! The commit that an image is of.

use std::fmt;

use crate::text::{self, Line};

/// A commit, with its repository. What a message says is anyone's word until it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceCommit {
    /// Its repository at GitHub, `OWNER/NAME`; empty where it is not known.
    pub(crate) source: String,
    /// Its id; empty where it is not known.
    pub(crate) id: String,
}

impl SourceCommit {
    /// As a trailer has it.
    pub(super) fn read(text: &str) -> Self {
        let (source, id) = text.rsplit_once('@').unwrap_or(("", text));
        Self { source: source.to_owned(), id: id.to_owned() }
    }

    /// Whether it has the id of a commit, in full.
    pub(super) fn is_known(&self) -> bool {
        matches!(self.id.len(), 40 | 64) && self.id.bytes().all(|byte| byte.is_ascii_hexdigit())
    }

    /// For people, whatever was written there.
    pub(super) fn shown(&self) -> Line {
        text::words(if self.id.is_empty() { "an unknown commit" } else { &self.id })
    }
}

impl fmt::Display for SourceCommit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.source.is_empty() { f.write_str(&self.id) } else { write!(f, "{}@{}", self.source, self.id) }
    }
}
