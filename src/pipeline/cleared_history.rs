//! The history in which an earlier delivery on this machine has found no secret, and which is not read again.
//!
//! The id of a commit says what it and all commits before it hold: the same scanner finds in them by the same rules what it has
//! found before. That it was nothing is the word of a file in the user's cache folder, so it counts on a laptop alone, and where
//! a leak does not end a delivery ([`SecretsHistory::Uncleared`]).
//!
//! [`SecretsHistory::Uncleared`]: crate::config::SecretsHistory::Uncleared

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Delivery;
use super::preflight::Ready;
use crate::beneath::{self, Links};
use crate::document;
use crate::error::Error;
use crate::oci::Digest;
use crate::ownership::{is_private, make_private};
use crate::scan::gitleaks::{CommitRange, History, Leaks, Lists};
use crate::scan::{self, database::cache_folder};
use crate::scanner::Tool;

/// The folder in the cache: a file for each source, by a digest of where it is.
const FOLDER: &str = "cleared-history";
/// What is said of a source is shorter, in bytes.
const MAX_BYTES: u64 = 1024;

/// What is said of a source.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cleared {
    /// The commit in whose history nothing was found.
    commit: String,
    /// What all depended on but the commits.
    by: Digest,
}

/// The history of a source that no earlier delivery has cleared.
pub(super) struct Uncleared {
    /// The part to read.
    pub(super) history: History,
    /// The commit in whose history nothing was found before.
    since: Option<String>,
    folder: PathBuf,
    file: PathBuf,
    head: String,
    by: Digest,
}

impl Uncleared {
    /// That of the commit that is checked out, `head`. None where nothing can be kept: what is missing of a shallow clone was
    /// never looked at.
    pub(super) async fn of(delivery: &Delivery, ready: &Ready, head: &str, lists: &Lists) -> Result<Option<Self>, Error> {
        let (checkout, launcher) = (&ready.checkout, &delivery.launcher);
        let Some(cache) = cache_folder().filter(|_| !checkout.shallow) else { return Ok(None) };
        let gitleaks = launcher.find(Tool::GITLEAKS.name()).map_err(scan::Error::from)?;
        let Some(programs) = programs(gitleaks.path()) else { return Ok(None) };
        let by = by(&programs, lists, checkout.tag_objects(launcher).await?);
        let folder = cache.join(FOLDER);
        let file = folder.join(Digest::of(checkout.root.as_os_str().as_encoded_bytes()).hex());
        let since = match read(&folder, &file).filter(|cleared| cleared.by == by) {
            Some(cleared) if checkout.contains(launcher, &cleared.commit).await? => Some(cleared.commit),
            _ => None,
        };
        let range = since.as_ref().map_or_else(|| head.to_owned(), |since| format!("{since}..{head}"));
        let history = range.parse::<CommitRange>().map_or(History::Full, History::Commits);
        Ok(Some(Self { history, since, folder, file, head: head.to_owned(), by }))
    }

    /// Keeps that nothing was found, where that is so; where it can't be kept, the next delivery reads all of it again. A leak
    /// that the project lets through is found each time anew, so that it is counted. Gives the commit that was cleared before.
    pub(super) fn note(self, found: &Leaks) -> Option<String> {
        if found.findings.is_empty() && found.suppressions.is_empty() {
            let _ = write(&self.folder, &self.file, &Cleared { commit: self.head, by: self.by });
        }
        self.since
    }
}

/// The digest of what is asked besides the commits: by which programs, by which rules, and in which tags' messages.
fn by(programs: &str, lists: &Lists, mut tags: Vec<String>) -> Digest {
    tags.sort_unstable();
    Digest::of(format!("{programs}\n{}\n{}", lists.rules_in_words(), tags.join("\n")).as_bytes())
}

/// What tells gitleaks, and this program, from any other that stands or stood in the same place.
fn programs(gitleaks: &Path) -> Option<String> {
    let told = |path: &Path, file: Metadata| {
        let [changed, modified] = [(file.ctime(), file.ctime_nsec()), (file.mtime(), file.mtime_nsec())];
        format!("{} {} {} {} {changed:?} {modified:?}", path.display(), file.dev(), file.ino(), file.size())
    };
    let of = |path: &Path| path.metadata().ok().map(|file| told(path, file));
    Some(format!("{}\n{}", of(gitleaks)?, of(Path::new("/proc/self/exe"))?))
}

fn read(folder: &Path, file: &Path) -> Option<Cleared> {
    let root = is_private(folder).then(|| beneath::Root::open(folder).ok()).flatten()?;
    let text = root.read(Path::new(file.file_name()?), Links::Refused, MAX_BYTES).ok()??;
    document::read(&text).ok()
}

fn write(folder: &Path, file: &Path, cleared: &Cleared) -> io::Result<()> {
    if let Some(cache) = folder.parent() {
        fs::create_dir_all(cache)?;
    }
    make_private(folder)?;
    if !is_private(folder) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let mut incoming = tempfile::Builder::new().prefix(".incoming-").tempfile_in(folder)?;
    serde_json::to_writer(&mut incoming, cleared)?;
    incoming.persist(file)?;
    Ok(())
}
