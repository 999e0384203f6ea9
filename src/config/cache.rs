//! Which build cache other machines share with this one, as far as inputs and the runner say.

use super::reader::Reader;
use crate::buildkit::cache::{Backend, Repositories, Scope};
use crate::buildkit::cache_folder::Folders;
use crate::github::ActionsCache;
use crate::inputs;
use crate::variables;

/// What is asked for, and what there is for it.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    /// Where it is to be.
    pub(crate) backend: Backend,
    /// The repositories of a registry; there where [`Backend::Registry`] is asked for.
    pub(crate) repositories: Option<Repositories>,
    /// The folders of this machine; the user's own where none are given.
    pub(crate) folders: Option<Folders>,
    /// The name that builds share; made of what is built where none is given.
    pub(crate) scope: Option<Scope>,
    /// The cache of GitHub Actions; absent where the runner names none.
    pub(crate) actions: Option<ActionsCache>,
    /// Whether the machine was started for this job alone.
    pub(crate) hosted: bool,
}

impl Cache {
    /// Of an image that is taken as it is.
    pub(super) fn nothing() -> Self {
        Self { backend: Backend::Off, repositories: None, folders: None, scope: None, actions: None, hosted: false }
    }
}

impl Reader<'_> {
    pub(super) fn cache(&mut self) -> Option<Cache> {
        let (backend, repositories) = (self.get(&inputs::CACHE), self.get(&inputs::CACHE_REPOSITORY));
        let (folders, scope) = (self.get(&inputs::CACHE_FOLDER), self.get(&inputs::CACHE_SCOPE));
        if (backend, &repositories) == (Some(Backend::Registry), &Some(None)) {
            self.problem(&inputs::CACHE_REPOSITORY, "", "cache: registry needs a repository");
        }
        let hosted = self.variable(variables::RUNNER_ENVIRONMENT).is_some_and(|kind| kind == "github-hosted");
        let actions = ActionsCache::find(|name| self.variable(name));
        Some(Cache { backend: backend?, repositories: repositories?, folders: folders?, scope: scope?, actions, hosted })
    }

    /// What the runner says; outside GitHub Actions, nothing.
    fn variable(&self, name: &str) -> Option<String> {
        self.env.event?;
        (self.env.variable)(name).filter(|value| !value.is_empty())
    }
}
