//! The databases that trivy uses, as the OCI artifacts that trivy's makers publish.
//!
//! gp-deliver fetches them itself, so that trivy needs no network, and keeps them in a cache folder:
//! `CACHE/KIND/DIGEST/` holds the two files of one and their digests, `CACHE/KIND/current.json` names the one that was used
//! last.

mod archive;
mod arriving;
mod cache;
mod digests;
mod keys;
mod mirror;
#[cfg(test)]
pub(super) mod with_parts;

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

#[cfg(test)]
pub(crate) use archive::{MAX_DATABASE_BYTES, MAX_RATIO};
pub(crate) use keys::{Identity, Keys};
pub(crate) use mirror::Mirror;
#[cfg(test)]
pub(crate) use mirror::{ANSWER, MAX_ARCHIVE_BYTES};

pub(crate) use super::database_age::MaxAge;
pub(crate) use super::database_kind::Kind;

use super::Error;
use super::database_age as age;
use crate::oci::Digest;
use crate::record;
use cache::{Cache, Entry, Kept};

/// How long after its time for renewal a cached database may still be used when no mirror can be reached and no age is asked
/// for: a day covers a registry's outage, and teams wait that long for advisories anyway.
pub(crate) const GRACE: SignedDuration = SignedDuration::from_hours(24);

/// What to fetch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    /// Which database.
    pub(crate) kind: Kind,
    /// The mirrors, in order of preference.
    pub(crate) mirrors: &'a [Mirror],
    /// The user's cache folder.
    pub(crate) cache: &'a Path,
    /// What registries are shown.
    pub(crate) keys: Keys<'a>,
    /// The age beyond which one is refused; `None` where an old one is better than none.
    pub(crate) max_age: Option<MaxAge>,
    /// How long after its time for renewal a cached one will do when no mirror answers and there is no limit to its age:
    /// [`GRACE`].
    pub(crate) grace: SignedDuration,
}

impl Request<'_> {
    fn limit(&self) -> Option<MaxAge> {
        self.max_age.map(|limit| limit.of(self.kind))
    }

    /// Why a database is not to be judged by.
    fn refusal(&self, entry: &Entry, now: Timestamp) -> Option<String> {
        age::refusal(entry.updated_at, self.limit(), now)
    }

    /// Whether one from the cache will do where no mirror has any.
    fn will_do(&self, entry: &Entry, now: Timestamp) -> bool {
        match self.limit() {
            Some(_) => self.refusal(entry, now).is_none(),
            None => now.duration_since(entry.next_update) <= self.grace,
        }
    }
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

/// What came of asking a mirror that has nothing to judge by, or something older than another.
struct PassedOver {
    mirror: String,
    reason: String,
    /// It has a database, which is too old, or older than the one that is used.
    outdated: bool,
}

/// Gets a database: the cached one until it is due for renewal or its mirror has another; `progress` receives the number of
/// bytes so far. A mirror whose database is due, too old, or older than the cached one is not the last to be asked; of what
/// is then there, the newest counts.
///
/// # Errors
/// No mirror has one that may be judged by, and the cached one, if any, is too old; or the cache can't be written.
pub(crate) async fn fetch(request: &Request<'_>, progress: &(dyn Fn(u64) + Sync)) -> Result<Database, Error> {
    let cache = Cache::open(request.cache, request.kind)?;
    let now = Timestamp::now();
    let kept = cache.current().await;
    let altered = matches!(kept, Kept::Altered).then(|| altered(request.kind));
    let cached = kept.intact().filter(|entry| request.mirrors.iter().any(|mirror| mirror.to_string() == entry.repository));
    if let Some(entry) = cached.clone().filter(|entry| is_enough(request, entry, now) && !from_folder(request, entry)) {
        return Ok(found(entry, Vec::new()));
    }
    let (fetched, mut passed_over) = ask(request, &cache, cached.as_ref(), progress).await;
    let fallback = cached.clone().filter(|entry| request.will_do(entry, now));
    let newest = [fetched, fallback]
        .into_iter()
        .flatten()
        .reduce(|one, other| if other.updated_at > one.updated_at { other } else { one });
    let Some(entry) = newest else {
        let failures = passed_over.into_iter().map(|passed_over| (passed_over.mirror, passed_over.reason)).collect();
        return Err(Error::Database {
            kind: request.kind,
            failures,
            cached: cached.map(|entry| entry.updated_at),
            limit: request.limit(),
        });
    };
    cache.set_current(&entry)?;
    passed_over.retain(|passed_over| passed_over.mirror != entry.repository || !passed_over.outdated);
    let outdated = (!entry.is_fresh(request.kind, now)).then(|| outdated(request.kind, &entry, now));
    let passed_over = passed_over.iter().map(|passed_over| not_from(request.kind, passed_over));
    Ok(found(entry, altered.into_iter().chain(passed_over).chain(outdated).collect()))
}

/// Asks the mirrors in their order until one has a database that is enough, and gives the newest that may be judged by.
async fn ask(
    request: &Request<'_>,
    cache: &Cache,
    cached: Option<&Entry>,
    progress: &(dyn Fn(u64) + Sync),
) -> (Option<Entry>, Vec<PassedOver>) {
    let (now, mut newest, mut passed_over) = (Timestamp::now(), None::<Entry>, Vec::new());
    for mirror in request.mirrors {
        let mut pass_over = |reason: String, outdated| {
            passed_over.push(PassedOver { mirror: mirror.to_string(), reason, outdated });
        };
        match obtain(mirror, request, cache, progress).await {
            Err(reason) => pass_over(reason, false),
            Ok(entry) => {
                let known = newest.as_ref().or(cached).map(|entry| entry.updated_at);
                match request.refusal(&entry, now) {
                    Some(reason) => pass_over(reason, true),
                    None if known.is_some_and(|known| entry.updated_at < known) => {
                        pass_over(format!("it is of {}, and a newer one is known", age::written(entry.updated_at)), true);
                        newest = newest.or(Some(entry));
                    }
                    None if is_enough(request, &entry, now) => return (Some(entry), passed_over),
                    None => {
                        pass_over(format!("it is of {}, and due for renewal", age::written(entry.updated_at)), true);
                        newest = Some(entry);
                    }
                }
            }
        }
    }
    (newest, passed_over)
}

/// Whether no newer one need be looked for.
fn is_enough(request: &Request<'_>, entry: &Entry, now: Timestamp) -> bool {
    entry.is_fresh(request.kind, now) && request.refusal(entry, now).is_none()
}

/// A mirror in a folder costs nothing to ask, and may have been renewed at any time.
fn from_folder(request: &Request<'_>, entry: &Entry) -> bool {
    request.mirrors.iter().any(|mirror| matches!(mirror, Mirror::Folder { .. }) && mirror.to_string() == entry.repository)
}

/// Gets the database that a mirror has, from the cache if it is there; the reason if it can't.
async fn obtain(mirror: &Mirror, request: &Request<'_>, cache: &Cache, progress: &(dyn Fn(u64) + Sync)) -> Result<Entry, String> {
    let source = mirror.open(request.kind, request.keys).await?;
    if let Some(entry) = cache.kept(source.digest, mirror.to_string()).await.intact() {
        return Ok(entry);
    }
    let incoming = cache.incoming().map_err(|error| error.to_string())?;
    let digests = source.unpack(request.kind, incoming.path(), request.keys, progress).await?;
    cache.keep(source.digest, &incoming.path().join(archive::FOLDER), &digests).map_err(|error| error.to_string())?;
    let kept = cache.kept(source.digest, mirror.to_string()).await.intact();
    kept.ok_or_else(|| "its metadata.json is not understood".to_owned())
}

/// Whether a mirror can be read, without fetching what it has: the digest of that.
///
/// # Errors
/// It can't: why.
pub(crate) async fn look(mirror: &Mirror, kind: Kind, keys: Keys<'_>) -> Result<Digest, String> {
    let source = mirror.open(kind, keys).await?;
    source.probe(keys).await?;
    Ok(source.digest)
}

fn found(entry: Entry, warnings: Vec<String>) -> Database {
    let Entry { repository, digest, updated_at, folder, .. } = entry;
    Database { record: record::Database { repository, digest, updated_at }, folder, warnings }
}

fn not_from(kind: Kind, PassedOver { mirror, reason, outdated }: &PassedOver) -> String {
    if *outdated {
        return format!("The {} of {mirror} is not used: {reason}.", kind.name());
    }
    format!("The {} could not be fetched from {mirror}: {reason}", kind.name())
}

fn altered(kind: Kind) -> String {
    format!("The {} in the cache is not the one that was fetched: it was changed, and is not used.", kind.name())
}

fn outdated(kind: Kind, entry: &Entry, now: Timestamp) -> String {
    let age = age::words(now.duration_since(entry.updated_at));
    format!("The {} is {age} old, so newer advisories are missing", kind.name())
}

/// The name of a database's folder in the cache.
fn folder_name(digest: Digest) -> String {
    digest.hex()
}
