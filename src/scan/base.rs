//! A commit that was there before the change that is delivered: what it holds can't have come with the change.

use std::path::Path;
use std::sync::Arc;

use super::Error;
use crate::git;
pub(crate) use crate::git::Brought;
use crate::process::Launcher;

/// The commit, in the repository of the source.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    launcher: Launcher,
    repository: Arc<git::Repository>,
    commit: String,
}

impl Base {
    /// The commit `commit` (a full id) of the repository at `root`; `None` if the clone does not have it.
    ///
    /// # Errors
    /// git can't tell.
    pub(crate) async fn open(launcher: &Launcher, root: &Path, commit: &str) -> Result<Option<Self>, Error> {
        let repository = Arc::new(git::Repository::around(launcher, root).await?);
        let commit = repository.commit(launcher, commit).await?;
        Ok(commit.map(|commit| Self { launcher: launcher.clone(), repository, commit }))
    }

    /// What the regular file at `path` holds in it; `None` if there is none.
    ///
    /// # Errors
    /// git can't read it.
    pub(crate) async fn file(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.repository.file(&self.launcher, &self.commit, path).await?)
    }

    /// The lines of the regular file at `path`, and which commit brought each.
    ///
    /// # Errors
    /// There is no such file, or git can't tell.
    pub(crate) async fn lines(&self, path: &str) -> Result<Vec<Brought>, Error> {
        Ok(self.repository.lines(&self.launcher, &self.commit, path).await?)
    }

    /// Another commit of the same repository, which the clone has.
    pub(crate) fn at(&self, commit: &str) -> Self {
        Self { commit: commit.to_owned(), ..self.clone() }
    }

    /// Whether it is the commit `commit`, or came after it.
    ///
    /// # Errors
    /// git can't tell.
    pub(crate) async fn has(&self, commit: &str) -> Result<bool, Error> {
        Ok(self.repository.came_after(&self.launcher, &self.commit, commit).await?)
    }
}
