//! A path resolved step by step, each from a folder that is held open.
//!
//! The same paths lead to the same files as by `openat2(2)`, and besides: links that lead out and back inside, as those by an
//! absolute path do, and mounts inside the root that no link leads to.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, StatxFlags};
use rustix::io::Errno;

use super::error::{Error, Kind};
use super::file::FILE;

/// How many links may be on the way; Linux's own limit (`path_resolution(7)`).
const MAX_LINKS: u32 = 40;

/// Holds a place, and opens nothing: no device is touched by it.
const PLACE: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// What is to be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A file to read.
    File,
    /// A folder to list.
    Folder,
}

/// A walk from a root.
struct Walk<'a> {
    root: BorrowedFd<'a>,
    /// Where the root is, without links: absolute links are compared with it. Absent where they are not followed.
    real: Option<&'a Path>,
    /// The folders from the root to here, and a file at the end.
    here: Vec<(OsString, OwnedFd)>,
    rest: VecDeque<OsString>,
    links: u32,
    /// The last link that was followed, and where it leads.
    by: Option<(PathBuf, PathBuf)>,
}

/// Opens `path` beneath `root`, over links that stay inside. `real` is the root's own path without links, or nothing where
/// no absolute link is followed.
pub(super) fn open(root: BorrowedFd<'_>, real: Option<&Path>, path: &Path, wanted: Wanted) -> Result<OwnedFd, Error> {
    let mut walk = Walk { root, real, here: Vec::new(), rest: VecDeque::new(), links: 0, by: None };
    walk.push(path);
    while let Some(part) = walk.rest.pop_front() {
        walk.step(&part, path)?;
    }
    walk.arrive(wanted)
}

impl Walk<'_> {
    /// Has the parts of a path come next.
    fn push(&mut self, path: &Path) {
        for part in path.components().rev() {
            match part {
                Component::Normal(name) => self.rest.push_front(name.to_owned()),
                Component::ParentDir => self.rest.push_front("..".into()),
                Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            }
        }
    }

    fn step(&mut self, part: &OsStr, path: &Path) -> Result<(), Error> {
        if part == ".." {
            return if self.here.pop().is_some() { Ok(()) } else { self.come_back(path) };
        }
        let place = rustix::fs::openat(self.folder(), part, PLACE, Mode::empty()).map_err(io::Error::from)?;
        let stat = rustix::fs::fstat(&place).map_err(io::Error::from)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
            return self.follow(part, &place);
        }
        if self.by.is_some() && mount(self.folder())? != mount(place.as_fd())? {
            return Err(self.leads_out(path));
        }
        self.here.push((part.to_owned(), place));
        Ok(())
    }

    fn follow(&mut self, name: &OsStr, link: &OwnedFd) -> Result<(), Error> {
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(Error::Io(Errno::LOOP.into()));
        }
        let target = rustix::fs::readlinkat(link, "", Vec::new()).map_err(io::Error::from)?;
        let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
        let mut at: PathBuf = self.here.iter().map(|(name, _)| name).collect();
        at.push(name);
        self.by = Some((at.clone(), target.clone()));
        if target.is_absolute() {
            let inside = self.real.and_then(|real| inside(real, &target));
            let inside = inside.ok_or(Error::LeadsOut { link: at, target })?;
            self.here.clear();
            self.push(&inside);
        } else {
            self.push(&target);
        }
        Ok(())
    }

    /// Goes on inside, where a link leads out of the root and back into it.
    fn come_back(&mut self, path: &Path) -> Result<(), Error> {
        let rest: PathBuf = self.rest.drain(..).collect();
        let inside = self.real.filter(|_| self.by.is_some()).and_then(|real| inside(real, &real.join("..").join(rest)));
        let inside = inside.ok_or_else(|| self.leads_out(path))?;
        self.push(&inside);
        self.links += 1;
        if self.links <= MAX_LINKS { Ok(()) } else { Err(Error::Io(Errno::LOOP.into())) }
    }

    fn folder(&self) -> BorrowedFd<'_> {
        self.here.last().map_or(self.root, |(_, folder)| folder.as_fd())
    }

    /// Opens what the walk came to.
    fn arrive(mut self, wanted: Wanted) -> Result<OwnedFd, Error> {
        if wanted == Wanted::Folder {
            return rustix::fs::openat(self.folder(), ".", FOLDER, Mode::empty()).map_err(Error::from_errno);
        }
        let Some((name, place)) = self.here.pop() else { return Err(Error::Kind(Kind::Folder)) };
        let stat = rustix::fs::fstat(&place).map_err(io::Error::from)?;
        match Kind::of(FileType::from_raw_mode(stat.st_mode)) {
            Some(kind) => Err(Error::Kind(kind)),
            // What has taken its place meanwhile is looked at by whoever reads it.
            None => rustix::fs::openat(self.folder(), &name, FILE | OFlags::NOFOLLOW, Mode::empty()).map_err(Error::from_errno),
        }
    }

    fn leads_out(&self, path: &Path) -> Error {
        let (link, target) = self.by.clone().unwrap_or_else(|| (path.to_owned(), path.to_owned()));
        Error::LeadsOut { link, target }
    }
}

/// What an absolute path names inside of `real`, where it does.
fn inside(real: &Path, target: &Path) -> Option<PathBuf> {
    let stripped = |path: &Path| path.strip_prefix(real).ok().map(Path::to_owned);
    let is_plain = |path: &PathBuf| !path.components().any(|part| part == Component::ParentDir);
    // The text is all that is taken from this: what it leads to is opened from the root again.
    stripped(target).filter(is_plain).or_else(|| stripped(&fs::canonicalize(target).ok()?))
}

/// What tells one mount from another; on Linux before 5.8, one file system from another.
fn mount(place: BorrowedFd<'_>) -> io::Result<(bool, u64)> {
    let known = rustix::fs::statx(place, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID);
    match known {
        Ok(stat) if stat.stx_mask & StatxFlags::MNT_ID.bits() != 0 => Ok((true, stat.stx_mnt_id)),
        _ => Ok((false, rustix::fs::fstat(place)?.st_dev)),
    }
}
