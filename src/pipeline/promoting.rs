//! An image that another environment's delivery published is fetched, to be judged here.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use oci_spec::image::{Descriptor, ImageIndex, ImageManifest, MediaType};

use super::building::{Built, extent};
use super::reuse::ExistingImage;
use super::{Delivery, Ending, Task};
use crate::error::Error;
use crate::oci::layout::{self, BlobWriter, digest_of};
use crate::oci::registry::{self, Client, Manifest};
use crate::oci::{Image, Layout};
use crate::publish;
use crate::record::{StageLog, StageName};

/// How many blobs travel at once.
const PARALLEL: usize = 4;

/// Begins to fetch an image, every byte checked against its digest.
pub(super) fn image(delivery: &Arc<Delivery>, existing: &ExistingImage) -> Task<Built> {
    let (owned, client, manifest) = (Arc::clone(delivery), existing.client.clone(), existing.manifest.clone());
    Task::begin(delivery, &[StageName::Promotion], async move { fetch(&owned, &client, &manifest).await })
}

async fn fetch(delivery: &Delivery, client: &Client, manifest: &Manifest) -> Result<Built, Error> {
    delivery
        .stage(StageName::Promotion, async |log| {
            let layout = Layout::create(delivery.staging.join("fetched")).map_err(publish::Error::from)?;
            let blobs = manifests(client, &layout, manifest).await?;
            let fetches: Vec<_> = blobs.iter().map(|blob| fetch_blob(client, &layout, blob, &log)).collect();
            stream::iter(fetches).buffer_unordered(PARALLEL).try_collect::<()>().await?;
            let image = Image::open(layout, manifest.descriptor.clone()).map_err(publish::Error::from)?;
            let detail = extent(&image);
            log.line(&format!("{} ({detail})", image.digest));
            Ok((Built { image, warnings: Vec::new(), sent: BTreeMap::new() }, Ending::Pass(detail)))
        })
        .await
}

/// Writes the manifests of an image into the layout, and says which blobs they name.
async fn manifests(client: &Client, layout: &Layout, root: &Manifest) -> Result<Vec<Descriptor>, Error> {
    write(layout, root)?;
    let parts = match root.descriptor.media_type() {
        MediaType::ImageIndex => {
            let index: ImageIndex = parse(client, root)?;
            let mut parts = Vec::new();
            for part in index.manifests() {
                let digest = digest_of(part).map_err(publish::Error::from)?;
                let part = client.pull_manifest(&digest.into()).await?;
                write(layout, &part)?;
                parts.push(part);
            }
            parts
        }
        _ => vec![root.clone()],
    };
    let mut blobs = Vec::new();
    for part in &parts {
        let manifest: ImageManifest = parse(client, part)?;
        blobs.extend([manifest.config().clone()].into_iter().chain(manifest.layers().iter().cloned()));
    }
    let mut seen = HashSet::new();
    blobs.retain(|blob| seen.insert(blob.digest().to_string()));
    Ok(blobs)
}

fn write(layout: &Layout, manifest: &Manifest) -> Result<(), Error> {
    layout
        .write(manifest.descriptor.media_type().clone(), &manifest.bytes)
        .map(drop)
        .map_err(|error| publish::Error::from(error).into())
}

fn parse<T: serde::de::DeserializeOwned>(client: &Client, manifest: &Manifest) -> Result<T, Error> {
    serde_json::from_slice(&manifest.bytes).map_err(|_| {
        let error = registry::Error::Malformed {
            host: client.repository().registry().to_owned(),
            subject: registry::Subject::Manifest(manifest.digest.to_string()),
            reason: "something that is not an image".to_owned(),
        };
        error.into()
    })
}

async fn fetch_blob(client: &Client, layout: &Layout, blob: &Descriptor, log: &StageLog) -> Result<(), Error> {
    let digest = digest_of(blob).map_err(publish::Error::from)?;
    let mut writer: BlobWriter = layout.writer().map_err(publish::Error::from)?;
    client.pull_blob(blob, &mut writer, &|_| ()).await?;
    writer.finish_as(digest).map_err(|error: layout::Error| publish::Error::from(error))?;
    log.line(&format!("{}: {} kB fetched", digest.short(), blob.size() / 1000));
    Ok(())
}
