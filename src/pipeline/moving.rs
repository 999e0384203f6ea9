//! A moving tag goes forward alone: not back to an older commit, and where it follows versions, not back to an older one.
//!
//! Which commit and which version an image is of is what it says of itself, and what the tags say. That decides whether a tag
//! is left alone, never whether an image is cleared.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt as _};
use semver::Version;

use super::Delivery;
use super::preflight::Ready;
use crate::document;
use crate::error::Error;
use crate::oci::registry::{Client, Manifest, Selector};
use crate::oci::{Digest, Tag};
use crate::provenance::Provenance;
use crate::publish::Target;
use crate::tags::{self, PlannedTag};

/// Where an image says which version it is of (image-spec, `annotations.md`, "Pre-Defined Annotation Keys").
const VERSION: &str = "org.opencontainers.image.version";
/// What follows the commit of an image with changes that are in no commit.
const DIRTY: &str = "-dirty";
/// How many tags are looked at to find out an image's version: the highest versions.
const MOST_LOOKS: usize = 100;
/// How many at once.
const PARALLEL: usize = 8;

/// Which way a moving tag would go.
pub(super) enum Direction {
    /// To a newer commit or version.
    Forward,
    /// To another image of the same commit or version.
    Sideways,
    /// From an image that says nothing of a commit, or to one.
    Unordered,
    /// Back, or it is not known, and why.
    Back(String),
}

/// The tags that a delivery sets: the fixed ones, and those moving ones that don't go back.
pub(super) async fn settable(
    delivery: &Delivery,
    ready: &Ready,
    target: &Target,
    image: Digest,
    tags: &[PlannedTag],
) -> Result<Vec<PlannedTag>, Error> {
    let Some(client) = target.repository() else { return Ok(tags.to_vec()) };
    let moving: Vec<_> = tags.iter().filter(|planned| planned.moving).cloned().collect();
    let mut left_alone = Vec::new();
    for tag in target.snapshot(&moving).await?.tags {
        let Some(other) = tag.names.as_ref().filter(|other| other.digest != image) else { continue };
        if let Direction::Back(why) = direction(delivery, ready, client, &tag.planned, other).await? {
            warn(delivery, &tag.planned.tag, other, &why);
            left_alone.push(tag.planned.tag);
        }
    }
    Ok(tags.iter().filter(|planned| !left_alone.contains(&planned.tag)).cloned().collect())
}

/// Says that a moving tag stays where it is.
pub(super) fn warn(delivery: &Delivery, tag: &Tag, other: &Manifest, why: &str) {
    let digest = other.digest;
    delivery.recorder.warn(format!(
        "The tag {tag} names another image ({digest}), which is not known to be older, and stays: {why}. To move it all the same, \
         set it by hand (`crane tag`)."
    ));
}

/// Which way `tag` would go from `other` to the image of this delivery.
pub(super) async fn direction(
    delivery: &Delivery,
    ready: &Ready,
    client: &Client,
    tag: &PlannedTag,
    other: &Manifest,
) -> Result<Direction, Error> {
    let source = &ready.checkout.source;
    if let Some(ours) = delivery.config.version.clone().or_else(|| source.version()) {
        match version(delivery, ready, client, other).await? {
            Some(theirs) if theirs > ours => {
                return Ok(Direction::Back(format!("it is of version {theirs}, and this is {ours}")));
            }
            Some(theirs) if tag.of_version => {
                return Ok(if theirs < ours { Direction::Forward } else { Direction::Sideways });
            }
            None if tag.of_version => {
                return Ok(Direction::Back(format!("no tag and no annotation says which version it is of, and this is {ours}")));
            }
            _ => {}
        }
    }
    by_commit(delivery, ready, other).await
}

/// As [`direction`], by the order of the commits.
async fn by_commit(delivery: &Delivery, ready: &Ready, other: &Manifest) -> Result<Direction, Error> {
    let revision = Provenance::annotated(other).revision;
    let (Some(theirs), Some(ours)) = (revision, &ready.checkout.source.commit) else { return Ok(Direction::Unordered) };
    let theirs = theirs.strip_suffix(DIRTY).unwrap_or(&theirs);
    if theirs == ours {
        return Ok(Direction::Sideways);
    }
    if ready.checkout.is_ancestor(&delivery.launcher, theirs).await? {
        return Ok(Direction::Forward);
    }
    let theirs = crate::text::words(theirs);
    Ok(Direction::Back(if ready.checkout.shallow {
        format!("the clone is shallow, and does not say whether its commit {theirs} came before this one (`fetch-depth: 0` does)")
    } else {
        format!("its commit {theirs} is not one that this one came after")
    }))
}

/// The highest version that an image is known to be of: by its annotation, by the tags that name it, and by the tags of its
/// commit in git. A role that may only push can't list the registry's tags.
async fn version(delivery: &Delivery, ready: &Ready, client: &Client, image: &Manifest) -> Result<Option<Version>, Error> {
    let revision = Provenance::annotated(image).revision.unwrap_or_default();
    let in_git = ready.checkout.tags_at(&delivery.launcher, revision.strip_suffix(DIRTY).unwrap_or(&revision)).await?;
    let in_git = in_git.iter().filter(|tag| tag.starts_with('v')).filter_map(|tag| tags::version_of(tag));
    let in_registry = version_by_tags(client, image).await;
    Ok(annotated(image).into_iter().chain(in_git).chain(in_registry).max())
}

fn annotated(image: &Manifest) -> Option<Version> {
    #[derive(serde::Deserialize)]
    struct Annotated {
        #[serde(default)]
        annotations: BTreeMap<String, String>,
    }
    let document: Annotated = document::read_shared(&image.bytes).ok()?;
    tags::version_of(document.annotations.get(VERSION)?)
}

/// The highest version among the tags that name an image. A registry that does not list its tags knows none.
async fn version_by_tags(client: &Client, image: &Manifest) -> Option<Version> {
    let listed = client.tags().await.ok()?;
    let mut versions: Vec<_> = listed.into_iter().filter_map(|tag| Some((tags::version_of(tag.as_str())?, tag))).collect();
    versions.sort_by(|one, other| other.cmp(one));
    let looks = stream::iter(versions.into_iter().take(MOST_LOOKS)).map(|(version, tag)| async move {
        let names = client.find_manifest(&Selector::from(&tag)).await.ok().flatten();
        names.is_some_and(|names| names.digest == image.digest).then_some(version)
    });
    // In their order, so the first that names it is the highest.
    Box::pin(looks.buffered(PARALLEL).filter_map(async |version| version)).next().await
}
