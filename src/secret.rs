//! A value that must never be shown.

use std::fmt;

use zeroize::Zeroizing;

/// A credential or other secret text. It has no `Display`, its `Debug` hides the value, and it is not serialisable, so
/// that no log line, report or error message can carry it by accident. Its memory is overwritten when it is dropped, and so
/// is that of each clone.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes charge of a secret text.
    #[must_use]
    pub(crate) fn new(value: impl Into<String>) -> Self {
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

/// Takes secrets out of text that others wrote: a build step may print what it was given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Redaction(Vec<Secret>);

impl Redaction {
    /// Shorter values are words, not secrets: redacting them would spoil harmless text.
    const SHORTEST: usize = 4;

    /// Takes out nothing.
    #[must_use]
    pub(crate) const fn none() -> Self {
        Self(Vec::new())
    }

    /// Whether it takes out nothing.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes out `secrets`, and every line of those that have several.
    #[must_use]
    pub(crate) fn of<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let pieces = secrets.into_iter().flat_map(|secret| std::iter::once(secret.expose()).chain(secret.expose().lines()));
        let pieces = pieces.map(str::trim).filter(|piece| piece.len() >= Self::SHORTEST);
        let mut pieces: Vec<_> = pieces.map(Secret::new).collect();
        // The longest first: a secret may hold another.
        pieces.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.0.cmp(&b.0)));
        pieces.dedup();
        Self(pieces)
    }

    /// The text with `***` in place of each secret.
    #[must_use]
    pub(crate) fn apply(&self, text: String) -> String {
        self.0
            .iter()
            .fold(text, |text, secret| if text.contains(secret.expose()) { text.replace(secret.expose(), "***") } else { text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_a_secret_is_taken_out() {
        let key = Secret::new("BEGIN\nabcdefgh\nab\nEND OF KEY\n");
        let redaction = Redaction::of([&key]);
        assert_eq!(redaction.apply("x abcdefgh y END OF KEY ab".to_owned()), "x *** y *** ab");
    }

    #[test]
    fn debug_output_does_not_hold_the_value() {
        assert!(!format!("{:?}", Secret::new("hunter2")).contains("hunter2"));
    }
}
