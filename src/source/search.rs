//! Which of the repositories around a build context is the one that is delivered.
//!
//! There may be several: submodules lie in each other, a checkout lies in a runner's workspace, and a job may check out more
//! than one. The run says which commit it is of, and the repository that is at that commit is the one. Where none is, or
//! outside of GitHub Actions, it is the innermost that is not a submodule: what is in a submodule is a part of the checkout
//! around it.

use std::path::{Path, PathBuf};

use super::Definition;
use crate::git::{Enclosing, Error, Place, Repository};
use crate::github::Event;
use crate::github::event::is_commit;
use crate::process::Launcher;

/// What a search came to.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) repository: Option<Repository>,
    /// The tops of the repositories that lie inside of it and were passed over.
    pub(super) inner: Vec<PathBuf>,
    pub(super) strays: Vec<PathBuf>,
}

/// A search for the repository of a delivery.
pub(super) struct Search<'a> {
    launcher: &'a Launcher,
    /// Around the build context, and around the Dockerfile where that lies elsewhere.
    around: [Enclosing; 2],
    /// Around the named contexts.
    besides: Vec<Enclosing>,
    event: Option<&'a Event>,
}

impl<'a> Search<'a> {
    /// `context` is absolute and without links.
    pub(super) fn new(launcher: &'a Launcher, context: &Path, definition: Option<&Definition>, event: Option<&'a Event>) -> Self {
        // By the name that the commit has for it, wherever that leads.
        let folder = definition.and_then(|definition| definition.path.parent());
        let folder = folder.map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
        let folder = folder.and_then(|folder| folder.canonicalize().ok());
        let beside = folder.map(|folder| Enclosing::of(&folder)).unwrap_or_default();
        let named = definition.into_iter().flat_map(|definition| &definition.folders);
        let named = named.filter_map(|folder| folder.location.path().canonicalize().ok());
        let besides = named.map(|folder| Enclosing::of(&folder)).collect();
        Self { launcher, around: [Enclosing::of(context), beside], besides, event }
    }

    pub(super) async fn find(self) -> Result<Found, Error> {
        let [context, dockerfile] = &self.around;
        let mut chosen = None;
        for enclosing in [context, dockerfile] {
            if chosen.is_none() {
                chosen = self.at_the_runs_commit(&enclosing.places).await;
            }
        }
        for enclosing in [context, dockerfile] {
            if chosen.is_none() {
                chosen = self.whole(&enclosing.places).await?;
            }
        }
        let places = context.places.iter().chain(&dockerfile.places).chain(self.besides.iter().flat_map(|one| &one.places));
        let top = chosen.as_ref().map(|repository| repository.top().to_owned());
        let is_inner = |place: &&Place| top.as_ref().is_some_and(|top| place.top != *top && place.top.starts_with(top));
        let mut inner: Vec<_> = places.filter(is_inner).map(|place| place.top.clone()).collect();
        inner.sort();
        inner.dedup();
        Ok(Found { repository: chosen, inner, strays: context.strays.clone() })
    }

    /// The outermost that is at the run's commit. One that can't be read is not.
    async fn at_the_runs_commit(&self, places: &[Place]) -> Option<Repository> {
        let wanted = self.event.map(|event| &event.sha).filter(|sha| is_commit(sha))?;
        for place in places.iter().rev() {
            if let Ok(repository) = Repository::open(self.launcher, place.clone()).await
                && repository.head(self.launcher).await.ok().flatten().as_ref() == Some(wanted)
            {
                return Some(repository);
            }
        }
        None
    }

    /// The innermost that is no submodule of the next.
    async fn whole(&self, places: &[Place]) -> Result<Option<Repository>, Error> {
        // What lies around the workspace is the runner's own.
        let workspace = self.event.and_then(|event| event.workspace.as_ref()?.canonicalize().ok());
        let inside: Vec<_> =
            places.iter().filter(|place| workspace.as_ref().is_none_or(|workspace| place.top.starts_with(workspace))).collect();
        let places = if inside.is_empty() { places.iter().collect() } else { inside };
        let mut places = places.into_iter();
        let Some(innermost) = places.next() else { return Ok(None) };
        let mut whole = Repository::open(self.launcher, innermost.clone()).await?;
        for place in places {
            let Ok(path) = whole.top().strip_prefix(&place.top) else { break };
            // One around that can't be read has no say.
            match Repository::open(self.launcher, place.clone()).await {
                Ok(outer) if outer.has_submodule(self.launcher, path).await? => whole = outer,
                _ => break,
            }
        }
        Ok(Some(whole))
    }
}
