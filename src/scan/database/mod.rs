//! The databases that trivy uses, as the OCI artifacts that trivy's makers publish.
//!
//! gp-deliver fetches them itself, so that trivy needs no network, and keeps them in a cache folder:
//! `CACHE/KIND/DIGEST/` holds the two files of one, `CACHE/KIND/current.json` names the one that was used last.

mod archive;
mod cache;
mod mirror;
#[cfg(test)]
pub(super) mod with_parts;

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

pub(crate) use mirror::Mirror;

pub(crate) use super::database_kind::Kind;

use super::Error;
use crate::oci::Digest;
use crate::oci::registry::Store;
use crate::record;
use crate::variables;
use cache::{Cache, Entry};

/// How long after its time for renewal a cached database may still be used when no mirror can be reached: a day covers a
/// registry's outage, and teams wait that long for advisories anyway.
pub(crate) const GRACE: SignedDuration = SignedDuration::from_hours(24);

/// What to fetch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    /// Which database.
    pub(crate) kind: Kind,
    /// The mirrors, in order of preference.
    pub(crate) mirrors: &'a [Mirror],
    /// The cache folder; see [`cache_folder`].
    pub(crate) cache: &'a Path,
    /// The credentials for registries.
    pub(crate) credentials: &'a Store,
    /// How long after its time for renewal a cached one will do when no mirror answers: [`GRACE`].
    pub(crate) grace: SignedDuration,
}

/// A database on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Database {
    /// What the record says of it.
    pub(crate) record: record::Database,
    /// The folder with its two files.
    pub(crate) folder: PathBuf,
    /// What a reader should know: mirrors that failed, an age that is over the limit.
    pub(crate) warnings: Vec<String>,
}

/// The folder for databases in the user's cache (XDG Base Directory Specification); `None` where there is no home.
#[must_use]
pub(crate) fn cache_folder() -> Option<PathBuf> {
    let absolute = |name| variables::bytes(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute(variables::XDG_CACHE_HOME).or_else(|| absolute(variables::HOME).map(|home| home.join(".cache")))?;
    Some(cache.join("gp-deliver"))
}

/// Gets a database: the cached one until it is due for renewal or its mirror has another; `progress` receives the number of
/// bytes so far.
///
/// # Errors
/// No mirror has it and the cached one, if any, is too old; or the cache can't be written.
pub(crate) async fn fetch(request: &Request<'_>, progress: &(dyn Fn(u64) + Sync)) -> Result<Database, Error> {
    let cache = Cache::open(request.cache, request.kind)?;
    let now = Timestamp::now();
    let cached = cache.current().filter(|entry| request.mirrors.iter().any(|mirror| mirror.to_string() == entry.repository));
    if let Some(entry) = cached.clone().filter(|entry| entry.is_fresh(now) && !from_folder(request, entry)) {
        return Ok(found(entry, Vec::new()));
    }
    let mut failures = Vec::new();
    for mirror in request.mirrors {
        match obtain(mirror, request, &cache, progress).await {
            Ok(entry) => {
                cache.set_current(&entry)?;
                let mut warnings: Vec<_> = failures.iter().map(|failure| not_from(request.kind, failure)).collect();
                if !entry.is_fresh(now) {
                    warnings.push(outdated(request.kind, &entry, now));
                }
                return Ok(found(entry, warnings));
            }
            Err(reason) => failures.push((mirror.to_string(), reason)),
        }
    }
    let acceptable = |entry: &Entry| now.duration_since(entry.next_update) <= request.grace;
    match cached {
        Some(entry) if acceptable(&entry) => {
            let mut warnings: Vec<_> = failures.iter().map(|failure| not_from(request.kind, failure)).collect();
            warnings.push(outdated(request.kind, &entry, now));
            Ok(found(entry, warnings))
        }
        cached => Err(Error::Database { kind: request.kind, failures, cached: cached.map(|entry| entry.updated_at) }),
    }
}

/// A mirror in a folder costs nothing to ask, and may have been renewed at any time.
fn from_folder(request: &Request<'_>, entry: &Entry) -> bool {
    request.mirrors.iter().any(|mirror| matches!(mirror, Mirror::Folder { .. }) && mirror.to_string() == entry.repository)
}

/// Gets the database that a mirror has, from the cache if it is there; the reason if it can't.
async fn obtain(mirror: &Mirror, request: &Request<'_>, cache: &Cache, progress: &(dyn Fn(u64) + Sync)) -> Result<Entry, String> {
    let source = mirror.open(request.kind, request.credentials).await?;
    if let Some(entry) = cache.entry(source.digest, &mirror.to_string()) {
        return Ok(entry);
    }
    let incoming = cache.incoming().map_err(|error| error.to_string())?;
    let archive = source.archive(incoming.path(), progress).await?;
    let (kind, folder) = (request.kind, incoming.path().to_owned());
    let unpacked = tokio::task::spawn_blocking(move || archive::unpack(&archive, &folder.join("database"), kind)).await;
    unpacked.map_err(|error| error.to_string()).flatten()?;
    cache.keep(source.digest, &incoming.path().join("database")).map_err(|error| error.to_string())?;
    cache.entry(source.digest, &mirror.to_string()).ok_or_else(|| "its metadata.json is not understood".to_owned())
}

fn found(entry: Entry, warnings: Vec<String>) -> Database {
    let Entry { repository, digest, updated_at, folder, .. } = entry;
    Database { record: record::Database { repository, digest, updated_at }, folder, warnings }
}

fn not_from(kind: Kind, (mirror, reason): &(String, String)) -> String {
    format!("The {} could not be fetched from {mirror}: {reason}", kind.name())
}

fn outdated(kind: Kind, entry: &Entry, now: Timestamp) -> String {
    let hours = now.duration_since(entry.updated_at).as_hours();
    let age = if hours < 48 { format!("{hours} hours") } else { format!("{} days", hours / 24) };
    format!("The {} is {age} old, so newer advisories are missing", kind.name())
}

/// The name of a database's folder in the cache.
fn folder_name(digest: Digest) -> String {
    digest.hex()
}
