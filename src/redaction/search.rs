//! The search for many patterns at once. It takes more of them at any time, for what those cost alone: credentials are renewed
//! while much is said.

use std::ops::Range;
use std::sync::Arc;

use zeroize::{Zeroize as _, Zeroizing};

/// The shortest pattern, in bytes. By so much of a text it is told whether a pattern may begin there.
const SHORTEST: usize = 4;

/// The binary logarithm of how many classes there are of what a pattern begins with.
const CLASSES: u32 = 17;

/// What is looked for. Its memory is overwritten when it is dropped.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pattern {
    /// In the letters of the text that is searched.
    letters: Vec<u8>,
    /// How it is written, where it is found in that form only.
    written: Option<Vec<u8>>,
}

impl Pattern {
    /// A pattern that is found wherever its letters are; absent where they are too few.
    pub(super) fn of_letters(letters: Vec<u8>) -> Option<Self> {
        Some(Self { letters, written: None }).filter(|pattern| pattern.letters.len() >= SHORTEST)
    }

    /// A pattern that is found where its letters are and what stands there is written in this way.
    pub(super) fn of_form(letters: Vec<u8>, written: Vec<u8>) -> Option<Self> {
        Some(Self { letters, written: Some(written) }).filter(|pattern| pattern.letters.len() >= SHORTEST)
    }

    /// How it is written, where it is found in that form only.
    pub(super) fn written(&self) -> Option<&[u8]> {
        self.written.as_deref()
    }
}

impl Drop for Pattern {
    fn drop(&mut self) {
        self.letters.zeroize();
        self.written.zeroize();
    }
}

/// Finds patterns.
#[derive(Clone, Default)]
pub(super) struct Search {
    /// In order, so that those that begin alike stand together. A search that goes on while more become known keeps its own.
    patterns: Vec<Arc<Pattern>>,
    /// A bit for each class of what a pattern begins with; none as long as there is no pattern.
    beginnings: Zeroizing<Vec<u64>>,
    longest: usize,
}

impl Search {
    /// Whether nothing is looked for.
    pub(super) fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether it is looked for already.
    pub(super) fn has(&self, pattern: &Pattern) -> bool {
        self.patterns.binary_search_by(|known| (**known).cmp(pattern)).is_ok()
    }

    /// Looks for more.
    pub(super) fn add(&mut self, patterns: impl IntoIterator<Item = Pattern>) {
        for pattern in patterns {
            self.beginnings.resize(1 << (CLASSES - u64::BITS.ilog2()), 0);
            let (word, bit) = class(&pattern.letters).unwrap_or_default();
            self.beginnings[word] |= bit;
            self.longest = self.longest.max(pattern.letters.len());
            self.patterns.push(Arc::new(pattern));
        }
        // What is in order already is taken over as it is.
        self.patterns.sort();
        self.patterns.dedup();
    }

    /// Where patterns are found that count there: at each place the longest of them.
    pub(super) fn find(&self, text: &[u8], counts: impl Fn(&Pattern, Range<usize>) -> bool) -> Vec<Range<usize>> {
        if self.is_empty() {
            return Vec::new();
        }
        let may_begin = |window: &[u8]| class(window).is_some_and(|(word, bit)| self.beginnings[word] & bit != 0);
        let windows = text.windows(SHORTEST).enumerate().filter(|(_, window)| may_begin(window));
        let longest = |at: usize| {
            let length = self.longest_at(&text[at..], |pattern, length| counts(pattern, at..at + length))?;
            Some(at..at + length)
        };
        windows.filter_map(|(at, _)| longest(at)).collect()
    }

    /// Where a pattern begins that goes on behind the end: the first place of those with at least [`SHORTEST`] letters of it.
    pub(super) fn unfinished(&self, text: &[u8]) -> Option<usize> {
        let from = text.len().saturating_sub(self.longest);
        (from..(text.len() + 1).saturating_sub(SHORTEST)).find(|start| {
            let end = &text[*start..];
            let next = self.patterns.partition_point(|pattern| pattern.letters.as_slice() < end);
            self.patterns.get(next).is_some_and(|pattern| pattern.letters.starts_with(end))
        })
    }

    /// The length of the longest pattern that `text` begins with and that counts.
    fn longest_at(&self, text: &[u8], counts: impl Fn(&Pattern, usize) -> bool) -> Option<usize> {
        let mut longest = None;
        // Those that begin as the text does as far as it was read.
        let mut alike = self.patterns.as_slice();
        for read in 0..=text.len() {
            // In order, those that end here come first.
            while let Some((first, rest)) = alike.split_first().filter(|(first, _)| first.letters.len() == read) {
                longest = longest.max(counts(first, read).then_some(read));
                alike = rest;
            }
            let Some(letter) = text.get(read) else { break };
            let begin = alike.partition_point(|pattern| pattern.letters[read] < *letter);
            let end = alike.partition_point(|pattern| pattern.letters[read] <= *letter);
            alike = &alike[begin..end];
            if alike.is_empty() {
                break;
            }
        }
        longest
    }
}

/// The class of what letters begin with, as a word of the table and a bit of that.
fn class(letters: &[u8]) -> Option<(usize, u64)> {
    // A multiplication by 2^32 over the golden ratio puts what is alike far from each other.
    let beginning = u32::from_le_bytes(*letters.first_chunk::<SHORTEST>()?);
    let class = beginning.wrapping_mul(0x9e37_79b1) >> (u32::BITS - CLASSES);
    Some((usize::try_from(class / u64::BITS).ok()?, 1 << (class % u64::BITS)))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt as _;

    use proptest::prelude::*;

    use super::*;

    fn pattern(letters: &str) -> Option<Pattern> {
        Pattern::of_letters(letters.into())
    }

    /// One pattern after the other at one place after the other.
    fn straightforward(patterns: &[String], text: &str) -> Vec<Range<usize>> {
        let lengths = |at: usize| {
            let text = &text[at..];
            patterns.iter().filter(move |pattern| pattern.len() >= SHORTEST && text.starts_with(*pattern)).map(String::len)
        };
        (0..text.len()).filter_map(|at| Some(at..at + lengths(at).max()?)).collect()
    }

    #[test]
    fn what_begins_alike_is_told_apart_and_found_where_it_overlaps() {
        let mut search = Search::default();
        assert!(search.find(b"abcdefgh", |_, _| true).is_empty());
        search.add(["abcd", "abcdef", "abcdefgh", "cdefg", "abc"].into_iter().filter_map(pattern));
        assert_eq!(search.find(b"abcdefg abcdabcdefgh", |_, _| true), [0..6, 2..7, 8..12, 12..20, 14..19]);
        // Where the longest does not count, a shorter one may.
        assert_eq!(search.find(b"abcdefgh", |found, _| found.letters.len() < 6), [0..4, 2..7]);
        assert!(search.has(&pattern("cdefg").unwrap()) && !search.has(&pattern("cdef").unwrap()));
        assert_eq!(
            (search.unfinished(b"x abcdefg"), search.unfinished(b"x cdef"), search.unfinished(b"x abc")),
            (Some(2), Some(2), None)
        );
    }

    #[test]
    fn what_is_not_looked_for_any_more_is_not_in_memory() {
        const LENGTH: usize = 400;
        let letters: Vec<u8> = (0..LENGTH).map(|number| b'a' + u8::try_from(number * number % 23).unwrap()).collect();
        let (copy, written) = (letters.clone(), letters.clone());
        let places = [letters.as_ptr().addr(), written.as_ptr().addr()];
        let mut search = Search::default();
        search.add(Pattern::of_form(letters, written));
        let other = search.clone();
        let memory = File::open("/proc/self/mem").unwrap();
        let is_there = || {
            places.map(|place| {
                let mut bytes = [0; LENGTH];
                memory.read_exact_at(&mut bytes, place.try_into().unwrap()).unwrap();
                // What frees memory writes a little into it.
                bytes.windows(32).any(|window| copy.windows(32).any(|part| part == window))
            })
        };
        drop(search);
        assert_eq!(is_there(), [true, true]);
        drop(other);
        assert_eq!(is_there(), [false, false]);
    }

    proptest! {
        #[test]
        fn whatever_becomes_known_when_is_found_as_by_looking_for_one_after_the_other(
            batches in proptest::collection::vec(proptest::collection::vec("[ab]{1,7}|[abc]{3,12}", 0..6), 0..6),
            text in "[abc]{0,60}",
        ) {
            let mut search = Search::default();
            let mut known = Vec::new();
            for batch in batches {
                search.add(batch.iter().filter_map(|letters| pattern(letters)));
                known.extend(batch);
                prop_assert_eq!(search.find(text.as_bytes(), |_, _| true), straightforward(&known, &text));
            }
        }
    }
}
