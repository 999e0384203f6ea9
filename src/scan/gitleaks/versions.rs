//! The versions of files that commits have, as git tells it: each content that a path has had, with the first commit that
//! has it there.
//!
//! git compares trees alone for that, and of a merge it tells what none of its parents has. So what a commit has at a path is
//! told of itself, or of one before it: whatever it is, it is in one of these versions.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use super::Error;
use super::classes::Classes;

/// Longer than a path that any file system has.
const MAX_FIELD: usize = 64 << 10;

/// Where a commit's message stands: git takes no such path into a commit.
pub(super) const MESSAGE: &[u8] = b".git/COMMIT_EDITMSG";

/// A mode that has no content of this repository's: a commit of another one (git-fast-import(1)).
const SUBMODULE: &str = "160000";

/// A content at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Version {
    /// The commit first, so that versions have the order of the commits.
    commit: u32,
    path: u32,
    object: u32,
}

impl Version {
    /// The number of its commit among all.
    pub(super) fn commit(self) -> usize {
        self.commit as usize
    }
}

/// Versions that come to the same for gitleaks.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Alike {
    /// In the order of the commits.
    pub(super) versions: Vec<Version>,
    /// Whether they are of commits that the rules let something through in.
    pub(super) listed: bool,
}

/// The versions, in the order of the commits, each before those that came of it.
#[derive(Debug, Default)]
pub(super) struct Versions {
    commits: Vec<String>,
    objects: Interned<str>,
    paths: Interned<[u8]>,
    list: Vec<Version>,
    known: HashSet<(u32, u32)>,
    /// What was at a path before: the object and the path.
    before: HashSet<(u32, u32)>,
}

impl Versions {
    /// None yet, of these commits, which have their messages.
    pub(super) fn of(commits: Vec<String>) -> Result<Self, Error> {
        let mut versions = Self::default();
        for (number, commit) in commits.iter().enumerate() {
            versions.put(commit, number, MESSAGE)?;
        }
        Ok(Self { commits, ..versions })
    }

    /// How many commits there are.
    pub(super) fn commits(&self) -> &[String] {
        &self.commits
    }

    /// All of them.
    pub(super) fn list(&self) -> &[Version] {
        &self.list
    }

    /// The id of the object that has the content.
    pub(super) fn object(&self, version: Version) -> &str {
        self.objects.get(version.object)
    }

    /// The commit.
    pub(super) fn commit(&self, version: Version) -> &str {
        self.commits.get(version.commit as usize).map_or("", String::as_str)
    }

    /// The path.
    pub(super) fn path(&self, version: Version) -> &[u8] {
        self.paths.get(version.path)
    }

    /// The versions that are to be looked at once for all of them, in their order.
    pub(super) fn alike(&self, classes: &Classes, listed: &BTreeSet<String>) -> Vec<Alike> {
        let mut numbers = HashMap::new();
        let mut number = |path: &Arc<[u8]>| {
            let next = numbers.len();
            *numbers.entry(classes.class(path)).or_insert(next)
        };
        let of_paths: Vec<usize> = self.paths.list.iter().map(&mut number).collect();
        let (mut alike, mut places) = (Vec::<Alike>::new(), HashMap::new());
        for version in &self.list {
            let listed = listed.contains(self.commit(*version));
            let place = *places.entry((version.object, of_paths[version.path as usize], listed)).or_insert(alike.len());
            match alike.get_mut(place) {
                Some(alike) => alike.versions.push(*version),
                None => alike.push(Alike { versions: vec![*version], listed }),
            }
        }
        alike
    }

    /// What a path had, up to this version: the contents from before the commits, and then its versions.
    pub(super) fn up_to(&self, last: Version) -> (impl Iterator<Item = &str>, impl Iterator<Item = Version>) {
        let before = self.before.iter().filter(move |(_, path)| *path == last.path);
        let versions = self.list.iter().copied().filter(move |version| version.path == last.path && *version <= last);
        (before.map(|(object, _)| self.objects.get(*object)), versions)
    }

    /// The first version at the path of this one.
    pub(super) fn first_at(&self, version: Version) -> Option<Version> {
        self.list.iter().copied().find(|first| first.path == version.path)
    }

    /// Adds what was at a path before a commit, unless that is a version.
    fn put_before(&mut self, object: &str, path: &[u8]) -> Result<(), Error> {
        let place = (self.objects.number(object)?, self.paths.number(path)?);
        if !self.known.contains(&place) {
            self.before.insert(place);
        }
        Ok(())
    }

    /// Adds a version, unless the content was at the path before.
    pub(super) fn put(&mut self, object: &str, commit: usize, path: &[u8]) -> Result<(), Error> {
        let (object, path) = (self.objects.number(object)?, self.paths.number(path)?);
        if self.known.insert((object, path)) {
            self.list.push(Version { object, commit: number(commit)?, path });
        }
        Ok(())
    }
}

/// Texts, each by a number.
#[derive(Debug)]
struct Interned<T: ?Sized> {
    list: Vec<Arc<T>>,
    numbers: HashMap<Arc<T>, u32>,
}

impl<T: ?Sized> Default for Interned<T> {
    fn default() -> Self {
        Self { list: Vec::new(), numbers: HashMap::new() }
    }
}

impl<T: ?Sized + Eq + Hash> Interned<T>
where
    for<'a> Arc<T>: From<&'a T>,
{
    fn number(&mut self, text: &T) -> Result<u32, Error> {
        if let Some(number) = self.numbers.get(text) {
            return Ok(*number);
        }
        let new = number(self.list.len())?;
        let text: Arc<T> = text.into();
        self.list.push(Arc::clone(&text));
        self.numbers.insert(text, new);
        Ok(new)
    }

    fn get(&self, number: u32) -> &T {
        &self.list[number as usize]
    }
}

fn number(number: usize) -> Result<u32, Error> {
    u32::try_from(number).map_err(|_| nonsense("it tells of too many files"))
}

/// Reads what `git diff-tree --stdin -r -c -z` says of commits (git-diff-tree(1), "Raw output format"), in pieces of any size:
/// each commit's id, and for each file of it a line `:MODES IDS STATUS` with a colon for each parent and the path, all with a
/// NUL after them. The last is a line that was given to it to be said: without it the end is missing.
#[derive(Debug)]
pub(super) struct Listing {
    versions: Versions,
    last: String,
    field: Vec<u8>,
    /// How many commits were told of.
    told: usize,
    /// The contents of the path that comes next.
    next: Option<Contents>,
}

/// What a line tells of a path.
#[derive(Debug, PartialEq, Eq)]
struct Contents {
    /// What each parent had there, where that is of this repository.
    before: Vec<String>,
    now: Option<String>,
}

impl Listing {
    /// Of the versions of `versions`' commits, in their order. `last` is the line that ends it.
    pub(super) fn new(versions: Versions, last: &str) -> Self {
        Self { versions, last: format!("{last}\n"), field: Vec::new(), told: 0, next: None }
    }

    /// Takes the next piece.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(), Error> {
        for piece in bytes.split_inclusive(|byte| *byte == 0) {
            let text = piece.strip_suffix(b"\0").unwrap_or(piece);
            if self.field.len() + text.len() > MAX_FIELD {
                return Err(nonsense("a path is too long"));
            }
            self.field.extend_from_slice(text);
            if text.len() < piece.len() {
                let field = std::mem::take(&mut self.field);
                self.take(&field)?;
            }
        }
        Ok(())
    }

    /// There is no more.
    pub(super) fn finish(self) -> Result<Versions, Error> {
        let (told, all) = (self.told, self.versions.commits.len());
        if told != all || self.next.is_some() || self.field != self.last.as_bytes() {
            return Err(nonsense(&format!("it tells of {told} of {all} commits, or does not come to an end")));
        }
        Ok(self.versions)
    }

    fn take(&mut self, field: &[u8]) -> Result<(), Error> {
        if let Some(contents) = self.next.take() {
            let commit = self.told.checked_sub(1).ok_or_else(|| nonsense("a file is of no commit"))?;
            contents.before.iter().try_for_each(|object| self.versions.put_before(object, field))?;
            return contents.now.map_or(Ok(()), |object| self.versions.put(&object, commit, field));
        }
        if field.starts_with(b":") {
            self.next = Some(contents(field).ok_or_else(|| nonsense("a file is not told of as it should be"))?);
            return Ok(());
        }
        if self.versions.commits.get(self.told).is_none_or(|commit| commit.as_bytes() != field) {
            return Err(nonsense("it tells of another commit than it was asked about"));
        }
        self.told += 1;
        Ok(())
    }
}

/// What a line says before its path.
fn contents(line: &[u8]) -> Option<Contents> {
    let line = std::str::from_utf8(line).ok()?;
    let facts = line.trim_start_matches(':');
    let parents = line.len() - facts.len();
    let facts: Vec<_> = facts.split(' ').collect();
    let (modes, rest) = facts.split_at_checked(parents + 1)?;
    let (ids, [_status]) = rest.split_at_checked(parents + 1)? else { return None };
    let is_id = |id: &&str| matches!(id.len(), 40 | 64) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !ids.iter().all(is_id) {
        return None;
    }
    let is_there = |(mode, id): (&&str, &&str)| *mode != SUBMODULE && !id.bytes().all(|byte| byte == b'0');
    let mut contents = modes.iter().zip(ids).map(|fact| is_there(fact).then(|| fact.1.to_string())).rev();
    let now = contents.next()?;
    Some(Contents { before: contents.flatten().collect(), now })
}

fn nonsense(reason: &str) -> Error {
    Error::GitAnswer { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(letter: &str) -> String {
        letter.repeat(40)
    }

    fn added(object: &str, path: &str) -> String {
        format!(":000000 100644 {} {object} A\0{path}\0", id("0"))
    }

    fn read(text: &str, size: usize) -> Result<Vec<(String, String, String)>, Error> {
        let mut listing = Listing::new(Versions::of(vec![id("1"), id("2")])?, "END");
        for piece in text.as_bytes().chunks(size) {
            listing.read(piece)?;
        }
        let versions = listing.finish()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let told = |version: &Version| {
            (versions.object(*version).to_owned(), versions.commit(*version).to_owned(), text(versions.path(*version)))
        };
        Ok(versions.list().iter().skip(2).map(told).collect())
    }

    fn log() -> String {
        let merged = format!("::100644 100644 100644 {} {} {} MM\0b\0", id("a"), id("b"), id("c"));
        let gone = format!(":100644 000000 {} {} D\0a\0", id("a"), id("0"));
        let submodule = format!(":000000 160000 {} {} A\0lib\0", id("0"), id("e"));
        let (first, odd) = (added(&id("a"), "a"), added(&id("a"), ":\nEND\n"));
        format!("{}\0{first}{odd}{}\0{merged}{gone}{submodule}{first}END\n", id("1"), id("2"))
    }

    #[test]
    fn each_content_is_told_of_once_at_each_path_with_the_first_commit_that_has_it() {
        let version = |object: &str, commit: &str, path: &str| (id(object), id(commit), path.to_owned());
        assert_eq!(
            read(&log(), 1 << 20).unwrap(),
            [version("a", "1", "a"), version("a", "1", ":\nEND\n"), version("c", "2", "b")]
        );
    }

    #[test]
    fn what_was_at_a_path_before_the_commits_is_known() {
        let mut listing = Listing::new(Versions::of(vec![id("2")]).unwrap(), "END");
        let change = |old: &str, new: &str| format!(":100644 100644 {} {} M\0a\0", id(old), id(new));
        listing.read(format!("{}\0{}{}END\n", id("2"), change("a", "b"), change("b", "c")).as_bytes()).unwrap();
        let versions = listing.finish().unwrap();
        let last = *versions.list().last().unwrap();
        let (before, after) = versions.up_to(last);
        assert_eq!(before.collect::<Vec<_>>(), [id("a")]);
        assert_eq!(after.map(|version| versions.object(version).to_owned()).collect::<Vec<_>>(), [id("b"), id("c")]);
    }

    #[test]
    fn what_is_cut_short_or_makes_no_sense_is_an_error() {
        let log = log();
        for end in 0..log.len() {
            assert!(read(&log[..end], 1 << 20).is_err(), "{end}");
        }
        for text in [
            format!("{}\0{}\0END", id("1"), id("2")),
            format!("{}\0{}\0END\n", id("2"), id("1")),
            format!("{}{}\0{}\0END\n", added(&id("a"), "a"), id("1"), id("2")),
            format!("{}\0:100644 {} A\0a\0{}\0END\n", id("1"), id("a"), id("2")),
            format!("{}\0::{}\0a\0{}\0END\n", id("1"), &added(&id("a"), "a")[1..], id("2")),
        ] {
            assert!(matches!(read(&text, 3), Err(Error::GitAnswer { .. })), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn pieces_read_as_the_whole_does(size in 1..50_usize) {
            prop_assert_eq!(read(&log(), size).unwrap(), read(&log(), 1 << 20).unwrap());
        }
    }
}
