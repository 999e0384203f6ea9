//! Who may have written the build cache that an image's steps were taken from.

use serde::{Deserialize, Serialize};

/// Those who may decide what comes of the steps that are taken from a build cache, the fewest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CacheWriters {
    /// Nobody: no cache that machines share was read.
    Nobody,
    /// The deliveries to this environment, by what its inputs say.
    Environment,
    /// Other environments or other jobs, or it is not known.
    Others,
}
