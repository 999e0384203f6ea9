//! The history in which an earlier delivery on this machine has found no secret, and which is not read again.
//!
//! The id of a commit says what it and all commits before it hold: the same scanner finds in them by the same rules what it has
//! found before. That it was nothing is the word of a file in the user's cache folder, so it counts on a laptop alone, and where
//! a leak does not end a delivery ([`SecretsHistory::Uncleared`]).
//!
//! [`SecretsHistory::Uncleared`]: crate::config::SecretsHistory::Uncleared

use std::io::{self, Read as _};

use serde::{Deserialize, Serialize};

use super::Delivery;
use super::preflight::Ready;
use crate::document;
use crate::error::Error;
use crate::oci::Digest;
use crate::scan;
use crate::scan::gitleaks::{CommitRange, History, Leaks, Lists};
use crate::scanner::Tool;
use crate::user_cache::{self, PrivateFolder};

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
    folder: PrivateFolder,
    file: String,
    head: String,
    by: Digest,
}

impl Uncleared {
    /// That of the commit that is checked out, `head`. None where nothing can be kept: what is missing of a shallow clone was
    /// never looked at.
    pub(super) async fn of(delivery: &Delivery, ready: &Ready, head: &str, lists: &Lists) -> Result<Option<Self>, Error> {
        let (checkout, launcher) = (&ready.checkout, &delivery.launcher);
        let Some(cache) = user_cache::folder().filter(|_| !checkout.shallow) else { return Ok(None) };
        let gitleaks = launcher.find(Tool::GITLEAKS.name()).map_err(scan::Error::from)?;
        let Some(programs) = user_cache::identity_with(gitleaks.path()) else { return Ok(None) };
        let by = by(&programs, lists, checkout.tag_objects(launcher).await?);
        let folder = PrivateFolder::of(&cache, FOLDER);
        let file = Digest::of(checkout.root.as_os_str().as_encoded_bytes()).hex();
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

fn read(folder: &PrivateFolder, file: &str) -> Option<Cleared> {
    let mut text = Vec::new();
    folder.open(file)?.take(MAX_BYTES).read_to_end(&mut text).ok()?;
    document::read(&text).ok()
}

fn write(folder: &PrivateFolder, file: &str, cleared: &Cleared) -> io::Result<()> {
    folder.put(file, |file| Ok(serde_json::to_writer(file, cleared)?))
}
