//! Layout folders that are named contexts: which image of one is meant.
//!
//! A layout may come from anywhere, so that what is said of it is read beneath its folder and held to its digest.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use oci_spec::image::{Descriptor, ImageIndex, MediaType};

use super::error::Error;
use crate::beneath::{Links, Root};
use crate::buildkit::blob_folder::{Blob, BlobFolder, Writers};
use crate::document;
use crate::oci::layout::{MAX_DOCUMENT_BYTES, REF_NAME, digest_of};
use crate::oci::manifest::{self, Document};
use crate::oci::{Digest, Tag, bounds};

/// The tag of an image that is asked for without one.
const USUAL_TAG: &str = "latest";

/// A layout folder, held open.
#[derive(Clone, Debug)]
pub(crate) struct LayoutFolder(Arc<Open>);

#[derive(Debug)]
struct Open {
    /// As it was given.
    path: PathBuf,
    blobs: BlobFolder,
}

impl LayoutFolder {
    /// The layout in the folder `root`, which was given as `path`.
    #[must_use]
    pub(crate) fn within(root: Root, path: &Path) -> Self {
        Self(Arc::new(Open { path: path.to_owned(), blobs: BlobFolder::within(root, Writers::Anybody) }))
    }

    /// The digest of the image that is meant: by its digest, else by its tag, else by `latest`, else the only one.
    ///
    /// # Errors
    /// There is none, or it can't be told which; or its manifest is not what its digest says, or too large.
    pub(crate) fn resolve(&self, tag: Option<&Tag>, digest: Option<Digest>) -> Result<Digest, Error> {
        let found = match digest {
            Some(digest) => digest,
            None => self.named(tag)?,
        };
        let bytes = self.document(&found)?;
        let media_type = manifest::media_type(&bytes, None).map_err(|fault| self.refused(fault))?;
        let bounded = match manifest::read(&bytes, &media_type).map_err(|fault| self.refused(fault))? {
            Document::Index(index) => bounds::index(&index),
            Document::Manifest(manifest) => bounds::manifest(&manifest).and_then(|()| bounds::size(manifest.layers()).map(drop)),
        };
        bounded.map_err(|error| self.refused(error))?;
        Ok(found)
    }

    fn named(&self, tag: Option<&Tag>) -> Result<Digest, Error> {
        let index = self.index()?;
        let has = |descriptor: &&Descriptor, tag: &str| {
            descriptor.annotations().as_ref().is_some_and(|all| all.get(REF_NAME).is_some_and(|name| name == tag))
        };
        let with = |tag: &str| {
            let mut named = index.manifests().iter().filter(|descriptor| has(descriptor, tag));
            (named.next(), named.next())
        };
        let found = match (tag, with(tag.map_or(USUAL_TAG, Tag::as_str)), index.manifests().as_slice()) {
            (_, (Some(_), Some(_)), _) => Err("its index has the tag twice".to_owned()),
            (_, (Some(found), None), _) | (None, (None, _), [found]) => Ok(found),
            (Some(tag), (None, _), _) => Err(format!("it has no image with the tag {tag}")),
            (None, (None, _), []) => Err("it has no image".to_owned()),
            (None, (None, _), _) => {
                Err("it has several images, and none has the tag latest: name one by :TAG or @DIGEST".to_owned())
            }
        };
        digest_of(found.map_err(|reason| self.refused(reason))?).map_err(|error| self.refused(error))
    }

    fn index(&self) -> Result<ImageIndex, Error> {
        #[derive(serde::Deserialize)]
        struct Marker {
            #[serde(rename = "imageLayoutVersion")]
            version: String,
        }
        let marker: Marker = document::read_shared(&self.file("oci-layout")?).map_err(|error| self.refused(error))?;
        if marker.version != "1.0.0" {
            return Err(self.refused(format!("its version is {:?}, and 1.0.0 is expected", marker.version)));
        }
        let index = manifest::read(&self.file("index.json")?, &MediaType::ImageIndex).and_then(Document::index);
        index.map_err(|fault| self.refused(fault))
    }

    /// A small file of the layout's own.
    fn file(&self, name: &str) -> Result<Vec<u8>, Error> {
        let read = self.0.blobs.root().read(Path::new(name), Links::Refused, MAX_DOCUMENT_BYTES);
        let read = read.map_err(|error| self.refused(format!("{name}: {error}")))?;
        read.ok_or_else(|| self.refused(format!("it has no {name}, so it is no image layout")))
    }

    /// A small blob.
    fn document(&self, digest: &Digest) -> Result<Vec<u8>, Error> {
        let read = self.0.blobs.document(digest).map_err(|reason| self.refused(reason))?;
        read.ok_or_else(|| self.refused(format!("it has no {digest}")))
    }

    /// A blob of any size, once it has been hashed; nothing where it is not there.
    pub(super) async fn blob(&self, digest: Digest) -> Result<Option<Blob>, Error> {
        self.0.blobs.blob(digest).await.map_err(|reason| self.refused(reason))
    }

    fn refused(&self, reason: impl std::fmt::Display) -> Error {
        Error::Layout { folder: self.0.path.clone(), reason: reason.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::oci::sample;

    fn opened(path: &Path) -> LayoutFolder {
        LayoutFolder::within(Root::open(path).unwrap(), path)
    }

    fn reason(result: Result<Digest, Error>) -> String {
        match result {
            Err(Error::Layout { reason, .. }) => reason,
            other => panic!("{other:?}"),
        }
    }

    fn with_tags(folder: &Path, tags: &[&str], digest: &Digest, size: u64) {
        let manifests: Vec<_> = tags
            .iter()
            .map(|tag| {
                serde_json::json!({
                    "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": size,
                    "annotations": {REF_NAME: tag},
                })
            })
            .collect();
        let index = serde_json::json!({"schemaVersion": 2, "manifests": manifests});
        fs::write(folder.join("index.json"), serde_json::to_vec(&index).unwrap()).unwrap();
    }

    #[test]
    fn an_image_is_meant_by_its_digest_by_its_tag_or_alone_and_nothing_is_guessed() {
        let made = tempfile::tempdir().unwrap();
        let folder = made.path().join("image");
        let image = sample::image(&folder, &["amd64"], &[vec![("a", b"1".to_vec())]]);
        let manifest = &image.platforms[0];
        let digest = manifest.digest;
        let size = fs::metadata(image.layout.blob(&digest)).unwrap().len();
        let layout = opened(&folder);
        let tag = |text: &str| text.parse::<Tag>().unwrap();
        assert_eq!(layout.resolve(None, Some(digest)).unwrap(), digest);
        with_tags(&folder, &["v1"], &digest, size);
        assert_eq!(layout.resolve(Some(&tag("v1")), None).unwrap(), digest);
        assert_eq!(layout.resolve(None, None).unwrap(), digest, "the only one");
        assert!(reason(layout.resolve(Some(&tag("v2")), None)).contains("no image with the tag v2"));
        with_tags(&folder, &["v1", "latest"], &digest, size);
        assert_eq!(layout.resolve(None, None).unwrap(), digest);
        with_tags(&folder, &["v1", "v2"], &digest, size);
        assert!(reason(layout.resolve(None, None)).contains("several images"));
        with_tags(&folder, &["v1", "v1"], &digest, size);
        assert!(reason(layout.resolve(Some(&tag("v1")), None)).contains("twice"));
        with_tags(&folder, &[], &digest, size);
        assert!(reason(layout.resolve(None, None)).contains("no image"));
        fs::remove_file(folder.join("oci-layout")).unwrap();
        assert!(reason(layout.resolve(None, None)).contains("no oci-layout"));
        fs::write(image.layout.blob(&digest), b"{}").unwrap();
        assert!(reason(layout.resolve(None, Some(digest))).contains("what is named sha256:"));
    }
}
