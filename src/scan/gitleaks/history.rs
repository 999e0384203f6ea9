//! The history of the source, as git tells it.
//!
//! gitleaks would start git by itself, and take an early end of what it says for the end of the history. So git is started
//! here, and what it says is read before gitleaks gets it.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use tokio::sync::mpsc;

use super::diff::{Diff, PREFIX};
use super::names::Names;
use super::patch::Patch;
use crate::git;
use crate::process::{Launcher, Program, Run, StandIn};
use crate::scan::Error;

/// How much of the history to look through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum History {
    /// The commit that is checked out, and all before it.
    Full,
    /// Some commits.
    Commits(CommitRange),
    /// Nothing.
    None,
}

/// A commit and its ancestors (`COMMIT`), or those of them that another does not have (`COMMIT..COMMIT`), by full ids:
/// gitrevisions(7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommitRange(String);

/// The text is no range of commits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither COMMIT nor COMMIT..COMMIT with full commit ids")]
pub(crate) struct InvalidRange(pub(crate) String);

impl FromStr for CommitRange {
    type Err = InvalidRange;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_id =
            |id: &str| matches!(id.len(), 40 | 64) && id.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase());
        let parts: Vec<_> = text.split("..").collect();
        if parts.len() > 2 || !parts.into_iter().all(is_id) {
            return Err(InvalidRange(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for CommitRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the repository or the user could have configured otherwise, to show less or to run programs. `--text` and the
/// two `--no-` after it are for `.gitattributes`; `--root` shows the first commit.
const OPTIONS: &str = "--full-history --text --no-textconv --no-ext-diff --no-color --no-show-signature --no-abbrev-commit \
                       --no-decorate --no-notes --no-mailmap --no-relative --root --submodule=short";

/// The commits, in two passes, and what is shown of a merge: what it itself brought in. git makes a merge of two anew to
/// tell; of a merge of more it shows nothing that way, so that all is shown that its first parent does not have.
const PASSES: [[&str; 2]; 2] = [["--max-parents=2", "--diff-merges=remerge"], ["--min-parents=3", "--diff-merges=first-parent"]];

/// What git says when it looked for renamed files in some places alone, which changes nothing of what is added (its
/// `diff.c`, `diff_warn_rename_limit`).
const RENAMES: [&str; 3] = [
    "warning: exhaustive rename detection was skipped due to too many files.",
    "warning: inexact rename detection was skipped due to too many files.",
    "warning: only found copies from modified paths due to too many files.",
];
/// How its advice on that begins and ends, around a name and a number.
const ADVICE: (&str, &str) = ("warning: you may want to set your ", " and retry the command.");

/// The history of a source, or the part of it that is to be looked through.
pub(super) struct Repository {
    git: Program,
    opened: Box<git::Repository>,
    scratch: PathBuf,
    commits_wanted: String,
    deadline: Duration,
    /// How many commits that is.
    pub(super) commits: u64,
}

/// Opens the history of `root`; `None` if none of it is wanted or it has no commits.
pub(super) async fn open(
    launcher: &Launcher,
    root: &Path,
    history: &History,
    scratch: &Path,
    deadline: Duration,
) -> Result<Option<Repository>, Error> {
    let commits_wanted = match history {
        History::None => return Ok(None),
        History::Full => "HEAD".to_owned(),
        History::Commits(range) => range.to_string(),
    };
    let git = launcher.find("git")?;
    let opened = Box::new(git::Repository::around(launcher, root).await?);
    let mut repository = Repository { git, opened, scratch: scratch.to_owned(), commits_wanted, deadline, commits: 0 };
    let count = repository.run().args(["rev-list", "--count", &repository.commits_wanted, "--"]);
    let count = said(count).await?;
    let not_a_number = || Error::GitAnswer { reason: "its count of commits is no number".to_owned() };
    repository.commits = count.trim().parse().map_err(|_| not_a_number())?;
    Ok(Some(repository).filter(|repository| repository.commits > 0))
}

impl Repository {
    /// Has everything said that the commits add, and gives the number of bytes.
    pub(super) async fn say(&self, says: &mut StandIn, names: &Names, mark: &str) -> Result<u64, Error> {
        let format = format!("--format=tformat:{mark}%H");
        let prefixes = [format!("--src-prefix={PREFIX}"), format!("--dst-prefix={PREFIX}")];
        let (mut diff, mut patch) = (Diff::new(names.clone(), mark), Patch::default());
        for pass in PASSES {
            let log = self.run().args(["log", "-p", "-U0"]).args(OPTIONS.split(' ')).args(pass).arg(&format).args(&prefixes);
            let log = log.arg(&self.commits_wanted).arg("--").stdout_limit(u64::MAX);
            let (told, mut tells) = mpsc::channel::<bytes::Bytes>(4);
            let read = async {
                while let Some(bytes) = tells.recv().await {
                    diff.read(&bytes, &mut patch)?;
                    if let Some(batch) = patch.batch() {
                        says.say(&batch).await.map_err(Error::io(&self.scratch))?;
                    }
                }
                Ok(())
            };
            let log = async { log.send(told).await.map_err(Error::from) };
            let (output, ()) = tokio::try_join!(log, read)?;
            if output.code != 0 || output.stderr.lines().any(|line| !is_of_renames(line)) {
                return Err(Error::git(&output));
            }
        }
        diff.finish(&mut patch)?;
        if diff.commits() != self.commits {
            let reason = format!("it tells of {} of {} commits", diff.commits(), self.commits);
            return Err(Error::GitAnswer { reason });
        }
        says.say(&patch.rest()).await.map_err(Error::io(&self.scratch))?;
        Ok(patch.added())
    }

    fn run(&self) -> Run {
        self.opened
            .shown_to(self.git.run(self.deadline))
            // A remerge writes objects: beside the repository's own, not among them.
            .env("GIT_OBJECT_DIRECTORY", self.scratch.join("objects"))
            .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", quoted(&self.opened.objects()))
            .folder(self.scratch.join("empty"))
    }
}

/// Whether git says this about renames alone.
fn is_of_renames(line: &str) -> bool {
    let number = |rest: &str| rest.rsplit_once(' ').is_some_and(|(_, number)| number.bytes().all(|byte| byte.is_ascii_digit()));
    let is_advice = || line.strip_prefix(ADVICE.0).and_then(|rest| rest.strip_suffix(ADVICE.1));
    RENAMES.contains(&line)
        || is_advice().and_then(|rest| rest.strip_prefix("diff.renameLimit variable to at least")).is_some_and(number)
}

/// An entry of a list of paths, as git unquotes it: it may hold the separator.
fn quoted(path: &Path) -> OsString {
    let path = path.as_os_str().as_bytes().iter();
    let escaped = path.flat_map(|byte| if matches!(byte, b'"' | b'\\') { vec![b'\\', *byte] } else { vec![*byte] });
    OsString::from_vec([b'"'].into_iter().chain(escaped).chain([b'"']).collect())
}

/// What git answers.
async fn said(run: Run) -> Result<String, Error> {
    let output = run.output().await?;
    if output.code != 0 {
        return Err(Error::git(&output));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_what_git_says_about_renames_is_passed_over() {
        for line in
            [RENAMES[0], "warning: you may want to set your diff.renameLimit variable to at least 1234 and retry the command."]
        {
            assert!(is_of_renames(line), "{line}");
        }
        for line in [
            "error: unable to read rename.txt",
            "warning: inexact rename detection was skipped due to too many files.x",
            "warning: you may want to set your mind at rest and retry the command.",
            "",
        ] {
            assert!(!is_of_renames(line), "{line}");
        }
    }

    #[test]
    fn only_full_ids_make_a_range() {
        let id = "c0ffee".repeat(7)[..40].to_owned();
        for text in [id.clone(), format!("{id}..{id}")] {
            assert_eq!(text.parse::<CommitRange>().unwrap().to_string(), text);
        }
        for text in ["", "main", "--all", &id[1..], &format!("{id}...{id}"), &format!("{id}..{id}..{id}"), &format!("{id} --not")]
        {
            assert!(text.parse::<CommitRange>().is_err(), "{text}");
        }
    }
}
