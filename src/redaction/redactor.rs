//! What is looked for of each secret, and text without it.

use std::borrow::Cow;
use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::ops::Range;

use zeroize::Zeroizing;

use super::fold::{fold, places};
use super::search::{Pattern, Search};
use super::{MARK, SHORTEST, forms, userinfo};

/// The shortest form that is found with blanks between its letters and in capitals; a shorter one could be made of the ends
/// of two words, and is found as it is.
const LOOSE: usize = 8;

/// Finds secrets. A clone shares what it knows.
#[derive(Clone, Default)]
pub(super) struct Redactor {
    /// In a text that is folded and in lower case.
    folded: Search,
    /// In a text as it is: secrets that have too few characters of ASCII.
    other: Search,
}

/// What is to be looked for besides.
#[derive(Default)]
pub(super) struct Patterns {
    folded: BTreeSet<Pattern>,
    other: BTreeSet<Pattern>,
}

/// What is to be looked for of a secret, in all its parts.
pub(super) struct Collection<'a> {
    known: &'a Redactor,
    new: Patterns,
    /// The sum of their lengths, in bytes.
    size: usize,
}

impl<'a> Collection<'a> {
    /// The most that is looked for of one secret beside itself, in bytes: a key of some kB has that in all its forms and
    /// those of its lines.
    const FORMS: usize = 512 << 10;

    /// Of a secret beside those that are known.
    pub(super) fn beside(known: &'a Redactor) -> Self {
        Self { known, new: Patterns::default(), size: 0 }
    }

    /// Adds the secret or a part of it as it is, and its other forms while there is room.
    pub(super) fn add(&mut self, secret: &[u8]) {
        let text = Zeroizing::new(String::from_utf8_lossy(secret).into_owned());
        // A secret of other scripts has little that counts, and what it has may be a word.
        if Zeroizing::new(fold(secret)).len() < text.trim().chars().count().min(LOOSE) && !text.is_ascii() {
            self.new.other.extend(Pattern::of_letters(text.trim().as_bytes().to_vec()));
        }
        self.add_form(&text, SHORTEST);
        if self.size > Self::FORMS || secret.len() < SHORTEST {
            return;
        }
        for form in forms::of(secret).iter() {
            if self.size <= Self::FORMS {
                self.add_form(form, LOOSE);
            }
        }
    }

    /// What of that is not looked for yet.
    pub(super) fn into_new(self) -> Patterns {
        self.new
    }

    fn add_form(&mut self, form: &str, shortest: usize) {
        for piece in forms::pieces(form).into_iter().filter(|piece| piece.len() >= shortest) {
            let (length, letters) = (piece.len(), piece.to_ascii_lowercase());
            let pattern = if length < LOOSE { Pattern::of_form(letters, piece.to_vec()) } else { Pattern::of_letters(letters) };
            if let Some(pattern) = pattern.filter(|pattern| !self.known.folded.has(pattern))
                && self.new.folded.insert(pattern)
            {
                self.size += length;
            }
        }
    }
}

impl Redactor {
    /// Looks for more.
    pub(super) fn add(&mut self, Patterns { folded, other }: Patterns) {
        self.folded.add(folded);
        self.other.add(other);
    }

    /// The text with a mark in place of each secret.
    pub(super) fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.marked(text, false)
    }

    /// The same for a text that goes on behind its end, where nobody sees it: what a secret begins with there is one too.
    pub(super) fn apply_cut<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.marked(text, true)
    }

    fn marked<'a>(&self, text: &'a str, cut: bool) -> Cow<'a, str> {
        let mut found = if text.contains("://") { userinfo::places(text) } else { Vec::new() };
        found.extend(self.other.find(text.as_bytes(), |_, _| true));
        if !self.folded.is_empty() {
            let mut folded = fold(text.as_bytes());
            folded.make_ascii_lowercase();
            let places = LazyCell::new(|| places(text.as_bytes()));
            let place = |range: Range<usize>| places[range.start]..places[range.end - 1] + 1;
            let hits = self.folded.find(&folded, |pattern, range| counts(pattern, &text.as_bytes()[place(range)]));
            let unfinished = cut.then(|| self.folded.unfinished(&folded)).flatten().map(|start| start..folded.len());
            found.extend(hits.into_iter().chain(unfinished).map(place));
        }
        if found.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(without(text, found)) }
    }
}

/// Whether what was found is what the pattern is for.
fn counts(pattern: &Pattern, found: &[u8]) -> bool {
    pattern.written().is_none_or(|written| fold(found) == written && !found.iter().any(u8::is_ascii_whitespace))
}

/// A text with a mark in place of each of `found`; what overlaps has one.
fn without(text: &str, mut found: Vec<Range<usize>>) -> String {
    found.sort_by_key(|range| range.start);
    let mut rest = String::with_capacity(text.len());
    let mut end = 0;
    for range in found {
        if range.start >= end {
            rest.push_str(text.get(end..range.start).unwrap_or_default());
            rest.push_str(MARK);
        }
        end = end.max(range.end);
    }
    rest.push_str(text.get(end..).unwrap_or_default());
    rest
}
