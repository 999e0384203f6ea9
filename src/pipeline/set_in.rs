//! Who set what lets findings through: the commit that brought the entry, whose author that is.
//!
//! It is told where it can be told without doubt, and not known elsewhere: of a mark in a file (`gitleaks:allow`), of rules
//! (`.gitleaks.toml`), of a list that is in no commit or whose history the clone has not, of an entry that somebody has
//! changed since by taking something away.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Delivery;
use super::preflight::Ready;
use crate::beneath::{Links, Root};
use crate::config::Suppressions;
use crate::error::Error;
use crate::finding::{Standing, Suppression};
use crate::scan::base::{Base, Brought};
use crate::scan::gitleaks;
use crate::scan::trivy::{self, placed::Placed};

/// How long git is asked. A delivery waits for it, and it changes nothing of what is decided.
const DEADLINE: Duration = Duration::from_secs(10);
/// The most suppressions that it is looked up for.
const MOST: usize = 200;
/// The most commits that an entry's lines may be of.
const COMMITS: usize = 4;

/// Notes it for each that counts, as far as it is known by then.
pub(super) async fn note(delivery: &Delivery, ready: &Ready, suppressions: &mut [Suppression]) {
    let asked = async {
        let Some(lists) = Lists::of(delivery, ready).await? else { return Ok(()) };
        let mut known = BTreeMap::new();
        let counting = suppressions.iter_mut().filter(|suppression| suppression.standing != Standing::Refused);
        for suppression in counting.take(MOST) {
            suppression.set_in = lists.brought(suppression, &mut known).await?;
        }
        Ok::<_, Error>(())
    };
    match tokio::time::timeout(DEADLINE, asked).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "who set what is let through is not known"),
        Err(_) => tracing::debug!("git takes too long to say who set what is let through"),
    }
}

/// The lists that count, as a commit has them.
struct Lists<'a> {
    ready: &'a Ready,
    commit: Base,
    /// Whether those of the working tree count, which may be others.
    of_tree: bool,
}

/// A list, line by line; absent where nothing can be said of it.
type Known = BTreeMap<String, Option<Vec<Brought>>>;

impl<'a> Lists<'a> {
    async fn of(delivery: &Delivery, ready: &'a Ready) -> Result<Option<Self>, Error> {
        let (commit, of_tree) = match &delivery.config.suppressions {
            Suppressions::Head(_) => (ready.checkout.source.commit.as_ref(), true),
            Suppressions::Base(commit) => (Some(commit), false),
            Suppressions::Unproven => (None, false),
        };
        let Some(commit) = commit.filter(|_| ready.checkout.in_git) else { return Ok(None) };
        let commit = Base::open(&delivery.launcher, &ready.checkout.root, commit).await?;
        Ok(commit.map(|commit| Self { ready, commit, of_tree }))
    }

    /// The commit that brought the entries of a suppression.
    async fn brought(&self, suppression: &Suppression, known: &mut Known) -> Result<Option<String>, Error> {
        let Suppression { by, id, .. } = suppression;
        let name = by.rsplit('/').next().unwrap_or_default();
        let of_leaks = name == gitleaks::ignore::FILE;
        if !of_leaks && !trivy::ignore::FILES.contains(&name) {
            return Ok(None);
        }
        if !known.contains_key(by) {
            known.insert(by.clone(), self.list(by).await?);
        }
        let Some(Some(list)) = known.get(by) else { return Ok(None) };
        let text = list.iter().map(|line| String::from_utf8_lossy(&line.line)).collect::<Vec<_>>().join("\n");
        let commits = |lines: &mut dyn Iterator<Item = usize>| -> Option<BTreeSet<String>> {
            lines.map(|line| list.get(line)?.by.clone()).collect()
        };
        if of_leaks {
            // Each is a line, and which of them has let a leak of the rule through is not told.
            let commits = commits(&mut gitleaks::ignore::lines_of(&text, id).into_iter()).unwrap_or_default();
            return Ok(only(commits));
        }
        let Some(now) = Placed::find(by, &text, id) else { return Ok(None) };
        let mut the_same = BTreeSet::new();
        for commit in commits(&mut now.lines.clone()).unwrap_or_default().into_iter().take(COMMITS) {
            // What somebody has taken away since is in no line.
            let then = self.commit.at(&commit).file(by).await?.unwrap_or_default();
            let then = Placed::find(by, &String::from_utf8_lossy(&then), id);
            if then.is_some_and(|then| then.says_the_same(&now)) {
                the_same.insert(commit);
            }
        }
        Ok(only(the_same))
    }

    async fn list(&self, path: &str) -> Result<Option<Vec<Brought>>, Error> {
        let Some(bytes) = self.commit.file(path).await? else { return Ok(None) };
        let as_it_is = || {
            let root = Root::open(&self.ready.checkout.root).ok()?;
            root.read(path.as_ref(), Links::Refused, trivy::ignore::MAX_BYTES).ok().flatten()
        };
        if bytes.len() as u64 > trivy::ignore::MAX_BYTES || (self.of_tree && as_it_is().as_ref() != Some(&bytes)) {
            return Ok(None);
        }
        Ok(Some(self.commit.lines(path).await?))
    }
}

fn only(mut commits: BTreeSet<String>) -> Option<String> {
    commits.pop_first().filter(|_| commits.is_empty())
}
