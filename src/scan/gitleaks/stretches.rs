//! What is new in a version of a file: the lines that gitleaks has not had yet together with those before them.
//!
//! Most of a version was in the one before it. Of each line it is known whether gitleaks had it at this path with as much before
//! it as a secret may have: then it is left out, else it is given with that much. So every stretch of that length is given as a
//! whole once, whichever versions its lines came from, and a file costs what changed in it.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;

use regex::bytes::Regex;

use super::patch::Patch;

/// How many lines with something in them are given before a new one, at least.
const LINES: usize = 8;
/// How many bytes before it, at least: more than gitleaks' own rules look over, but for the one for private keys.
const BYTES: usize = 512;
/// How many bytes where the rules are not gitleaks' alone, and after the mark of a private key.
const MANY_BYTES: usize = 8 << 10;
/// The most lines that are given before a new one, whatever is in them.
const MAX_LINES: usize = 512;
/// What the line has that a private key begins with.
static IS_KEY: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new("(?i-u)PRIVATE KEY").ok());
/// A line is taken in parts of so many bytes.
const PART: usize = 32 << 10;

/// A line, or a part of a long one.
#[derive(Debug)]
struct Line {
    text: Vec<u8>,
    sum: u64,
    number: u64,
}

/// A version that is being read.
#[derive(Debug)]
pub(super) struct Version {
    /// The first commit that has it.
    pub(super) commit: String,
    /// The name for gitleaks.
    pub(super) name: String,
    /// Whether all of it is given.
    pub(super) whole: bool,
    /// Sets its lines apart from the same ones of others.
    pub(super) kind: bool,
}

/// Versions of files on their way into the patch.
#[derive(Debug)]
pub(super) struct Stretches {
    key: RandomState,
    /// How many bytes are given before a new line.
    bytes: usize,
    /// The sums of lines with what was given before them.
    given: HashSet<u64>,
    version: Option<(Version, u64)>,
    part: Vec<u8>,
    /// The last lines, as many as may have to be given.
    lines: VecDeque<Line>,
    /// How many of them, at the end, were not given.
    left: usize,
    number: u64,
    /// Since which of the last lines a private key may go on, and for how many bytes more.
    key_from: Option<(usize, usize)>,
}

impl Stretches {
    /// For gitleaks' own rules alone, or for others too.
    pub(super) fn new(own_rules_alone: bool) -> Self {
        let bytes = if own_rules_alone { BYTES } else { MANY_BYTES };
        Self {
            key: RandomState::new(),
            bytes,
            given: HashSet::new(),
            version: None,
            part: Vec::new(),
            lines: VecDeque::new(),
            left: 0,
            number: 1,
            key_from: None,
        }
    }

    /// Begins a version.
    pub(super) fn begin(&mut self, version: Version) {
        let sum = self.key.hash_one((&version.name, version.kind));
        self.version = Some((version, sum));
    }

    /// Takes the next bytes of it.
    pub(super) fn read(&mut self, bytes: &[u8], patch: &mut Patch) {
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            for part in line.chunks(PART) {
                self.part.extend_from_slice(part);
                if self.part.ends_with(b"\n") || self.part.len() >= PART {
                    self.take(patch);
                }
            }
        }
    }

    /// There is no more of it.
    pub(super) fn finish(&mut self, patch: &mut Patch) {
        if !self.part.is_empty() {
            self.take(patch);
        }
        self.lines.clear();
        (self.version, self.left, self.number, self.key_from) = (None, 0, 1, None);
        patch.finish();
    }

    fn take(&mut self, patch: &mut Patch) {
        let text = std::mem::take(&mut self.part);
        let (length, begins_key) = (text.len(), IS_KEY.as_ref().is_none_or(|key| key.is_match(&text)));
        let line = Line { sum: self.key.hash_one(&text), number: self.number, text };
        self.number += u64::from(line.text.ends_with(b"\n"));
        self.lines.push_back(line);
        self.left += 1;
        let Some((version, kind)) = &self.version else { return };
        let last = self.lines.len() - 1;
        let from = self.before(last);
        let start = self.key_from.map_or(from, |(key, _)| key.min(from));
        let (near, far) = (self.sum(*kind, from), (start < from).then(|| self.sum(*kind, start)));
        let mut is_new = self.given.insert(near);
        if let Some(far) = far {
            is_new |= self.given.insert(far);
        }
        if is_new || version.whole {
            self.give(start, patch);
        }
        let left = self.key_from.map(|(key, bytes)| (key, bytes.saturating_sub(length)));
        self.key_from = left.filter(|(key, bytes)| *bytes > 0 && last - key < MAX_LINES);
        if begins_key {
            self.key_from = Some((last, MANY_BYTES));
        }
        self.forget(self.key_from.map_or(from, |(key, _)| key.min(from)));
    }

    /// Where that begins which has to be given with the line `last`.
    fn before(&self, last: usize) -> usize {
        let (mut bytes, mut lines) = (0, 0);
        for (number, line) in self.lines.iter().enumerate().take(last).rev() {
            bytes += line.text.len();
            lines += usize::from(!line.text.trim_ascii().is_empty());
            if bytes >= self.bytes && lines >= LINES || bytes >= PART || last - number >= MAX_LINES {
                return number;
            }
        }
        0
    }

    /// Stands for all lines from this one on.
    fn sum(&self, kind: u64, from: usize) -> u64 {
        let sums: Vec<_> = self.lines.iter().skip(from).map(|line| line.sum).collect();
        self.key.hash_one((kind, sums))
    }

    /// Gives what was not given of the lines from this one on.
    fn give(&mut self, from: usize, patch: &mut Patch) {
        let Some((version, _)) = &self.version else { return };
        let not_given = self.lines.len() - self.left;
        let goes_on = not_given > 0 && from <= not_given;
        let first = if goes_on { not_given } else { from };
        if let Some(line) = self.lines.get(first).filter(|_| !goes_on) {
            patch.begin(Some(&version.commit), &version.name, line.number);
        }
        self.lines.iter().skip(first).for_each(|line| patch.add(&line.text));
        self.left = 0;
    }

    /// Lets go of the lines before this one: nothing that comes needs them.
    fn forget(&mut self, start: usize) {
        self.lines.drain(..start);
        self.left = self.left.min(self.lines.len());
        self.key_from = self.key_from.map(|(key, bytes)| (key - start, bytes));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a patch gives: the number of the first line, and the text.
    fn given(patch: &mut Patch) -> Vec<(usize, String)> {
        let mut given: Vec<(usize, String)> = Vec::new();
        for line in String::from_utf8(patch.rest().to_vec()).unwrap().split_inclusive('\n') {
            if let Some(range) = line.strip_prefix("@@ -0,0 +") {
                given.push((range.split(',').next().unwrap().parse().unwrap(), String::new()));
            } else if let Some(text) = line.strip_prefix('+').filter(|text| !text.starts_with("++ b/")) {
                given.last_mut().unwrap().1.push_str(text);
            }
        }
        given
    }

    fn read(stretches: &mut Stretches, name: &str, text: &str) -> Vec<(usize, String)> {
        let mut patch = Patch::default();
        stretches.begin(Version { commit: "c".to_owned(), name: name.to_owned(), whole: false, kind: false });
        text.as_bytes().chunks(7).for_each(|part| stretches.read(part, &mut patch));
        stretches.finish(&mut patch);
        given(&mut patch)
    }

    fn numbered(lines: std::ops::Range<usize>) -> String {
        lines.map(|line| format!("line {line} {}\n", "x".repeat(60))).collect::<Vec<_>>().concat()
    }

    #[test]
    fn of_a_version_only_what_changed_is_given_with_what_stands_around_it() {
        let mut stretches = Stretches::new(true);
        let first = numbered(0..1000);
        assert_eq!(read(&mut stretches, "a", &first), [(1, first.clone())]);
        assert_eq!(read(&mut stretches, "a", &first), []);
        let again = read(&mut stretches, "a", &first.replace("line 500 ", "other "));
        assert_eq!((again.len(), again[0].0), (1, 493));
        assert!(again[0].1.contains("other") && again[0].1.len() < 2000, "{again:?}");
        assert_eq!(read(&mut stretches, "b", &first).len(), 1);
        // Of rules of a project nobody knows how far they look.
        let mut wide = Stretches::new(false);
        read(&mut wide, "a", &first);
        assert!(read(&mut wide, "a", &first.replace("line 500 ", "other "))[0].1.len() > 2 * MANY_BYTES);
    }

    #[test]
    fn a_key_is_given_from_its_mark_on_whichever_of_its_lines_is_new() {
        let mut stretches = Stretches::new(true);
        let (mark, body) = (format!("BEGIN PRIVATE {}\n", "KEY"), numbered(0..50));
        read(&mut stretches, "a", &format!("{mark}{body}"));
        let end = format!("END PRIVATE {}\n", "KEY");
        assert_eq!(read(&mut stretches, "a", &format!("{mark}{body}{end}")), [(1, format!("{mark}{body}{end}"))]);
    }

    #[test]
    fn what_a_stranger_writes_keeps_few_lines_in_memory() {
        for text in ["\n".repeat(5000), format!("PRIVATE {}\n", "KEY").repeat(5000), "x".repeat(1 << 20)] {
            let (mut stretches, mut patch) = (Stretches::new(false), Patch::default());
            stretches.begin(Version { commit: "c".to_owned(), name: "a".to_owned(), whole: false, kind: false });
            stretches.read(text.as_bytes(), &mut patch);
            assert!(stretches.lines.len() <= MAX_LINES + 1, "{}", stretches.lines.len());
            stretches.finish(&mut patch);
            assert_eq!(given(&mut patch).first().unwrap().0, 1);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn every_stretch_of_a_secrets_length_is_given_whole_once_at_each_path(
            versions in prop::collection::vec(prop::collection::vec(0..6_usize, 0..40), 1..6),
        ) {
            let mut stretches = Stretches::new(true);
            let mut all = Vec::new();
            for version in versions {
                let lines: Vec<_> = version.iter().map(|line| format!("line {line} {}\n", "x".repeat(80))).collect();
                let text = lines.concat();
                for (start, part) in read(&mut stretches, "a", &text) {
                    let before: String = lines[..start - 1].concat();
                    prop_assert!(text[before.len()..].starts_with(&part));
                    all.push(part);
                }
                let windows = lines.windows(LINES).map(<[String]>::concat).chain([text.clone()]);
                for window in windows.filter(|text| !text.is_empty() && text.len() <= LINES * 100) {
                    prop_assert!(all.iter().any(|part| part.contains(&window)), "{window}");
                }
            }
        }
    }
}
