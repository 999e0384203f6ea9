//! Blobs in a folder that somebody else may have filled. Each is opened beneath the folder and hashed before anything of it is
//! said or sent. It is not kept open, since whoever has filled the folder says how many there are; when it is opened again, it has
//! to be the file that was hashed, as it was.

mod intake;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

pub(crate) use self::intake::{INCOMING, Incoming, Intake};
use crate::beneath::{Links, Root, is_absent};
use crate::oci::Digest;
use crate::oci::hashed::Hashed;
use crate::oci::layout::MAX_DOCUMENT_BYTES;
use crate::ownership::is_only_ours;

/// Where the blobs are in a layout.
pub(crate) const BLOBS: &str = "blobs/sha256";

/// A folder of blobs, held open.
#[derive(Clone, Debug)]
pub(crate) struct BlobFolder(Arc<Open>);

#[derive(Debug)]
struct Open {
    root: Root,
    writers: Writers,
    /// The blobs that were looked at.
    seen: Mutex<BTreeMap<Digest, Arc<OnceCell<Seen>>>>,
}

/// Who may write to the files that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writers {
    /// Whoever may.
    Anybody,
    /// The user that this process is of, and nobody else. No file is larger than the number of bytes.
    ThisUser(u64),
}

/// A blob whose content is what its name says, open.
#[derive(Debug)]
pub(crate) struct Blob {
    pub(crate) file: File,
    /// How many bytes it has.
    pub(crate) size: u64,
}

/// A file as it was when it was hashed: the device and the inode, its size, and the time of the last change to any of it, which no
/// program sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    file: (u64, u64),
    size: u64,
    changed: (i64, i64),
}

impl Seen {
    fn of(file: &File) -> io::Result<Self> {
        let found = file.metadata()?;
        let (file, changed) = ((found.dev(), found.ino()), (found.ctime(), found.ctime_nsec()));
        Ok(Self { file, size: found.len(), changed })
    }
}

/// Blobs that a builder reads, and writes where it may.
#[derive(Clone, Debug)]
pub(crate) struct BlobStore {
    /// What is there.
    pub(crate) blobs: BlobFolder,
    /// Where more goes; absent where nothing may.
    pub(crate) intake: Option<Arc<Intake>>,
}

impl BlobFolder {
    /// That in a root.
    #[must_use]
    pub(crate) fn within(root: Root, writers: Writers) -> Self {
        Self(Arc::new(Open { root, writers, seen: Mutex::default() }))
    }

    /// The folder.
    #[must_use]
    pub(crate) fn root(&self) -> &Root {
        &self.0.root
    }

    /// A blob of any size, once it has been hashed; nothing where it is not there.
    ///
    /// # Errors
    /// It is not what its name says, in words.
    pub(crate) async fn blob(&self, digest: Digest) -> Result<Option<Blob>, String> {
        let cell = Arc::clone(self.0.seen.lock().unwrap_or_else(PoisonError::into_inner).entry(digest).or_default());
        let folder = self.clone();
        let hashed = cell.get_or_try_init(|| async move {
            let hashed = tokio::task::spawn_blocking(move || folder.hash(&digest)).await;
            hashed.unwrap_or_else(|error| Err(Some(format!("{digest}: {error}"))))
        });
        let opened = hashed.await.and_then(|seen| {
            let file = self.open(&digest)?;
            match Seen::of(&file) {
                Ok(now) if now == *seen => Ok(Blob { file, size: seen.size }),
                Ok(_) => Err(Some(format!("{digest}: it has changed since it was hashed"))),
                Err(error) => Err(Some(format!("{digest}: {error}"))),
            }
        });
        // Of what is not there nothing is remembered: whoever asks says how much that would be.
        if opened.is_err() {
            self.0.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(&digest);
        }
        match opened {
            Ok(blob) => Ok(Some(blob)),
            Err(None) => Ok(None),
            Err(Some(reason)) => Err(reason),
        }
    }

    /// How many bytes the file of a blob has, before anything of it is read; nothing where it is not there.
    ///
    /// # Errors
    /// It may not be read, in words.
    pub(crate) fn size(&self, digest: &Digest) -> Result<Option<u64>, String> {
        match self.open(digest) {
            Ok(file) => file.metadata().map(|found| Some(found.len())).map_err(|error| format!("{digest}: {error}")),
            Err(None) => Ok(None),
            Err(Some(reason)) => Err(reason),
        }
    }

    /// A small blob; nothing where it is not there.
    ///
    /// # Errors
    /// It is not what its name says, in words.
    pub(crate) fn document(&self, digest: &Digest) -> Result<Option<Vec<u8>>, String> {
        let read = self.root().read(&place(digest), Links::Refused, MAX_DOCUMENT_BYTES);
        let Some(bytes) = read.map_err(|error| format!("{digest}: {error}"))? else { return Ok(None) };
        let actual = Digest::of(&bytes);
        if actual == *digest { Ok(Some(bytes)) } else { Err(mismatch(digest, &actual)) }
    }

    /// Opens a blob; no words where it is not there.
    fn open(&self, digest: &Digest) -> Result<File, Option<String>> {
        let file = self.root().file(&place(digest)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => None,
            _ if is_absent(&error) => Some(format!("{digest}: it is a link, or no regular file")),
            _ => Some(format!("{digest}: {error}")),
        })?;
        self.may_be_read(&file).map_err(|reason| Some(format!("{digest}: {reason}")))?;
        Ok(file)
    }

    /// Hashes a blob, as far as it is no larger than it was when that began; no words where it is not there.
    fn hash(&self, digest: &Digest) -> Result<Seen, Option<String>> {
        let failed = |error: io::Error| Some(format!("{digest}: {error}"));
        let file = self.open(digest)?;
        let seen = Seen::of(&file).map_err(failed)?;
        let (actual, _) = Hashed::new(file.take(seen.size)).finish().map_err(failed)?;
        if actual == *digest { Ok(seen) } else { Err(Some(mismatch(digest, &actual))) }
    }

    /// Whether nobody changes a file after it was hashed, and hashing it ends.
    fn may_be_read(&self, file: &File) -> Result<(), String> {
        let Writers::ThisUser(most) = self.0.writers else { return Ok(()) };
        let found = file.metadata().map_err(|error| error.to_string())?;
        match found.len() {
            _ if !is_only_ours(&found) => Err("others may write to it".to_owned()),
            size if size > most => Err(format!("it has more than {most} bytes")),
            _ => Ok(()),
        }
    }
}

/// Where a blob is in a layout.
pub(crate) fn place(digest: &Digest) -> PathBuf {
    Path::new(BLOBS).join(digest.hex())
}

fn mismatch(digest: &Digest, actual: &Digest) -> String {
    format!("what is named {digest} is {actual}")
}
