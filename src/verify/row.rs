//! One look at an image.

use serde::Serialize;

/// What came of a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// It is as it has to be.
    Holds,
    /// It is not, or it could not be told.
    Fails,
    /// It was not asked for.
    Note,
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Row {
    /// What was looked at: a fixed word.
    pub(crate) check: &'static str,
    /// What came of it.
    pub(crate) state: State,
    /// What was seen, in words.
    pub(crate) says: String,
}

impl Row {
    /// Whether what was asked for does not hold.
    #[must_use]
    pub(crate) fn is_failed(&self) -> bool {
        self.state == State::Fails
    }

    pub(super) fn holds(check: &'static str, says: impl Into<String>) -> Self {
        Self { check, state: State::Holds, says: says.into() }
    }

    pub(super) fn fails(check: &'static str, says: impl Into<String>) -> Self {
        Self { check, state: State::Fails, says: says.into() }
    }

    pub(super) fn note(check: &'static str, says: impl Into<String>) -> Self {
        Self { check, state: State::Note, says: says.into() }
    }

    /// What is not there: it fails where it was asked for.
    pub(super) fn missing(check: &'static str, asked: bool, says: impl Into<String>) -> Self {
        if asked { Self::fails(check, says) } else { Self::note(check, says) }
    }
}
