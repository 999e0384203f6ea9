//! An image that is there already is fetched, and its layers are looked through, to be judged here.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use oci_spec::image::Descriptor;

use super::building::{Built, extent};
use super::preflight::Ready;
use super::{Delivery, Task, scanning, secrets};
use crate::error::Error;
use crate::oci::bounds::TooLarge;
use crate::oci::layout::{self, BlobWriter, digest_of};
use crate::oci::manifest::Document;
use crate::oci::registry::{Client, Manifest};
use crate::oci::{Image, Layout, bounds, disk};
use crate::publish;
use crate::record::{StageLog, StageName};
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
            let blobs = manifests(client, &layout, manifest).await?;
            let size = bounds::size(&blobs).map_err(too_large)?;
            disk::has_room(layout.root(), size).map_err(publish::Error::from)?;
            let fetches: Vec<_> = blobs.iter().map(|blob| fetch_blob(client, &layout, blob, &log)).collect();
            stream::iter(fetches).buffer_unordered(PARALLEL).try_collect::<()>().await?;
            let image = Image::open(layout, manifest.descriptor.clone()).map_err(publish::Error::from)?;
            let leaks = secrets::in_layers(delivery, ready, &image).await?;
            let found = leaks.findings.len();
            let detail = format!("{}, with {}", extent(&image), text::count(found, "leak"));
            log.line(&format!("{} ({detail})", image.digest));
            Ok((
                Built { image, warnings: Vec::new(), leaks, materials: BTreeMap::new(), sent: BTreeMap::new() },
                scanning::ending(delivery, Tool::GITLEAKS, found, detail),
            ))
        })
        .await
}

/// Writes the manifests of an image into the layout, and says which blobs they name.
async fn manifests(client: &Client, layout: &Layout, root: &Manifest) -> Result<Vec<Descriptor>, Error> {
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
    let mut blobs = Vec::new();
    for manifest in &manifests {
        bounds::manifest(manifest).map_err(too_large)?;
        blobs.extend([manifest.config().clone()].into_iter().chain(manifest.layers().iter().cloned()));
    }
    let mut seen = HashSet::new();
    blobs.retain(|blob| seen.insert(blob.digest().to_string()));
    Ok(blobs)
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
