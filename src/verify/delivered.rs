//! A delivery of an image to an environment, as it is proven.

use jiff::Timestamp;
use serde::Serialize;

use crate::environment::Environment;
use crate::oci::{Digest, Tag};

/// How many digits of a commit tags have.
const SHORT: usize = 7;

/// A delivery to an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Delivered {
    /// The image.
    pub(crate) digest: Digest,
    /// What names it now, the environment's own tags first.
    pub(crate) tags: Vec<Tag>,
    /// The commit that it is of.
    pub(crate) commit: String,
    /// The address of that commit's repository.
    pub(crate) source: String,
    /// When it was decided, by the latest verdict.
    pub(crate) at: Option<Timestamp>,
    /// Who has signed that.
    pub(crate) signer: String,
}

impl Delivered {
    /// The same, with what names it now. Whoever may push can have an old image named like a new one, so what tells people what
    /// it is names its commit, where there is such a tag.
    #[must_use]
    pub(super) fn named(self, mut tags: Vec<Tag>, environment: Environment) -> Self {
        let (own, commit) = (format!("{environment}-"), self.commit.get(..SHORT).unwrap_or(&self.commit).to_owned());
        tags.sort_by_key(|tag| (!tag.as_str().contains(&commit), !tag.as_str().starts_with(&own), tag.clone()));
        Self { tags, ..self }
    }

    /// `TAG@DIGEST`, or the digest alone where nothing names it.
    #[must_use]
    pub(crate) fn pinned(&self) -> String {
        self.tags.first().map_or_else(|| self.digest.to_string(), |tag| format!("{tag}@{}", self.digest))
    }
}
