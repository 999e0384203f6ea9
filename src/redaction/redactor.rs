//! The search for the forms of all secrets at once.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind};

use super::fold::{fold, places};
use super::{MARK, SHORTEST, forms, userinfo};

/// The shortest form that is found with blanks between its letters and in capitals; a shorter one could be made of the ends
/// of two words, and is found as it is.
const LOOSE: usize = 8;

/// The shortest beginning of a secret at the end of a text that was cut that is taken for one.
const BEGINNING: usize = 4;

/// Finds secrets.
#[derive(Default)]
pub(super) struct Redactor {
    /// The patterns, folded, and in the letters of the search: in lower case.
    search: Option<AhoCorasick>,
    /// By the pattern's number: how it is written, where it is found in that form only.
    strict: Vec<Option<Vec<u8>>>,
    /// Of secrets that have too few characters of ASCII.
    other: Option<AhoCorasick>,
    /// The patterns in order, to find those that begin in some way.
    sorted: Vec<Vec<u8>>,
    longest: usize,
}

/// What is looked for.
#[derive(Default)]
pub(super) struct Patterns {
    folded: BTreeSet<Vec<u8>>,
    other: BTreeSet<String>,
    /// The sum of their lengths, in bytes.
    size: usize,
    /// Up to which size other forms of the present secret are added.
    limit: usize,
}

impl Patterns {
    /// The most that is looked for of one secret beside itself, in bytes: a key of some kB has that in all its forms and
    /// those of its lines.
    const FORMS: usize = 512 << 10;

    /// Begins with another secret.
    pub(super) fn begin(&mut self) {
        self.limit = self.size + Self::FORMS;
    }

    /// Adds a secret or a part of it as it is, and its other forms while there is room.
    pub(super) fn add(&mut self, secret: &[u8]) {
        let text = String::from_utf8_lossy(secret);
        // A secret of other scripts has little that counts, and what it has may be a word.
        if fold(secret).len() < text.trim().chars().count().min(LOOSE) && !text.is_ascii() {
            self.other.insert(text.trim().to_owned());
        }
        self.add_form(&text, SHORTEST);
        if self.size > self.limit || secret.len() < SHORTEST {
            return;
        }
        for form in forms::of(secret) {
            if self.size <= self.limit {
                self.add_form(&form, LOOSE);
            }
        }
    }

    fn add_form(&mut self, form: &str, shortest: usize) {
        for piece in forms::pieces(form).into_iter().filter(|piece| piece.len() >= shortest) {
            let length = piece.len();
            if self.folded.insert(piece) {
                self.size += length;
            }
        }
    }
}

impl Redactor {
    pub(super) fn of(patterns: &Patterns) -> Self {
        let strict = patterns.folded.iter().map(|pattern| (pattern.len() < LOOSE).then(|| pattern.clone())).collect();
        let lower: Vec<Vec<u8>> = patterns.folded.iter().map(|pattern| pattern.to_ascii_lowercase()).collect();
        let mut sorted = lower.clone();
        sorted.sort();
        let search = |patterns: &[&[u8]]| {
            // Without patterns there is nothing to build, and so few and short ones can always be built.
            let mut builder = AhoCorasickBuilder::new();
            builder.match_kind(MatchKind::Standard);
            if patterns.is_empty() { None } else { builder.build(patterns).ok() }
        };
        let other: Vec<&[u8]> = patterns.other.iter().map(String::as_bytes).collect();
        Self {
            search: search(&lower.iter().map(Vec::as_slice).collect::<Vec<_>>()),
            strict,
            other: search(&other),
            longest: sorted.iter().map(Vec::len).max().unwrap_or_default(),
            sorted,
        }
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
        if let Some(other) = &self.other {
            found.extend(other.find_overlapping_iter(text).map(|found| found.range()));
        }
        if let Some(search) = &self.search {
            let mut folded = fold(text.as_bytes());
            folded.make_ascii_lowercase();
            let mut ranges: Vec<_> =
                search.find_overlapping_iter(&folded).map(|hit| (hit.pattern().as_usize(), hit.range())).collect();
            ranges.extend(cut.then(|| self.beginning(&folded)).flatten().map(|start| (usize::MAX, start..folded.len())));
            if !ranges.is_empty() {
                let places = places(text.as_bytes());
                let meant = ranges.into_iter().map(|(pattern, range)| (pattern, places[range.start]..places[range.end - 1] + 1));
                found.extend(
                    meant
                        .filter(|(pattern, place)| self.counts(*pattern, &text.as_bytes()[place.clone()]))
                        .map(|(_, place)| place),
                );
            }
        }
        if found.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(without(text, found)) }
    }

    /// Whether what was found is what the pattern is for.
    fn counts(&self, pattern: usize, found: &[u8]) -> bool {
        let strict = self.strict.get(pattern).and_then(Option::as_ref);
        strict.is_none_or(|strict| fold(found) == *strict && !found.iter().any(u8::is_ascii_whitespace))
    }

    /// Where the beginning of a secret stands that goes on behind the end.
    fn beginning(&self, folded: &[u8]) -> Option<usize> {
        let from = folded.len().saturating_sub(self.longest);
        (from..(folded.len() + 1).saturating_sub(BEGINNING)).find(|start| {
            let end = &folded[*start..];
            let next = self.sorted.partition_point(|pattern| pattern.as_slice() < end);
            self.sorted.get(next).is_some_and(|pattern| pattern.starts_with(end))
        })
    }
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
