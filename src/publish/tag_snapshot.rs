//! What the tags at a destination name before a delivery.

use futures_util::future::try_join_all;

use super::{Error, Place, Target};
use crate::oci::Digest;
use crate::oci::registry::{Manifest, Selector};
use crate::tags::PlannedTag;

/// What the tags of a delivery name before it, at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct TagSnapshot {
    /// The tags in the order in which they are set.
    pub(crate) tags: Vec<ExistingTag>,
}

/// A tag, and what it names.
#[derive(Clone, Debug)]
pub(crate) struct ExistingTag {
    /// The tag.
    pub(crate) planned: PlannedTag,
    /// What it names; absent if the tag does not exist.
    pub(crate) names: Option<Manifest>,
}

impl ExistingTag {
    /// The digest of what it names.
    #[must_use]
    pub(crate) fn digest(&self) -> Option<Digest> {
        self.names.as_ref().map(|manifest| manifest.digest)
    }
}

impl TagSnapshot {
    /// The fixed tags, each of which names one image for good.
    pub(crate) fn fixed(&self) -> impl Iterator<Item = &ExistingTag> {
        self.tags.iter().filter(|tag| !tag.planned.moving)
    }

    /// The image that a fixed tag names; the first where they name several.
    #[must_use]
    pub(crate) fn image(&self) -> Option<&Manifest> {
        self.fixed().find_map(|tag| tag.names.as_ref())
    }
}

impl Target {
    /// Looks up what the tags name: one request a tag, side by side. In a folder they name nothing that lasts.
    ///
    /// # Errors
    /// The registry can't be asked.
    pub(crate) async fn snapshot(&self, tags: &[PlannedTag]) -> Result<TagSnapshot, Error> {
        let Place::Repository(client) = &self.place else { return Ok(TagSnapshot::default()) };
        let tags = tags.iter().map(async |planned| {
            let names = client.find_manifest(&Selector::from(&planned.tag)).await?;
            Ok::<_, Error>(ExistingTag { planned: planned.clone(), names })
        });
        Ok(TagSnapshot { tags: try_join_all(tags).await? })
    }
}
