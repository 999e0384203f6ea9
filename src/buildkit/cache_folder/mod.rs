//! A build cache in a folder of this machine, by BuildKit's cache type `local`: a layout folder in whose index each entry has a tag.
//! The builder reads and writes blobs by the session (`session::content`); which of them an entry begins with is said here.
//!
//! **Whose it is.** A cache says which content a step comes to, and is believed. So a folder that is used is this user's and nobody
//! else may write to it, no link leads to it or in it, it is not in the source, and it holds nothing but a cache of ours. That says
//! who may write there, and not what was brought there: an archive that is unpacked, or a runner's cache that is restored, has been
//! written by others. What gp-deliver itself has written here is known by a mark on the folder ([`crate::ownership`]) with the digest
//! of the index: no archive brings one, and a folder into which something was restored has another index. Only such a folder is
//! its [`CacheFolder::is_own`], and what that opens is for `pipeline::build_cache` to say.
//!
//! **What is in it.** All blobs of an entry are hashed before a builder is told of it, and it is given what was looked at. Of an entry
//! that is not whole nothing is taken, and what is not what it should be is written anew. What is spoilt, gone or no cache makes
//! a build slower.
//!
//! **How much.** The entries that were written last stay, up to [`MAX_BYTES`]; blobs that none of them names are removed by
//! whoever has written, once nobody else uses the folder. Where the disk has less than [`LEFT_FREE`] left, nothing is taken in and
//! what is there goes.
//!
//! **Several at once.** A blob is whole before it has its name, and so is the index, which is changed under a lock, and only where all
//! blobs of the new entry are there.

mod entries;
mod lock;
mod place;
mod room;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};

use self::lock::Shared;
use self::place::Place;
use super::Error;
use super::blob_folder::{BlobFolder, BlobStore, Intake, Writers};
use super::by_environment::ByEnvironment;
use crate::beneath::Links;
use crate::oci::{Digest, layout};
use crate::text;

/// The most bytes of all that the entries name.
pub(crate) const MAX_BYTES: u64 = 10_000_000_000;
/// The most bytes of the folder while it is written, with what is to be removed once nobody uses it.
pub(crate) const MAX_BYTES_WRITING: u64 = 2 * MAX_BYTES;
/// What is left free of the disk for others, in bytes.
pub(crate) const LEFT_FREE: u64 = 2_000_000_000;

/// How long all of an entry may take to be hashed.
const LOOKING: Duration = Duration::from_mins(5);
/// How long the folder may take to be opened.
pub(crate) const OPENING: Duration = Duration::from_secs(30);

/// How many blobs are hashed at once.
const SIDE_BY_SIDE: usize = 4;

/// The folders of the environments' caches: one for all, or, with `{env}` in its path, one for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Folders(ByEnvironment);

impl Folders {
    /// Whether each environment has its own.
    #[must_use]
    pub(crate) fn are_apart(&self) -> bool {
        self.0.is_apart()
    }

    /// That of the environment of this name.
    #[must_use]
    pub(crate) fn of(&self, environment: &str) -> PathBuf {
        PathBuf::from(self.0.of(environment))
    }
}

impl FromStr for Folders {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let folders = Self(ByEnvironment(text.to_owned()));
        // One after a name may lead out of what the name says.
        let mut parts = Path::new(text).components().skip_while(|part| matches!(part, Component::ParentDir | Component::CurDir));
        let is_plain = !parts.any(|part| part == Component::ParentDir) && !text.contains('\0');
        (is_plain && folders.of("prod").file_name().is_some()).then_some(folders).ok_or(())
    }
}

/// What a build does with its cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// It takes steps from it. Nothing of a folder changes.
    Read,
    /// Its steps go there. A folder that is not there is made.
    Write,
}

/// Where a delivery reads and writes otherwise, which is no place for a cache.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    /// The folders of the project that is delivered.
    pub(crate) project: Vec<PathBuf>,
    /// Where images and reports go.
    pub(crate) outputs: Vec<PathBuf>,
}

/// A folder, held open, as it was found.
#[derive(Clone, Debug)]
pub(crate) struct CacheFolder(Arc<Open>);

#[derive(Debug)]
struct Open {
    /// As it was given.
    path: PathBuf,
    /// Absent where there is none, and none is to be made.
    there: Option<There>,
}

#[derive(Debug)]
struct There {
    place: Place,
    blobs: BlobFolder,
    intake: OnceLock<Option<Arc<Intake>>>,
    /// What an entry's manifest is, by the entry's name.
    entries: BTreeMap<String, Digest>,
    is_own: bool,
    /// As long as it is held, nothing is removed.
    in_use: Shared,
}

impl CacheFolder {
    /// Opens that at `path`.
    ///
    /// # Errors
    /// It can't be used, and why, in words.
    pub(crate) fn open(path: &Path, around: &Surroundings, purpose: Use) -> Result<Self, String> {
        let there = match Place::open(path, around, purpose)? {
            Some(place) => Some(There::new(place)?),
            None => None,
        };
        Ok(Self(Arc::new(Open { path: path.to_owned(), there })))
    }

    /// Its path, as it was given.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.0.path
    }

    /// Whether all that it says was written here by gp-deliver. One with nothing in it says nothing.
    #[must_use]
    pub(crate) fn is_own(&self) -> bool {
        self.0.there.as_ref().is_none_or(|there| there.is_own)
    }

    /// The manifest of an entry, where there is one.
    ///
    /// All of it is looked at first: a builder (BuildKit 0.31) that is given a part of a layer's chain, and then no more, keeps a
    /// record of the base image's layer that no later build on it gets rid of.
    ///
    /// # Errors
    /// Something of it is not there as it should be, in words.
    pub(super) async fn entry(&self, name: &str) -> Result<Option<Digest>, String> {
        let Some(There { blobs, entries, .. }) = &self.0.there else { return Ok(None) };
        let Some(manifest) = entries.get(name) else { return Ok(None) };
        let looking = async {
            let (opened, of) = (blobs.clone(), *manifest);
            let parts = tokio::task::spawn_blocking(move || parts_of(&opened, &of)).await;
            let whole = parts
                .map_err(|error| error.to_string())??
                .into_iter()
                .map(|digest| async move { blobs.blob(digest).await?.ok_or_else(|| is_gone(&digest)).map(drop) });
            let whole: Vec<Result<(), String>> = stream::iter(whole).buffer_unordered(SIDE_BY_SIDE).collect().await;
            whole.into_iter().collect::<Result<(), _>>()
        };
        let looked = tokio::time::timeout(LOOKING, looking).await;
        looked.map_err(|_| format!("looking at it took more than {}", text::span(LOOKING)))?.map(|()| Some(*manifest))
    }

    /// What a builder reads, and writes where it may.
    pub(crate) fn store(&self, purpose: Use) -> Option<BlobStore> {
        let there = self.0.there.as_ref()?;
        let intake = if purpose == Use::Write { there.intake().cloned() } else { None };
        Some(BlobStore { blobs: there.blobs.clone(), intake })
    }

    /// Enters what a builder has written: the manifest of an entry, in place of the one that it had.
    ///
    /// # Errors
    /// Not all of it is there, or the index can't be written.
    pub(super) async fn enter(&self, name: &str, manifest: Digest) -> Result<(), Error> {
        let (folder, name) = (self.clone(), name.to_owned());
        let entering = tokio::task::spawn_blocking(move || match &folder.0.there {
            Some(there) => there.place.enter(&there.blobs, &name, manifest),
            None => Ok(()),
        });
        let entered = entering.await.unwrap_or_else(|error| Err(error.to_string()));
        entered.map_err(|reason| layout::Error::invalid(&self.0.path, reason).into())
    }

    /// Uses it no more, and removes what nobody needs unless somebody else uses it.
    pub(crate) async fn leave(&self) {
        let folder = self.clone();
        let leaving = tokio::task::spawn_blocking(move || {
            if let Some(There { place, blobs, in_use, .. }) = &folder.0.there {
                in_use.leave();
                if let Err(reason) = room::make(place, blobs) {
                    tracing::debug!(reason, "the cache's folder is not tidied");
                }
            }
        });
        let _ = leaving.await;
    }
}

/// The blobs of a manifest, each of which is there with its size. Nothing of them is read: what a manifest says is bounded, and what
/// is in the folder need not be.
fn parts_of(blobs: &BlobFolder, manifest: &Digest) -> Result<Vec<Digest>, String> {
    let bytes = blobs.document(manifest)?.ok_or_else(|| is_gone(manifest))?;
    let parts = entries::parts(&bytes)?.into_iter().map(|(digest, expected)| match blobs.size(&digest)? {
        Some(actual) if actual == expected => Ok(digest),
        Some(actual) => Err(format!("{digest} has {actual} bytes, and {expected} are expected")),
        None => Err(is_gone(&digest)),
    });
    parts.collect()
}

fn is_gone(digest: &Digest) -> String {
    format!("{digest} is not there")
}

impl There {
    fn new(place: Place) -> Result<Self, String> {
        let in_use = Shared::hold(&place.root)?;
        let (found, is_own) = place.entries()?;
        let entries = found.manifests();
        let root = place.root.inside(Path::new(""), Links::Refused).map_err(|error| error.to_string())?;
        let blobs = BlobFolder::within(root, Writers::ThisUser(MAX_BYTES));
        Ok(Self { place, blobs, intake: OnceLock::new(), entries, is_own, in_use })
    }

    fn intake(&self) -> Option<&Arc<Intake>> {
        let open = || {
            let room = MAX_BYTES_WRITING.saturating_sub(room::held(&self.place.root));
            Intake::open(&self.place.root, room, LEFT_FREE).map(Arc::new).ok()
        };
        self.intake.get_or_init(open).as_ref()
    }
}
