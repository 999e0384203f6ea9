//! An image goes to a registry.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use oci_spec::image::Descriptor;
use tokio_util::sync::CancellationToken;

use super::tagging::Tagging;
use super::{Error, Listener, PublishEvent, Target};
use crate::oci::layout::digest_of;
use crate::oci::reference::Repository;
use crate::oci::registry::{self, Client, Manifest, Upload};
use crate::oci::{Image, Layout, Tag};
use crate::record::Publication;
use crate::tags::PlannedTag;
use crate::text;

/// How many blobs travel at once.
const PARALLEL: usize = 4;

/// Counts what has arrived, over all blobs.
#[derive(Clone)]
struct Meter {
    done: Arc<AtomicU64>,
    total: u64,
    listener: Listener,
}

/// What an upload came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    pub(crate) blobs: u32,
    pub(crate) bytes: u64,
    /// Blobs that were there already.
    pub(crate) present: u32,
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blobs = text::count(self.blobs as usize, "blob");
        write!(f, "{blobs} of {} sent, {} there already", text::size(self.bytes), self.present)
    }
}

/// What a registry holds.
pub(super) struct Remote {
    pub(crate) client: Client,
    pub(crate) root: Manifest,
    /// Whether it was there before this delivery.
    pub(crate) was_there: bool,
    pub(crate) sent: Sent,
}

/// Sends blobs and manifests, the root manifest last; no tag names it yet.
pub(super) async fn upload(
    client: &Client,
    image: &Image,
    siblings: &[Repository],
    listener: &Listener,
) -> Result<Remote, Error> {
    let mut sent = Sent::default();
    for (descriptor, upload) in send_blobs(client, image, siblings, listener).await? {
        if upload == Upload::Sent {
            sent.blobs += 1;
            sent.bytes += descriptor.size();
        } else {
            sent.present += 1;
        }
    }
    let (root, was_there) = send_manifests(client, image).await?;
    Ok(Remote { client: client.clone(), root, was_there, sent })
}

/// Sets the tags of what is there.
pub(super) async fn tag(
    remote: Remote,
    tags: &[PlannedTag],
    target: &Target,
    cancel: &CancellationToken,
    listener: &Listener,
) -> Result<Publication, Error> {
    let Remote { client, root, was_there, sent } = remote;
    let (destination, digest) = (client.repository().to_string(), root.digest);
    let prepare = Tagging::prepare(client, (root, was_there), tags, target, listener.clone());
    let tagging = tokio::select! {
        tagging = prepare => tagging?,
        () = cancel.cancelled() => return Err(Error::Cancelled),
    };
    let tags = set(tagging, cancel).await?;
    let Sent { blobs: blobs_sent, bytes: bytes_sent, present: blobs_present } = sent;
    Ok(Publication { destination, digest, tags, bytes_sent, blobs_present, blobs_sent })
}

async fn set(tagging: Tagging, cancel: &CancellationToken) -> Result<Vec<Tag>, Error> {
    // On a task of its own: were this future dropped among the tags, they would be left as they are.
    let stop = cancel.child_token();
    let _dropped = stop.clone().drop_guard();
    let done = tokio::spawn(tagging.run(stop)).await;
    done.map_err(|error| Error::Broken(error.to_string()))?
}

async fn send_blobs(
    client: &Client,
    image: &Image,
    siblings: &[Repository],
    listener: &Listener,
) -> Result<Vec<(Descriptor, Upload)>, Error> {
    let manifests: Vec<&Descriptor> = manifests(image).collect();
    let blobs: Vec<Descriptor> = image
        .descriptors()
        .into_iter()
        .filter(|blob| !manifests.iter().any(|manifest| manifest.digest() == blob.digest()))
        .collect();
    let total = blobs.iter().map(Descriptor::size).sum();
    let meter = Meter { done: Arc::default(), total, listener: listener.clone() };
    let from = siblings.iter().find(|sibling| sibling.registry() == client.repository().registry());
    stream::iter(blobs)
        .map(|blob| send_blob(client, &image.layout, blob, from, meter.clone()))
        .buffer_unordered(PARALLEL)
        .try_collect()
        .await
}

async fn send_blob(
    client: &Client,
    layout: &Layout,
    blob: Descriptor,
    from: Option<&Repository>,
    meter: Meter,
) -> Result<(Descriptor, Upload), Error> {
    let digest = digest_of(&blob)?;
    let (progress, counted) = meter.for_blob();
    let pushed = client.push_blob(&blob, &layout.blob(&digest), from, &progress).await;
    let upload = match pushed {
        Ok(upload) => upload,
        // A registry that finds another digest may be right: then what was scanned has changed on disk since.
        Err(error) if error.status() == Some(http::StatusCode::BAD_REQUEST) => {
            layout.verify(&blob)?;
            return Err(error.into());
        }
        Err(error) => return Err(error.into()),
    };
    counted(blob.size());
    (meter.listener)(PublishEvent::Blob { digest, size: blob.size(), upload });
    Ok((blob, upload))
}

impl Meter {
    /// Two ways to say how much of one blob has arrived: as it goes, and when it has.
    fn for_blob(&self) -> (registry::Progress, registry::Progress) {
        let (meter, before) = (self.clone(), AtomicU64::new(0));
        let count: registry::Progress = Arc::new(move |now| {
            // Wrapping, since a transfer that begins anew has less than it had.
            let more = now.wrapping_sub(before.swap(now, Ordering::Relaxed));
            let done = meter.done.fetch_add(more, Ordering::Relaxed).wrapping_add(more);
            (meter.listener)(PublishEvent::Moved { done, total: meter.total });
        });
        (count.clone(), count)
    }
}

fn manifests(image: &Image) -> impl Iterator<Item = &Descriptor> {
    image.platforms.iter().map(|platform| &platform.manifest).chain([&image.root])
}

/// Sends the manifests by digest, the root last. Returns the root, and whether it was there before.
async fn send_manifests(client: &Client, image: &Image) -> Result<(Manifest, bool), Error> {
    let was_there = client.has_manifest(&image.digest.into()).await?;
    for platform in image.platforms.iter().map(|platform| &platform.manifest).filter(|one| one.digest() != image.root.digest()) {
        send_manifest(client, image, platform).await?;
    }
    Ok((send_manifest(client, image, &image.root).await?, was_there))
}

async fn send_manifest(client: &Client, image: &Image, descriptor: &Descriptor) -> Result<Manifest, Error> {
    let (digest, bytes) = (digest_of(descriptor)?, Bytes::from(image.layout.read(descriptor)?));
    client.put_manifest(&digest.into(), descriptor.media_type(), &bytes).await?;
    Ok(Manifest { descriptor: descriptor.clone(), digest, bytes })
}
