//! A commit that was there before the change that is delivered: what it holds can't have come with the change.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::Error;
use crate::git;
use crate::process::{Launcher, Program, Run};

/// git answers in milliseconds.
const DEADLINE: Duration = Duration::from_mins(1);
/// More than any list of a project's has, in bytes.
const MAX_FILE: u64 = 16 << 20;

/// The commit, in the repository of the source.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    git: Program,
    repository: Arc<git::Repository>,
    commit: String,
}

impl Base {
    /// The commit `commit` (a full id) of the repository at `root`; `None` if the clone does not have it.
    ///
    /// # Errors
    /// git can't be run.
    pub(crate) async fn open(launcher: &Launcher, root: &Path, commit: &str) -> Result<Option<Self>, Error> {
        let repository = Arc::new(git::Repository::around(launcher, root).await?);
        let base = Self { git: launcher.find("git")?, repository, commit: commit.to_owned() };
        let there = base.git(["cat-file", "-e", &format!("{commit}^{{commit}}")]).output().await?;
        Ok((there.code == 0).then_some(base))
    }

    /// What the regular file at `path` holds in it; `None` if there is none.
    ///
    /// # Errors
    /// git can't read it.
    pub(crate) async fn file(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let answer = self.git(["--literal-pathspecs", "ls-tree", "-z", "--full-tree", &self.commit, "--", path]).output().await?;
        if answer.code != 0 {
            return Err(Error::git(&answer));
        }
        let entry = String::from_utf8_lossy(&answer.stdout).into_owned();
        let mut fields = entry.split(['\t', '\0']).next().unwrap_or_default().split(' ');
        let (Some("100644" | "100755"), Some("blob"), Some(object)) = (fields.next(), fields.next(), fields.next()) else {
            return Ok(None);
        };
        let content = self.git(["cat-file", "blob", object]).stdout_limit(MAX_FILE).output().await?;
        if content.code == 0 { Ok(Some(content.stdout)) } else { Err(Error::git(&content)) }
    }

    /// Whether it is the commit `commit`, or came after it.
    ///
    /// # Errors
    /// git can't be run.
    pub(crate) async fn has(&self, commit: &str) -> Result<bool, Error> {
        Ok(self.git(["merge-base", "--is-ancestor", commit, &self.commit]).output().await?.code == 0)
    }

    fn git<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Run {
        self.repository.shown_to(self.git.run(DEADLINE)).folder(self.repository.top()).args(arguments)
    }
}
