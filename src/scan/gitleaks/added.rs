//! Counting what a patch adds.

/// Longer than any header of a hunk.
const MAX_HEADER: usize = 128;

/// Counts the bytes of the added lines in the output of `git log -p -U0` (git-diff(1), "Generating patch text with -p"),
/// in pieces of any size.
#[derive(Debug, Default)]
pub(super) struct AddedBytes {
    total: u64,
    /// Lines of the hunk that are still to come, removed and added.
    removed_left: u64,
    added_left: u64,
    line: Vec<u8>,
    line_length: u64,
    last_was_added: bool,
}

impl AddedBytes {
    /// Takes the next piece.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = MAX_HEADER.saturating_sub(self.line.len());
            self.line.extend_from_slice(&piece[..piece.len().min(room)]);
            self.line_length += piece.len() as u64;
            if piece.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    /// The bytes so far, each line with its end.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    fn end_line(&mut self) {
        let in_hunk = self.removed_left > 0 || self.added_left > 0;
        match self.line.first() {
            // `\ No newline at end of file`: the line before has none after all.
            Some(b'\\') if self.last_was_added => {
                self.total -= 1;
                self.last_was_added = false;
            }
            Some(b'+') if in_hunk => {
                self.total += self.line_length - 1;
                self.added_left = self.added_left.saturating_sub(1);
                self.last_was_added = true;
            }
            Some(b'-') if in_hunk => {
                self.removed_left = self.removed_left.saturating_sub(1);
                self.last_was_added = false;
            }
            _ => {
                self.last_was_added = false;
                if let Some((removed, added)) = hunk(&self.line) {
                    (self.removed_left, self.added_left) = (removed, added);
                }
            }
        }
        self.line.clear();
        self.line_length = 0;
    }
}

/// The numbers of lines in `@@ -1,2 +3,4 @@`; a number that is left out is 1.
fn hunk(line: &[u8]) -> Option<(u64, u64)> {
    let ranges = std::str::from_utf8(line.strip_prefix(b"@@ -")?.split(|byte| *byte == b'@').next()?).ok()?;
    let (removed, added) = ranges.trim_end().split_once(" +")?;
    let lines = |range: &str| range.split_once(',').map_or(Some(1), |(_, lines)| lines.parse().ok());
    Some((lines(removed)?, lines(added)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LOG: &str = "commit c0ffee\n\n    +not added\n    @@ -0,0 +9 @@\n\ndiff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1,2 @@ +x\n-old\n+++ plus\n+two\n@@ -9,0 +11 @@\n+end\n\\ No newline at end of file\n";

    #[test]
    fn only_added_lines_count() {
        let mut added = AddedBytes::default();
        added.read(LOG.as_bytes());
        assert_eq!(added.total(), ("++ plus\n".len() + "two\n".len() + "end".len()) as u64);
    }

    proptest! {
        #[test]
        fn pieces_count_as_the_whole_does(size in 1..50_usize) {
            let mut added = AddedBytes::default();
            LOG.as_bytes().chunks(size).for_each(|piece| added.read(piece));
            prop_assert_eq!(added.total(), 15);
        }
    }
}
