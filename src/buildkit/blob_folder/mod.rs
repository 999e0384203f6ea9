//! Blobs in a folder that somebody else may have filled. Each is opened beneath the folder and hashed before anything of it is
//! said or sent, and is then read by the same open file.

mod intake;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

pub(crate) use self::intake::{INCOMING, Incoming, Intake};
use crate::beneath::{Links, Root, is_absent};
use crate::oci::Digest;
use crate::oci::digest::Hasher;
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
    seen: Mutex<BTreeMap<Digest, Arc<OnceCell<Blob>>>>,
}

/// Who may write to the files that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writers {
    /// Whoever may.
    Anybody,
    /// The user that this process is of, and nobody else. No file is larger than the number of bytes.
    ThisUser(u64),
}

/// A blob whose content is what its name says.
#[derive(Clone, Debug)]
pub(crate) struct Blob {
    /// It, open.
    pub(crate) file: Arc<File>,
    /// How many bytes it has.
    pub(crate) size: u64,
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
        let opened = cell.get_or_try_init(|| async move {
            let opened = tokio::task::spawn_blocking(move || folder.open(&digest)).await;
            opened.unwrap_or_else(|error| Err(Some(io::Error::other(error).to_string())))
        });
        match opened.await {
            Ok(blob) => Ok(Some(blob.clone())),
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

    /// Opens a blob and hashes it; no words where it is not there.
    fn open(&self, digest: &Digest) -> Result<Blob, Option<String>> {
        let failed = |error: &io::Error| Some(format!("{digest}: {error}"));
        let absent = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => None,
            _ if is_absent(&error) => Some(format!("{digest}: it is a link, or no regular file")),
            _ => failed(&error),
        };
        let mut file = self.root().file(&place(digest)).map_err(absent)?;
        self.may_be_read(&file).map_err(|reason| Some(format!("{digest}: {reason}")))?;
        let (mut hasher, mut buffer, mut size) = (Hasher::new(), vec![0; 1 << 20], 0);
        loop {
            let count = file.read(&mut buffer).map_err(|error| failed(&error))?;
            if count == 0 {
                break;
            }
            hasher.update(&buffer[..count]);
            size += count as u64;
        }
        let actual = hasher.finish();
        if actual != *digest {
            return Err(Some(mismatch(digest, &actual)));
        }
        Ok(Blob { file: Arc::new(file), size })
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
