//! What is shown to the registries of mirrors.

use std::fmt;

use crate::oci::Reference;
use crate::oci::reference::Repository;
use crate::oci::registry::credentials::{Auth, Credentials};
use crate::oci::registry::{self, Client, Store};

/// Who has credentials for registries that nobody has logged in to.
pub(crate) trait Identity: fmt::Debug + Sync {
    /// Those for a repository; none where its registry is none for it.
    ///
    /// # Errors
    /// There are none for this run: why, and what to do.
    fn credentials(&self, repository: &Repository) -> Result<Option<Credentials>, String>;

    /// Why they did not help, and what to do, where that is what happened.
    fn refusal(&self, asked: &Reference, error: registry::Error) -> String;
}

/// What `docker login` left, which comes first, and otherwise what a delivery has by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys<'a> {
    store: &'a Store,
    identity: Option<&'a dyn Identity>,
}

impl<'a> Keys<'a> {
    /// What `docker login` left, and nothing else.
    #[must_use]
    pub(crate) fn of(store: &'a Store) -> Self {
        Self { store, identity: None }
    }

    /// The same, and for registries that it does not know what `identity` has.
    #[must_use]
    pub(crate) fn or(self, identity: &'a dyn Identity) -> Self {
        Self { identity: Some(identity), ..self }
    }

    pub(super) async fn client(&self, repository: &Repository) -> Result<Client, String> {
        let mut found = self.store.find(repository.registry()).await.map_err(|error| error.to_string())?;
        if let (Auth::Anonymous, Some(identity)) = (&found.auth, self.identity) {
            found = identity.credentials(repository)?.unwrap_or(found);
        }
        Client::new(repository.clone(), found).map_err(|error| error.to_string())
    }

    /// Why something was not read.
    pub(super) fn words(&self, asked: &Reference, error: registry::Error) -> String {
        match self.identity {
            Some(identity) => identity.refusal(asked, error),
            None => error.to_string(),
        }
    }
}
