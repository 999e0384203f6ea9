//! A client for one repository of a registry.

use std::sync::Arc;

use super::credentials::Credentials;
use super::error::Error;
use super::patience::Patience;
use super::transport::Transport;
use crate::oci::reference::Repository;

/// One repository of a registry. Clones share connections and tokens.
#[derive(Clone)]
pub(crate) struct Client {
    pub(super) transport: Arc<Transport>,
}

/// What a token must allow (distribution, "Token Scope Documentation").
#[derive(Clone, Copy)]
pub(super) enum Access {
    Pull,
    Push,
    Delete,
}

impl Client {
    /// Makes a client for `repository`; nothing is sent yet. A registry on loopback is reached without a proxy and may lack
    /// TLS; for others the usual variables (`HTTPS_PROXY`, `NO_PROXY`) are honoured.
    ///
    /// # Errors
    /// The machine's certificates can't be read.
    pub(crate) fn new(repository: Repository, credentials: Credentials) -> Result<Self, Error> {
        Ok(Self { transport: Arc::new(Transport::new(repository, credentials, Patience::USUAL)?) })
    }

    /// One that waits for less time.
    #[cfg(test)]
    pub(super) fn impatient(repository: Repository, credentials: Credentials, patience: Patience) -> Self {
        Self { transport: Arc::new(Transport::new(repository, credentials, patience).unwrap()) }
    }

    /// A client whose requests are `http`'s to make and `carrier`'s to send.
    #[cfg(test)]
    pub(crate) fn over(
        repository: Repository,
        credentials: Credentials,
        http: reqwest::Client,
        carrier: Arc<dyn crate::net::Carrier>,
    ) -> Self {
        Self { transport: Arc::new(Transport::over(repository, credentials, http, carrier)) }
    }

    /// One for another repository of the same registry, with the same credentials.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub(crate) fn beside(&self, repository: Repository) -> Result<Self, Error> {
        let credentials = self.transport.credentials();
        Ok(Self { transport: Arc::new(Transport::new(repository, credentials, Patience::USUAL)?) })
    }

    /// The repository.
    #[must_use]
    pub(crate) fn repository(&self) -> &Repository {
        &self.transport.connection.repository
    }

    pub(super) fn scopes(&self, access: Access) -> Vec<String> {
        vec![scope(self.repository(), access)]
    }
}

pub(super) fn scope(repository: &Repository, access: Access) -> String {
    let actions = match access {
        Access::Pull => "pull",
        Access::Push => "pull,push",
        Access::Delete => "pull,push,delete",
    };
    format!("repository:{}:{actions}", repository.name())
}
