//! An image where its blobs can be read: in its layout folder, or fetched from its registry, the layers one by one.

use oci_spec::image::Descriptor;
use tempfile::TempDir;

use crate::error::Error;
use crate::oci::image::Layer;
use crate::oci::layout::{self, digest_of};
use crate::oci::manifest::Document;
use crate::oci::registry::{Client, Manifest};
use crate::oci::{Image, Layout, bounds, disk};
use crate::publish;
use crate::verify::Found;

/// An image whose documents are at hand.
pub(super) struct Fetched {
    pub(super) image: Image,
    /// Where its layers come from; absent for one in a layout folder.
    from: Option<(Client, TempDir)>,
}

impl Fetched {
    /// Reads the documents of an image: its manifests and configurations.
    ///
    /// # Errors
    /// One can't be read, is not what its digest says, or contradicts another.
    pub(super) async fn of(found: Found) -> Result<Self, Error> {
        match found {
            Found::Folder(layout, manifest) => {
                let image = Image::open(layout, manifest.descriptor).map_err(refused)?;
                Ok(Self { image, from: None })
            }
            Found::Repository(client, manifest) => {
                let folder = tempfile::Builder::new().prefix("gp-deliver-compare-").tempdir();
                let folder = folder.map_err(|source| Error::Io { path: std::env::temp_dir(), source })?;
                let layout = Layout::create(folder.path().join("image")).map_err(refused)?;
                documents(&client, &layout, &manifest).await?;
                let image = Image::open(layout, manifest.descriptor).map_err(refused)?;
                Ok(Self { image, from: Some((client, folder)) })
            }
        }
    }

    /// Has a layer's blob be in the layout.
    ///
    /// # Errors
    /// It can't be fetched, or is not what its digest says.
    pub(super) async fn bring(&self, layer: &Layer) -> Result<(), Error> {
        let Some((client, _)) = &self.from else { return Ok(()) };
        disk::has_room(self.image.layout.root(), layer.descriptor.size()).map_err(refused)?;
        blob(client, &self.image.layout, &layer.descriptor).await
    }

    /// Takes away what was brought: layers are many, and are looked at one by one.
    pub(super) fn drop_layer(&self, layer: &Layer) {
        if self.from.is_some()
            && let Ok(digest) = digest_of(&layer.descriptor)
        {
            // What stays goes with the folder.
            let _ = std::fs::remove_file(self.image.layout.blob(&digest));
        }
    }
}

async fn documents(client: &Client, layout: &Layout, root: &Manifest) -> Result<(), Error> {
    write(layout, root)?;
    let manifests = match client.document(root)? {
        Document::Manifest(manifest) => vec![*manifest],
        Document::Index(index) => {
            bounds::index(&index).map_err(layout::Error::from).map_err(refused)?;
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
        bounds::manifest(manifest).map_err(layout::Error::from).map_err(refused)?;
        bounds::size([manifest.config()]).map_err(layout::Error::from).map_err(refused)?;
        blob(client, layout, manifest.config()).await?;
    }
    Ok(())
}

fn write(layout: &Layout, manifest: &Manifest) -> Result<(), Error> {
    layout.write(manifest.descriptor.media_type().clone(), &manifest.bytes).map(drop).map_err(refused)
}

async fn blob(client: &Client, layout: &Layout, descriptor: &Descriptor) -> Result<(), Error> {
    let digest = digest_of(descriptor).map_err(refused)?;
    let mut writer = layout.writer().map_err(refused)?;
    client.pull_blob(descriptor, &mut writer, &|_| ()).await?;
    writer.finish_as(digest).map(drop).map_err(refused)
}

fn refused(error: layout::Error) -> Error {
    publish::Error::from(error).into()
}
