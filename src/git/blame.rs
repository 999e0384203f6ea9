//! Which commit brought each line of a file.

use std::collections::HashSet;

use super::Error;
use super::repository::Repository;
use crate::process::Launcher;

/// A line of a file in a commit, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Brought {
    /// The line, without its end.
    pub(crate) line: Vec<u8>,
    /// The commit that brought it; absent where the clone's history ends before that.
    pub(crate) by: Option<String>,
}

impl Repository {
    /// The lines of the regular file at `path`, from the top, as it is in a commit.
    ///
    /// # Errors
    /// There is no such file, or git can't tell.
    pub(crate) async fn lines(&self, launcher: &Launcher, commit: &str, path: &str) -> Result<Vec<Brought>, Error> {
        // Nothing is made of the file before it is looked at, and no list of commits is passed over.
        let arguments = ["blame", "--porcelain", "--no-textconv", "--no-progress", "--ignore-revs-file=", commit, "--", path];
        let told = self.said(launcher, &arguments, Vec::new()).await?;
        let lines = read(&told, self.is_shallow());
        lines.ok_or_else(|| Error::Answer { arguments: arguments.join(" ") })
    }
}

/// What git says (git-blame(1), "The porcelain format"). It calls a commit a boundary that has no parents: the first one of
/// all, or in a `shallow` clone the last one that is there.
fn read(told: &[u8], shallow: bool) -> Option<Vec<Brought>> {
    let mut boundaries: HashSet<&str> = HashSet::new();
    let (mut lines, mut commit) = (Vec::new(), None);
    for line in told.split(|byte| *byte == b'\n') {
        match (line, commit) {
            ([b'\t', line @ ..], Some(by)) => {
                let by = Some(by).filter(|by| !(shallow && boundaries.contains(by))).map(str::to_owned);
                lines.push(Brought { line: line.to_vec(), by });
                commit = None;
            }
            (b"boundary", Some(by)) => drop(boundaries.insert(by)),
            (header, None) if !header.is_empty() => {
                let id = header.split(|byte| *byte == b' ').next()?;
                commit = Some(std::str::from_utf8(id).ok().filter(|id| id.len() >= 40)?);
            }
            // Who wrote it, and when; the end.
            _ => {}
        }
    }
    commit.is_none().then_some(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "1111111111111111111111111111111111111111";
    const SECOND: &str = "2222222222222222222222222222222222222222";

    fn told() -> String {
        format!(
            "{FIRST} 1 1 1\nauthor A\nsummary boundary\nboundary\nfilename f\n\tone\n\
             {SECOND} 2 2 1\nauthor B\nsummary s\nfilename f\n\t\tboundary\n{FIRST} 2 3 1\n\t\n"
        )
    }

    #[test]
    fn each_line_has_the_commit_that_brought_it() {
        let lines = read(told().as_bytes(), false).unwrap();
        let brought = |line: &str, by: &str| Brought { line: line.into(), by: Some(by.to_owned()) };
        assert_eq!(lines, [brought("one", FIRST), brought("\tboundary", SECOND), brought("", FIRST)]);
    }

    #[test]
    fn in_a_shallow_clone_the_last_commit_that_is_there_has_brought_nothing() {
        let lines = read(told().as_bytes(), true).unwrap();
        assert_eq!(lines.iter().map(|line| line.by.as_deref()).collect::<Vec<_>>(), [None, Some(SECOND), None]);
    }

    #[test]
    fn what_is_no_answer_of_gits_is_none() {
        assert_eq!(read(b"", false), Some(Vec::new()));
        for told in ["x 1 1 1\n\tone\n", &format!("{FIRST} 1 1 1\nauthor A\n")] {
            assert_eq!(read(told.as_bytes(), false), None, "{told}");
        }
    }
}
