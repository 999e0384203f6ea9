//! git's history, line by line: what each commit adds, put into the patch for gitleaks.

use super::Error;
use super::names::Names;
use super::patch::Patch;

/// Longer than a header with the longest name that a file system has, quoted.
const MAX_HEADER: usize = 64 << 10;

/// What stands before each name in the output of git.
pub(super) const PREFIX: &str = ".gp-deliver/";

/// Reads the output of `git log -p -U0` (git-diff(1), "Generating patch text with -p"), in pieces of any size. Within a hunk
/// git says how many lines there are, so no content is taken for a header; what makes no sense is an error.
#[derive(Debug)]
pub(super) struct Diff {
    names: Names,
    /// What a line begins with that names a commit.
    mark: String,
    commit: String,
    commits: u64,
    name: Option<String>,
    removed_left: u64,
    added_left: u64,
    line: Line,
    header: Vec<u8>,
    /// Whether the last line's end is still to be added: a later line may say that it has none.
    end_is_due: bool,
}

/// What the line is that is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// Nothing of it is there yet.
    Next,
    Header,
    Added,
    Removed,
    NoEnd,
}

impl Diff {
    /// `mark` is what git was asked to write before each commit's id.
    pub(super) fn new(names: Names, mark: &str) -> Self {
        Self {
            names,
            mark: mark.to_owned(),
            commit: String::new(),
            commits: 0,
            name: None,
            removed_left: 0,
            added_left: 0,
            line: Line::Next,
            header: Vec::new(),
            end_is_due: false,
        }
    }

    /// Takes the next piece.
    pub(super) fn read(&mut self, bytes: &[u8], patch: &mut Patch) -> Result<(), Error> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let mut piece = piece;
            if self.line == Line::Next {
                self.line = self.begin(piece[0], patch)?;
                if matches!(self.line, Line::Added | Line::Removed) {
                    piece = &piece[1..];
                }
            }
            let ends = piece.ends_with(b"\n");
            let text = piece.strip_suffix(b"\n").unwrap_or(piece);
            match self.line {
                Line::Added => patch.add(text),
                Line::Header if self.header.len() + text.len() > MAX_HEADER => return Err(nonsense("a header is too long")),
                Line::Header => self.header.extend_from_slice(text),
                Line::Removed | Line::NoEnd | Line::Next => {}
            }
            if ends {
                self.end(patch)?;
            }
        }
        Ok(())
    }

    /// Of how many commits git told.
    pub(super) fn commits(&self) -> u64 {
        self.commits
    }

    /// There is no more.
    pub(super) fn finish(&mut self, patch: &mut Patch) -> Result<(), Error> {
        if self.line != Line::Next || self.removed_left > 0 || self.added_left > 0 {
            return Err(nonsense("it ends within a change"));
        }
        self.add_end(patch);
        patch.finish();
        Ok(())
    }

    fn begin(&mut self, first: u8, patch: &mut Patch) -> Result<Line, Error> {
        if first == b'\\' {
            self.end_is_due = false;
            return Ok(Line::NoEnd);
        }
        self.add_end(patch);
        if self.removed_left == 0 && self.added_left == 0 {
            return Ok(Line::Header);
        }
        let left = match first {
            b'+' => &mut self.added_left,
            b'-' => &mut self.removed_left,
            _ => return Err(nonsense("a change has other lines than it says")),
        };
        *left = left.checked_sub(1).ok_or_else(|| nonsense("a change has more lines than it says"))?;
        Ok(if first == b'+' { Line::Added } else { Line::Removed })
    }

    fn end(&mut self, patch: &mut Patch) -> Result<(), Error> {
        match std::mem::replace(&mut self.line, Line::Next) {
            Line::Added => self.end_is_due = true,
            Line::Header => {
                let header = std::mem::take(&mut self.header);
                return self.head(&header, patch);
            }
            Line::Removed | Line::NoEnd | Line::Next => {}
        }
        Ok(())
    }

    fn add_end(&mut self, patch: &mut Patch) {
        if std::mem::take(&mut self.end_is_due) {
            patch.add(b"\n");
        }
    }

    fn head(&mut self, line: &[u8], patch: &mut Patch) -> Result<(), Error> {
        if let Some(commit) = line.strip_prefix(self.mark.as_bytes()) {
            self.commit = String::from_utf8_lossy(commit).into_owned();
            self.commits += 1;
            self.name = None;
        } else if line.starts_with(b"diff --git ") {
            self.name = None;
        } else if let Some(name) = line.strip_prefix(b"+++ ") {
            self.name = (name != b"/dev/null").then(|| self.shown(name)).transpose()?;
        } else if line.starts_with(b"@@ -") {
            let (removed, start, added) = hunk(line).ok_or_else(|| nonsense("a change does not say where it is"))?;
            (self.removed_left, self.added_left) = (removed, added);
            if added > 0 {
                let name = self.name.as_deref().ok_or_else(|| nonsense("a change is of no file"))?;
                patch.begin(Some(&self.commit), name, start);
            }
        } else if line.starts_with(b"Binary files ") {
            return Err(nonsense("it leaves out the content of files"));
        }
        Ok(())
    }

    /// The name for gitleaks of the file that git names so.
    fn shown(&self, name: &[u8]) -> Result<String, Error> {
        // A tab ends a name with spaces in it, between quotes or not.
        let name = name.strip_suffix(b"\t").unwrap_or(name);
        let path = match name.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\"")) {
            Some(quoted) => unquote(quoted).ok_or_else(|| nonsense("a name is not what it should be"))?,
            None => name.to_vec(),
        };
        let path = path.strip_prefix(PREFIX.as_bytes()).ok_or_else(|| nonsense("a name is not what it should be"))?;
        Ok(self.names.of(path, None).name)
    }
}

fn nonsense(reason: &str) -> Error {
    Error::GitAnswer { reason: reason.to_owned() }
}

/// `@@ -1,2 +3,4 @@`: how many lines are removed, where lines are added, and how many; a number that is left out is 1.
fn hunk(line: &[u8]) -> Option<(u64, u64, u64)> {
    let ranges = std::str::from_utf8(line.strip_prefix(b"@@ -")?.split(|byte| *byte == b'@').next()?).ok()?;
    let (removed, added) = ranges.trim_end().split_once(" +")?;
    let range = |range: &str| {
        let (start, lines) = range.split_once(',').unwrap_or((range, "1"));
        Some((start.parse().ok()?, lines.parse().ok()?))
    };
    let ((_, removed), (start, added)) = (range(removed)?, range(added)?);
    Some((removed, start, added))
}

/// What git means by a name between quotes (its `quote_c_style`).
fn unquote(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        if *byte != b'\\' {
            bytes.push(*byte);
            continue;
        }
        bytes.push(match rest.next()? {
            b'a' => 7,
            b'b' => 8,
            b't' => b'\t',
            b'n' => b'\n',
            b'v' => 11,
            b'f' => 12,
            b'r' => b'\r',
            plain @ (b'"' | b'\\') => *plain,
            first @ b'0'..=b'3' => {
                let digits = [*first, *rest.next()?, *rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 8).ok()?
            }
            _ => return None,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LOG: &str = "MARKc0ffee\n\ndiff --git a/a b/a\n--- .gp-deliver/a\n+++ .gp-deliver/a\n@@ -1 +1,2 @@ +x\n-old\n+++ plus\n+two\n\
        @@ -9,0 +11 @@\n+end\n\\ No newline at end of file\nMARKbeef\ndiff --git a/b b/b\n+++ \".gp-deliver/\\303\\251 b\"\t\n@@ -0,0 +1 @@\n+MARKnot\n";

    fn read(log: &[u8], size: usize) -> Result<(String, u64), Error> {
        let (mut diff, mut patch) = (Diff::new(Names::new("N"), "MARK"), Patch::default());
        for piece in log.chunks(size) {
            diff.read(piece, &mut patch)?;
        }
        diff.finish(&mut patch)?;
        Ok((String::from_utf8_lossy(&patch.rest()).into_owned(), patch.added()))
    }

    #[test]
    fn what_is_added_is_put_under_its_commit_name_and_line() {
        let (patch, added) = read(LOG.as_bytes(), 1 << 20).unwrap();
        let head = |commit: &str, name: &str| format!("commit {commit}\n\ndiff --git a/x b/x\n--- a/x\n+++ b/{name}\n");
        let (a, b) = (head("c0ffee", "a"), head("beef", "N/any/c3a92062"));
        let end = "\\ No newline at end of file\n";
        let expected =
            format!("{a}@@ -0,0 +1,2 @@\n+++ plus\n+two\n{a}@@ -0,0 +11,1 @@\n+end\n{end}{b}@@ -0,0 +1,1 @@\n+MARKnot\n");
        assert_eq!((patch.as_str(), added), (expected.as_str(), ("++ plus\ntwo\nend".len() + "MARKnot\n".len()) as u64));
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        let head = "MARKc\ndiff --git a/a b/a\n+++ .gp-deliver/a\n";
        for log in [
            format!("{head}@@ -0,0 +1,2 @@\n+one\n"),
            format!("{head}@@ -0,0 +1,2 @@\n+one\ndiff --git a/b b/b\n"),
            format!("{head}@@ -0,0 +1 @@\n-one\n"),
            format!("{head}@@ nothing\n@@ -x +1 @@\n+one\n"),
            "MARKc\n+++ elsewhere/a\n@@ -0,0 +1 @@\n+one\n".to_owned(),
            "MARKc\ndiff --git a/a b/a\n@@ -0,0 +1 @@\n+one\n".to_owned(),
            format!("{head}Binary files a and b differ\n"),
            format!("{head}@@ -0,0 +1 @@\n+one"),
        ] {
            assert!(matches!(read(log.as_bytes(), 7), Err(Error::GitAnswer { .. })), "{log}");
        }
    }

    proptest! {
        #[test]
        fn pieces_read_as_the_whole_does(size in 1..50_usize) {
            prop_assert_eq!(read(LOG.as_bytes(), size).unwrap(), read(LOG.as_bytes(), 1 << 20).unwrap());
        }
    }
}
