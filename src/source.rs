//! Facts about the source that is delivered: from git, and from the event where there is one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::github::Event;
use crate::github::event::is_commit;
use crate::process::{self, Launcher, Program};
use crate::record::Source;

/// git answers in milliseconds; a repository on a dead network drive does not.
const DEADLINE: Duration = Duration::from_mins(1);

/// The tree of files that is delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkout {
    /// Its topmost folder: what is scanned for secrets.
    pub(crate) root: PathBuf,
    /// Whether git knows it.
    pub(crate) in_git: bool,
    /// Whether git has only a part of its history (a shallow clone).
    pub(crate) shallow: bool,
    /// The commit, branch and tag that it is at.
    pub(crate) source: Source,
}

/// The source could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// git could not be run.
    #[error(transparent)]
    Process(#[from] process::Error),
    /// git refused.
    #[error("git {arguments}: {message}")]
    Git {
        /// git's arguments.
        arguments: String,
        /// git's message.
        message: String,
    },
    /// The folder can't be read.
    #[error("{}: {reason}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        reason: String,
    },
}

impl Checkout {
    /// Looks at the tree around `context`. Without git it is `context` itself, or the workspace of `event`.
    ///
    /// # Errors
    /// There is a repository, and git can't be run on it.
    pub(crate) async fn read(launcher: &Launcher, context: &Path, event: Option<&Event>) -> Result<Self, Error> {
        let context =
            context.canonicalize().map_err(|error| Error::Folder { path: context.to_owned(), reason: error.to_string() })?;
        if !context.ancestors().any(|folder| folder.join(".git").exists()) {
            return Ok(Self::without_git(context, event));
        }
        let git = Git { program: launcher.find("git")?, folder: context.clone() };
        let root = PathBuf::from(git.ask(&["rev-parse", "--show-toplevel"]).await?);
        let commit = git.ask(&["rev-parse", "--verify", "HEAD"]).await.ok();
        let branch = git.ask(&["symbolic-ref", "--quiet", "--short", "HEAD"]).await.ok();
        let tag = match event {
            Some(event) => event.tag().map(str::to_owned),
            None => git.ask(&["tag", "--points-at", "HEAD", "--list", "v*", "--sort=-version:refname"]).await.ok(),
        };
        let source = Source {
            commit,
            // A workflow checks out a commit, not a branch: the event knows better.
            branch: event.map_or(branch, |event| event.branch().map(str::to_owned)),
            tag: tag.and_then(|tags| tags.lines().next().map(str::to_owned)),
            dirty: !git.ask(&["status", "--porcelain", "--untracked-files=normal"]).await?.is_empty(),
        };
        let shallow = git.ask(&["rev-parse", "--is-shallow-repository"]).await? == "true";
        Ok(Self { root, in_git: true, shallow, source })
    }

    /// Whether the clone has a commit.
    ///
    /// # Errors
    /// git can't be run.
    pub(crate) async fn has(&self, launcher: &Launcher, commit: &str) -> Result<bool, Error> {
        let git = Git { program: launcher.find("git")?, folder: self.root.clone() };
        match git.ask(&["cat-file", "-e", &format!("{commit}^{{commit}}")]).await {
            Ok(_) => Ok(true),
            Err(Error::Git { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether `revision`, which may be any text, is a commit that this one came after.
    ///
    /// # Errors
    /// git can't be run.
    pub(crate) async fn is_ancestor(&self, launcher: &Launcher, revision: &str) -> Result<bool, Error> {
        if !self.in_git || !is_commit(revision) || self.source.commit.as_deref() == Some(revision) {
            return Ok(false);
        }
        let git = Git { program: launcher.find("git")?, folder: self.root.clone() };
        match git.ask(&["merge-base", "--is-ancestor", revision, "HEAD"]).await {
            Ok(_) => Ok(true),
            // Not a commit, or not in this clone.
            Err(Error::Git { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The tags of a commit, given by any text; none where the clone does not have it.
    ///
    /// # Errors
    /// git can't be run.
    pub(crate) async fn tags_at(&self, launcher: &Launcher, revision: &str) -> Result<Vec<String>, Error> {
        if !self.in_git || !is_commit(revision) {
            return Ok(Vec::new());
        }
        let git = Git { program: launcher.find("git")?, folder: self.root.clone() };
        match git.ask(&["tag", "--points-at", revision]).await {
            Ok(tags) => Ok(tags.lines().map(str::to_owned).collect()),
            Err(Error::Git { .. }) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Where the repository was cloned from, where git knows.
    ///
    /// # Errors
    /// git can't be run.
    pub(crate) async fn origin(&self, launcher: &Launcher) -> Result<Option<String>, Error> {
        if !self.in_git {
            return Ok(None);
        }
        let git = Git { program: launcher.find("git")?, folder: self.root.clone() };
        match git.ask(&["config", "--get", "remote.origin.url"]).await {
            Ok(url) => Ok(Some(url)),
            Err(Error::Git { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn without_git(context: PathBuf, event: Option<&Event>) -> Self {
        let workspace = event.and_then(|event| event.workspace.clone()).filter(|workspace| context.starts_with(workspace));
        let source = Source {
            commit: event.map(|event| event.sha.clone()).filter(|sha| !sha.is_empty()),
            branch: event.and_then(|event| event.branch()).map(str::to_owned),
            tag: event.and_then(|event| event.tag()).map(str::to_owned),
            dirty: false,
        };
        Self { root: workspace.unwrap_or(context), in_git: false, shallow: false, source }
    }
}

/// A file that git tracks in `folder` or below, where it tracks any. The folder may be outside of every repository.
///
/// # Errors
/// git can't be run.
pub(crate) async fn tracked_in(launcher: &Launcher, folder: &Path) -> Result<Option<String>, Error> {
    let folder = folder.canonicalize().map_err(|error| Error::Folder { path: folder.to_owned(), reason: error.to_string() })?;
    if !folder.ancestors().any(|folder| folder.join(".git").exists()) {
        return Ok(None);
    }
    let git = Git { program: launcher.find("git")?, folder };
    match git.ask(&["ls-files", "-z", "--cached", "--", "."]).await {
        Ok(files) => Ok(files.split('\0').next().filter(|file| !file.is_empty()).map(str::to_owned)),
        Err(Error::Git { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

struct Git {
    program: Program,
    folder: PathBuf,
}

impl Git {
    /// git's answer without the line end.
    async fn ask(&self, arguments: &[&str]) -> Result<String, Error> {
        let run = self.program.run(DEADLINE).folder(&self.folder).stdout_limit(64 << 20);
        // The repository's own configuration may name a program to run at `git status`.
        let run = run.args(["--no-optional-locks", "-c", "core.fsmonitor=false"]).args(arguments.iter().copied());
        let output = trusting(run).output().await?;
        if output.code == 0 {
            return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
        }
        Err(Error::Git { arguments: arguments.join(" "), message: output.last_lines().join("\n") })
    }
}

/// Lets git work on a checkout of another user, which a container's workspace is, without a change to anyone's
/// configuration (git-config, "safe.directory").
fn trusting(run: process::Run) -> process::Run {
    let variables = [
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "safe.directory"),
        ("GIT_CONFIG_VALUE_0", "*"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("LC_ALL", "C"),
    ];
    variables.into_iter().fold(run, |run, (name, value)| run.env(name, value))
}
