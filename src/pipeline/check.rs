//! A line of `doctor`: what came of one look.

use crate::diagnosis::Diagnosis;

/// What came of one look.
#[derive(Debug)]
pub(super) enum Check {
    /// It is as it has to be.
    Well(String),
    /// Nothing that can be right or wrong.
    Note(String),
    /// It could not be told: what that would need.
    Unread(String),
    /// It is not as it has to be.
    Wrong(Diagnosis),
}

impl Check {
    pub(super) fn unread(needs: &str) -> Self {
        Self::Unread(format!("could not be read: needs {needs}"))
    }
}

impl From<Result<String, Diagnosis>> for Check {
    fn from(checked: Result<String, Diagnosis>) -> Self {
        checked.map_or_else(Self::Wrong, Self::Well)
    }
}
