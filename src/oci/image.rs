//! An image in a layout, read once and checked: what the scanners, the policy and publishing work with.

use std::collections::BTreeMap;
use std::path::PathBuf;

use oci_spec::image::{
    Descriptor, ImageConfiguration, ImageManifest, ImageManifestBuilder, MediaType, Os, PlatformBuilder, SCHEMA_VERSION,
};

use super::annotations::Annotations;
use super::digest::InvalidDigest;
use super::layout::{self, Error, digest_of, index_of};
use super::manifest::Document;
use super::platform::InvalidPlatform;
use super::{Digest, Layout, Platform, bounds};
use crate::text;

/// An image: one manifest, or an index of one a platform.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    /// Where its content is.
    pub(crate) layout: Layout,
    /// The manifest or index that names the whole image.
    pub(crate) root: Descriptor,
    /// The root's digest: the image's identity.
    pub(crate) digest: Digest,
    /// The images that it holds, one a platform, at least one.
    pub(crate) platforms: Vec<PlatformImage>,
}

/// The image of one platform.
#[derive(Clone, Debug)]
pub(crate) struct PlatformImage {
    /// The platform that it runs on.
    pub(crate) platform: Platform,
    /// Its manifest.
    pub(crate) manifest: Descriptor,
    /// The manifest's digest.
    pub(crate) digest: Digest,
    /// The descriptor of its configuration.
    pub(crate) config_descriptor: Descriptor,
    /// Its configuration, with the history of its layers.
    pub(crate) config: ImageConfiguration,
    /// Its layers, the lowest first.
    pub(crate) layers: Vec<Layer>,
}

/// A layer: a blob, and the digest of its uncompressed content.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    /// The blob as it is stored and sent.
    pub(crate) descriptor: Descriptor,
    /// The digest of the uncompressed tar archive (image-spec, `config.md`, "Layer DiffID").
    pub(crate) diff_id: Digest,
}

impl Image {
    /// Reads the image that `root` names in `layout`, an index or a manifest, with every manifest and config checked
    /// against its digest. Layers are not read here: see [`Layout::verify`].
    ///
    /// # Errors
    /// A document is missing, corrupt or contradicts another.
    pub(crate) fn open(layout: Layout, root: Descriptor) -> Result<Self, Error> {
        let digest = digest_of(&root)?;
        let platforms: Vec<_> = match layout.read_manifest(&root)? {
            Document::Index(index) => {
                bounds::index(&index)?;
                index.manifests().iter().map(|part| PlatformImage::open(&layout, part.clone())).collect::<Result<_, _>>()?
            }
            Document::Manifest(manifest) => vec![PlatformImage::read(&layout, root.clone(), &manifest)?],
        };
        if platforms.is_empty() {
            return Err(Error::Invalid { path: layout.blob(&digest), reason: "an index without manifests".to_owned() });
        }
        let image = Self { layout, root, digest, platforms };
        bounds::size(&image.descriptors())?;
        Ok(image)
    }

    /// Puts an image together from platforms whose blobs are in `layout`: one makes a manifest, several an index of
    /// manifests.
    ///
    /// # Errors
    /// A document can't be written, or contradicts another.
    pub(crate) fn assemble(layout: Layout, platforms: &[Parts], annotations: &Annotations) -> Result<Self, Error> {
        let manifests = platforms.iter().map(|parts| parts.manifest(&layout, annotations)).collect::<Result<Vec<_>, _>>()?;
        let root = match <[Descriptor; 1]>::try_from(manifests) {
            Ok([manifest]) => manifest,
            Err(manifests) => {
                let (bytes, root) = index(manifests, annotations)?;
                layout.write(MediaType::ImageIndex, &bytes)?;
                root
            }
        };
        Self::open(layout, root)
    }

    /// What the image was put together from.
    ///
    /// # Errors
    /// A configuration can't be read.
    pub(crate) fn parts(&self) -> Result<Vec<Parts>, Error> {
        let parts = self.platforms.iter().map(|platform| {
            let config = self.layout.read(&platform.config_descriptor)?;
            let layers = platform.layers.iter().map(|layer| layer.descriptor.clone()).collect();
            Ok(Parts { platform: platform.platform.clone(), config, layers })
        });
        parts.collect()
    }

    /// All blobs of the image with each manifest after what it names and the root last: the order in which a reader who
    /// sees one may rely on those before it. A blob that several platforms share comes once.
    #[must_use]
    pub(crate) fn descriptors(&self) -> Vec<Descriptor> {
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

    /// What the files about one of the platforms are called: by its name, and by its manifest too where the image has the
    /// platform twice, so that no file takes another's place.
    #[must_use]
    pub(crate) fn slug(&self, platform: &PlatformImage) -> String {
        let slug = platform.platform.slug();
        let is_another = |other: &PlatformImage| other.digest != platform.digest && other.platform.slug() == slug;
        // The whole digest: whoever makes two images can make the beginnings of their digests equal.
        if self.platforms.iter().any(is_another) { format!("{slug}-sha256-{}", platform.digest.hex()) } else { slug }
    }

    /// The size in bytes of everything that publishing would send.
    #[must_use]
    pub(crate) fn size(&self) -> u64 {
        self.descriptors().iter().fold(0, |bytes, descriptor| bytes.saturating_add(descriptor.size()))
    }
}

/// The blobs of one platform's image, before there is a manifest of them.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    /// The platform that it runs on.
    pub(crate) platform: Platform,
    /// The configuration's bytes, kept exactly: their digest is the image's ID in engines.
    pub(crate) config: Vec<u8>,
    /// The layers, the lowest first.
    pub(crate) layers: Vec<Descriptor>,
}

/// The index of manifests that are there, in the bytes that an image of the same platforms has that is built as a whole, and its
/// descriptor.
///
/// # Errors
/// The index has no form, which no list of descriptors comes to.
pub(crate) fn index(manifests: Vec<Descriptor>, annotations: &Annotations) -> Result<(Vec<u8>, Descriptor), Error> {
    let mut index = index_of(manifests)?;
    index.set_annotations(some(annotations.of_index()));
    let bytes = layout::document(&index)?;
    let mut root = layout::descriptor(MediaType::ImageIndex, Digest::of(&bytes), bytes.len() as u64);
    root.set_annotations(some(annotations.of_index_descriptor()));
    Ok((bytes, root))
}

/// How an index lists the manifest of a platform.
///
/// # Errors
/// The platform has no form, which none comes to that was read as one.
pub(crate) fn listed(mut manifest: Descriptor, platform: &Platform, annotations: &Annotations) -> Result<Descriptor, Error> {
    manifest.set_annotations(some(annotations.of_manifest_descriptor(platform)));
    let named = PlatformBuilder::default().os(Os::from(&*platform.os)).architecture(&*platform.architecture).build();
    let mut named = named.map_err(|error| Error::Invalid { path: PathBuf::new(), reason: error.to_string() })?;
    named.set_variant(platform.variant.clone());
    manifest.set_platform(Some(named));
    Ok(manifest)
}

impl Parts {
    fn manifest(&self, layout: &Layout, annotations: &Annotations) -> Result<Descriptor, Error> {
        let invalid =
            |error: oci_spec::OciSpecError| Error::Invalid { path: layout.root().to_owned(), reason: error.to_string() };
        let config = layout.write(MediaType::ImageConfig, &self.config)?;
        let manifest = ImageManifestBuilder::default()
            .schema_version(SCHEMA_VERSION)
            .media_type(MediaType::ImageManifest)
            .config(config)
            .layers(self.layers.clone());
        let mut manifest = manifest.build().map_err(invalid)?;
        manifest.set_annotations(some(annotations.of_manifest(&self.platform)));
        listed(layout.write_document(MediaType::ImageManifest, &manifest)?, &self.platform, annotations)
    }
}

fn some(annotations: BTreeMap<String, String>) -> Option<std::collections::HashMap<String, String>> {
    (!annotations.is_empty()).then(|| annotations.into_iter().collect())
}

/// The platform and the diff ids that an image's configuration states.
///
/// # Errors
/// What is wrong with the configuration.
pub(crate) fn described(config: &ImageConfiguration) -> Result<(Platform, Vec<Digest>), String> {
    let variant = config.variant().as_ref().filter(|variant| !variant.is_empty());
    let variant = variant.map(|variant| format!("/{variant}")).unwrap_or_default();
    let platform = format!("{}/{}{variant}", config.os(), config.architecture());
    let platform = platform.parse().map_err(|error: InvalidPlatform| error.to_string())?;
    let diff_ids = config.rootfs().diff_ids().iter().map(|text| text.parse());
    let diff_ids = diff_ids.collect::<Result<_, InvalidDigest>>().map_err(|error| format!("diff id: {error}"))?;
    Ok((platform, diff_ids))
}

impl PlatformImage {
    fn open(layout: &Layout, descriptor: Descriptor) -> Result<Self, Error> {
        let path = layout.blob(&digest_of(&descriptor)?);
        let manifest = layout.read_manifest(&descriptor)?.manifest();
        let manifest = manifest.map_err(|fault| Error::Invalid { path, reason: fault.to_string() })?;
        Self::read(layout, descriptor, &manifest)
    }

    fn read(layout: &Layout, descriptor: Descriptor, manifest: &ImageManifest) -> Result<Self, Error> {
        bounds::manifest(manifest)?;
        let path = layout.blob(&digest_of(&descriptor)?);
        let invalid = |reason: String| layout::Error::Invalid { path: path.clone(), reason };
        let config = layout.read_config(manifest.config())?;
        let (platform, diff_ids) = described(&config).map_err(|reason| invalid(format!("its config: {reason}")))?;
        if let Some(named) = descriptor.platform().as_ref().filter(|named| !platform.is_of(named)) {
            let named = text::words(&format!("{}/{}", named.os(), named.architecture()));
            return Err(invalid(format!("its index lists it for {named}, but its config says {platform}")));
        }
        if diff_ids.len() != manifest.layers().len() {
            return Err(invalid(format!("{} layers, but its config lists {} diff ids", manifest.layers().len(), diff_ids.len())));
        }
        let layers = manifest.layers().iter().cloned().zip(diff_ids);
        let layers = layers.map(|(descriptor, diff_id)| Layer { descriptor, diff_id }).collect();
        let digest = digest_of(&descriptor)?;
        Ok(Self { platform, manifest: descriptor, digest, config_descriptor: manifest.config().clone(), config, layers })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::{Value, json};

    use super::*;
    use crate::oci::sample;

    fn layout() -> (tempfile::TempDir, Layout) {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::create(folder.path().join("image")).unwrap();
        (folder, layout)
    }

    /// An index of images of these architectures, each listed as being of another one.
    fn listed(layout: &Layout, architectures: &[(&str, &str)]) -> Descriptor {
        let manifests = architectures.iter().enumerate().map(|(number, (own, named))| {
            let files = vec![vec![("number", number.to_string().into_bytes())]];
            let mut manifest = sample::image(layout.root(), &[own], &files).root;
            let platform = PlatformBuilder::default().os(Os::Linux).architecture(*named).build().unwrap();
            manifest.set_platform(Some(platform));
            manifest
        });
        layout.write_document(MediaType::ImageIndex, &index_of(manifests.collect()).unwrap()).unwrap()
    }

    #[test]
    fn files_of_a_platform_that_is_there_twice_have_a_name_for_each_manifest() {
        let (_folder, layout) = layout();
        let root = listed(&layout, &[("amd64", "amd64"), ("arm64", "arm64"), ("amd64", "amd64")]);
        let image = Image::open(layout, root).unwrap();
        let slugs: Vec<_> = image.platforms.iter().map(|platform| image.slug(platform)).collect();
        assert_eq!(slugs[1], "linux-arm64");
        for at in [0, 2] {
            assert_eq!(slugs[at], format!("linux-amd64-sha256-{}", image.platforms[at].digest.hex()));
        }
        assert_eq!(slugs.iter().collect::<HashSet<_>>().len(), 3);
    }

    #[test]
    fn an_image_is_of_the_platform_that_its_index_says() {
        let (_folder, layout) = layout();
        let root = listed(&layout, &[("amd64", "amd64"), ("amd64", "arm64")]);
        let error = Image::open(layout.clone(), root).unwrap_err().to_string();
        assert!(error.contains("lists it for linux/arm64, but its config says linux/amd64"), "{error}");
        let root = listed(&layout, &[("aarch64", "arm64"), ("amd64", "x86_64")]);
        assert_eq!(Image::open(layout, root).unwrap().platforms.len(), 2);
    }

    #[test]
    fn an_image_of_documents_with_two_readings_is_refused_whichever_it_is() {
        let (_folder, layout) = layout();
        let whole = sample::image(layout.root(), &["amd64"], &[vec![("a", b"1".to_vec())]]);
        let (manifest, config) = (&whole.platforms[0].manifest, &whole.platforms[0].config_descriptor);
        let text = |of: &Descriptor| String::from_utf8(layout.read(of).unwrap()).unwrap();
        let write = |media_type: MediaType, text: &str| layout.write(media_type, text.as_bytes()).unwrap();
        let of_config = |config: &Descriptor| {
            let mut changed: Value = serde_json::from_str(&text(manifest)).unwrap();
            changed["config"] = json!(config);
            write(MediaType::ImageManifest, &changed.to_string())
        };
        let begun = |of: &Descriptor, with: &str| text(of).replacen('{', &format!("{{{with},"), 1);
        assert!(Image::open(layout.clone(), of_config(config)).is_ok());
        let configs = [
            begun(config, r#""OS":"windows""#),
            begun(config, r#""os":"windows""#),
            begun(config, r#""Rootfs":{"diff_ids":[]}"#),
            begun(config, r#""healthcheck":1,"Healthcheck":2"#),
            text(config).replace(r#""config":{}"#, r#""config":{"User":"app","user":"0"}"#),
            text(config) + "{}",
        ];
        let manifests = [
            begun(manifest, r#""Layers":[]"#),
            begun(manifest, r#""layers":[]"#),
            begun(manifest, r#""manifests":[]"#),
            begun(manifest, r#""Config":{}"#),
            text(manifest).replacen(r#""digest""#, r#""Digest":"sha256:x","digest""#, 1),
            text(manifest) + "x",
        ];
        let configs = configs.iter().map(|text| of_config(&write(MediaType::ImageConfig, text)));
        for root in configs.chain(manifests.iter().map(|text| write(MediaType::ImageManifest, text))) {
            let index = layout.write_document(MediaType::ImageIndex, &index_of(vec![root.clone()]).unwrap()).unwrap();
            for root in [root, index] {
                let opened = Image::open(layout.clone(), root.clone());
                assert!(matches!(opened, Err(Error::Invalid { .. })), "{}: {opened:?}", text(&root));
            }
        }
    }

    #[test]
    fn the_descriptor_says_what_a_document_is() {
        let (_folder, layout) = layout();
        let whole = sample::image(layout.root(), &["amd64", "arm64"], &[vec![("a", b"1".to_vec())]]);
        let as_type = |of: &Descriptor, media_type| layout::descriptor(media_type, digest_of(of).unwrap(), of.size());
        for root in [
            as_type(&whole.root, MediaType::ImageManifest),
            as_type(&whole.platforms[0].manifest, MediaType::ImageIndex),
            as_type(&whole.root, MediaType::Other("application/json".to_owned())),
        ] {
            assert!(matches!(Image::open(layout.clone(), root), Err(Error::Invalid { .. })));
        }
        let nested = layout.write_document(MediaType::ImageIndex, &index_of(vec![whole.root.clone()]).unwrap()).unwrap();
        assert!(matches!(Image::open(layout, nested), Err(Error::Invalid { .. })), "an index within an index");
    }
}
