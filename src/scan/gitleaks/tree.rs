//! The files of a folder, all of them, put into the patch for gitleaks.
//!
//! What is ours and not the project's is told by device and inode, and never by its name. By its path is left out what git
//! ignores and no build sees, where the caller says so.

use std::collections::HashSet;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustix::fs::FileType;
use rustix::io::Errno;

use super::content::Content;
use super::names::Names;
use super::patch::Patch;
use super::paths::Paths;
use crate::beneath::{self, Root};
use crate::stamp::Stamp;
use crate::text;

/// How much of a file is read at once.
const BLOCK: usize = 64 << 10;

/// What is to be walked through.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    root: PathBuf,
    names: Names,
    /// Device and inode of what is left out.
    left_out: HashSet<(u64, u64)>,
    /// What is not looked at, by its path from the root.
    unseen: HashSet<PathBuf>,
    /// The folder in it whose files are to be known again, relative to the root.
    stamped: Option<PathBuf>,
    /// The files to look at, relative to the root; all where it is absent.
    only: Option<Vec<PathBuf>>,
}

/// What came of a walk.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// How many bytes the patch adds.
    pub(super) added: u64,
    /// The paths whose names it adds.
    pub(super) paths: Paths,
    /// What could not be read, and why.
    pub(super) unread: Vec<String>,
    /// What the files of the folder that is stamped were when they were read.
    pub(super) stamps: HashSet<Stamp>,
}

/// Nobody takes the patch any more.
struct Unwanted;

impl Tree {
    /// The folder `root` without the files and folders `left_out`, as they are now.
    pub(super) fn new(root: &Path, left_out: &[PathBuf], names: Names) -> Self {
        let identity = |path: &Path| fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()));
        // What is asked for is never left out as a whole.
        let own = identity(root);
        let left_out = left_out.iter().filter_map(|path| identity(&root.join(path))).filter(|identity| Some(*identity) != own);
        let left_out = left_out.collect();
        Self { root: root.to_owned(), names, left_out, unseen: HashSet::new(), stamped: None, only: None }
    }

    /// Leaves these files and folders out, by their paths from the root: another name of the same file is looked at.
    pub(super) fn without(self, unseen: &[PathBuf]) -> Self {
        Self { unseen: unseen.iter().cloned().collect(), ..self }
    }

    /// Has the files below `folder` be known again.
    pub(super) fn stamping(self, folder: Option<&Path>) -> Self {
        Self { stamped: folder.map(Path::to_owned), ..self }
    }

    /// Has these files be looked at alone.
    pub(super) fn only(self, files: Option<&[PathBuf]>) -> Self {
        Self { only: files.map(<[PathBuf]>::to_vec), ..self }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Walks through it and hands the patch on; it ends early once `send` says that nobody takes it.
    pub(super) fn walk(&self, send: impl FnMut(Bytes) -> bool) -> Walked {
        let root = match Root::open(&self.root) {
            Ok(root) => root,
            Err(error) => {
                let unread = if is_gone(&error) { Vec::new() } else { vec![name(Path::new(""))] };
                return Walked { unread, ..Walked::default() };
            }
        };
        let mut walk = Walk {
            tree: self,
            root,
            patch: Patch::default(),
            paths: Paths::default(),
            unread: Vec::new(),
            stamps: HashSet::new(),
            send,
        };
        let _: Result<(), Unwanted> = walk.all();
        Walked { added: walk.patch.added(), paths: walk.paths, unread: walk.unread, stamps: walk.stamps }
    }
}

struct Walk<'a, S> {
    tree: &'a Tree,
    root: Root,
    patch: Patch,
    paths: Paths,
    unread: Vec<String>,
    stamps: HashSet<Stamp>,
    send: S,
}

impl<S: FnMut(Bytes) -> bool> Walk<'_, S> {
    fn all(&mut self) -> Result<(), Unwanted> {
        let mut folders = if self.tree.only.is_some() { Vec::new() } else { vec![PathBuf::new()] };
        for file in self.tree.only.iter().flatten() {
            self.visit(file)?;
        }
        while let Some(folder) = folders.pop() {
            let names = match self.names(&folder) {
                Ok(names) => names,
                Err(error) => {
                    self.miss(&folder, &error);
                    continue;
                }
            };
            let mut inside = Vec::new();
            for name in names {
                let path = folder.join(name);
                if self.visit(&path)? {
                    inside.push(path);
                }
            }
            folders.extend(inside.into_iter().rev());
        }
        self.paths.give(&self.tree.names, false, &mut self.patch);
        self.patch.finish();
        self.hand_on(true)
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<std::ffi::OsString>> {
        beneath::names_in(self.root.folder(folder)?.as_fd())
    }

    /// Whether it is a folder to go into.
    fn visit(&mut self, path: &Path) -> Result<bool, Unwanted> {
        if self.tree.unseen.contains(path) {
            return Ok(false);
        }
        let stat = match self.root.stat(path) {
            Ok(stat) => stat,
            Err(error) => {
                self.miss(path, &error);
                return Ok(false);
            }
        };
        if self.tree.left_out.contains(&(stat.st_dev, stat.st_ino)) {
            return Ok(false);
        }
        self.paths.add(path.as_os_str().as_bytes(), 0);
        if self.paths.are_many() {
            self.paths.give(&self.tree.names, false, &mut self.patch);
        }
        let kind = FileType::from_raw_mode(stat.st_mode);
        match kind {
            FileType::Symlink => match self.root.link(path) {
                Ok(Some(target)) => self.put(path, target.as_bytes())?,
                // It has become something else by now.
                Ok(None) => self.unread.push(name(path)),
                Err(error) => self.miss(path, &error),
            },
            FileType::RegularFile => self.file(path)?,
            // A socket, a pipe or a device holds no bytes of the project's.
            _ => {}
        }
        Ok(kind == FileType::Directory)
    }

    fn put(&mut self, path: &Path, text: &[u8]) -> Result<(), Unwanted> {
        self.patch.begin(None, &self.tree.names.of(path.as_os_str().as_bytes(), text), 1);
        self.patch.add(text);
        self.hand_on(false)
    }

    fn file(&mut self, path: &Path) -> Result<(), Unwanted> {
        // It may have become a link or a pipe by now.
        let opened = self.root.file(path).and_then(|file| Ok((file.metadata()?, file)));
        match opened {
            Ok((metadata, file)) => {
                let again = file.try_clone();
                self.content(path, file)?;
                if let Ok(after) = again.and_then(|file| file.metadata()) {
                    self.stamp(path, &metadata, &after);
                }
                Ok(())
            }
            Err(error) => {
                self.miss(path, &error);
                Ok(())
            }
        }
    }

    fn content(&mut self, path: &Path, mut file: File) -> Result<(), Unwanted> {
        let mut block = vec![0; BLOCK];
        let mut filled = match fill(&mut file, &mut block) {
            Ok(filled) => filled,
            Err(error) => {
                self.miss(path, &error);
                return Ok(());
            }
        };
        self.patch.begin(None, &self.tree.names.of(path.as_os_str().as_bytes(), &block[..filled]), 1);
        let mut content = Content::default();
        while filled > 0 {
            content.read(&block[..filled], |text| self.patch.add(text));
            self.hand_on(false)?;
            filled = match fill(&mut file, &mut block) {
                Ok(filled) => filled,
                Err(error) => {
                    self.miss(path, &error);
                    return Ok(());
                }
            };
        }
        content.finish(|text| self.patch.add(text));
        self.hand_on(false)
    }

    /// Remembers what was read, unless it changed meanwhile.
    fn stamp(&mut self, path: &Path, before: &Metadata, after: &Metadata) {
        let state = |metadata: &Metadata| (metadata.size(), Stamp::nanoseconds(metadata.mtime(), metadata.mtime_nsec()));
        let inside = self.tree.stamped.as_ref().and_then(|folder| path.strip_prefix(folder).ok());
        if let Some(path) = inside.filter(|_| state(before) == state(after) && before.ctime_nsec() == after.ctime_nsec()) {
            let (size, modified) = state(after);
            let size = i64::try_from(size).unwrap_or(i64::MAX);
            self.stamps.insert(Stamp::of(path.as_os_str().as_bytes(), size, modified));
        }
    }

    fn hand_on(&mut self, all: bool) -> Result<(), Unwanted> {
        let batch = if all { Some(self.patch.rest()) } else { self.patch.batch() };
        if batch.is_none_or(|batch| (self.send)(batch)) { Ok(()) } else { Err(Unwanted) }
    }

    /// Notes what can't be read.
    fn miss(&mut self, path: &Path, error: &io::Error) {
        if !is_gone(error) {
            self.unread.push(name(path));
        }
    }
}

/// What is gone when its turn comes holds no secret any more.
fn is_gone(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::NOENT)
}

/// Reads as much as there is room for, or as there is.
fn fill(file: &mut File, block: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < block.len() {
        match file.read(&mut block[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// A path as it is named to people.
fn name(path: &Path) -> String {
    if path == Path::new("") { ".".to_owned() } else { text::plain(&path.to_string_lossy()) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, FileType, Mode};

    use super::*;

    fn walked(root: &Path, left_out: &[PathBuf]) -> (String, Walked) {
        let mut all = Vec::new();
        let walked = Tree::new(root, left_out, Names::new("N")).walk(|bytes| {
            all.extend_from_slice(&bytes);
            true
        });
        (String::from_utf8_lossy(&all).into_owned(), walked)
    }

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn every_file_is_in_the_patch_below_dot_git_and_what_a_link_says_too() {
        let folder = tree(&[("a", "first"), ("lib/.git/config", "second"), ("x.br", "third"), ("empty", "")]);
        symlink("fourth", folder.path().join("link")).unwrap();
        let (patch, walked) = walked(folder.path(), &[]);
        assert!(["+first", "+second", "+third", "+fourth"].iter().all(|text| patch.contains(text)), "{patch}");
        assert_eq!((walked.added, walked.unread.len()), (5 + 6 + 5 + 6, 0));
    }

    #[test]
    fn what_is_left_out_is_told_by_its_inode_and_never_by_its_name() {
        let folder = tree(&[("report/a", "ours"), ("src/report/a", "theirs"), ("b", "b")]);
        symlink("report", folder.path().join("other")).unwrap();
        let (patch, _) = walked(folder.path(), &[folder.path().join("other"), "absent".into()]);
        assert!(patch.contains("+theirs") && !patch.contains("+ours"), "{patch}");
        assert!(walked(folder.path(), &[folder.path().to_owned()]).0.contains("+theirs"));
    }

    #[test]
    fn what_is_not_looked_at_is_told_by_its_path_and_another_name_of_the_same_file_is_looked_at() {
        let folder = tree(&[("target/a", "built"), ("src/target/a", "other")]);
        fs::hard_link(folder.path().join("target/a"), folder.path().join("src/b")).unwrap();
        let mut all = Vec::new();
        let tree = Tree::new(folder.path(), &[], Names::new("N")).without(&["target/".into()]);
        tree.walk(|bytes| {
            all.extend_from_slice(&bytes);
            true
        });
        let patch = String::from_utf8(all).unwrap();
        assert_eq!(patch.matches("+built").count(), 1, "{patch}");
        assert!(patch.contains("+other") && patch.contains("src/b"), "{patch}");
    }

    #[test]
    fn a_pipe_holds_nothing_up_and_a_folder_that_can_not_be_listed_is_named() {
        let folder = tree(&[("a", "a")]);
        rustix::fs::mknodat(CWD, folder.path().join("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert_eq!(walked(folder.path(), &[]).1.unread, [""; 0]);
        let absent = folder.path().join("absent");
        assert_eq!(walked(&absent, &[]).1.unread, [""; 0]);
        assert_eq!(walked(&folder.path().join("a"), &[]).1.unread, ["."]);
    }
}
