//! An image layout: a folder that holds content by digest (image-spec, `image-layout.md`).
//!
//! Every blob is hashed while it is written and takes its name from what was counted, so a layout that this code wrote
//! can't hold a blob under another's digest. What is read back is checked again: a layout may come from anywhere.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use oci_spec::image::{Descriptor, ImageConfiguration, ImageIndex, ImageIndexBuilder, MediaType, SCHEMA_VERSION};
use serde::de::DeserializeOwned;

use super::bounds::TooLarge;
use super::digest::Hasher;
use super::hashed::Hashed;
use super::manifest::{self, Document};
use super::{Digest, Tag};
use crate::document;

/// The annotation that holds a tag in a layout's index (image-spec, `annotations.md`).
pub(crate) const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// Manifests, indexes and configs over this are refused (distribution-spec: registries take at least 4 MiB).
pub(crate) const MAX_DOCUMENT_BYTES: u64 = 4 << 20;

/// A layout could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Content does not hash to the digest that names it.
    #[error("content of {expected} hashes to {actual}")]
    DigestMismatch {
        /// The digest that was asked for.
        expected: Digest,
        /// The digest of what is there.
        actual: Digest,
    },
    /// Content has another size than its descriptor says.
    #[error("{digest} has {actual} bytes, its descriptor says {expected}")]
    SizeMismatch {
        /// The content's digest.
        digest: Digest,
        /// The size in its descriptor, in bytes.
        expected: u64,
        /// The size that it has, in bytes.
        actual: u64,
    },
    /// The image is larger than any may be.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// The folder or a document in it is not what the specification says.
    #[error("{}: {reason}", path.display())]
    Invalid {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl Error {
    /// A file that is not what it should be.
    pub(crate) fn invalid(path: &Path, reason: impl fmt::Display) -> Self {
        Self::Invalid { path: path.to_owned(), reason: reason.to_string() }
    }
}

/// A layout folder.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Creates an empty layout at `root`, or opens the one that is there.
    ///
    /// # Errors
    /// The folder can't be made, or holds something else.
    pub(crate) fn create(root: impl Into<PathBuf>) -> Result<Self, Error> {
        let layout = Self { root: root.into() };
        if layout.root.join("oci-layout").exists() {
            return Self::open(layout.root);
        }
        let blobs = layout.blobs();
        fs::create_dir_all(&blobs).map_err(io_error(&blobs))?;
        replace(&layout.root.join("index.json"), &document(&empty_index())?)?;
        // Last, since this file is what makes the folder a layout.
        replace(&layout.root.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        Ok(layout)
    }

    /// Opens the layout at `root`.
    ///
    /// # Errors
    /// There is none, or one of a version not known here.
    pub(crate) fn open(root: impl Into<PathBuf>) -> Result<Self, Error> {
        #[derive(serde::Deserialize)]
        struct Marker {
            #[serde(rename = "imageLayoutVersion")]
            version: String,
        }
        let layout = Self { root: root.into() };
        let path = layout.root.join("oci-layout");
        let marker: Marker = parse(&path, &read_bounded(&path)?)?;
        if marker.version != "1.0.0" {
            return Err(Error::Invalid {
                path,
                reason: format!("image layout version {:?} is unknown; 1.0.0 is expected", marker.version),
            });
        }
        Ok(layout)
    }

    /// The folder.
    #[must_use]
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where the blob `digest` is, or would be.
    #[must_use]
    pub(crate) fn blob(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(digest.hex())
    }

    fn blobs(&self) -> PathBuf {
        self.root.join("blobs").join("sha256")
    }

    /// Starts a blob whose digest is not known yet.
    ///
    /// # Errors
    /// The file can't be made.
    pub(crate) fn writer(&self) -> Result<BlobWriter, Error> {
        let folder = self.blobs();
        let file = tempfile::Builder::new().prefix(".incoming-").tempfile_in(&folder).map_err(io_error(&folder))?;
        Ok(BlobWriter { folder, file, hasher: Hasher::new(), size: 0 })
    }

    /// Writes a small blob.
    ///
    /// # Errors
    /// The file can't be written.
    pub(crate) fn write(&self, media_type: MediaType, bytes: &[u8]) -> Result<Descriptor, Error> {
        let mut writer = self.writer()?;
        writer.write_all(bytes).map_err(io_error(&writer.folder))?;
        let (digest, size) = writer.finish()?;
        Ok(descriptor(media_type, digest, size))
    }

    /// Writes a JSON document as a blob, its keys sorted, so that equal documents have equal digests.
    ///
    /// # Errors
    /// The file can't be written.
    pub(crate) fn write_document(&self, media_type: MediaType, value: &impl serde::Serialize) -> Result<Descriptor, Error> {
        self.write(media_type, &document(value)?)
    }

    /// Reads the bytes of a small blob (manifest, index, config), checked against its descriptor.
    ///
    /// # Errors
    /// It is not there, is too large, or is not what the descriptor says.
    pub(crate) fn read(&self, descriptor: &Descriptor) -> Result<Vec<u8>, Error> {
        let expected = digest_of(descriptor)?;
        let bytes = read_bounded(&self.blob(&expected))?;
        if bytes.len() as u64 != descriptor.size() {
            return Err(Error::SizeMismatch { digest: expected, expected: descriptor.size(), actual: bytes.len() as u64 });
        }
        let actual = Digest::of(&bytes);
        if actual == expected { Ok(bytes) } else { Err(Error::DigestMismatch { expected, actual }) }
    }

    /// Reads a manifest or an index.
    ///
    /// # Errors
    /// As [`Layout::read`], or the document is refused.
    pub(crate) fn read_manifest(&self, descriptor: &Descriptor) -> Result<Document, Error> {
        let (path, bytes) = (self.blob(&digest_of(descriptor)?), self.read(descriptor)?);
        manifest::read(&bytes, descriptor.media_type()).map_err(|fault| Error::invalid(&path, fault))
    }

    /// Reads the configuration of an image.
    ///
    /// # Errors
    /// As [`Layout::read`], or the document is refused.
    pub(crate) fn read_config(&self, descriptor: &Descriptor) -> Result<ImageConfiguration, Error> {
        parse(&self.blob(&digest_of(descriptor)?), &self.read(descriptor)?)
    }

    /// Reads a blob of any size, checked against its descriptor. How large it may be is for the caller to have looked at.
    ///
    /// # Errors
    /// It is not there, or is not what the descriptor says.
    pub(crate) fn read_whole(&self, descriptor: &Descriptor) -> Result<Vec<u8>, Error> {
        let digest = digest_of(descriptor)?;
        let path = self.blob(&digest);
        let mut bytes = Vec::new();
        open(&path)?.take(descriptor.size().saturating_add(1)).read_to_end(&mut bytes).map_err(io_error(&path))?;
        let (expected, actual) = (descriptor.size(), bytes.len() as u64);
        if actual != expected {
            return Err(Error::SizeMismatch { digest, expected, actual });
        }
        let actual = Digest::of(&bytes);
        if actual == digest { Ok(bytes) } else { Err(Error::DigestMismatch { expected: digest, actual }) }
    }

    /// Opens a blob to read it as it is.
    ///
    /// # Errors
    /// It is not there, or is not a file.
    pub(crate) fn open_blob(&self, digest: &Digest) -> Result<File, Error> {
        open(&self.blob(digest))
    }

    /// Hashes a blob of any size against its descriptor.
    ///
    /// # Errors
    /// It is not there, or is not what the descriptor says.
    pub(crate) fn verify(&self, descriptor: &Descriptor) -> Result<(), Error> {
        let expected = digest_of(descriptor)?;
        let path = self.blob(&expected);
        let (actual, size) = Hashed::new(open(&path)?).finish().map_err(io_error(&path))?;
        if actual != expected {
            return Err(Error::DigestMismatch { expected, actual });
        }
        if size != descriptor.size() {
            return Err(Error::SizeMismatch { digest: expected, expected: descriptor.size(), actual: size });
        }
        Ok(())
    }

    /// The layout's index.
    ///
    /// # Errors
    /// It can't be read.
    pub(crate) fn index(&self) -> Result<ImageIndex, Error> {
        let path = self.root.join("index.json");
        let index = manifest::read(&read_bounded(&path)?, &MediaType::ImageIndex).and_then(Document::index);
        index.map_err(|fault| Error::invalid(&path, fault))
    }

    /// Replaces the layout's index in one step: a reader sees the old one or the new one.
    ///
    /// # Errors
    /// It can't be written.
    pub(crate) fn set_index(&self, index: &ImageIndex) -> Result<(), Error> {
        replace(&self.root.join("index.json"), &document(index)?)
    }

    /// The descriptors that the index names, with their tags.
    ///
    /// # Errors
    /// The index can't be read.
    pub(crate) fn tags(&self) -> Result<BTreeMap<Tag, Descriptor>, Error> {
        let named = |descriptor: Descriptor| {
            let tag = descriptor.annotations().as_ref()?.get(REF_NAME)?.parse().ok()?;
            Some((tag, descriptor))
        };
        Ok(self.index()?.manifests().iter().cloned().filter_map(named).collect())
    }
}

/// The digest of an index as [`Layout::set_index`] writes it.
///
/// # Errors
/// It can't be written down.
pub(crate) fn index_digest(index: &ImageIndex) -> Result<Digest, Error> {
    Ok(Digest::of(&document(index)?))
}

/// A blob that is being written; dropped unfinished, it leaves nothing behind.
pub(crate) struct BlobWriter {
    folder: PathBuf,
    file: tempfile::NamedTempFile,
    hasher: Hasher,
    size: u64,
}

impl BlobWriter {
    /// Moves the blob into place, and returns its digest and its size in bytes.
    ///
    /// # Errors
    /// The file can't be put there.
    pub(crate) fn finish(self) -> Result<(Digest, u64), Error> {
        let digest = self.hasher.finish();
        let path = self.folder.join(digest.hex());
        // Other users (a scanner's own uid, a web server) must be able to read it; temporary files are private at first.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        self.file.as_file().set_permissions(mode).map_err(io_error(&path))?;
        self.file.persist(&path).map_err(|error| Error::Io { path, source: error.error })?;
        Ok((digest, self.size))
    }

    /// As [`BlobWriter::finish`], for a blob whose digest was announced.
    ///
    /// # Errors
    /// The file can't be put there, or the content is not what was announced; then nothing is kept.
    pub(crate) fn finish_as(self, expected: Digest) -> Result<u64, Error> {
        let actual = self.hasher.clone().finish();
        if actual != expected {
            return Err(Error::DigestMismatch { expected, actual });
        }
        self.finish().map(|(_, size)| size)
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A descriptor with nothing but the three required properties.
#[must_use]
pub(crate) fn descriptor(media_type: MediaType, digest: Digest, size: u64) -> Descriptor {
    Descriptor::new(media_type, size, oci_spec::image::Digest::from(digest))
}

/// The digest of a descriptor.
///
/// # Errors
/// It uses another algorithm.
pub(crate) fn digest_of(descriptor: &Descriptor) -> Result<Digest, Error> {
    let text = descriptor.digest().to_string();
    text.parse().map_err(|error: super::digest::InvalidDigest| Error::Invalid { path: text.into(), reason: error.to_string() })
}

/// The bytes of a JSON document with sorted keys.
///
/// # Errors
/// The value has no JSON form.
pub(crate) fn document(value: &impl serde::Serialize) -> Result<Vec<u8>, Error> {
    // By way of `Value`, whose maps are sorted: the specification's types hold annotations in hash maps.
    let written = serde_json::to_value(value).and_then(|value| serde_json::to_vec(&value));
    written.map_err(|error| Error::Invalid { path: PathBuf::new(), reason: error.to_string() })
}

fn empty_index() -> ImageIndex {
    let mut index = ImageIndex::default();
    index.set_schema_version(SCHEMA_VERSION);
    index.set_media_type(Some(MediaType::ImageIndex));
    index
}

/// An index of `manifests`.
///
/// # Errors
/// Never for a list of descriptors; the builder of the specification's types has a fallible form.
pub(crate) fn index_of(manifests: Vec<Descriptor>) -> Result<ImageIndex, Error> {
    ImageIndexBuilder::default()
        .schema_version(SCHEMA_VERSION)
        .media_type(MediaType::ImageIndex)
        .manifests(manifests)
        .build()
        .map_err(|error| Error::Invalid { path: PathBuf::new(), reason: error.to_string() })
}

fn parse<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, Error> {
    document::read_shared(bytes).map_err(|error| Error::invalid(path, error))
}

/// Opens a file. Whoever made the folder may have put there what never ends, or never begins.
fn open(path: &Path) -> Result<File, Error> {
    if path.metadata().map_err(io_error(path))?.is_file() {
        File::open(path).map_err(io_error(path))
    } else {
        Err(Error::invalid(path, "it is not a file"))
    }
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, Error> {
    let file = open(path)?;
    let mut bytes = Vec::new();
    file.take(MAX_DOCUMENT_BYTES + 1).read_to_end(&mut bytes).map_err(io_error(path))?;
    if bytes.len() as u64 > MAX_DOCUMENT_BYTES {
        return Err(Error::Invalid {
            path: path.to_owned(),
            reason: format!("more than {MAX_DOCUMENT_BYTES} bytes for a document"),
        });
    }
    Ok(bytes)
}

/// Replaces a file by writing beside it and renaming, so that no reader sees half of it.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".incoming-").tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(io_error(path))
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
    move |source| Error::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> (tempfile::TempDir, Layout) {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::create(folder.path().join("layout")).unwrap();
        (folder, layout)
    }

    #[test]
    fn a_blob_is_found_under_the_digest_of_what_was_written() {
        let (_folder, layout) = layout();
        let descriptor = layout.write(MediaType::EmptyJSON, b"{}").unwrap();
        assert_eq!(layout.read(&descriptor).unwrap(), b"{}");
        layout.verify(&descriptor).unwrap();
    }

    #[test]
    fn a_changed_blob_is_not_read() {
        let (_folder, layout) = layout();
        let descriptor = layout.write(MediaType::EmptyJSON, b"{}").unwrap();
        fs::write(layout.blob(&digest_of(&descriptor).unwrap()), b"[]").unwrap();
        assert!(matches!(layout.read(&descriptor), Err(Error::DigestMismatch { .. })));
        assert!(matches!(layout.verify(&descriptor), Err(Error::DigestMismatch { .. })));
    }

    #[test]
    fn a_blob_that_is_not_what_was_announced_leaves_nothing() {
        let (_folder, layout) = layout();
        let mut writer = layout.writer().unwrap();
        writer.write_all(b"other").unwrap();
        assert!(matches!(writer.finish_as(Digest::of(b"announced")), Err(Error::DigestMismatch { .. })));
        assert_eq!(fs::read_dir(layout.blobs()).unwrap().count(), 0);
    }

    #[test]
    fn annotations_in_any_order_give_one_digest() {
        let (_folder, layout) = layout();
        let digests: std::collections::BTreeSet<_> = (0..20)
            .map(|_| {
                let annotations = (0..20).map(|n| (format!("key{n}"), "v".to_owned())).collect();
                let mut index = empty_index();
                index.set_annotations(Some(annotations));
                digest_of(&layout.write_document(MediaType::ImageIndex, &index).unwrap()).unwrap()
            })
            .collect();
        assert_eq!(digests.len(), 1);
    }

    #[test]
    fn a_layout_whose_index_has_two_readings_is_refused() {
        let (_folder, layout) = layout();
        for index in [
            r#"{"schemaVersion":2,"manifests":[],"Manifests":[]}"#,
            r#"{"schemaVersion":2,"manifests":[],"manifests":[]}"#,
            r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#,
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","manifests":[]}"#,
            r#"{"schemaVersion":2,"manifests":[]} {"schemaVersion":2,"manifests":[]}"#,
        ] {
            fs::write(layout.root().join("index.json"), index).unwrap();
            assert!(matches!(layout.index(), Err(Error::Invalid { .. })), "{index}");
            assert!(layout.tags().is_err(), "{index}");
        }
        fs::write(layout.root().join("index.json"), r#"{"schemaVersion":2,"manifests":[]}"#).unwrap();
        assert!(layout.index().is_ok(), "many tools leave the media type out");
        fs::write(layout.root().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0","ImageLayoutVersion":"2"}"#).unwrap();
        assert!(Layout::open(layout.root()).is_err());
    }

    #[test]
    fn a_folder_that_is_no_layout_is_said_to_be_none() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Layout::open(folder.path()).is_err());
        fs::write(folder.path().join("oci-layout"), r#"{"imageLayoutVersion":"9"}"#).unwrap();
        assert!(matches!(Layout::open(folder.path()), Err(Error::Invalid { .. })));
    }
}
