//! An image of a repository, as far as policies look at it.

use jiff::Timestamp;

use crate::oci::Digest;

/// An image: all that has a digest in the repository, an index and a signature too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    /// Its digest, by which equal times are told apart.
    pub(crate) digest: Digest,
    /// Its tags.
    pub(crate) tags: Vec<String>,
    /// When it was pushed. A new tag does not renew that.
    pub(crate) pushed_at: Timestamp,
    /// When it was pulled last, where that is recorded.
    pub(crate) pulled_at: Option<Timestamp>,
    /// Where it is stored.
    pub(crate) storage: Storage,
    /// The indexes in the repository that refer to it.
    pub(crate) indexes: Vec<Digest>,
    /// What it refers to: it is a signature or an SBOM of that image.
    pub(crate) subject: Option<Digest>,
}

/// Where an image is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    /// Where it can be pulled from.
    Standard {
        /// When it was last brought back from archive storage, if it ever was.
        restored_at: Option<Timestamp>,
    },
    /// Where it can't be pulled from.
    Archive {
        /// Since when.
        since: Timestamp,
    },
}

/// A storage class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Where images can be pulled from.
    Standard,
    /// Where they can't.
    Archive,
}

impl Image {
    pub(super) fn class(&self) -> Class {
        match self.storage {
            Storage::Standard { .. } => Class::Standard,
            Storage::Archive { .. } => Class::Archive,
        }
    }

    /// Whether rules look at it at all. What an index refers to can't be deleted before the index, and what refers to an image
    /// goes with that. That the first does not count either was seen by others in a real preview; for the second that is
    /// assumed.
    pub(super) fn counts(&self) -> bool {
        self.indexes.is_empty() && self.subject.is_none()
    }

    /// The time that says how new it is.
    pub(super) fn renewed_at(&self) -> Timestamp {
        match self.storage {
            Storage::Standard { restored_at: Some(at) } => at,
            Storage::Standard { restored_at: None } | Storage::Archive { .. } => self.pushed_at,
        }
    }

    /// Since when it is archived; when it was pushed, where it is not.
    pub(super) fn archived_at(&self) -> Timestamp {
        match self.storage {
            Storage::Archive { since } => since,
            Storage::Standard { .. } => self.pushed_at,
        }
    }

    /// When it was last in use: an image that was not pulled since it was pushed or restored counts from then on.
    pub(super) fn used_at(&self) -> Timestamp {
        match (self.pulled_at, self.storage) {
            (Some(pulled), Storage::Standard { restored_at: Some(restored) }) => pulled.max(restored),
            (Some(pulled), _) => pulled,
            (None, _) => self.renewed_at(),
        }
    }
}
