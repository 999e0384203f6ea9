//! Facts about the source that is delivered: from git, and from the event where there is one.

mod comparison;
pub(crate) mod definition;
mod error;
mod location;
mod pointer;
mod search;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub(crate) use self::comparison::{Comparison, Failed, Paths};
pub(crate) use self::definition::{Definition, NamedFolder};
pub(crate) use self::error::Error;
pub(crate) use self::location::{Grounds, Location};
use self::search::{Found, Search};
use crate::git::{self, Repository};
use crate::github::Event;
use crate::github::event::is_commit;
use crate::process::Launcher;
use crate::record::Source;

/// The tree of files that is delivered.
#[derive(Clone, Debug)]
pub(crate) struct Checkout {
    /// Its topmost folder: what is scanned for secrets.
    pub(crate) root: PathBuf,
    /// Whether git knows it.
    pub(crate) in_git: bool,
    /// Whether git has only a part of its history (a shallow clone).
    pub(crate) shallow: bool,
    /// The commit, branch and tag that it is at.
    pub(crate) source: Source,
    repository: Option<Repository>,
    /// Repositories inside the checkout's that hold a build context or the Dockerfile: their commits are not the one that
    /// is delivered.
    pub(crate) inner: Vec<PathBuf>,
    /// Folders around the build context with a `.git` that leads to no repository.
    pub(crate) strays: Vec<PathBuf>,
}

impl Checkout {
    /// Finds the checkout that `context` and what builds it are of, and reads its facts. Without git it is `context` itself, or
    /// the workspace of `event`.
    ///
    /// # Errors
    /// There is a repository, and git can't be run on it.
    pub(crate) async fn read(
        launcher: &Launcher,
        context: &Path,
        definition: Option<&Definition>,
        event: Option<&Event>,
    ) -> Result<Self, Error> {
        let grounds = Grounds::of(context, event.and_then(|event| event.workspace.as_deref()));
        Location::of(context, &grounds).folder()?;
        let context =
            context.canonicalize().map_err(|error| Error::Folder { path: context.to_owned(), reason: error.to_string() })?;
        let Found { repository, inner, strays } = Search::new(launcher, &context, definition, event).find().await?;
        let Some(repository) = repository else {
            return Ok(Self { strays, ..Self::without_git(context, event) });
        };
        let (commit, tag) = match event {
            Some(event) => (repository.head(launcher).await?, event.tag().map(str::to_owned)),
            None => {
                // Side by side: each start of git takes longer than what it is asked.
                let (commit, tags) = tokio::join!(repository.head(launcher), repository.tags_at_head(launcher));
                let commit = commit?;
                let tag = if commit.is_some() { highest(tags?) } else { None };
                (commit, tag)
            }
        };
        let source = Source {
            commit,
            // A workflow checks out a commit, not a branch: the event knows better.
            branch: event.map_or_else(|| repository.branch(), |event| event.branch().map(str::to_owned)),
            tag,
            dirty: false,
        };
        let root = repository.top().to_owned();
        let shallow = repository.is_shallow();
        Ok(Self { root, in_git: true, shallow, source, repository: Some(repository), inner, strays })
    }

    /// What is known of the source of an image that is taken as it is, in place of a checkout; `folder` is an empty one.
    #[must_use]
    pub(crate) fn absent(folder: PathBuf, source: Source) -> Self {
        Self { root: folder, in_git: false, shallow: false, source, repository: None, inner: Vec::new(), strays: Vec::new() }
    }

    /// Compares the files that go into the image with the commit: `sent` are their absolute paths, and `goes` says whether
    /// one that is not there would be among them. Outside git there is nothing to compare with, and before the first commit
    /// all is new.
    pub(crate) async fn compare(
        &self,
        launcher: &Launcher,
        sent: impl Iterator<Item = Result<PathBuf, String>> + Send,
        goes: &(dyn Fn(&Path) -> bool + Sync),
    ) -> Comparison {
        match (&self.repository, &self.source.commit) {
            (None, _) => Comparison::default(),
            (Some(_), None) => Comparison::without_commit(),
            (Some(repository), Some(commit)) => Comparison::of(launcher, repository, commit, sent, goes).await,
        }
    }

    /// Whether the checkout is of a commit, without which nothing of it can be judged for a blocking environment.
    ///
    /// # Errors
    /// It is not: [`Error::NoRepository`] or [`Error::NoCommit`].
    pub(crate) fn is_of_a_commit(&self, context: &Path) -> Result<(), Error> {
        if !self.in_git {
            return Err(Error::NoRepository { context: context.to_owned(), strays: self.strays.clone() });
        }
        if self.source.commit.is_none() {
            return Err(Error::NoCommit { root: self.root.clone() });
        }
        Ok(())
    }

    /// Where the named contexts of a definition are from the topmost folder, by their names.
    ///
    /// # Errors
    /// One is outside: [`Error::OutsideOfSource`].
    pub(crate) fn places(&self, definition: &Definition) -> Result<BTreeMap<String, PathBuf>, Error> {
        let place = |name: Option<&str>, location: &Location| {
            let real = location.path().canonicalize().ok();
            let place = real.as_deref().and_then(|real| real.strip_prefix(&self.root).ok()).map(Path::to_owned);
            let (name, folder) = (name.map(str::to_owned), location.path().to_owned());
            place.ok_or_else(|| Error::OutsideOfSource { name, folder, root: self.root.clone() })
        };
        if !definition.folders.is_empty() {
            place(None, &definition.context)?;
        }
        let named = definition.folders.iter();
        named.map(|folder| Ok((folder.name.clone(), place(Some(&folder.name), &folder.location)?))).collect()
    }

    /// Whether the commit that is checked out is the one that the run is of, where there is a run.
    ///
    /// # Errors
    /// It is not: [`Error::OtherCommit`]. Or git can't be run.
    pub(crate) async fn is_of_the_run(&self, launcher: &Launcher, event: Option<&Event>) -> Result<(), Error> {
        let (Some(event), Some(repository), Some(commit)) = (event, &self.repository, &self.source.commit) else { return Ok(()) };
        if event.sha == *commit {
            return Ok(());
        }
        // A tag's own id names its commit too.
        let named = if is_commit(&event.sha) { repository.commit(launcher, &event.sha).await? } else { None };
        if named.as_ref() == Some(commit) {
            return Ok(());
        }
        Err(Error::OtherCommit { root: self.root.clone(), commit: commit.clone(), run: event.sha.clone() })
    }

    /// Whether a clone that was told to leave out objects has all of the history that is checked out.
    ///
    /// # Errors
    /// It has not: [`Error::Partial`]. Or git can't be run.
    pub(crate) async fn has_all_objects(&self, launcher: &Launcher) -> Result<(), Error> {
        let Some((repository, filter)) = self.repository.as_ref().and_then(|found| Some((found, found.filter()?))) else {
            return Ok(());
        };
        match repository.missing_objects(launcher).await? {
            0 => Ok(()),
            missing => Err(Error::Partial { filter: filter.to_owned(), missing }),
        }
    }

    /// Whether only a part of the commit's files is checked out.
    pub(crate) fn is_sparse(&self) -> bool {
        self.repository.as_ref().is_some_and(Repository::is_sparse)
    }

    /// Whether the clone has a commit.
    ///
    /// # Errors
    /// git can't be run.
    pub(crate) async fn has(&self, launcher: &Launcher, commit: &str) -> Result<bool, Error> {
        match &self.repository {
            Some(repository) if is_commit(commit) => Ok(repository.commit(launcher, commit).await?.is_some()),
            _ => Ok(false),
        }
    }

    /// Whether a full id is the commit that is checked out, or one that this one came after.
    ///
    /// # Errors
    /// git can't be run.
    pub(crate) async fn contains(&self, launcher: &Launcher, commit: &str) -> Result<bool, Error> {
        Ok(self.source.commit.as_deref() == Some(commit) || self.is_ancestor(launcher, commit).await?)
    }

    /// The ids of the clone's annotated tags.
    ///
    /// # Errors
    /// git can't be run.
    pub(crate) async fn tag_objects(&self, launcher: &Launcher) -> Result<Vec<String>, Error> {
        match &self.repository {
            Some(repository) => Ok(repository.tag_objects(launcher).await?),
            None => Ok(Vec::new()),
        }
    }

    /// Whether `revision`, which may be any text, is a commit that this one came after.
    ///
    /// # Errors
    /// git can't be run.
    pub(crate) async fn is_ancestor(&self, launcher: &Launcher, revision: &str) -> Result<bool, Error> {
        let is_another = is_commit(revision) && self.source.commit.as_deref() != Some(revision);
        let Some(repository) = self.repository.as_ref().filter(|_| is_another) else { return Ok(false) };
        match repository.commit(launcher, revision).await? {
            Some(commit) => Ok(repository.came_after(launcher, "HEAD", &commit).await?),
            None => Ok(false),
        }
    }

    /// The commits that came before the one that is checked out, on its own line, the latest first: at most `most` of those that
    /// the clone has.
    ///
    /// # Errors
    /// git can't be run.
    pub(crate) async fn before(&self, launcher: &Launcher, most: usize) -> Result<Vec<String>, Error> {
        let (Some(repository), Some(commit)) = (&self.repository, &self.source.commit) else { return Ok(Vec::new()) };
        Ok(repository.before(launcher, commit, most).await?)
    }

    /// When the commit was made that is checked out, in seconds since 1970; nothing where there is none.
    ///
    /// # Errors
    /// git can't be run.
    pub(crate) async fn date(&self, launcher: &Launcher) -> Result<Option<i64>, Error> {
        let (Some(repository), Some(commit)) = (&self.repository, &self.source.commit) else { return Ok(None) };
        Ok(repository.date(launcher, commit).await?.filter(|date| *date >= 0))
    }

    /// When the last commit was made that changed one of these paths from the topmost folder, in seconds since 1970; nothing where
    /// no commit did, or where only a part of the history is there.
    ///
    /// # Errors
    /// git can't be run.
    pub(crate) async fn date_of(&self, launcher: &Launcher, paths: &BTreeSet<String>) -> Result<Option<i64>, Error> {
        let whole = self.repository.as_ref().filter(|_| !self.shallow);
        let (Some(repository), Some(commit)) = (whole, &self.source.commit) else { return Ok(None) };
        Ok(repository.date_of(launcher, commit, paths).await?.filter(|date| *date >= 0))
    }

    /// The tags of a commit, given by any text; none where the clone does not have it.
    ///
    /// # Errors
    /// git can't be run.
    pub(crate) async fn tags_at(&self, launcher: &Launcher, revision: &str) -> Result<Vec<String>, Error> {
        let Some(repository) = self.repository.as_ref().filter(|_| is_commit(revision)) else { return Ok(Vec::new()) };
        match repository.commit(launcher, revision).await? {
            Some(commit) => Ok(repository.tags_at(launcher, &commit).await?),
            None => Ok(Vec::new()),
        }
    }

    /// The files and folders, from the topmost one, that git is told to ignore and no commit knows; none where git can't tell.
    pub(crate) async fn ignored(&self, launcher: &Launcher) -> Vec<PathBuf> {
        let Some(repository) = &self.repository else { return Vec::new() };
        repository.ignored(launcher).await.unwrap_or_else(|error| {
            tracing::debug!(%error, "what git ignores is not known, and all is looked through");
            Vec::new()
        })
    }

    /// Where the repository was cloned from, where git knows.
    pub(crate) fn origin(&self) -> Option<&str> {
        self.repository.as_ref()?.origin()
    }

    fn without_git(context: PathBuf, event: Option<&Event>) -> Self {
        let workspace = event.and_then(|event| event.workspace.clone()).filter(|workspace| context.starts_with(workspace));
        let source = Source {
            commit: event.map(|event| event.sha.clone()).filter(|sha| !sha.is_empty()),
            branch: event.and_then(|event| event.branch()).map(str::to_owned),
            tag: event.and_then(|event| event.tag()).map(str::to_owned),
            dirty: false,
        };
        let root = workspace.unwrap_or(context);
        Self { root, in_git: false, shallow: false, source, repository: None, inner: Vec::new(), strays: Vec::new() }
    }
}

/// The folders that hold the project whose build context is `context`: the outermost checkout around it, or itself, and the
/// workspace of the run.
#[must_use]
pub(crate) fn project_of(context: &Path, workspace: Option<&Path>) -> Vec<PathBuf> {
    let context = context.canonicalize().unwrap_or_else(|_| context.to_owned());
    let root = git::checkout_around(&context).unwrap_or(context);
    [root].into_iter().chain(workspace.map(Path::to_owned)).collect()
}

/// A file that git tracks in `folder` or below, where it tracks any. The folder may be outside of every repository.
///
/// # Errors
/// git can't be run.
pub(crate) async fn tracked_in(launcher: &Launcher, folder: &Path) -> Result<Option<String>, Error> {
    let folder = folder.canonicalize().map_err(|error| Error::Folder { path: folder.to_owned(), reason: error.to_string() })?;
    let repository = match Repository::around(launcher, &folder).await {
        Ok(repository) => repository,
        Err(git::Error::Missing { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let below = folder.strip_prefix(repository.top()).unwrap_or(Path::new(""));
    let file = repository.tracked_in(launcher, below).await?;
    Ok(file.map(|file| file.to_string_lossy().into_owned()))
}

/// Of the git tags of a commit, the one that is delivered: the highest release, else the highest pre-release (semver.org,
/// item 11), else the first of those that look like a version and are none.
fn highest(mut tags: Vec<String>) -> Option<String> {
    let version = |tag: &str| tag.strip_prefix('v')?.parse::<semver::Version>().ok();
    tags.retain(|tag| tag.starts_with('v'));
    let versions = tags.iter().filter_map(|tag| Some((version(tag)?, tag)));
    let highest = versions.max_by_key(|(version, _)| (version.pre.is_empty(), version.clone()));
    highest.map(|(_, tag)| tag).or_else(|| tags.first()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_git_tags_the_highest_release_is_delivered() {
        for (tags, expected) in [
            (&["v1.2.3-rc.1", "v1.2.3", "other"][..], Some("v1.2.3")),
            (&["vnext", "v1.2.3", "v1.2.3-rc.1"], Some("v1.2.3")),
            (&["v1.10.0", "v1.9.0", "v1.2"], Some("v1.10.0")),
            (&["v2.0.0-rc.2", "v1.9.9", "v2.0.0-rc.10"], Some("v1.9.9")),
            (&["v2.0.0-rc.2", "v2.0.0-rc.10", "v2.0.0-rc"], Some("v2.0.0-rc.10")),
            (&["vnext", "v1"], Some("vnext")),
            (&["nightly"], None),
            (&[], None),
        ] {
            let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
            assert_eq!(highest(tags).as_deref(), expected);
        }
    }
}
