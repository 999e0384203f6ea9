//! The index of a cache's folder: its entries, in the order in which they were written.

use std::collections::{BTreeMap, HashMap};

use oci_spec::image::{Descriptor, ImageIndex, MediaType};

use super::MAX_BYTES;
use crate::oci::layout::{self, REF_NAME, descriptor, digest_of, index_of};
use crate::oci::manifest::{self, Document};
use crate::oci::{Digest, bounds};
use crate::text;

/// The annotation by which an index is known for that of a cache.
const SIGN: &str = "gp-deliver.build-cache";
/// The form of what it is the sign of.
const VERSION: &str = "1";

/// The most entries; those that were written last stay.
const MOST: usize = 1000;

/// The most blobs that an entry names.
const MOST_PARTS: usize = 10_000;
/// The longest name of an entry, in bytes: that of a tag.
const LONGEST: usize = 128;

/// What the index says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Entries(Vec<Entry>);

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) manifest: Digest,
    size: u64,
}

impl Entries {
    /// Reads an index.
    ///
    /// # Errors
    /// It is not that of a cache.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let index = manifest::read(bytes, &MediaType::ImageIndex).and_then(Document::index);
        let index = index.map_err(|fault| fault.to_string())?;
        let sign = index.annotations().as_ref().and_then(|all| all.get(SIGN));
        if sign.is_none_or(|sign| sign != VERSION) {
            return Err("it is not that of a build cache of gp-deliver".to_owned());
        }
        let mut entries: Vec<_> = index.manifests().iter().filter_map(Entry::of).collect();
        entries.drain(..entries.len().saturating_sub(MOST));
        Ok(Self(entries))
    }

    /// The bytes of an index that says this.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, String> {
        let written = index_of(self.0.iter().map(Entry::descriptor).collect()).and_then(|mut index: ImageIndex| {
            index.set_annotations(Some(HashMap::from([(SIGN.to_owned(), VERSION.to_owned())])));
            layout::document(&index)
        });
        written.map_err(|error| error.to_string())
    }

    /// The manifest of each by its name.
    pub(super) fn manifests(&self) -> BTreeMap<String, Digest> {
        self.0.iter().map(|Entry { name, manifest, .. }| (name.clone(), *manifest)).collect()
    }

    /// Puts an entry in the place of that of its name, as the newest.
    pub(super) fn put(&mut self, name: &str, manifest: Digest, size: u64) {
        self.0.retain(|entry| entry.name != name);
        self.0.push(Entry { name: name.to_owned(), manifest, size });
        let surplus = self.0.len().saturating_sub(MOST);
        self.0.drain(..surplus);
    }

    /// They, the newest first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter().rev()
    }

    /// Leaves those out that are not kept, and says whether there were any.
    pub(super) fn keep(&mut self, is_kept: impl FnMut(&Entry) -> bool) -> bool {
        let before = self.0.len();
        self.0.retain(is_kept);
        self.0.len() < before
    }
}

impl Entry {
    fn of(descriptor: &Descriptor) -> Option<Self> {
        let name = descriptor.annotations().as_ref()?.get(REF_NAME).filter(|name| name.len() <= LONGEST)?.clone();
        Some(Self { name, manifest: digest_of(descriptor).ok()?, size: descriptor.size() })
    }

    fn descriptor(&self) -> Descriptor {
        let mut descriptor = descriptor(MediaType::ImageManifest, self.manifest, self.size);
        descriptor.set_annotations(Some(HashMap::from([(REF_NAME.to_owned(), self.name.clone())])));
        descriptor
    }
}

/// The blobs that the manifest of an entry names, each with its size.
///
/// # Errors
/// It is none, or they come to more than a folder holds.
pub(super) fn parts(manifest: &[u8]) -> Result<Vec<(Digest, u64)>, String> {
    let read = manifest::media_type(manifest, None).and_then(|kind| manifest::read(manifest, &kind));
    let named: Vec<Descriptor> = match read.map_err(|fault| fault.to_string())? {
        Document::Manifest(manifest) => [manifest.config()].into_iter().chain(manifest.layers()).cloned().collect(),
        // As builders write it that know no other form.
        Document::Index(index) => index.manifests().clone(),
    };
    if named.len() > MOST_PARTS {
        return Err(format!("it names {} blobs, and {MOST_PARTS} are the most", named.len()));
    }
    let bytes = bounds::size(&named).map_err(|error| error.to_string())?;
    if bytes > MAX_BYTES {
        return Err(format!("it comes to {}, and a folder holds {} at most", text::size(bytes), text::size(MAX_BYTES)));
    }
    let part = |blob: &Descriptor| Ok((digest_of(blob).map_err(|error| error.to_string())?, blob.size()));
    named.iter().map(part).collect()
}
