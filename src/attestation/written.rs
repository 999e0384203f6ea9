//! A document that is handed on as it was written.

use bytes::Bytes;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::error::Error;
use super::predicate_type::PredicateType;
use crate::document;

/// A JSON object, byte for byte as somebody wrote it, with one reading. Clones share the bytes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Written(Bytes);

impl Written {
    /// Takes a document, all of which is looked at.
    ///
    /// # Errors
    /// It has two readings, or is no object.
    pub(crate) fn read(bytes: Bytes) -> Result<Self, Error> {
        document::read_shared::<IgnoredAny>(&bytes).map_err(Error::Document)?;
        Self::part(bytes)
    }

    /// A part of a document that was read.
    pub(super) fn part(bytes: Bytes) -> Result<Self, Error> {
        let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        if first == Some(&b'{') { Ok(Self(bytes)) } else { Err(Error::NoObject) }
    }

    /// One that has nothing.
    pub(super) fn empty() -> Self {
        Self(Bytes::from_static(b"{}"))
    }

    /// One that is made here.
    pub(super) fn of(value: &impl serde::Serialize) -> Result<Self, Error> {
        let bytes = serde_json::to_vec(value).map_err(|error| Error::Unwritable(error.to_string()))?;
        Self::part(bytes.into())
    }

    /// The document: what a file of it has.
    #[must_use]
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// What it says, as values.
    pub(super) fn typed<T: DeserializeOwned>(&self, of: PredicateType) -> Result<T, Error> {
        document::read_shared(&self.0).map_err(|error| Error::Predicate { of, why: error.to_string() })
    }

    /// A member that is an object, too.
    pub(super) fn member(&self, name: &str) -> Option<Self> {
        document::member(&self.0, name).and_then(|part| Self::part(self.0.slice_ref(part)).ok())
    }
}

impl std::fmt::Debug for Written {
    /// Its size: the rest may be megabytes.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Written({} bytes)", self.0.len())
    }
}
