//! Where the lines of a match stood first.
//!
//! gitleaks is given what is new together with what stands around it, so that it sees a secret whole that came in two parts. What
//! it finds there may have been there before: it is of the commit that first had these lines at this path.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;

/// The lines of a content, each as a sum that nobody can foresee.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    key: &'a RandomState,
    line: Vec<u8>,
    sums: Vec<u64>,
    is_open: bool,
}

/// A line is summed up in parts of so many bytes.
const PART: usize = 64 << 10;

impl<'a> Lines<'a> {
    /// None yet.
    pub(super) fn new(key: &'a RandomState) -> Self {
        Self { key, line: Vec::new(), sums: Vec::new(), is_open: false }
    }

    /// Takes the next bytes.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = part.strip_suffix(b"\n").unwrap_or(part);
            for text in text.chunks(PART) {
                self.line.extend_from_slice(text);
                while self.line.len() >= PART {
                    self.fold(PART);
                }
            }
            self.is_open = true;
            if text.len() < part.len() {
                self.end();
            }
        }
    }

    /// The sums of all lines.
    pub(super) fn finish(&mut self) -> Vec<u64> {
        if self.is_open {
            self.end();
        }
        std::mem::take(&mut self.sums)
    }

    fn end(&mut self) {
        self.sums.push(self.key.hash_one(&self.line));
        self.line.clear();
        self.is_open = false;
    }

    /// Has a sum stand for the first bytes of the line.
    fn fold(&mut self, bytes: usize) {
        let sum = self.key.hash_one(&self.line[..bytes]);
        self.line.splice(..bytes, sum.to_ne_bytes());
    }
}

/// Looks for stretches of lines in one content after the other.
#[derive(Debug, Default)]
pub(super) struct Search {
    wanted: Vec<Vec<u64>>,
    by_first: HashMap<u64, Vec<usize>>,
    /// Where each was first: which content, and which lines, counted from 1.
    found: Vec<Option<(usize, Range<usize>)>>,
}

impl Search {
    /// Looks for these lines too, and gives their number.
    pub(super) fn want(&mut self, lines: &[u64]) -> Option<usize> {
        let same = self.by_first.entry(*lines.first()?).or_default();
        let known = same.iter().copied().find(|number| self.wanted[*number] == lines);
        Some(known.unwrap_or_else(|| {
            same.push(self.wanted.len());
            self.wanted.push(lines.to_vec());
            self.found.push(None);
            self.wanted.len() - 1
        }))
    }

    /// Looks at the next content, which is known by a number.
    pub(super) fn look(&mut self, content: usize, lines: &[u64]) {
        for (at, first) in lines.iter().enumerate() {
            for number in self.by_first.get(first).into_iter().flatten() {
                let wanted = &self.wanted[*number];
                if self.found[*number].is_none() && lines[at..].starts_with(wanted) {
                    self.found[*number] = Some((content, at + 1..at + 1 + wanted.len()));
                }
            }
        }
    }

    /// Where each was first, by their numbers.
    pub(super) fn all(&self) -> impl Iterator<Item = Option<(usize, Range<usize>)>> {
        self.found.iter().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(key: &RandomState, text: &[u8], step: usize) -> Vec<u64> {
        let mut lines = Lines::new(key);
        text.chunks(step).for_each(|part| lines.read(part));
        lines.finish()
    }

    #[test]
    fn lines_are_told_apart_however_they_come() {
        let key = RandomState::new();
        let text = [b"one\n\ntwo\n\none\n", &b"x".repeat(3 * PART)[..], b"y\n", &b"x".repeat(3 * PART), b"z"].concat();
        let sums = lines(&key, &text, 1 << 20);
        assert_eq!((sums.len(), sums[0] == sums[4], sums[1] == sums[3], sums[5] == sums[6]), (7, true, true, false));
        assert_eq!(lines(&key, &text, 777), sums);
        assert_eq!((lines(&key, b"", 1).len(), lines(&key, b"\n", 1).len(), lines(&key, b"a", 1).len()), (0, 1, 1));
    }

    #[test]
    fn lines_are_found_where_they_first_stood_together() {
        let mut search = Search::default();
        let (both, one) = (search.want(&[2, 3]).unwrap(), search.want(&[3]).unwrap());
        assert_eq!((search.want(&[2, 3]), search.want(&[])), (Some(both), None));
        search.look(0, &[1, 2, 1, 3]);
        search.look(1, &[2, 2, 3, 2, 3]);
        assert_eq!((both, one, search.all().collect::<Vec<_>>()), (0, 1, vec![Some((1, 2..4)), Some((0, 4..5))]));
    }
}
