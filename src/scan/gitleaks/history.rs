//! The history of the source, as git tells it.
//!
//! gitleaks would start git by itself, and take an early end of what it says for the end of the history. So git is started
//! here, and what it says is read before gitleaks gets it: each content that the commits have at a path, once, without
//! what was there before ([`super::stretches`]). A secret that no difference between two commits has as a whole is
//! whole in a content.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use tokio::sync::mpsc;

use super::classes::Classes;
use super::content::Content;
use super::defaults;
use super::names::{HEAD, Names};
use super::objects::{Objects, Part};
use super::patch::Patch;
use super::paths::Paths;
use super::rules::Rules;
use super::stretches::{self, Stretches};
use super::versions::{self, Alike, Versions};
use crate::git;
use crate::process::{Launcher, Output, Program, Run, StandIn};
use crate::scan::Error;

/// How much of the history to look through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum History {
    /// The commit that is checked out, and all before it.
    Full,
    /// Some commits.
    Commits(CommitRange),
    /// Nothing.
    None,
}

/// A commit and its ancestors (`COMMIT`), or those of them that another does not have (`COMMIT..COMMIT`), by full ids:
/// gitrevisions(7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommitRange(String);

/// The text is no range of commits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither COMMIT nor COMMIT..COMMIT with full commit ids")]
pub(crate) struct InvalidRange(pub(crate) String);

impl FromStr for CommitRange {
    type Err = InvalidRange;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_id =
            |id: &str| matches!(id.len(), 40 | 64) && id.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase());
        let parts: Vec<_> = text.split("..").collect();
        if parts.len() > 2 || !parts.into_iter().all(is_id) {
            return Err(InvalidRange(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for CommitRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How git compares a commit with its parents: trees alone, no content; of a merge, what none of its parents has; of the first
/// commits, all; and no file is told of as another one under a new name.
const COMPARE: &str = "diff-tree --stdin -r -c --root --raw -z --no-renames --no-abbrev --full-index --always \
                       --ignore-submodules=none --no-ext-diff --no-relative";

/// A list of all commits is this long at most, in bytes.
const MAX_COMMITS: u64 = 1 << 30;

/// What is asked of each tag: what it is, and the commit that it is of.
const TAGS: &str = "--format=%(objecttype) %(objectname) %(*objectname) %(refname)";
/// Where a tag's message stands: git takes no such path into a commit.
const TAG: &str = ".git/";

/// The history of a source, or the part of it that is to be looked through.
pub(super) struct Repository {
    git: Program,
    opened: Box<git::Repository>,
    scratch: PathBuf,
    deadline: Duration,
    versions: Versions,
    /// How many commits that is.
    pub(super) commits: u64,
}

/// Opens the history of `root`; `None` if none of it is wanted or it has no commits. `mark` is a word that nobody can guess.
pub(super) async fn open(
    launcher: &Launcher,
    root: &Path,
    history: &History,
    (scratch, mark): (&Path, &str),
    deadline: Duration,
) -> Result<Option<Repository>, Error> {
    let wanted = match history {
        History::None => return Ok(None),
        History::Full => "HEAD".to_owned(),
        History::Commits(range) => range.to_string(),
    };
    let git = launcher.find("git")?;
    let opened = Box::new(git::Repository::around(launcher, root).await?);
    let versions = Versions::default();
    let mut repository = Repository { git, opened, scratch: scratch.to_owned(), deadline, versions, commits: 0 };
    let count = said(repository.run().args(["rev-list", "--count", &wanted, "--"])).await?;
    let not_a_number = || Error::GitAnswer { reason: "its count of commits is no number".to_owned() };
    repository.commits = count.trim().parse().map_err(|_| not_a_number())?;
    let ids = repository.run().args(["rev-list", "--topo-order", "--reverse", &wanted, "--"]).stdout_limit(MAX_COMMITS);
    let ids: Vec<_> = said(ids).await?.lines().map(str::to_owned).collect();
    if ids.len() as u64 != repository.commits {
        return Err(Error::GitAnswer { reason: format!("it names {} of {} commits", ids.len(), repository.commits) });
    }
    if ids.is_empty() {
        return Ok(None);
    }
    repository.versions = repository.list(ids, mark).await?;
    repository.list_tags().await?;
    Ok(Some(repository))
}

impl Repository {
    /// Asks for the versions of these commits.
    async fn list(&self, commits: Vec<String>, mark: &str) -> Result<Versions, Error> {
        let question: String = commits.iter().map(String::as_str).chain([mark]).flat_map(|line| [line, "\n"]).collect();
        let mut listing = versions::Listing::new(Versions::of(commits)?, mark);
        let run = self.run().args(COMPARE.split(' ')).stdin(question);
        self.hear(run, |bytes| listing.read(bytes)).await?;
        listing.finish()
    }

    /// Adds the messages of the tags of the commits.
    async fn list_tags(&mut self) -> Result<(), Error> {
        let tags = said(self.run().args(["for-each-ref", TAGS, "refs/tags"]).stdout_limit(MAX_COMMITS)).await?;
        let numbers: HashMap<_, _> = self.versions.commits().iter().cloned().zip(0..).collect();
        for line in tags.lines() {
            let [kind, tag, commit, name] = line.splitn(4, ' ').collect::<Vec<_>>()[..] else {
                return Err(Error::GitAnswer { reason: format!("a tag is not told of as it should be: {line}") });
            };
            if let (true, Some(commit)) = (kind == "tag", numbers.get(commit)) {
                self.versions.put(tag, *commit, format!("{TAG}{name}").as_bytes())?;
            }
        }
        Ok(())
    }

    /// Has everything said that the commits have, as `rules` need it, and gives the number of bytes and the paths among it.
    pub(super) async fn say(&self, says: &mut StandIn, names: &Names, rules: &Rules) -> Result<(u64, Paths), Error> {
        let alike = self.alike(rules)?;
        let first: Vec<_> = alike.iter().filter_map(|alike| alike.versions.first()).map(|it| self.versions.object(*it)).collect();
        let mut telling = Telling::of(&self.versions, names, &alike, Stretches::new(!rules.have_own()));
        let mut objects = Objects::new(first);
        let run = self.contents(&objects);
        let (told, mut tells) = mpsc::channel::<bytes::Bytes>(4);
        let read = async {
            while let Some(bytes) = tells.recv().await {
                objects.read(&bytes, &mut |part| {
                    telling.take(part);
                    Ok(())
                })?;
                if let Some(batch) = telling.patch.batch() {
                    says.say(&batch).await.map_err(Error::io(&self.scratch))?;
                }
            }
            objects.finish()
        };
        let run = async { run.send(told).await.map_err(Error::from) };
        let (output, ()) = tokio::try_join!(run, read)?;
        silent(&output)?;
        let (mut patch, mut paths) = (telling.patch, self.paths());
        paths.give(names, true, &mut patch);
        patch.finish();
        says.say(&patch.rest()).await.map_err(Error::io(&self.scratch))?;
        Ok((patch.added(), paths))
    }

    /// The versions that are to be looked through.
    pub(super) fn versions(&self) -> &Versions {
        &self.versions
    }

    /// Those that are one for these rules.
    pub(super) fn alike(&self, rules: &Rules) -> Result<Vec<Alike>, Error> {
        Ok(self.versions.alike(&Classes::of(rules, defaults::rules()?), &rules.commits()))
    }

    /// The paths of all files and folders, each once.
    fn paths(&self) -> Paths {
        let (mut paths, mut known) = (Paths::default(), HashSet::new());
        for version in self.versions.list() {
            let path = self.versions.path(*version);
            if path == versions::MESSAGE || !known.insert(path) {
                continue;
            }
            let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
            for folder in ends.map(|end| &path[..end]) {
                if known.insert(folder) {
                    paths.add(folder, version.commit());
                }
            }
            paths.add(path, version.commit());
        }
        paths
    }

    /// Has git give these objects.
    pub(super) fn contents(&self, objects: &Objects<'_>) -> Run {
        self.run().args(["cat-file", "--batch", "--buffer"]).stdin(objects.question()).stdout_limit(u64::MAX)
    }

    /// Hears what git says to its end.
    pub(super) async fn hear(&self, run: Run, mut take: impl FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        let (told, mut tells) = mpsc::channel::<bytes::Bytes>(4);
        let read = async {
            while let Some(bytes) = tells.recv().await {
                take(&bytes)?;
            }
            Ok(())
        };
        let run = async { run.stdout_limit(u64::MAX).send(told).await.map_err(Error::from) };
        let (output, ()) = tokio::try_join!(run, read)?;
        silent(&output)
    }

    fn run(&self) -> Run {
        let reach = self.opened.reach().reads(self.scratch.join("empty"));
        // `diff-tree` reads the index, which is no part of the history, and may be broken.
        let run = self.opened.shown_to(self.git.run(self.deadline, reach)).env("GIT_INDEX_FILE", self.scratch.join("no-index"));
        run.folder(self.scratch.join("empty"))
    }
}

/// Puts contents into the patch.
struct Telling<'a> {
    versions: &'a Versions,
    names: &'a Names,
    alike: &'a [Alike],
    patch: Patch,
    stretches: Stretches,
    /// Which of `alike` it is, while its name is not known yet: that takes how it begins.
    unnamed: Option<usize>,
    head: Vec<u8>,
    content: Content,
}

impl<'a> Telling<'a> {
    fn of(versions: &'a Versions, names: &'a Names, alike: &'a [Alike], stretches: Stretches) -> Self {
        let (patch, content) = (Patch::default(), Content::default());
        Self { versions, names, alike, patch, stretches, unnamed: None, head: Vec::new(), content }
    }

    fn take(&mut self, part: Part<'_>) {
        match part {
            Part::Begin(number) => self.unnamed = Some(number),
            Part::Bytes(bytes) if self.unnamed.is_some() => {
                self.head.extend_from_slice(bytes);
                if self.head.len() >= HEAD {
                    self.begin();
                }
            }
            Part::Bytes(bytes) => self.content.read(bytes, |text| self.stretches.read(text, &mut self.patch)),
            Part::End(_) => {
                self.begin();
                self.content.finish(|text| self.stretches.read(text, &mut self.patch));
                self.stretches.finish(&mut self.patch);
            }
        }
    }

    fn begin(&mut self) {
        let Some(alike) = self.unnamed.take().and_then(|number| self.alike.get(number)) else { return };
        let head = std::mem::take(&mut self.head);
        if let Some(first) = alike.versions.first() {
            self.stretches.begin(stretches::Version {
                commit: self.versions.commit(*first).to_owned(),
                name: self.names.of(self.versions.path(*first), &head),
                // What was given under this name alone would be found at this path alone.
                whole: alike.versions.len() > 1,
                kind: alike.listed,
            });
        }
        self.content.read(&head, |text| self.stretches.read(text, &mut self.patch));
    }
}

/// That git ended well and had nothing to complain about.
fn silent(output: &Output) -> Result<(), Error> {
    if output.code == 0 && output.stderr.is_empty() { Ok(()) } else { Err(Error::git(output)) }
}

/// What git answers.
async fn said(run: Run) -> Result<String, Error> {
    let output = run.output().await?;
    if output.code != 0 {
        return Err(Error::git(&output));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_full_ids_make_a_range() {
        let id = "c0ffee".repeat(7)[..40].to_owned();
        for text in [id.clone(), format!("{id}..{id}")] {
            assert_eq!(text.parse::<CommitRange>().unwrap().to_string(), text);
        }
        for text in ["", "main", "--all", &id[1..], &format!("{id}...{id}"), &format!("{id}..{id}..{id}"), &format!("{id} --not")]
        {
            assert!(text.parse::<CommitRange>().is_err(), "{text}");
        }
    }
}
