//! An image that is there already is fetched, and its layers are looked through, to be judged here.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use oci_spec::image::Descriptor;

use super::building::{Built, extent};
use super::preflight::Ready;
use super::proven_image::ProvenImage;
use super::{Delivery, Ending, Task, scanning, secrets};
use crate::cache_writers::CacheWriters;
use crate::error::Error;
use crate::oci::bounds::TooLarge;
use crate::oci::layout::{self, BlobWriter, digest_of};
use crate::oci::manifest::Document;
use crate::oci::registry::{Client, Manifest};
use crate::oci::{Image, Layout, bounds, disk};
use crate::publish;
use crate::record::{StageLog, StageName};
use crate::scan::gitleaks::Leaks;
use crate::scanner::Tool;
use crate::text;

/// How many blobs travel at once.
const PARALLEL: usize = 4;

/// Begins to fetch an image, every byte checked against its digest.
pub(super) fn image(delivery: &Arc<Delivery>, ready: &Arc<Ready>, client: &Client, manifest: &Manifest) -> Task<Built> {
    let (owned, ready) = (Arc::clone(delivery), Arc::clone(ready));
    let (client, manifest) = (client.clone(), manifest.clone());
    Task::begin(delivery, &[StageName::Promotion], async move { fetch(&owned, &ready, &client, &manifest).await })
}

async fn fetch(delivery: &Delivery, ready: &Ready, client: &Client, manifest: &Manifest) -> Result<Built, Error> {
    delivery
        .stage(StageName::Promotion, async |log| {
            let layout = Layout::create(delivery.staging.join("fetched")).map_err(publish::Error::from)?;
            let (configs, layers) = manifests(client, &layout, manifest).await?;
            let by_sbom = ready.origin.as_ref().is_some_and(|origin| origin.sboms.is_some());
            let blobs = if by_sbom { configs } else { once(configs.into_iter().chain(layers)) };
            let size = bounds::size(&blobs).map_err(too_large)?;
            disk::has_room(layout.root(), size).map_err(publish::Error::from)?;
            let fetches: Vec<_> = blobs.iter().map(|blob| fetch_blob(client, &layout, blob, &log)).collect();
            stream::iter(fetches).buffer_unordered(PARALLEL).try_collect::<()>().await?;
            let image = Image::open(layout, manifest.descriptor.clone()).map_err(publish::Error::from)?;
            if by_sbom {
                let detail = format!("{}, judged by its signed SBOM", extent(&image));
                log.line(&format!("{} ({detail})", image.digest));
                return Ok((built(image, Leaks::default()), Ending::Pass(detail)));
            }
            let leaks = secrets::in_layers(delivery, ready, &image).await?;
            let found = leaks.findings.len();
            let detail = format!("{}, with {}", extent(&image), text::count(found, "leak"));
            log.line(&format!("{} ({detail})", image.digest));
            Ok((built(image, leaks), scanning::ending(delivery, Tool::GITLEAKS, found, detail)))
        })
        .await
}

fn built(image: Image, leaks: Leaks) -> Built {
    let (materials, sent) = (BTreeMap::new(), BTreeMap::new());
    Built {
        image,
        warnings: Vec::new(),
        checks: Vec::new(),
        leaks,
        materials,
        builders: BTreeMap::new(),
        known: None,
        sent,
        cache: None,
        cache_writers: CacheWriters::Nobody,
        is_cache_silent: false,
        unwritten: None,
    }
}

/// Has the blobs of an image that was not fetched in the repository where it goes: mounted where that is in the same registry,
/// else by way of this machine.
pub(super) async fn bring(origin: &ProvenImage, there: &Client, image: &Image, log: &StageLog) -> Result<(), Error> {
    let is_there = |blob: &Descriptor| digest_of(blob).is_ok_and(|digest| image.layout.blob(&digest).exists());
    let missing: Vec<_> = image.descriptors().into_iter().filter(|blob| !is_there(blob)).collect();
    let from = origin.client.repository();
    let same_registry = from.registry() == there.repository().registry();
    if !same_registry {
        let size = missing.iter().fold(0, |bytes: u64, blob| bytes.saturating_add(blob.size()));
        disk::has_room(image.layout.root(), size).map_err(publish::Error::from)?;
    }
    let brought = missing.iter().map(|blob| async move {
        if same_registry && there.mount_blob(blob, from).await? {
            return Ok(());
        }
        fetch_blob(&origin.client, &image.layout, blob, log).await
    });
    let brought: Vec<_> = brought.collect();
    stream::iter(brought).buffer_unordered(PARALLEL).try_collect().await
}

/// Writes the manifests of an image into the layout, and says which blobs they name: configurations and layers.
async fn manifests(client: &Client, layout: &Layout, root: &Manifest) -> Result<(Vec<Descriptor>, Vec<Descriptor>), Error> {
    write(layout, root)?;
    let manifests = match client.document(root)? {
        Document::Manifest(manifest) => vec![*manifest],
        Document::Index(index) => {
            bounds::index(&index).map_err(too_large)?;
            let mut manifests = Vec::new();
            for part in index.manifests() {
                let part = client.pull_listed(part).await?;
                write(layout, &part)?;
                manifests.push(client.manifest(&part)?);
            }
            manifests
        }
    };
    for manifest in &manifests {
        bounds::manifest(manifest).map_err(too_large)?;
    }
    let configs = once(manifests.iter().map(|manifest| manifest.config().clone()));
    let layers = once(manifests.iter().flat_map(|manifest| manifest.layers().iter().cloned()));
    Ok((configs, layers))
}

/// Each blob once.
fn once(blobs: impl Iterator<Item = Descriptor>) -> Vec<Descriptor> {
    let mut seen = HashSet::new();
    blobs.filter(|blob| seen.insert(blob.digest().to_string())).collect()
}

fn too_large(error: TooLarge) -> Error {
    publish::Error::from(layout::Error::from(error)).into()
}

fn write(layout: &Layout, manifest: &Manifest) -> Result<(), Error> {
    layout
        .write(manifest.descriptor.media_type().clone(), &manifest.bytes)
        .map(drop)
        .map_err(|error| publish::Error::from(error).into())
}

async fn fetch_blob(client: &Client, layout: &Layout, blob: &Descriptor, log: &StageLog) -> Result<(), Error> {
    let digest = digest_of(blob).map_err(publish::Error::from)?;
    let mut writer: BlobWriter = layout.writer().map_err(publish::Error::from)?;
    client.pull_blob(blob, &mut writer, &|_| ()).await?;
    writer.finish_as(digest).map_err(|error: layout::Error| publish::Error::from(error))?;
    log.line(&format!("{}: {} kB fetched", digest.short(), blob.size() / 1000));
    Ok(())
}
