//! A folder that nothing leads out of.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use super::error::{Error, Kind};
use super::file::{self, FILE};
use super::steps::{self, Wanted};

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);

/// A folder, held open.
#[derive(Debug)]
pub(crate) struct Root {
    path: PathBuf,
    folder: OwnedFd,
}

/// Which symbolic links are followed. None is that leads out of the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Links {
    /// None at all.
    Refused,
    /// Those by a relative path, as whoever has the root's content alone would follow them.
    Relative,
    /// Those by an absolute path too.
    Inside,
}

impl Root {
    /// Opens the folder at `path`; `path` itself may lead over symbolic links.
    ///
    /// # Errors
    /// It is not there, is not a folder, or may not be read.
    pub(crate) fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let folder = rustix::fs::openat(CWD, &path, FOLDER | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { path, folder })
    }

    /// The path that it was opened with.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the regular file at `path` for reading.
    ///
    /// # Errors
    /// It may not be read, or has become something else. A symbolic link on the way is `ELOOP`; it is never followed.
    pub(crate) fn file(&self, path: &Path) -> io::Result<File> {
        // Do not block if a FIFO has taken the file's place.
        let file = self.beneath(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?;
        let stat = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile { Ok(file.into()) } else { Err(Errno::LOOP.into()) }
    }

    /// Opens the folder at `path`, which is empty for the root itself.
    ///
    /// # Errors
    /// It is not there, may not be read, or is not a folder.
    pub(crate) fn folder(&self, path: &Path) -> io::Result<OwnedFd> {
        self.beneath(path, FOLDER)
    }

    /// Where the symbolic link at `path` leads; `None` if there is none.
    ///
    /// # Errors
    /// The folders on the way may not be read.
    pub(crate) fn link(&self, path: &Path) -> io::Result<Option<OsString>> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(None) };
        let read = || link_in(self.folder(parent)?.as_fd(), Path::new(name));
        match read() {
            Ok(target) => Ok(Some(target)),
            Err(error) if is_absent(&error) || error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What is at `path`, a symbolic link being itself.
    ///
    /// # Errors
    /// It is not there, or a folder on the way may not be searched.
    pub(crate) fn stat(&self, path: &Path) -> io::Result<Stat> {
        Ok(rustix::fs::fstat(self.beneath(path, OFlags::PATH)?)?)
    }

    /// The content of the regular file at `path`; `None` where nothing is there.
    ///
    /// # Errors
    /// It is something else, a link leads elsewhere, it has more than `limit` bytes, or it can't be read.
    pub(crate) fn read(&self, path: &Path, links: Links, limit: u64) -> Result<Option<Vec<u8>>, Error> {
        file::content(self.resolve(path, links, Wanted::File), limit)
    }

    /// The folder at `path` as a root of its own.
    ///
    /// # Errors
    /// It is not there, is not a folder, a link leads elsewhere, or it may not be read.
    pub(crate) fn inside(&self, path: &Path, links: Links) -> Result<Self, Error> {
        let folder = self.resolve(path, links, Wanted::Folder)?;
        if file::is_of_the_kernel(&folder)? {
            return Err(Error::Kind(Kind::Kernel));
        }
        Ok(Self { path: self.path.join(path), folder })
    }

    fn resolve(&self, path: &Path, links: Links, wanted: Wanted) -> Result<OwnedFd, Error> {
        let flags = if wanted == Wanted::File { FILE } else { FOLDER | OFlags::CLOEXEC };
        if links == Links::Refused {
            return self.beneath(path, flags).map_err(|error| match Errno::from_io_error(&error) {
                Some(Errno::LOOP) => Error::Kind(Kind::Link),
                Some(errno) => Error::from_errno(errno),
                None => Error::Io(error),
            });
        }
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        match rustix::fs::openat2(&self.folder, named(path), flags, Mode::empty(), resolve) {
            // The call is not known or not allowed, or the path has something that is told more closely there.
            Err(Errno::NOSYS | Errno::PERM | Errno::XDEV | Errno::LOOP | Errno::AGAIN) => self.step_by_step(path, links, wanted),
            Err(errno) => Err(Error::from_errno(errno)),
            Ok(opened) => Ok(opened),
        }
    }

    /// As without `openat2(2)`.
    pub(super) fn step_by_step(&self, path: &Path, links: Links, wanted: Wanted) -> Result<OwnedFd, Error> {
        let real = (links == Links::Inside).then(|| self.path.canonicalize()).transpose()?;
        steps::open(self.folder.as_fd(), real.as_deref(), path, wanted)
    }

    fn beneath(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let path = named(path);
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let safe = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        match rustix::fs::openat2(&self.folder, path, safe, Mode::empty(), resolve) {
            // Before Linux 5.6, and under sandboxes that have not heard of the call.
            Err(Errno::NOSYS | Errno::PERM) => part_by_part(self.folder.as_fd(), path, flags),
            opened => Ok(opened?),
        }
    }
}

/// A path that is empty is the root itself.
fn named(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

/// Opens `path` below `folder` without `openat2(2)`, over no link.
pub(super) fn part_by_part(folder: BorrowedFd<'_>, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let safe = OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mut here = rustix::fs::openat(folder, ".", FOLDER | safe, Mode::empty())?;
    let mut parts = path.components().peekable();
    while let Some(part) = parts.next() {
        let name = match part {
            Component::CurDir => Path::new("."),
            Component::Normal(name) => Path::new(name),
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return Err(Errno::XDEV.into()),
        };
        let flags = if parts.peek().is_some() { FOLDER } else { flags };
        here = rustix::fs::openat(&here, name, flags | safe, Mode::empty())?;
    }
    Ok(here)
}

/// Opens the folder `name` in `folder`.
///
/// # Errors
/// It is not there, may not be read, or is not a folder; a symbolic link to a folder is not one.
pub(crate) fn folder_in(folder: BorrowedFd<'_>, name: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(folder, name, FOLDER | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())?)
}

/// What `name` in `folder` is, a symbolic link being itself.
///
/// # Errors
/// It is not there, or the folder may not be searched.
pub(crate) fn stat_in(folder: BorrowedFd<'_>, name: &Path) -> io::Result<Stat> {
    Ok(rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Where the symbolic link `name` in `folder` leads.
///
/// # Errors
/// It is not there, or is not a link (`EINVAL`).
pub(crate) fn link_in(folder: BorrowedFd<'_>, name: &Path) -> io::Result<OsString> {
    Ok(OsString::from_vec(rustix::fs::readlinkat(folder, name, Vec::new())?.into_bytes()))
}

/// The names in a folder, in the order of their bytes.
///
/// # Errors
/// It can't be read.
pub(crate) fn names_in(folder: BorrowedFd<'_>) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name.to_vec()));
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Whether the error says that there is no such thing: not there, not a folder on the way, a link on the way.
#[must_use]
pub(crate) fn is_absent(error: &io::Error) -> bool {
    let absent = [Errno::NOENT, Errno::NOTDIR, Errno::LOOP, Errno::NAMETOOLONG];
    Errno::from_io_error(error).is_some_and(|errno| absent.contains(&errno))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::symlink;

    use super::*;

    fn tree() -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("root/a")).unwrap();
        fs::write(folder.path().join("secret"), "secret").unwrap();
        fs::write(folder.path().join("root/a/file"), "content").unwrap();
        symlink("../../secret", folder.path().join("root/a/link")).unwrap();
        symlink("..", folder.path().join("root/up")).unwrap();
        symlink("a", folder.path().join("root/inside")).unwrap();
        let root = Root::open(folder.path().join("root")).unwrap();
        (folder, root)
    }

    const OUTSIDE: [&str; 6] = ["../secret", "a/link", "up/secret", "a/../../secret", "/etc/passwd", "inside/file"];

    #[test]
    fn a_file_is_read_where_it_is() {
        let (_folder, root) = tree();
        let mut text = String::new();
        root.file(Path::new("a/file")).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "content");
    }

    #[test]
    fn no_path_leads_over_a_link_or_out() {
        let (_folder, root) = tree();
        for path in OUTSIDE {
            assert!(root.file(Path::new(path)).is_err(), "{path}");
        }
    }

    #[test]
    fn a_kernel_without_openat2_is_as_strict() {
        let (_folder, root) = tree();
        assert!(part_by_part(root.folder.as_fd(), Path::new("a/file"), OFlags::RDONLY).is_ok());
        for path in OUTSIDE {
            assert!(part_by_part(root.folder.as_fd(), Path::new(path), OFlags::RDONLY).is_err(), "{path}");
        }
    }

    #[test]
    fn a_fifo_in_the_place_of_a_file_is_refused_at_once() {
        let (folder, root) = tree();
        let fifo = folder.path().join("root/fifo");
        rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        assert!(root.file(Path::new("fifo")).is_err());
    }
}
