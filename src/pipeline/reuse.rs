//! What the destination holds of this delivery already: one commit is built once, and a fixed tag names one image for good.

use std::collections::BTreeMap;
use std::fmt;

use oci_spec::image::{ImageConfiguration, ImageIndex, ImageManifest, MediaType};

use super::Delivery;
use super::moving::{self, Direction};
use super::preflight::Ready;
use crate::aws::ecr::Mutability;
use crate::environment::Environment;
use crate::error::Error;
use crate::oci::layout::digest_of;
use crate::oci::registry::{self, Client, Manifest};
use crate::oci::{Digest, Tag};
use crate::provenance::Provenance;
use crate::publish::{self, ExistingTag, TagSnapshot, TakenTag, Target};
use crate::record::Reuse;
use crate::tags::PlannedTag;

/// What the destination holds of this delivery.
pub(super) enum Existing {
    /// Nothing.
    Nothing,
    /// All of it, and all its tags.
    Delivered(ExistingImage),
    /// This environment's own image, and not all its tags.
    Incomplete(ExistingImage),
    /// The commit's image, delivered to another environment.
    Elsewhere(ExistingImage, Environment),
}

/// An image of this commit.
pub(super) struct ExistingImage {
    /// What names it.
    pub(crate) manifest: Manifest,
    /// The tags that this delivery sets.
    pub(crate) tags: Vec<PlannedTag>,
    /// Where it is.
    pub(crate) target: Target,
    /// The client of its repository.
    pub(crate) client: Client,
}

impl Existing {
    /// The existing image, and how it is reused.
    pub(crate) fn image(self) -> Option<(ExistingImage, Reuse)> {
        match self {
            Self::Nothing => None,
            Self::Delivered(found) => Some((found, Reuse::Delivered)),
            Self::Incomplete(found) => Some((found, Reuse::Completed)),
            Self::Elsewhere(found, from) => Some((found, Reuse::Promoted { from })),
        }
    }
}

impl fmt::Display for Existing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("this commit is new there"),
            Self::Delivered(found) => write!(f, "this commit is delivered already, as {}", found.manifest.digest),
            Self::Incomplete(found) => {
                write!(f, "this commit's image is there, as {}, without all its tags", found.manifest.digest)
            }
            Self::Elsewhere(found, from) => write!(f, "this commit's image is there from {from}, as {}", found.manifest.digest),
        }
    }
}

/// Looks for this delivery among what the tags name.
///
/// # Errors
/// A fixed tag is another image's, or a tag that would have to move may not.
pub(super) async fn find(
    delivery: &Delivery,
    ready: &Ready,
    target: &Target,
    snapshot: &TagSnapshot,
    mutability: &Mutability,
) -> Result<Existing, Error> {
    let repository = target.destination().to_string();
    let (Some(client), Some(image), false) = (target.repository(), snapshot.image(), delivery.config.rebuild) else {
        movable(&repository, mutability, None, snapshot.tags.iter())?;
        return Ok(Existing::Nothing);
    };
    let source = &ready.checkout.source;
    let commit = source.commit.as_ref().filter(|_| !source.dirty);
    let provenance = Provenance::annotated(image);
    let one = snapshot.fixed().all(|tag| tag.digest().is_none_or(|digest| digest == image.digest));
    let from = commit.filter(|_| one).and_then(|commit| provenance.delivery_of(commit));
    let confirmed = from.is_some() && Provenance::read(&labels(client, image).await?) == provenance;
    let Some(from) = from.filter(|_| confirmed) else {
        let taken = snapshot.fixed().filter_map(|tag| Some(TakenTag::new(&tag.planned.tag, tag.names.as_ref()?))).collect();
        let commit = Provenance::of(source, delivery.config.environment).revision;
        return Err(publish::Error::Taken { repository, commit, digest: None, taken }.into());
    };
    let found =
        |image: &Manifest, tags| ExistingImage { manifest: image.clone(), tags, target: target.clone(), client: client.clone() };
    let ours = |tag: &ExistingTag| tag.planned.of_environment && tag.digest() == Some(image.digest);
    if from != delivery.config.environment && !snapshot.fixed().any(ours) {
        movable(&repository, mutability, Some(image.digest), snapshot.tags.iter())?;
        return Ok(Existing::Elsewhere(found(image, ready.tags.clone()), from));
    }
    let tags_to_set = tags_to_set(delivery, ready, client, snapshot, image.digest).await?;
    movable(&repository, mutability, Some(image.digest), tags_to_set.iter().copied())?;
    let complete = tags_to_set.iter().all(|tag| tag.digest() == Some(image.digest));
    let found = found(image, tags_to_set.into_iter().map(|tag| tag.planned.clone()).collect());
    Ok(if complete { Existing::Delivered(found) } else { Existing::Incomplete(found) })
}

/// Whether the tags that would have to move to `image`, or to one that is built anew, may; as far as that is known.
fn movable<'a>(
    repository: &str,
    mutability: &Mutability,
    image: Option<Digest>,
    tags: impl Iterator<Item = &'a ExistingTag>,
) -> Result<(), publish::Error> {
    let moves = tags.filter(|tag| image.is_none() || tag.digest() != image);
    let stuck = moves.filter(|tag| mutability.may_move(&tag.planned.tag) == Some(false));
    let stuck: Vec<(Tag, Digest)> = stuck.filter_map(|tag| Some((tag.planned.tag.clone(), tag.digest()?))).collect();
    if stuck.is_empty() { Ok(()) } else { Err(publish::Error::Immovable { repository: repository.to_owned(), tags: stuck }) }
}

/// The tags that the delivery of an existing image sets: not the moving ones that name another image by now, unless that is
/// known to be older. A run that is repeated must not take `latest` back.
async fn tags_to_set<'a>(
    delivery: &Delivery,
    ready: &Ready,
    client: &Client,
    snapshot: &'a TagSnapshot,
    image: Digest,
) -> Result<Vec<&'a ExistingTag>, Error> {
    let mut tags = Vec::new();
    for tag in &snapshot.tags {
        match &tag.names {
            Some(other) if tag.planned.moving && other.digest != image => {
                let stays = match moving::direction(delivery, ready, client, &tag.planned, other).await? {
                    Direction::Forward => {
                        tags.push(tag);
                        continue;
                    }
                    Direction::Sideways => "it is of this commit or version too".to_owned(),
                    Direction::Unordered => "it does not say which commit it is of".to_owned(),
                    Direction::Back(why) => why,
                };
                moving::warn(delivery, &tag.planned.tag, other, &stays);
            }
            _ => tags.push(tag),
        }
    }
    Ok(tags)
}

/// The labels of an image, of its first platform where it has several: one request or two.
async fn labels(client: &Client, image: &Manifest) -> Result<BTreeMap<String, String>, Error> {
    let malformed = |subject: &Digest| registry::Error::Malformed {
        host: client.repository().registry().to_owned(),
        subject: registry::Subject::Manifest(subject.to_string()),
        reason: "something that is not an image".to_owned(),
    };
    let mut manifest = image.clone();
    if *manifest.descriptor.media_type() == MediaType::ImageIndex {
        let index: ImageIndex = serde_json::from_slice(&manifest.bytes).map_err(|_| malformed(&manifest.digest))?;
        let first = index.manifests().first().ok_or_else(|| malformed(&manifest.digest))?;
        let digest = digest_of(first).map_err(publish::Error::from)?;
        manifest = client.pull_manifest(&digest.into()).await?;
    }
    let parsed: ImageManifest = serde_json::from_slice(&manifest.bytes).map_err(|_| malformed(&manifest.digest))?;
    if parsed.config().size() > MAX_CONFIG {
        return Err(malformed(&manifest.digest).into());
    }
    let mut bytes = Vec::new();
    client.pull_blob(parsed.config(), &mut bytes, &|_| ()).await?;
    let config: ImageConfiguration = serde_json::from_slice(&bytes).map_err(|_| malformed(&manifest.digest))?;
    let labels = config.config().as_ref().and_then(|config| config.labels().clone()).unwrap_or_default();
    Ok(labels.into_iter().collect())
}

/// The most that is read of a configuration, in bytes.
const MAX_CONFIG: u64 = 4 << 20;
