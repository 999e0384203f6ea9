//! Manifests and indexes (image-spec, `manifest.md`, `image-index.md`; Docker's schema 2): what each is, and what it names.
//!
//! A reader tells what a document is by what names it (a descriptor, a header) or by what it says of itself, and one that is
//! both an index and a manifest is to each what he looks for (CVE-2021-41190). Such a document is refused, as is any that has
//! two readings as JSON ([`crate::document`]).

use base64::Engine as _;
use oci_spec::image::{Descriptor, ImageIndex, ImageManifest, MediaType, SCHEMA_VERSION};
use serde::de::{Deserializer, IgnoredAny};
use serde::{Deserialize, de::DeserializeOwned};

use super::Digest;
use crate::document;
use crate::text::{self, Line};

/// A manifest or an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Document {
    /// A list of manifests.
    Index(Box<ImageIndex>),
    /// A configuration and layers.
    Manifest(Box<ImageManifest>),
}

/// A document is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// Its JSON is.
    #[error(transparent)]
    Document(#[from] document::Error),
    /// It says that it is of one media type, and what names it says another.
    #[error("it says that it is {own}, and what names it says {declared}")]
    MediaType {
        /// What it says of itself.
        own: Line,
        /// What a descriptor or a header says.
        declared: Line,
    },
    /// It has the parts of several kinds.
    #[error("it has both \"{one}\" and \"{other}\", so it is an index to some readers and a manifest to others")]
    Mixed {
        /// A part of one kind.
        one: &'static str,
        /// A part of another.
        other: &'static str,
    },
    /// A descriptor holds content, and it is not what its digest or size says.
    #[error("the \"data\" of {digest} is other content")]
    Embedded {
        /// The digest.
        digest: Line,
    },
    /// It does not say what it is, and nothing else does; or its kind has to say so itself and does not.
    #[error("it does not say its media type")]
    Unstated,
    /// It is of a kind that is not known here.
    #[error("its media type {0} is neither an image's nor an index's")]
    Unknown(Line),
    /// It is of another kind than is wanted.
    #[error("it is not {0}")]
    Unwanted(&'static str),
    /// It is of another version than is known here.
    #[error("its schema version is {0}, not {SCHEMA_VERSION}")]
    Version(u32),
}

impl Fault {
    /// Whether it may have been made to deceive a reader.
    #[must_use]
    pub(crate) fn is_ambiguous(&self) -> bool {
        match self {
            Self::Document(error) => error.is_ambiguous(),
            Self::MediaType { .. } | Self::Mixed { .. } | Self::Embedded { .. } => true,
            Self::Unstated | Self::Unknown(_) | Self::Unwanted(_) | Self::Version(_) => false,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Index,
    Manifest,
}

impl Kind {
    /// The kind of a media type, and whether its documents have to say so themselves: Docker's do (distribution,
    /// `schema2`), OCI's should.
    fn of(media_type: &str) -> Option<(Self, bool)> {
        Some(match media_type {
            "application/vnd.oci.image.index.v1+json" => (Self::Index, false),
            "application/vnd.oci.image.manifest.v1+json" => (Self::Manifest, false),
            "application/vnd.docker.distribution.manifest.list.v2+json" => (Self::Index, true),
            "application/vnd.docker.distribution.manifest.v2+json" => (Self::Manifest, true),
            _ => return None,
        })
    }
}

/// Whether a key is there, whatever its value.
#[derive(Default)]
struct Presence(bool);

impl<'de> Deserialize<'de> for Presence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self(true))
    }
}

/// What tells one kind of document from another.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    media_type: Option<String>,
    #[serde(default)]
    manifests: Presence,
    #[serde(default)]
    config: Presence,
    #[serde(default)]
    layers: Presence,
    /// Of Docker's schema 1.
    #[serde(default)]
    fs_layers: Presence,
    /// Of the artifact manifests that a candidate of the specification had.
    #[serde(default)]
    blobs: Presence,
}

impl Shape {
    fn check(&self) -> Result<(), Fault> {
        let Self { manifests, config, layers, fs_layers, blobs, .. } = self;
        let of_index = [("manifests", manifests)];
        let of_manifest = [("layers", layers), ("config", config)];
        let of_others = [("fsLayers", fs_layers), ("blobs", blobs)];
        let first = |parts: &[(&'static str, &Presence)]| parts.iter().find(|(_, part)| part.0).map(|(name, _)| *name);
        let present = [first(&of_index), first(&of_manifest), first(&of_others)];
        match present.into_iter().flatten().collect::<Vec<_>>()[..] {
            [one, other, ..] => Err(Fault::Mixed { one, other }),
            _ => Ok(()),
        }
    }
}

/// What a document is: what it says of itself and what names it (`declared`: a descriptor, a header) agree, or one of them
/// says nothing.
///
/// # Errors
/// They do not, it has parts of several kinds, or it is no document with one reading.
pub(crate) fn media_type(bytes: &[u8], declared: Option<&str>) -> Result<MediaType, Fault> {
    let shape: Shape = document::read_shared(bytes)?;
    shape.check()?;
    let own = shape.media_type.as_deref().filter(|own| !own.is_empty());
    match (own, declared) {
        (Some(own), Some(declared)) if own != declared => {
            Err(Fault::MediaType { own: text::words(own), declared: text::words(declared) })
        }
        (None, Some(declared)) if Kind::of(declared).is_some_and(|(_, says_itself)| says_itself) => Err(Fault::Unstated),
        (own, declared) => own.or(declared).map(MediaType::from).ok_or(Fault::Unstated),
    }
}

/// Reads a manifest or an index that is named as one of `declared`.
///
/// # Errors
/// It is refused.
pub(crate) fn read(bytes: &[u8], declared: &MediaType) -> Result<Document, Fault> {
    let media_type = media_type(bytes, Some(declared.as_ref()))?;
    match Kind::of(media_type.as_ref()) {
        Some((Kind::Index, _)) => {
            let index: ImageIndex = typed(bytes, ImageIndex::schema_version)?;
            index.manifests().iter().chain(index.subject()).try_for_each(embedded)?;
            Ok(Document::Index(Box::new(index)))
        }
        Some((Kind::Manifest, _)) => {
            let manifest: ImageManifest = typed(bytes, ImageManifest::schema_version)?;
            let config = [manifest.config()].into_iter();
            config.chain(manifest.layers()).chain(manifest.subject()).try_for_each(embedded)?;
            Ok(Document::Manifest(Box::new(manifest)))
        }
        None => Err(Fault::Unknown(text::words(media_type.as_ref()))),
    }
}

fn typed<T: DeserializeOwned>(bytes: &[u8], version: impl Fn(&T) -> u32) -> Result<T, Fault> {
    let read: T = document::read_shared(bytes)?;
    if version(&read) == SCHEMA_VERSION { Ok(read) } else { Err(Fault::Version(version(&read))) }
}

/// Whether the content that a descriptor holds itself is what it names: a reader may take it in place of the blob
/// (image-spec, `descriptor.md`, "Embedded Content").
fn embedded(descriptor: &Descriptor) -> Result<(), Fault> {
    let Some(data) = descriptor.data() else { return Ok(()) };
    let is_named = |content: Vec<u8>| {
        content.len() as u64 == descriptor.size() && Digest::of(&content).to_string() == descriptor.digest().as_ref()
    };
    let content = base64::engine::general_purpose::STANDARD.decode(data);
    if content.is_ok_and(is_named) { Ok(()) } else { Err(Fault::Embedded { digest: text::words(descriptor.digest().as_ref()) }) }
}

impl Document {
    /// The index, where one is wanted.
    ///
    /// # Errors
    /// It is a manifest.
    pub(crate) fn index(self) -> Result<ImageIndex, Fault> {
        match self {
            Self::Index(index) => Ok(*index),
            Self::Manifest(_) => Err(Fault::Unwanted("an index")),
        }
    }

    /// The manifest, where one is wanted.
    ///
    /// # Errors
    /// It is an index.
    pub(crate) fn manifest(self) -> Result<ImageManifest, Fault> {
        match self {
            Self::Manifest(manifest) => Ok(*manifest),
            Self::Index(_) => Err(Fault::Unwanted("the manifest of one image")),
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod with_parts;
