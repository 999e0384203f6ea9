//! A registry, spoken to as the distribution specification says (opencontainers/distribution-spec 1.1).
//!
//! A registry is a stranger: what it names is fetched over HTTPS only (over plain HTTP within this machine), what it
//! serves is hashed, what it says is shortened, and only itself and its token server are shown who we are.

mod answer;
mod authorization;
mod blob;
mod challenge;
pub mod credentials;
mod error;
mod fault;
mod manifest;
mod retry;
mod tag_list;
mod token;
mod transport;
mod upload;
#[cfg(test)]
mod with_parts;

use std::sync::Arc;

pub use blob::Upload;
pub use credentials::{Credentials, Store};
pub use error::{Answer, DigestMismatch, Error, Subject, UrlRole};
pub use fault::Fault;
pub use manifest::{Manifest, Selector};
pub use upload::Progress;

use self::credentials::Origin;
use self::transport::Transport;
use super::reference::Repository;

/// One repository of a registry. Clones share connections and tokens.
#[derive(Clone)]
pub struct Client {
    transport: Arc<Transport>,
}

/// What a token must allow (distribution, "Token Scope Documentation").
#[derive(Clone, Copy)]
enum Access {
    Pull,
    Push,
    Delete,
}

impl Client {
    /// Gets ready to speak to the registry of `repository`; nothing is sent yet. Loopback is spoken to without proxy and
    /// may do without TLS; else the usual variables (`HTTPS_PROXY`, `NO_PROXY`) are honoured.
    ///
    /// # Errors
    /// The machine's certificates can't be read.
    pub fn new(repository: Repository, credentials: Credentials) -> Result<Self, Error> {
        Ok(Self { transport: Arc::new(Transport::new(repository, credentials)?) })
    }

    /// The repository.
    #[must_use]
    pub fn repository(&self) -> &Repository {
        &self.transport.repository
    }

    /// Where the credentials came from.
    #[must_use]
    pub fn credentials(&self) -> &Origin {
        self.transport.origin()
    }

    /// Whether the registry is there and speaks the protocol (distribution-spec, "Determining Support"). Credentials are
    /// not looked at.
    ///
    /// # Errors
    /// No answer, or one that no registry gives.
    pub async fn ping(&self) -> Result<(), Error> {
        self.transport.base().await.map(|_| ())
    }

    fn scopes(&self, access: Access) -> Vec<String> {
        vec![scope(self.repository(), access)]
    }
}

fn scope(repository: &Repository, access: Access) -> String {
    let actions = match access {
        Access::Pull => "pull",
        Access::Push => "pull,push",
        Access::Delete => "pull,push,delete",
    };
    format!("repository:{}:{actions}", repository.name())
}
