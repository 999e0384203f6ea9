//! The text that gitleaks is given: a patch that adds everything that is to be looked at.
//!
//! gitleaks' `git` mode is the one that skips nothing by itself: it reads what the patch adds, whatever a file is called or
//! begins with. It holds a whole file in memory, so that a large one is given in pieces. What lies across the end of a piece
//! is in the next one too.

use bytes::Bytes;

/// The most bytes in one piece; gitleaks' own for files is much the same.
const PIECE: usize = 100_000;
/// How many bytes of a piece are at least in the next one too: more than any secret has.
const OVERLAP: usize = 8 << 10;
/// How much is gathered before it is handed on.
const BATCH: usize = 128 << 10;

/// A patch in the making.
#[derive(Debug, Default)]
pub(super) struct Patch {
    ready: Vec<u8>,
    added: u64,
    header: Vec<u8>,
    /// What is to be in the next piece.
    text: Vec<u8>,
    /// How much of it was in the last piece.
    repeated: usize,
    /// The number of its first line.
    line: u64,
}

impl Patch {
    /// Begins a stretch of lines of a file, in the tree where there is no commit. The name must be one that needs no quotes.
    pub(super) fn begin(&mut self, commit: Option<&str>, name: &str, line: u64) {
        self.finish();
        self.header.clear();
        if let Some(commit) = commit {
            self.header.extend_from_slice(format!("commit {commit}\n\n").as_bytes());
        }
        self.header.extend_from_slice(format!("diff --git a/x b/x\n--- a/x\n+++ b/{name}\n").as_bytes());
        self.line = line;
    }

    /// Adds the next bytes of the stretch.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(PIECE / 4) {
            self.text.extend_from_slice(part);
            if self.text.len() >= PIECE {
                self.cut();
            }
        }
    }

    /// Ends the stretch.
    pub(super) fn finish(&mut self) {
        if self.text.len() > self.repeated {
            self.put(self.text.len());
        }
        self.text.clear();
        self.repeated = 0;
    }

    /// What is ready to be handed on, once there is enough of it.
    pub(super) fn batch(&mut self) -> Option<Bytes> {
        (self.ready.len() >= BATCH).then(|| self.rest())
    }

    /// All that is ready.
    pub(super) fn rest(&mut self) -> Bytes {
        Bytes::from(std::mem::take(&mut self.ready))
    }

    /// How many bytes the patch adds so far, as gitleaks counts them.
    pub(super) fn added(&self) -> u64 {
        self.added
    }

    /// Makes a piece of what there is, at the end of a line unless that is far away.
    fn cut(&mut self) {
        let after_line = |text: &[u8]| text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let end = Some(after_line(&self.text)).filter(|end| *end > self.text.len() / 2).unwrap_or(self.text.len());
        self.put(end);
        let from = end.saturating_sub(OVERLAP);
        // A secret of several lines may begin before the last line's end: the next piece begins no later than `from`.
        let line = Some(after_line(&self.text[..from])).filter(|line| from - line <= PIECE / 4).unwrap_or(from);
        self.line += lines(&self.text[..line]);
        self.text.drain(..line);
        self.repeated = end - line;
    }

    fn put(&mut self, end: usize) {
        let text = &self.text[..end];
        let whole = text.ends_with(b"\n");
        let count = lines(text) + u64::from(!whole);
        self.ready.extend_from_slice(&self.header);
        self.ready.extend_from_slice(format!("@@ -0,0 +{},{count} @@\n", self.line).as_bytes());
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            self.ready.push(b'+');
            self.ready.extend_from_slice(line);
        }
        if !whole {
            self.ready.extend_from_slice(b"\n\\ No newline at end of file\n");
        }
        self.added += end as u64;
    }
}

fn lines(text: &[u8]) -> u64 {
    text.split(|byte| *byte == b'\n').count().saturating_sub(1) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The pieces of a patch: the number of the first line, and the text.
    fn pieces(patch: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let mut pieces: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut left = 0;
        for line in patch.split_inclusive(|byte| *byte == b'\n') {
            let text = String::from_utf8_lossy(line).into_owned();
            if left > 0 {
                assert_eq!(line[0], b'+');
                pieces.last_mut().unwrap().1.extend_from_slice(&line[1..]);
                left -= 1;
            } else if let Some(range) = text.strip_prefix("@@ -0,0 +") {
                let (start, count) = range.split_once(' ').unwrap().0.split_once(',').unwrap();
                left = count.parse().unwrap();
                pieces.push((start.parse().unwrap(), Vec::new()));
            } else if text.starts_with('\\') {
                pieces.last_mut().unwrap().1.pop();
            }
        }
        pieces
    }

    fn patch_of(text: &[u8], step: usize) -> (Vec<u8>, u64) {
        let mut patch = Patch::default();
        patch.begin(None, "name", 1);
        text.chunks(step.max(1)).for_each(|part| patch.add(part));
        patch.finish();
        (patch.rest().to_vec(), patch.added())
    }

    #[test]
    fn a_small_text_is_one_piece_as_it_is() {
        let (patch, added) = patch_of(b"one\n\ntwo", 2);
        assert_eq!((pieces(&patch), added), (vec![(1, b"one\n\ntwo".to_vec())], 8));
        assert_eq!(patch_of(b"", 1), (Vec::new(), 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn every_stretch_of_a_secrets_length_is_whole_in_a_piece_that_has_its_line(
            parts in prop::collection::vec((1..60_000_usize, any::<bool>()), 1..8),
            at in 0.0..1.0_f64,
            length in 1..4000_usize,
            step in 1..200_000_usize,
        ) {
            let mut text = Vec::new();
            for (number, (size, ends)) in parts.iter().enumerate() {
                text.extend((0..*size).map(|n| b'a' + u8::try_from((n * 7 + number) % 26).unwrap()));
                if *ends { text.push(b'\n'); }
            }
            let (patch, added) = patch_of(&text, step);
            let pieces = pieces(&patch);
            prop_assert_eq!(added, pieces.iter().map(|(_, text)| text.len() as u64).sum::<u64>());
            #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "any place will do")]
            let from = (text.len() as f64 * at) as usize;
            let until = (from + length).min(text.len());
            let wanted = &text[from..until];
            let line = 1 + lines(&text[..from]);
            let has = pieces.iter().any(|(start, piece)| {
                (0..=piece.len().saturating_sub(wanted.len())).any(|at| piece[at..].starts_with(wanted) && start + lines(&piece[..at]) == line)
            });
            prop_assert!(has);
        }
    }
}
