//! Commits, trees and files (gitformat-pack(5), "Object types"; git-hash-object(1)).

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};

use super::error::Error;

/// The name of an object: the SHA-1 of what it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Id(pub(super) [u8; 20]);

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Commit,
    Tree,
    Blob,
    Tag,
}

/// An object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) kind: Kind,
    pub(super) content: Vec<u8>,
}

/// Objects by their names.
pub(super) type Objects = HashMap<Id, Object>;

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The path, from the root.
    pub(crate) path: String,
    /// Its mode, in six digits: `100644` and `100755` are files, `040000` is a folder, `120000` a link, `160000` a submodule.
    pub(crate) mode: String,
    /// The object.
    pub(crate) id: String,
}

/// What stands in a tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct TreeEntry<'a> {
    pub(super) mode: &'a str,
    pub(super) name: &'a [u8],
    pub(super) id: Id,
}

impl TreeEntry<'_> {
    pub(super) fn is_folder(&self) -> bool {
        matches!(self.mode, "40000" | "040000")
    }
}

/// What is read of a commit.
#[derive(Clone, Debug)]
pub(super) struct Parsed {
    pub(super) tree: Id,
    pub(super) parents: Vec<Id>,
    /// When it was made, by its own word.
    pub(super) at: i64,
    pub(super) message: String,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Tree => "tree",
            Self::Blob => "blob",
            Self::Tag => "tag",
        }
    }
}

impl Object {
    /// Its name.
    pub(super) fn id(&self) -> Id {
        let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
        context.update(format!("{} {}\0", self.kind.name(), self.content.len()).as_bytes());
        context.update(&self.content);
        let mut id = [0; 20];
        id.copy_from_slice(context.finish().as_ref());
        Id(id)
    }
}

impl FromStr for Id {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        const NO_ID: Error = Error::Malformed("there is no object's name of 40 digits");
        if text.len() != 40 || !text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
            return Err(NO_ID);
        }
        let mut id = [0; 20];
        for (at, byte) in id.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| NO_ID)?;
        }
        Ok(Self(id))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The object of a name, which has to be of a kind.
///
/// # Errors
/// It was not sent, or is of another kind.
pub(super) fn of(objects: &Objects, id: Id, kind: Kind) -> Result<&Object, Error> {
    objects.get(&id).filter(|object| object.kind == kind).ok_or(Error::Malformed("an object that was asked for is missing"))
}

/// What stands in a tree, in its order.
///
/// # Errors
/// It is none, or a name in it could be another path's.
pub(super) fn entries(tree: &Object) -> Result<Vec<TreeEntry<'_>>, Error> {
    const NO_TREE: Error = Error::Malformed("a tree is none");
    let (mut rest, mut all) = (&tree.content[..], Vec::new());
    while !rest.is_empty() {
        let space = rest.iter().position(|byte| *byte == b' ').ok_or(NO_TREE)?;
        let mode = std::str::from_utf8(&rest[..space]).map_err(|_| NO_TREE)?;
        let behind = &rest[space + 1..];
        let end = behind.iter().position(|byte| *byte == 0).ok_or(NO_TREE)?;
        let (name, id) = (&behind[..end], behind.get(end + 1..end + 21).ok_or(NO_TREE)?);
        if name.is_empty() || name.contains(&b'/') || !matches!(mode.len(), 5 | 6) {
            return Err(NO_TREE);
        }
        let mut own = [0; 20];
        own.copy_from_slice(id);
        all.push(TreeEntry { mode, name, id: Id(own) });
        rest = &behind[end + 21..];
    }
    Ok(all)
}

/// What a tree is with another object under a name that is there.
pub(super) fn replaced(entries: &[TreeEntry<'_>], name: &[u8], id: Id) -> Object {
    let mut content = Vec::new();
    for entry in entries {
        content.extend_from_slice(entry.mode.as_bytes());
        content.push(b' ');
        content.extend_from_slice(entry.name);
        content.push(0);
        content.extend_from_slice(if entry.name == name { &id.0 } else { &entry.id.0 });
    }
    Object { kind: Kind::Tree, content }
}

/// Reads a commit.
///
/// # Errors
/// It is none.
pub(super) fn commit(object: &Object) -> Result<Parsed, Error> {
    const NO_COMMIT: Error = Error::Malformed("a commit is none");
    let text = String::from_utf8_lossy(&object.content);
    let (head, message) = text.split_once("\n\n").ok_or(NO_COMMIT)?;
    let mut lines = head.lines();
    let tree = lines.next().and_then(|line| line.strip_prefix("tree ")).ok_or(NO_COMMIT)?.parse()?;
    let mut parents = Vec::new();
    let mut at = 0;
    for line in lines {
        if let Some(parent) = line.strip_prefix("parent ") {
            parents.push(parent.parse()?);
        } else if let Some(committer) = line.strip_prefix("committer ") {
            at = committer.rsplit(' ').nth(1).and_then(|seconds| seconds.parse().ok()).unwrap_or_default();
        }
    }
    Ok(Parsed { tree, parents, at, message: message.to_owned() })
}
