//! What of a source was built, as statements have it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::oci::Digest;
use crate::provenance::Parameters;

/// What tells an image of a commit from another image of the same commit: [`Parameters`] under the names of these documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Build {
    /// The build context, relative to the source's root.
    pub(crate) context: String,
    /// The named contexts, by their names: a folder relative to the source's root, `docker-image://` with a reference, or
    /// `oci-layout://` with a digest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) contexts: BTreeMap<String, String>,
    /// The Dockerfile, relative to the source's root where it is inside.
    pub(crate) dockerfile: String,
    /// The digest of the Dockerfile, which need not be in the commit.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) dockerfile_digest: Digest,
    /// The stage that was asked for; absent for the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<String>,
    /// The digest of the build arguments as JSON, an object sorted by name: their values are nobody's business.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) arguments_digest: Digest,
    /// The platforms that were asked for, sorted; none for the builder's own.
    pub(crate) platforms: Vec<String>,
    /// How steps were run, by the names of the Dockerfile frontend's options (`add-hosts`, `force-network-mode`, `shm-size`,
    /// `ulimit`), where it was asked for; `reproducible`, where the image is dated by its commit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) options: BTreeMap<String, String>,
}

impl From<&Parameters> for Build {
    fn from(parameters: &Parameters) -> Self {
        let Parameters { arguments, context, contexts, dockerfile, dockerfile_digest, platforms, target, options } =
            parameters.clone();
        Self { context, contexts, dockerfile, dockerfile_digest, target, arguments_digest: arguments, platforms, options }
    }
}

impl From<&Build> for Parameters {
    fn from(build: &Build) -> Self {
        let Build { context, contexts, dockerfile, dockerfile_digest, target, arguments_digest, platforms, options } =
            build.clone();
        Self { arguments: arguments_digest, context, contexts, dockerfile, dockerfile_digest, platforms, target, options }
    }
}
