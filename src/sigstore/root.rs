//! The keys by which an instance of Sigstore is known.

use std::fmt::Display;
use std::sync::Arc;

use sigstore_verify::trust_root::{SigstoreInstance, TrustedRoot};

use super::error::InvalidInstance;
use crate::document;
use crate::text;

/// A trusted root (Sigstore's protobuf specifications): whoever gives it decides whose certificates count.
#[derive(Clone, Debug)]
pub(crate) struct Root(pub(super) Arc<TrustedRoot>);

impl Root {
    /// That of sigstore.dev, as this program knows it.
    ///
    /// # Errors
    /// It is refused, which can't happen to the one that is here.
    pub(crate) fn public_good() -> Result<Self, InvalidInstance> {
        Self::read(SigstoreInstance::PublicGood.embedded_trusted_root_json())
    }

    /// That of GitHub's own instance, as this program knows it.
    ///
    /// # Errors
    /// It is refused, which can't happen to the one that is here.
    pub(crate) fn github() -> Result<Self, InvalidInstance> {
        Self::read(SigstoreInstance::GitHub.embedded_trusted_root_json())
    }

    /// One by which nobody is known.
    ///
    /// # Errors
    /// It is refused, which can't happen to the one that is here.
    pub(super) fn nobody() -> Result<Self, InvalidInstance> {
        Self::parse(r#"{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}"#)
    }

    /// Reads one for its timestamp authorities.
    ///
    /// # Errors
    /// It is refused, or names none.
    pub(super) fn of_timestamps(json: &str) -> Result<Self, InvalidInstance> {
        let root = Self::parse(json)?;
        if root.names_timestamps() { Ok(root) } else { Err(InvalidInstance::Root("it names no timestamp authority".into())) }
    }

    /// Reads one for whom it names, whoever that is: certificate authorities or timestamp authorities.
    ///
    /// # Errors
    /// It is refused, or names nobody.
    pub(crate) fn of_anyone(json: &str) -> Result<Self, InvalidInstance> {
        let root = Self::parse(json)?;
        if root.names_timestamps() { Ok(root) } else { Self::read(json) }
    }

    /// Whether somebody is known by it who says times.
    #[must_use]
    pub(crate) fn names_timestamps(&self) -> bool {
        !self.0.timestamp_authorities.is_empty()
    }

    /// Reads one.
    ///
    /// # Errors
    /// It is refused, or certifies nobody.
    pub(crate) fn read(json: &str) -> Result<Self, InvalidInstance> {
        let root = Self::parse(json)?;
        if root.0.certificate_authorities.is_empty() {
            return Err(InvalidInstance::Root("it names no certificate authority".into()));
        }
        Ok(root)
    }

    fn parse(json: &str) -> Result<Self, InvalidInstance> {
        let invalid = |words: &dyn Display| InvalidInstance::Root(text::words(&words.to_string()));
        document::read::<serde_json::Value>(json.as_bytes()).map_err(|error| invalid(&error))?;
        let root = TrustedRoot::from_json(json).map_err(|error| invalid(&error))?;
        Ok(Self(Arc::new(root)))
    }
}
