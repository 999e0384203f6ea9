//! An image in a layout, read once and checked: what the scanners, the policy and publishing all speak of.

use oci_spec::image::{Descriptor, ImageConfiguration, ImageIndex, ImageManifest, MediaType};

use super::layout::{self, Error, digest_of};
use super::{Digest, Layout, Platform};

/// An image: one manifest, or an index of one a platform.
#[derive(Clone, Debug)]
pub struct Image {
    /// Where its content is.
    pub layout: Layout,
    /// The manifest or index that names the whole image.
    pub root: Descriptor,
    /// The root's digest: the image's identity.
    pub digest: Digest,
    /// The images that it holds, one a platform, at least one.
    pub platforms: Vec<PlatformImage>,
}

/// The image of one platform.
#[derive(Clone, Debug)]
pub struct PlatformImage {
    /// What it runs on.
    pub platform: Platform,
    /// Its manifest.
    pub manifest: Descriptor,
    /// The descriptor of its configuration.
    pub config_descriptor: Descriptor,
    /// Its configuration, with the history of its layers.
    pub config: ImageConfiguration,
    /// Its layers, the lowest first.
    pub layers: Vec<Layer>,
}

/// A layer: a blob, and the digest of its uncompressed content.
#[derive(Clone, Debug)]
pub struct Layer {
    /// The blob as it is stored and sent.
    pub descriptor: Descriptor,
    /// The digest of the uncompressed tar archive (image-spec, `config.md`, "Layer DiffID").
    pub diff_id: Digest,
}

impl Image {
    /// Reads the image that `root` names in `layout`, an index or a manifest, with every manifest and config checked
    /// against its digest. Layers are not read here: see [`Layout::verify`].
    ///
    /// # Errors
    /// A document is missing, corrupt or contradicts another.
    pub fn open(layout: Layout, root: Descriptor) -> Result<Self, Error> {
        let digest = digest_of(&root)?;
        let manifests = match root.media_type() {
            MediaType::ImageIndex => layout.read_document::<ImageIndex>(&root)?.manifests().clone(),
            _ => vec![root.clone()],
        };
        let platforms: Vec<_> =
            manifests.into_iter().map(|manifest| PlatformImage::open(&layout, manifest)).collect::<Result<_, _>>()?;
        if platforms.is_empty() {
            return Err(Error::Invalid { path: layout.blob(&digest), reason: "an index without manifests".to_owned() });
        }
        Ok(Self { layout, root, digest, platforms })
    }

    /// All blobs of the image with each manifest after what it names and the root last: the order in which a reader who
    /// sees one may rely on those before it. A blob that several platforms share comes once.
    #[must_use]
    pub fn descriptors(&self) -> Vec<Descriptor> {
        let mut seen = std::collections::HashSet::new();
        let mut all: Vec<Descriptor> = Vec::new();
        for platform in &self.platforms {
            all.extend(platform.layers.iter().map(|layer| layer.descriptor.clone()));
            all.push(platform.config_descriptor.clone());
        }
        all.extend(self.platforms.iter().map(|platform| platform.manifest.clone()));
        all.push(self.root.clone());
        all.retain(|descriptor| seen.insert(descriptor.digest().to_string()));
        all
    }

    /// The size in bytes of everything that publishing would send.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.descriptors().iter().map(Descriptor::size).sum()
    }
}

impl PlatformImage {
    fn open(layout: &Layout, descriptor: Descriptor) -> Result<Self, Error> {
        let path = layout.blob(&digest_of(&descriptor)?);
        let invalid = |reason: String| layout::Error::Invalid { path: path.clone(), reason };
        let manifest: ImageManifest = layout.read_document(&descriptor)?;
        let config: ImageConfiguration = layout.read_document(manifest.config())?;
        let diff_ids = config.rootfs().diff_ids();
        if diff_ids.len() != manifest.layers().len() {
            return Err(invalid(format!("{} layers, but its config lists {} diff ids", manifest.layers().len(), diff_ids.len())));
        }
        let layers = manifest.layers().iter().zip(diff_ids);
        let layers = layers.map(|(descriptor, diff_id)| {
            let diff_id = diff_id.parse().map_err(|error| invalid(format!("diff id: {error}")))?;
            Ok(Layer { descriptor: descriptor.clone(), diff_id })
        });
        let layers = layers.collect::<Result<_, Error>>()?;
        let variant = config.variant().as_ref().map(|variant| format!("/{variant}")).unwrap_or_default();
        let platform = format!("{}/{}{variant}", config.os(), config.architecture());
        let platform = platform.parse().map_err(|error| invalid(format!("its config: {error}")))?;
        Ok(Self { platform, manifest: descriptor, config_descriptor: manifest.config().clone(), config, layers })
    }
}
