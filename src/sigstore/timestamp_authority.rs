//! Whoever says when a signature by a key was there: the timestamp authority of an instance, and nothing else of it.

use std::path::{Path, PathBuf};

use sigstore_verify::trust_root::SigningConfig;

use super::error::InvalidInstance;
use super::instance::{one, service};
use super::root::Root;
use super::service::Service;
use super::service_name::ServiceName;
use crate::document;
use crate::text;

/// A timestamp authority (RFC 3161), and the keys by which its word is known.
#[derive(Clone, Debug)]
pub(crate) struct TimestampAuthority {
    pub(super) service: Service,
    root: Root,
    /// The file that has the trusted root; `None` where it comes from elsewhere.
    root_file: Option<PathBuf>,
}

impl TimestampAuthority {
    /// The one that a signing configuration names, by a trusted root (both as JSON, as Sigstore's protobuf specifications have
    /// them). What else they name is not used, the log neither.
    ///
    /// # Errors
    /// One of them is refused, or names none that is in use today.
    pub(crate) fn of(configuration: &str, trusted_root: &str, root_file: Option<PathBuf>) -> Result<Self, InvalidInstance> {
        let invalid = |words: &dyn std::fmt::Display| InvalidInstance::Configuration(text::words(&words.to_string()));
        let name = ServiceName::TimestampAuthority;
        let root = Root::of_timestamps(trusted_root)?;
        document::read::<serde_json::Value>(configuration.as_bytes()).map_err(|error| invalid(&error))?;
        let configuration = SigningConfig::from_json(configuration).map_err(|error| invalid(&error))?;
        one(name, &configuration.tsa_config)?;
        let service = service(name, configuration.tsa_url())?.ok_or(InvalidInstance::Missing(name))?;
        Ok(Self { service, root, root_file })
    }

    /// The keys by which its word is known.
    #[must_use]
    pub(crate) fn root(&self) -> &Root {
        &self.root
    }

    /// The file that has them.
    #[must_use]
    pub(crate) fn root_file(&self) -> Option<&Path> {
        self.root_file.as_deref()
    }
}
