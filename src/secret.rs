//! A value that must never be shown.

use std::fmt;

use zeroize::Zeroizing;

use crate::redaction;

/// A credential or other secret text. It has no `Display`, its `Debug` hides the value, and it is not serialisable, so
/// that no log line, report or error message can carry it by accident. Its memory is overwritten when it is dropped, and so
/// is that of each clone.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes charge of a secret text. From here on it leaves the process in no text.
    #[must_use]
    pub(crate) fn new(value: impl Into<String>) -> Self {
        let value = value.into();
        redaction::remember(&value);
        Self(Zeroizing::new(value))
    }

    /// A token of someone else's issue, a registry for one. What is too short or too plain for a token is not kept out of
    /// texts: whoever issues it must not choose what our reports do not say.
    #[must_use]
    pub(crate) fn issued(value: impl Into<String>) -> Self {
        let value = value.into();
        redaction::remember_issued(&value);
        Self(Zeroizing::new(value))
    }

    /// A text that has a secret in it, and is none as a whole: an address with a password, the answer of a program. What is
    /// secret of it is a [`Secret`] of its own.
    #[must_use]
    pub(crate) fn around(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The secret itself, for the one place that sends it. Never for a log, a report or an argument.
    #[must_use]
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_does_not_hold_the_value() {
        assert!(!format!("{:?}", Secret::new("hunter2")).contains("hunter2"));
    }
}
