//! The databases that were fetched before.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::archive::METADATA;
use super::digests::Digests;
use super::{Error, Kind, folder_name};
use crate::document;
use crate::oci::Digest;
use crate::scan::database_age;

/// After this, a database that is not the current one is no longer in use by another delivery, and is removed.
const KEPT_UNUSED: Duration = Duration::from_hours(48);

/// The cache folder of one kind of database.
#[derive(Clone)]
pub(super) struct Cache {
    folder: PathBuf,
    kind: Kind,
}

/// A database in the cache.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) repository: String,
    pub(super) digest: Digest,
    pub(super) updated_at: Timestamp,
    pub(super) next_update: Timestamp,
    pub(super) folder: PathBuf,
}

impl Entry {
    /// Whether it is too early for a newer one: by what it says itself, and by how often its makers renew it.
    pub(super) fn is_fresh(&self, kind: Kind, now: Timestamp) -> bool {
        now < self.next_update && now.duration_since(self.updated_at) < database_age::renewal(kind)
    }
}

/// What the cache has under a digest.
pub(super) enum Kept {
    /// Nothing that could be a database.
    Nothing,
    /// Files that are not those that were put there.
    Altered,
    /// A database, as it was put there.
    Intact(Entry),
}

impl Kept {
    /// The database, if it is as it was.
    pub(super) fn intact(self) -> Option<Entry> {
        match self {
            Self::Intact(entry) => Some(entry),
            Self::Nothing | Self::Altered => None,
        }
    }
}

/// What is known of the database that was used last.
#[derive(Serialize, Deserialize)]
struct Current {
    repository: String,
    digest: Digest,
}

/// The file beside a database (trivy-db's `metadata.Metadata`).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    version: u32,
    next_update: Timestamp,
    updated_at: Timestamp,
}

impl Cache {
    pub(super) fn open(cache: &Path, kind: Kind) -> Result<Self, Error> {
        let folder = cache.join(kind.folder());
        fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        Ok(Self { folder, kind })
    }

    /// The database that was used last.
    pub(super) async fn current(&self) -> Kept {
        let file = fs::read(self.folder.join("current.json")).ok();
        match file.and_then(|file| document::read::<Current>(&file).ok()) {
            Some(current) => self.kept(current.digest, current.repository).await,
            None => Kept::Nothing,
        }
    }

    /// What there is under a digest. Files are read to their end, since anyone may have written to the folder.
    pub(super) async fn kept(&self, digest: Digest, repository: String) -> Kept {
        let cache = self.clone();
        let read = tokio::task::spawn_blocking(move || cache.read(digest, repository));
        read.await.unwrap_or(Kept::Nothing)
    }

    fn read(&self, digest: Digest, repository: String) -> Kept {
        let folder = self.folder.join(folder_name(digest));
        let Some(digests) = Digests::read(&folder) else { return Kept::Nothing };
        if !digests.fit(&folder, &[self.kind.file(), METADATA]) {
            return Kept::Altered;
        }
        self.entry(digest, repository, folder).map_or(Kept::Nothing, Kept::Intact)
    }

    fn entry(&self, digest: Digest, repository: String, folder: PathBuf) -> Option<Entry> {
        let metadata: Metadata = document::read(&fs::read(folder.join(METADATA)).ok()?).ok()?;
        let Metadata { version, next_update, updated_at } = metadata;
        (version == self.kind.schema()).then_some(Entry { repository, digest, updated_at, next_update, folder })
    }

    /// A temporary folder for a download; it is removed with its content.
    pub(super) fn incoming(&self) -> io::Result<tempfile::TempDir> {
        tempfile::Builder::new().prefix(".incoming-").tempdir_in(&self.folder)
    }

    /// Takes in an unpacked database. One of the same digest that is there already may be in use, and stays if it is whole.
    pub(super) fn keep(&self, digest: Digest, unpacked: &Path, digests: &Digests) -> io::Result<()> {
        digests.write(unpacked)?;
        let folder = self.folder.join(folder_name(digest));
        match fs::rename(unpacked, &folder) {
            Err(_) if self.read(digest, String::new()).intact().is_some() => Ok(()),
            Err(_) if folder.is_dir() => fs::remove_dir_all(&folder).and_then(|()| fs::rename(unpacked, &folder)),
            renamed => renamed,
        }
    }

    /// Notes what is used from now on, and removes what is long unused.
    pub(super) fn set_current(&self, entry: &Entry) -> Result<(), Error> {
        let path = self.folder.join("current.json");
        let current = Current { repository: entry.repository.clone(), digest: entry.digest };
        let write = || -> io::Result<()> {
            let mut file = tempfile::Builder::new().prefix(".incoming-").tempfile_in(&self.folder)?;
            serde_json::to_writer(&mut file, &current)?;
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(Error::io(&path))?;
        self.prune(entry);
        Ok(())
    }

    fn prune(&self, current: &Entry) {
        for folder in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let age = || SystemTime::now().duration_since(folder.metadata().ok()?.modified().ok()?).ok();
            let is_folder = folder.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder && folder.path() != current.folder && age().is_some_and(|age| age > KEPT_UNUSED) {
                let _ = fs::remove_dir_all(folder.path());
            }
        }
    }
}
