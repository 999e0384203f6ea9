//! Files whose kind and size are looked at on the descriptor that is then read.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::error::{Error, Kind};

/// How a file is opened: a pipe is not waited for, and a terminal does not become ours.
pub(super) const FILE: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// The file systems that hold no files but views of the kernel (`linux/magic.h`).
const OF_THE_KERNEL: [u64; 17] = [
    0x9fa0,      // proc
    0x6265_6572, // sysfs
    0x1cd1,      // devpts
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x7363_6673, // securityfs
    0xf97c_ff8c, // selinux
    0x0027_e0eb, // cgroup
    0x6367_7270, // cgroup2
    0xcafe_4a11, // bpf
    0x1980_0202, // mqueue
    0x6e73_6673, // nsfs
    0x5049_5045, // pipefs
    0x534f_434b, // sockfs
    0x0904_1934, // anonymous inodes
    0x6265_6570, // configfs
    0x5a3c_69f0, // apparmor
];

/// The content of the regular file at `path`, which is ours, the runner's or the user's and may lead over links; `None` where
/// nothing is there.
///
/// # Errors
/// It is something else, has more than `limit` bytes, or can't be read.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, Error> {
    content(rustix::fs::openat(CWD, path, FILE, Mode::empty()).map_err(Error::from_errno), limit)
}

/// The content of what was opened; `None` where nothing was there.
pub(super) fn content(opened: Result<OwnedFd, Error>, limit: u64) -> Result<Option<Vec<u8>>, Error> {
    match opened {
        Ok(file) => read_all(regular(file)?, limit).map(Some),
        Err(Error::Io(error)) if is_missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What was opened as a file to read from.
///
/// # Errors
/// It is not a regular one.
pub(super) fn regular(file: OwnedFd) -> Result<File, Error> {
    let stat = rustix::fs::fstat(&file).map_err(io::Error::from)?;
    match Kind::of(FileType::from_raw_mode(stat.st_mode)) {
        Some(kind) => Err(Error::Kind(kind)),
        None if is_of_the_kernel(&file)? => Err(Error::Kind(Kind::Kernel)),
        None => Ok(file.into()),
    }
}

/// Whether it is on one of the kernel's own file systems.
pub(super) fn is_of_the_kernel(file: impl AsFd) -> io::Result<bool> {
    let kind = rustix::fs::fstatfs(file)?.f_type;
    // The type of the number differs from processor to processor, and it may be extended by its sign.
    Ok(u64::try_from(kind & 0xffff_ffff).is_ok_and(|kind| OF_THE_KERNEL.contains(&kind)))
}

fn read_all(file: File, limit: u64) -> Result<Vec<u8>, Error> {
    // A file may be all holes, and it may grow meanwhile.
    let known = file.metadata()?.len();
    if known > limit {
        return Err(Error::Size { limit });
    }
    let mut content = Vec::with_capacity(usize::try_from(known).unwrap_or_default().saturating_add(1));
    file.take(limit.saturating_add(1)).read_to_end(&mut content)?;
    if u64::try_from(content.len()).is_ok_and(|length| length <= limit) { Ok(content) } else { Err(Error::Size { limit }) }
}

fn is_missing(error: &io::Error) -> bool {
    Errno::from_io_error(error).is_some_and(|errno| [Errno::NOENT, Errno::NOTDIR, Errno::NAMETOOLONG].contains(&errno))
}

impl Error {
    pub(super) fn from_errno(errno: Errno) -> Self {
        match errno {
            // Nobody can open one.
            Errno::NXIO => Self::Kind(Kind::Socket),
            other => Self::Io(other.into()),
        }
    }
}
