//! Paths that an engine asks for, resolved through symbolic links: both a link and its target have to be sent.
//!
//! The behaviour is that of `FollowLinks` in `github.com/tonistiigi/fsutil`: part by part, with wildcards in the last part
//! that can hold a link; `..` and absolute targets stay inside the root.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::error::Error;
use super::glob;
use crate::beneath::{self, Root};

/// Links on the way to one path; Linux's own limit (`path_resolution(7)`).
const MAX_LINKS: u32 = 40;
/// Paths in all, against trees of links that multiply by wildcards.
const MAX_PATHS: usize = 1 << 16;

/// The patterns of what has to be sent for `paths`, sorted; `None` for the whole folder.
///
/// # Errors
/// A folder on the way may not be read.
pub(crate) fn follow(root: &Root, paths: &[String]) -> Result<Option<Vec<String>>, Error> {
    let mut resolver = Resolver { root, seen: HashSet::new(), resolved: BTreeSet::new() };
    let mut open: Vec<(String, u32)> = paths.iter().map(|path| (path.clone(), 0)).collect();
    while let Some((path, links)) = open.pop() {
        let path = glob::clean(&format!("/{path}"));
        if resolver.seen.len() >= MAX_PATHS || !resolver.seen.insert(path.clone()) {
            continue;
        }
        let led = resolver.resolve(&path)?;
        if links < MAX_LINKS {
            open.extend(led.into_iter().map(|path| (path, links + 1)));
        }
    }
    Ok(without_nested(resolver.resolved))
}

/// Drops what lies in another; nothing where one is the root.
#[must_use]
pub(crate) fn without_nested(paths: impl IntoIterator<Item = String>) -> Option<Vec<String>> {
    let mut kept: Vec<String> = Vec::new();
    for path in paths {
        if path == "." {
            return None;
        }
        let nested = kept.last().and_then(|last| path.strip_prefix(last.as_str())).is_some_and(|rest| rest.starts_with('/'));
        if !nested {
            kept.push(path);
        }
    }
    Some(kept)
}

struct Resolver<'a> {
    root: &'a Root,
    seen: HashSet<String>,
    resolved: BTreeSet<String>,
}

impl Resolver<'_> {
    /// Follows `path` to the first link, notes what has to be sent, and returns the paths that the link leads to.
    fn resolve(&mut self, path: &str) -> Result<Vec<String>, Error> {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let mut folder = Some(PathBuf::new());
        for (index, part) in parts.iter().enumerate() {
            let Some(here) = folder else { break };
            let targets = self.targets(&here, part).map_err(|source| Error::Read { path: here.join(part), source })?;
            if !targets.is_empty() {
                self.resolved.insert(parts[..=index].join("/"));
                let rest = parts[index + 1..].join("/");
                return Ok(targets.into_iter().map(|target| format!("{target}/{rest}")).collect());
            }
            // Behind a wildcard there is no one folder to look into.
            folder = (!glob::has_wildcards(part)).then(|| here.join(glob::unescape(part)));
        }
        self.resolved.insert(if parts.is_empty() { ".".to_owned() } else { parts.join("/") });
        Ok(Vec::new())
    }

    /// Where the links in `folder` that match `part` lead.
    fn targets(&self, folder: &Path, part: &str) -> io::Result<Vec<String>> {
        if !glob::has_wildcards(part) {
            let target = self.root.link(&folder.join(glob::unescape(part)))?;
            return Ok(target.and_then(|target| inside(folder, &target)).into_iter().collect());
        }
        let names = match self.root.folder(folder).and_then(|folder| beneath::names_in(folder.as_fd())) {
            Err(error) if beneath::is_absent(&error) => return Ok(Vec::new()),
            names => names?,
        };
        let mut targets = Vec::new();
        for name in names.iter().filter(|name| glob::matches(part, name.as_bytes()) == Ok(true)) {
            let target = self.root.link(&folder.join(name))?;
            targets.extend(target.and_then(|target| inside(folder, &target)));
        }
        Ok(targets)
    }
}

/// The pattern for what `target`, read from a link in `folder`, means inside the root. There is none for a name that is
/// not UTF-8: the link itself is refused when its turn comes.
fn inside(folder: &Path, target: &OsStr) -> Option<String> {
    let path = Path::new("/").join(folder).join(target);
    Some(glob::escape(&glob::clean(path.to_str()?)))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// What travels for `paths` from a folder with the given files and links (`link -> target`); `.` for all of it.
    fn resolve(tree: &[&str], paths: &[&str]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for entry in tree {
            let (path, target) = entry.split_once(" -> ").map_or((*entry, None), |(path, target)| (path, Some(target)));
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            match target {
                Some(target) => symlink(target, path).unwrap(),
                None => fs::write(path, "").unwrap(),
            }
        }
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        follow(&Root::open(folder.path()).unwrap(), &paths).unwrap().unwrap_or(vec![".".to_owned()])
    }

    #[test]
    fn a_link_and_its_target_both_travel() {
        assert_eq!(resolve(&["dir/real", "l1 -> /dir/l2", "dir/l2 -> real"], &["l1"]), ["dir/l2", "dir/real", "l1"]);
        assert_eq!(resolve(&["other/3", "src/lnk -> ../other"], &["src/lnk/3"]), ["other/3", "src/lnk"]);
    }

    #[test]
    fn two_paths_through_one_link_both_travel() {
        assert_eq!(resolve(&["d/a", "d/b", "l -> d"], &["l/a", "l/b"]), ["d/a", "d/b", "l"]);
    }

    #[test]
    fn a_path_without_a_link_is_kept_as_it_is() {
        assert_eq!(resolve(&["a/b"], &["a/b", "absent/x", "/c/", "src/*.rs"]), ["a/b", "absent/x", "c", "src/*.rs"]);
        assert_eq!(resolve(&["a/b"], &["a", "a/b"]), ["a"]);
    }

    #[test]
    fn the_root_stands_for_everything() {
        assert_eq!(resolve(&["a"], &["a", "."]), ["."]);
        assert_eq!(resolve(&["l -> /"], &["l"]), ["."]);
    }

    #[test]
    fn nothing_leads_out_of_the_root() {
        let tree = ["d/up -> ../../../../etc/passwd", "abs -> /../../etc/shadow"];
        assert_eq!(resolve(&tree, &["d/up", "abs", "../../x"]), ["abs", "d/up", "etc/passwd", "etc/shadow", "x"]);
    }

    #[test]
    fn a_wildcard_finds_links() {
        let tree = ["foo1 -> bar/x", "foo2 -> bar/y", "foo3", "bar/x", "bar/y"];
        assert_eq!(resolve(&tree, &["foo*"]), ["bar/x", "bar/y", "foo*"]);
        let tree = ["d/s1 -> ../t", "t/u/file"];
        assert_eq!(resolve(&tree, &["d/s?/u"]), ["d/s?", "t/u"]);
    }

    #[test]
    fn the_name_of_a_target_is_no_pattern() {
        assert_eq!(resolve(&["l -> a[1]*", "a[1]*"], &["l"]), [r"a\[1\]\*", "l"]);
        assert_eq!(resolve(&["we[ird -> t", "t"], &[r"we\[ird"]), ["t", r"we\[ird"]);
    }

    #[test]
    fn loops_end() {
        assert_eq!(resolve(&["a -> b", "b -> a"], &["a/x"]), ["a", "b"]);
        assert_eq!(resolve(&["a -> a/b"], &["a"]), ["a"]);
        assert_eq!(resolve(&["a -> ."], &["a/a/a/b"]), ["a", "b"]);
        resolve(&["a -> b/a", "b -> a/b", "c -> ."], &["*/*/*/*/*/*"]);
    }
}
