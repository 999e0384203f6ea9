//! What the destination holds of this delivery already, and what follows: an image that is trusted is taken, and where none
//! is, the commit is built. A fixed tag names one image for good, so what is built has to be what such a tag names.

use std::collections::BTreeMap;
use std::fmt;

use oci_spec::image::ImageConfiguration;

use super::moving::{self, Direction};
use super::preflight::Ready;
use super::proof::{self, Proof};
use super::{Delivery, building};
use crate::aws::ecr::Mutability;
use crate::coverage::JudgedBy;
use crate::environment::Environment;
use crate::error::Error;
use crate::oci::manifest::Document;
use crate::oci::registry::{self, Client, Manifest};
use crate::oci::{Digest, Image, Tag};
use crate::provenance::{Claim, Provenance};
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
    /// An image that says it is one of those, and what it says does not suffice.
    Untrusted(Rival),
}

/// What follows from what is there.
pub(super) enum Course {
    /// The commit is built. If a fixed tag names an image already, it has to come to that one.
    Build(Option<Rival>),
    /// The image that is there is taken.
    Take(ExistingImage, Reuse),
}

/// An image that a fixed tag names, and that nobody vouches for: what is built is compared with it.
pub(super) struct Rival {
    /// The image.
    pub(crate) image: ExistingImage,
    /// The environment whose delivery has built it, as it says.
    pub(crate) from: Environment,
    /// The fixed tags that name it.
    taken: Vec<TakenTag>,
}

impl Rival {
    /// The error for when something else than this image was built.
    pub(crate) fn differs(&self, claim: &Claim, built: Digest) -> Error {
        let repository = self.image.target.destination().to_string();
        publish::Error::Taken { repository, commit: claim.revision.clone(), digest: Some(built), taken: self.taken.clone() }
            .into()
    }
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
    /// What proves that it is this commit's; absent where it only says so.
    pub(crate) proof: Option<Proof>,
}

impl Existing {
    /// What follows; `judged` whether it is judged whatever is taken, though all tags are there: that they are says nothing of who
    /// has set them.
    pub(crate) fn course(self, judged: bool) -> Course {
        match self {
            Self::Nothing => Course::Build(None),
            Self::Untrusted(rival) => Course::Build(Some(rival)),
            Self::Delivered(found) if judged => Course::Take(found, Reuse::Completed),
            Self::Delivered(found) => Course::Take(found, Reuse::Delivered),
            Self::Incomplete(found) => Course::Take(found, Reuse::Completed),
            Self::Elsewhere(found, from) => Course::Take(found, Reuse::Promoted { from, judged_by: JudgedBy::Image }),
        }
    }
}

impl Existing {
    /// The same for an image that is not trusted.
    fn untrusted(self, from: Environment, taken: Vec<TakenTag>) -> Self {
        match self {
            Self::Delivered(image) | Self::Incomplete(image) | Self::Elsewhere(image, _) => {
                Self::Untrusted(Rival { image, from, taken })
            }
            other => other,
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
            Self::Untrusted(rival) => {
                let digest = rival.image.manifest.digest;
                write!(f, "{digest} says it is this commit's image, which is no proof: what is built is compared with it")
            }
        }
    }
}

/// Looks for this delivery among what the tags name.
///
/// # Errors
/// A fixed tag is another image's, by what that image says of itself; or a tag that would have to move may not.
pub(super) async fn find(
    delivery: &Delivery,
    ready: &Ready,
    target: &Target,
    snapshot: &TagSnapshot,
    mutability: &Mutability,
) -> Result<Existing, Error> {
    let repository = target.destination().to_string();
    let (Some(client), Some(image)) = (target.repository(), snapshot.image()) else {
        movable(&repository, mutability, None, snapshot.tags.iter())?;
        return Ok(Existing::Nothing);
    };
    let (ours, claim) = (&ready.claim, Provenance::annotated(image));
    let named = snapshot.fixed().filter_map(|tag| Some(TakenTag::new(&tag.planned.tag, tag.names.as_ref()?)));
    let taken: Vec<_> = named.collect();
    let one = taken.iter().all(|tag| tag.digest == image.digest);
    let from = claim.delivery_of(ours).filter(|_| one);
    let confirmed = from.is_some() && claim.agrees_with(&Claim::read(&labels(client, image).await?));
    let Some(from) = from.filter(|_| confirmed) else {
        return Err(another(repository, ours, &claim, taken).into());
    };
    let proof = proof::find(delivery, client, image, ours).await;
    let provenance = if proof.is_some() { Provenance::Proven } else { Provenance::Claimed };
    let suffices = provenance.suffices(delivery.config.reuse);
    let trusted = |existing: Existing| if suffices { existing } else { existing.untrusted(from, taken) };
    let found = |image: &Manifest, tags| ExistingImage {
        manifest: image.clone(),
        tags,
        target: target.clone(),
        client: client.clone(),
        proof: proof.clone(),
    };
    let ours = |tag: &ExistingTag| tag.planned.of_environment && tag.digest() == Some(image.digest);
    if from != delivery.config.environment && !snapshot.fixed().any(ours) {
        movable(&repository, mutability, Some(image.digest), snapshot.tags.iter())?;
        return Ok(trusted(Existing::Elsewhere(found(image, ready.tags.clone()), from)));
    }
    let tags_to_set = tags_to_set(delivery, ready, client, snapshot, image.digest).await?;
    movable(&repository, mutability, Some(image.digest), tags_to_set.iter().copied())?;
    let complete = tags_to_set.iter().all(|tag| tag.digest() == Some(image.digest));
    let found = found(image, tags_to_set.into_iter().map(|tag| tag.planned.clone()).collect());
    Ok(trusted(if complete { Existing::Delivered(found) } else { Existing::Incomplete(found) }))
}

/// What was built, as what it is compared with has it: an image of the same bytes, had the same environment built it first, is
/// that image.
pub(super) fn compared(delivery: &Delivery, ready: &Ready, built: Image, rival: &Rival) -> Result<Image, Error> {
    let same = building::as_from(delivery, ready, &built, rival.from)?;
    if same.digest != rival.image.manifest.digest {
        return Ok(built);
    }
    delivery.recorder.write(|record| record.image = Some(building::recorded(&same)));
    Ok(same)
}

/// The error for a fixed tag that names an image which is not this delivery's, by its own word: no build can come to the same
/// bytes, since what it says is among them.
fn another(repository: String, ours: &Claim, claim: &Claim, taken: Vec<TakenTag>) -> publish::Error {
    match (&ours.parameters, &claim.parameters) {
        (Some(ours_of), Some(theirs)) if claim.is_of_commit(ours) && ours_of != theirs => {
            publish::Error::OtherBuild { repository, taken, ours: Box::new(ours_of.clone()), theirs: Box::new(theirs.clone()) }
        }
        _ => publish::Error::Taken { repository, commit: ours.revision.clone(), digest: None, taken },
    }
}

/// Whether the tags that would have to move to `image`, or to one that is built anew, may; as far as that is known.
pub(super) fn movable<'a>(
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
    let parsed = match client.document(image)? {
        Document::Manifest(manifest) => *manifest,
        Document::Index(index) => {
            let first = index.manifests().first().ok_or_else(|| malformed(&image.digest))?;
            client.manifest(&client.pull_listed(first).await?)?
        }
    };
    if parsed.config().size() > MAX_CONFIG {
        return Err(malformed(&image.digest).into());
    }
    let config: ImageConfiguration = client.pull_config(parsed.config()).await?;
    let labels = config.config().as_ref().and_then(|config| config.labels().clone()).unwrap_or_default();
    Ok(labels.into_iter().collect())
}

/// The most that is read of a configuration, in bytes.
pub(super) const MAX_CONFIG: u64 = 4 << 20;
