//! Layers that are known: blobs that earlier deliveries have compressed or read, kept in the user's cache folder, so that they
//! need not be compressed or read again.
//!
//! Nothing that is there is believed. A blob is taken when it hashes to its digest and, where it stands for the content of a
//! diff id, when what it unpacks to hashes to that, each time anew; and the file that was looked at is the one that is linked
//! into the layout. A store that is damaged, foreign or full has nothing: a delivery does without, and is slower.

mod content;
mod entry;
mod folder;
mod room;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oci_spec::image::{Descriptor, MediaType};

use self::entry::{Content, Entry, Key};
use self::folder::Folder;
use crate::oci::dated::{Dated, Dates};
use crate::oci::hashed::Hashed;
use crate::oci::layout::{self, descriptor, digest_of};
use crate::oci::{Compression, Digest, Layout};

/// What is smaller is made again as quickly, in bytes.
const WORTHWHILE: u64 = 256 << 10;

/// How layers get into a layout: as they are known, else compressed.
#[derive(Clone, Debug)]
pub(crate) struct Packing {
    /// What new layers are compressed with.
    pub(crate) compression: Compression,
    /// The layers that are known.
    pub(crate) known: LayerStore,
}

/// A layer that is known by its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownLayer {
    /// The blob, which is in the layout.
    pub(crate) descriptor: Descriptor,
    /// The digest of what it unpacks to.
    pub(crate) diff_id: Digest,
    /// How many bytes that has.
    pub(crate) size: u64,
}

/// The store, as one delivery has it.
#[derive(Clone, Debug, Default)]
pub(crate) struct LayerStore {
    /// Absent where nothing is kept.
    folder: Option<Arc<Folder>>,
    session: Arc<Mutex<Session>>,
}

/// What a delivery has to do with the store.
#[derive(Debug, Default)]
struct Session {
    /// The blobs that were taken, with their sizes.
    taken: BTreeMap<Digest, u64>,
    /// The blobs that were not there.
    made: Vec<(Key, Entry)>,
    /// How many were there and were not what they should be.
    refused: u32,
}

/// What came of the store in a delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// How many layers were taken from it.
    pub(crate) layers: u32,
    /// How many bytes these have.
    pub(crate) bytes: u64,
    /// How many were there and were not what they should be.
    pub(crate) refused: u32,
}

impl Packing {
    /// Without layers that are known.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn alone(compression: Compression) -> Self {
        Self { compression, known: LayerStore::default() }
    }

    /// Compresses an uncompressed layer into the layout, as [`Compression::write_layer`]; it is known from then on.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn write_layer(&self, content: impl Read, layout: &Layout) -> Result<(Descriptor, Digest), layout::Error> {
        let mut content = Counted { content, size: 0 };
        let (descriptor, diff_id) = self.compression.write_layer(&mut content, layout)?;
        let of = Content { diff_id, size: content.size };
        self.known.note(Key::Content(diff_id, self.compression), &descriptor, (Some(of), None))?;
        Ok((descriptor, diff_id))
    }

    /// The same of content whose files are dated on the way. What it was before is hashed too: its digest is
    /// the last value.
    ///
    /// # Errors
    /// As there; or the content is no archive.
    pub(crate) fn write_dated(
        &self,
        content: impl Read,
        dates: Dates,
        layout: &Layout,
    ) -> Result<(Descriptor, Digest, Digest), layout::Error> {
        let mut before = Hashed::new(content);
        let mut after = Dated::new(&mut before, dates);
        let (descriptor, diff_id) = self.compression.write_layer(&mut after, layout)?;
        let changes = after.changes();
        let (of_before, size) = before.so_far();
        if let Some(changes) = changes {
            let of = (Some(Content { diff_id, size }), Some(entry::encoded(&changes)));
            self.known.note(Key::Dated(of_before, dates, self.compression), &descriptor, of)?;
        }
        Ok((descriptor, diff_id, of_before))
    }
}

impl LayerStore {
    /// The store of one namespace in a cache folder. Where there can be none it is empty and keeps nothing, and the reason is
    /// the second value.
    pub(crate) fn open(cache: &Path, namespace: &str) -> (Self, Option<String>) {
        match Folder::open(cache, namespace) {
            Ok(folder) => (Self { folder: Some(Arc::new(folder)), ..Self::default() }, None),
            Err(reason) => (Self::default(), Some(reason)),
        }
    }

    /// Whether nothing is kept.
    pub(crate) fn is_off(&self) -> bool {
        self.folder.is_none()
    }

    /// The layer whose content has this diff id, as it was compressed here, in the layout.
    pub(crate) fn layer(&self, diff_id: Digest, compression: Compression, layout: &Layout) -> Option<KnownLayer> {
        let entry = self.take(&Key::Content(diff_id, compression), layout)?;
        let descriptor = descriptor(compression.media_type(), entry.digest, entry.size);
        Some(KnownLayer { descriptor, diff_id, size: entry.content?.size })
    }

    /// The layer whose content has this diff id before its files are dated, as it was dated and compressed here, in the layout.
    pub(crate) fn dated(&self, diff_id: Digest, dates: Dates, compression: Compression, layout: &Layout) -> Option<KnownLayer> {
        let entry = self.take(&Key::Dated(diff_id, dates, compression), layout)?;
        let (descriptor, content) = (descriptor(compression.media_type(), entry.digest, entry.size), entry.content?);
        Some(KnownLayer { descriptor, diff_id: content.diff_id, size: content.size })
    }

    /// The blob of this digest and size, in the layout.
    pub(crate) fn blob(&self, media_type: MediaType, digest: Digest, size: u64, layout: &Layout) -> Option<Descriptor> {
        let entry = self.take(&Key::Blob(digest), layout).filter(|entry| entry.size == size)?;
        Some(descriptor(media_type, entry.digest, entry.size))
    }

    /// Notes that a layer of the image is one that was taken.
    pub(crate) fn used(&self, layer: &Descriptor) {
        if let Ok(digest) = digest_of(layer) {
            self.session().taken.insert(digest, layer.size());
        }
    }

    /// Notes a blob that came into the layout as it is.
    ///
    /// # Errors
    /// Its digest is none.
    pub(crate) fn note_blob(&self, layer: &Descriptor) -> Result<(), layout::Error> {
        self.note(Key::Blob(digest_of(layer)?), layer, (None, None))
    }

    fn note(&self, key: Key, layer: &Descriptor, of: (Option<Content>, Option<String>)) -> Result<(), layout::Error> {
        let (content, changes) = of;
        let is_short = changes.as_ref().is_none_or(|changes| (changes.len() as u64) < folder::MAX_CHANGES);
        if !self.is_off() && layer.size() >= WORTHWHILE && is_short {
            self.session().made.push((key, Entry { digest: digest_of(layer)?, size: layer.size(), content, changes }));
        }
        Ok(())
    }

    /// Keeps what was noted, and makes room for it. What can't be kept is not.
    pub(crate) fn keep(&self, layout: &Layout) {
        let Some(folder) = &self.folder else { return };
        let made = std::mem::take(&mut self.session().made);
        for (key, entry) in &made {
            if let Err(error) = folder.put(key, entry, &layout.blob(&entry.digest)) {
                tracing::debug!(%error, digest = %entry.digest, "a layer is not kept");
            }
        }
        if !made.is_empty() {
            room::make(folder.root());
        }
    }

    /// What came of it so far.
    pub(crate) fn account(&self) -> Account {
        let session = self.session();
        let layers = u32::try_from(session.taken.len()).unwrap_or(u32::MAX);
        Account { layers, bytes: session.taken.values().sum(), refused: session.refused }
    }

    fn take(&self, key: &Key, layout: &Layout) -> Option<Entry> {
        let folder = self.folder.as_ref()?;
        let (entry, file) = folder.find(key)?;
        let is_whole = content::is_as_said(&file, &entry, key).unwrap_or_default();
        if !is_whole {
            self.session().refused += 1;
            folder.remove(key, &entry);
            return None;
        }
        match content::bring(&file, &entry, layout) {
            Ok(()) => Some(entry),
            Err(error) => {
                tracing::debug!(%error, digest = %entry.digest, "a layer that is known can't be brought into the layout");
                None
            }
        }
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Content that is counted while it is read.
struct Counted<R> {
    content: R,
    size: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.content.read(buffer)?;
        self.size += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
