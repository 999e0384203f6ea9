//! The history of the source, as git gives it to gitleaks.
//!
//! gitleaks reads the output of `git log -p` and takes its early end for the end of the history. So git is run beside it
//! with the same options, and what the commits add is counted: gitleaks must have seen every byte.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use crate::git;
use crate::process::{Launcher, Program, Run};
use crate::scan::Error;

use super::added::AddedBytes;

/// How much of the history to look through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum History {
    /// All that git has, on all branches and tags.
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

/// What stands before each name in the output of git. gitleaks takes it off, but not for a merge with conflicts.
pub(super) const PREFIX: &str = ".gp-deliver";

/// What the repository or the user could have configured otherwise, to show less or to run programs. `--text` and the
/// two `--no-` after it are for `.gitattributes`; `remerge` shows what a merge commit itself brought in; `--root`
/// shows the first commit.
const OPTIONS: &str = "--full-history --text --no-textconv --no-ext-diff --no-color --no-show-signature --no-abbrev-commit \
                       --no-decorate --no-notes --no-mailmap --no-relative --root --format=medium --submodule=short \
                       --diff-merges=remerge --src-prefix=.gp-deliver/ --dst-prefix=.gp-deliver/";

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
        History::Full => "--all".to_owned(),
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
    /// The options of `git log` that name the commits and make it show all of them.
    pub(super) fn log_options(&self) -> String {
        format!("{OPTIONS} {}", self.commits_wanted)
    }

    /// The environment in which git finds this repository, from any folder.
    pub(super) fn environment(&self, run: Run) -> Run {
        let path = self.git.path().parent().unwrap_or(Path::new("/"));
        self.opened
            .shown_to(run)
            .env("PATH", path)
            // A remerge writes objects: beside the repository's own, not among them.
            .env("GIT_OBJECT_DIRECTORY", self.scratch.join("objects"))
            .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", quoted(&self.opened.objects()))
    }

    /// How many bytes the commits add, line by line, as git tells it.
    pub(super) async fn added_bytes(&self) -> Result<u64, Error> {
        let log_options = self.log_options();
        let log = self.run().args(["log", "-p", "-U0"]).args(log_options.split(' ')).stdout_limit(u64::MAX);
        let mut added = AddedBytes::default();
        let output = log.stream(|bytes| added.read(bytes)).await?;
        if output.code != 0 || !output.stderr.is_empty() && !output.stderr.contains("rename") {
            return Err(Error::git(&output));
        }
        Ok(added.total())
    }

    fn run(&self) -> Run {
        self.environment(self.git.run(self.deadline)).folder(self.scratch.join("empty"))
    }
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
