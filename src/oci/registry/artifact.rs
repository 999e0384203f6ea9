//! Something to say of an image: an image manifest whose one layer is what is said, and which names the manifest that it is about
//! (image-spec, `manifest.md`, "Guidelines for Artifact Usage").

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use oci_spec::image::{Descriptor, ImageManifest, ImageManifestBuilder, MediaType, SCHEMA_VERSION};

use crate::oci::layout::{self, digest_of};
use crate::oci::{Digest, Layout};

/// What an artifact without a configuration has as one (image-spec, `manifest.md`, "Guidance for an Empty Descriptor").
pub(super) const EMPTY: &[u8] = b"{}";
pub(super) const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";

/// Something to say of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Artifact {
    /// What it is, as a media type: of the artifact, and of its content.
    pub(crate) media_type: &'static str,
    /// What is said of it where referrers are listed.
    pub(crate) annotations: BTreeMap<String, String>,
    /// Its content.
    pub(crate) content: Bytes,
}

impl Artifact {
    /// Its manifest about `subject`, and the manifest's descriptor as a list of referrers has it.
    ///
    /// # Errors
    /// The subject's digest is of a kind that is not known here.
    pub(super) fn manifest(&self, subject: &Descriptor) -> Result<(Bytes, Descriptor), layout::Error> {
        let media_type = MediaType::from(self.media_type);
        let content = layout::descriptor(media_type.clone(), Digest::of(&self.content), self.content.len() as u64);
        let config = layout::descriptor(MediaType::from(EMPTY_TYPE), Digest::of(EMPTY), EMPTY.len() as u64);
        let annotations: HashMap<_, _> = self.annotations.clone().into_iter().collect();
        let about = layout::descriptor(subject.media_type().clone(), digest_of(subject)?, subject.size());
        let manifest = ImageManifestBuilder::default()
            .schema_version(SCHEMA_VERSION)
            .media_type(MediaType::ImageManifest)
            .artifact_type(media_type.clone())
            .config(config)
            .layers(vec![content])
            .subject(about)
            .annotations(annotations.clone())
            .build()
            .map_err(|error| layout::Error::invalid(std::path::Path::new(self.media_type), error))?;
        let bytes = Bytes::from(layout::document(&manifest)?);
        let mut listed = layout::descriptor(MediaType::ImageManifest, Digest::of(&bytes), bytes.len() as u64);
        listed.set_artifact_type(Some(media_type));
        listed.set_annotations(Some(annotations));
        Ok((bytes, listed))
    }

    /// Writes it into a layout, whose index does not list it yet. Gives the descriptor for that.
    ///
    /// # Errors
    /// It can't be written.
    pub(crate) fn write(&self, layout: &Layout, subject: &Descriptor) -> Result<Descriptor, layout::Error> {
        layout.write(MediaType::from(EMPTY_TYPE), EMPTY)?;
        layout.write(MediaType::from(self.media_type), &self.content)?;
        let (bytes, listed) = self.manifest(subject)?;
        layout.write(MediaType::ImageManifest, &bytes)?;
        Ok(listed)
    }
}

/// Where the content is of an artifact of a media type about `subject`; `None` if it is about something else, or is something
/// else.
pub(crate) fn content(manifest: &ImageManifest, subject: &Digest, media_type: &str) -> Option<Descriptor> {
    let about = manifest.subject().as_ref().and_then(|subject| digest_of(subject).ok());
    let is_type = manifest.artifact_type().as_ref().is_some_and(|found| found.as_ref() == media_type);
    let [content] = &manifest.layers()[..] else { return None };
    (about == Some(*subject) && is_type && content.media_type().as_ref() == media_type).then(|| content.clone())
}
