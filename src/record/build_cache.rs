//! What a build cache that machines share has brought, and what went to it.

use serde::{Deserialize, Serialize};

use crate::cache_writers::CacheWriters;
use crate::oci::Platform;

/// A build cache outside of the builder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct BuildCache {
    /// Where it is: the repository of a registry, `gha`, or `local` for a folder; absent where none could be used.
    pub(crate) place: Option<String>,
    /// What came of reading it.
    pub(crate) read: CacheReading,
    /// Who may have written what the build was told of.
    pub(crate) writers: CacheWriters,
    /// The steps of the Dockerfile that were needed. Those that were there were so in this cache or in the builder's own.
    pub(crate) steps: Vec<CachedStep>,
    /// What came of writing it; absent until that has ended, and where nothing is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) written: Option<CacheWriting>,
    /// What a reader should know of it: why it was not used, or not wholly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<String>,
}

/// What came of reading a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CacheReading {
    /// It was read.
    Read,
    /// There is none yet.
    Empty,
    /// It could not be read, and the image was built without.
    Failed,
    /// This build is not to read it.
    Withheld,
}

/// What came of writing a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CacheWriting {
    /// It was written.
    Written,
    /// All of it was there.
    Unchanged,
    /// It could not be written.
    Failed,
}

/// A step of the Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct CachedStep {
    /// The platform that it was for.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) platform: Platform,
    /// Its name, as the builder shows it.
    pub(crate) name: String,
    /// Whether it was there, and was not run.
    pub(crate) cached: bool,
}

impl BuildCache {
    /// How many steps were there, and how many there are.
    #[must_use]
    pub(crate) fn hits(&self) -> (usize, usize) {
        (self.steps.iter().filter(|step| step.cached).count(), self.steps.len())
    }
}
