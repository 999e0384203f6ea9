//! The commits behind a branch that changed a file, as git log has them (git-log(1), "History Simplification", its default).

use std::collections::{BinaryHeap, HashSet};

use super::error::Error;
use super::object::{self, Id, Kind, Objects, Parsed};

/// What the commits say that changed a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct History {
    /// Their messages, the newest first.
    pub(crate) messages: Vec<String>,
    /// Whether all of them are here: there is none behind those that were fetched.
    pub(crate) is_whole: bool,
}

/// The commits that changed a path, from a commit on, as far as they were fetched.
///
/// # Errors
/// An object is none, or was not sent.
pub(super) fn of(objects: &Objects, from: Id, path: &str) -> Result<History, Error> {
    let (mut messages, mut is_whole, mut seen) = (Vec::new(), true, HashSet::from([from]));
    let mut next = BinaryHeap::from([(at(objects, from)?.at, from)]);
    while let Some((_, id)) = next.pop() {
        let commit = at(objects, id)?;
        let own = found(objects, commit.tree, path)?;
        let mut parents = Vec::new();
        for parent in &commit.parents {
            match objects.get(parent) {
                Some(_) => parents.push(*parent),
                None => is_whole = false,
            }
        }
        let mut same = None;
        for parent in &parents {
            if found(objects, at(objects, *parent)?.tree, path)? == own {
                same = Some(*parent);
                break;
            }
        }
        // Whether it changed the file is not known where what was before is not here.
        let is_known = parents.len() == commit.parents.len();
        if is_known && same.is_none() && (own.is_some() || !parents.is_empty()) {
            messages.push(commit.message);
        }
        for parent in same.map_or(parents, |same| vec![same]) {
            if seen.insert(parent) {
                next.push((at(objects, parent)?.at, parent));
            }
        }
    }
    Ok(History { messages, is_whole })
}

/// The messages of all commits.
pub(super) fn messages(objects: &Objects) -> impl Iterator<Item = String> {
    let commits = objects.values().filter(|object| object.kind == Kind::Commit);
    commits.filter_map(|object| object::commit(object).ok()).map(|commit| commit.message)
}

pub(super) fn at(objects: &Objects, id: Id) -> Result<Parsed, Error> {
    object::commit(object::of(objects, id, Kind::Commit)?)
}

/// What a tree has at a path.
fn found(objects: &Objects, tree: Id, path: &str) -> Result<Option<Id>, Error> {
    let (mut here, mut is_folder) = (tree, true);
    for name in path.split('/') {
        // A file where a folder is elsewhere.
        if !is_folder {
            return Ok(None);
        }
        let entries = object::entries(object::of(objects, here, Kind::Tree)?)?;
        let Some(entry) = entries.into_iter().find(|entry| entry.name == name.as_bytes()) else { return Ok(None) };
        (here, is_folder) = (entry.id, entry.is_folder());
    }
    Ok(Some(here))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git_server::object::Object;

    fn put(objects: &mut Objects, kind: Kind, content: Vec<u8>) -> Id {
        let object = Object { kind, content };
        let id = object.id();
        objects.insert(id, object);
        id
    }

    /// A commit whose file `a/b` is this.
    fn commit(objects: &mut Objects, file: u8, parents: &[Id], at: usize, message: &str) -> Id {
        let blob = Object { kind: Kind::Blob, content: vec![file] }.id();
        let tree = |mode: &[u8], name: &[u8], id: Id| [mode, b" ", name, b"\0", &id.0[..]].concat();
        let inner = put(objects, Kind::Tree, tree(b"100644", b"b", blob));
        let root = put(objects, Kind::Tree, tree(b"40000", b"a", inner));
        let parents: String = parents.iter().map(|parent| format!("parent {parent}\n")).collect::<Vec<_>>().concat();
        let text = format!("tree {root}\n{parents}author a <a> {at} +0000\ncommitter a <a> {at} +0000\n\n{message}");
        put(objects, Kind::Commit, text.into_bytes())
    }

    #[test]
    fn commits_that_changed_a_file_are_told_as_git_log_tells_them() {
        let mut objects = Objects::new();
        let first = commit(&mut objects, 1, &[], 1, "first");
        let other = commit(&mut objects, 1, &[first], 2, "another file");
        let theirs = commit(&mut objects, 2, &[first], 3, "theirs");
        let merge = commit(&mut objects, 2, &[other, theirs], 4, "merge");
        let both = commit(&mut objects, 3, &[merge, other], 5, "both");
        let told = |from, path| of(&objects, from, path).unwrap();
        assert_eq!(told(merge, "a/b"), History { messages: vec!["theirs".into(), "first".into()], is_whole: true });
        assert_eq!(told(both, "a/b").messages, ["both", "theirs", "first"]);
        assert!(told(both, "a/c").messages.is_empty() && told(both, "a/b/c").messages.is_empty());
        // Where what was before is not here, nothing is said of it.
        let mut cut = objects.clone();
        cut.remove(&first);
        let told = of(&cut, merge, "a/b").unwrap();
        assert_eq!(told, History { messages: vec![], is_whole: false });
        assert_eq!(of(&cut, both, "a/b").unwrap().messages, ["both"]);
        // A tree that was not sent is nothing that can be told.
        objects.retain(|_, object| object.kind == Kind::Commit);
        assert!(of(&objects, merge, "a/b").is_err());
    }
}
