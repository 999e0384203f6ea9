//! File modes and times in the protocol's form: a mode is a Go `FileMode` (<https://pkg.go.dev/io/fs#FileMode>), not a Unix
//! one; times are nanoseconds since 1970.

use bollard_buildkit_proto::fsutil::types::Stat;
use rustix::fs::FileType;

const DIRECTORY: u32 = 1 << 31;
const SYMLINK: u32 = 1 << 27;
const DEVICE: u32 = 1 << 26;
const NAMED_PIPE: u32 = 1 << 25;
const SOCKET: u32 = 1 << 24;
const SETUID: u32 = 1 << 23;
const SETGID: u32 = 1 << 22;
const CHARACTER_DEVICE: u32 = 1 << 21;
const STICKY: u32 = 1 << 20;
const IRREGULAR: u32 = 1 << 19;
/// The bits that make something else of a file than a regular one (Go's `fs.ModeType`).
const TYPE: u32 = DIRECTORY | SYMLINK | NAMED_PIPE | SOCKET | DEVICE | CHARACTER_DEVICE | IRREGULAR;

/// The entry for `path`, owned by root: an engine keeps owners as they are sent, and those of the building machine do not
/// belong in an image.
#[must_use]
pub(crate) fn entry(path: String, stat: &rustix::fs::Stat) -> Stat {
    let seconds = i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec);
    let mut entry = Stat { path, mode: mode(stat.st_mode), ..Stat::default() };
    entry.mod_time = i64::try_from(seconds).unwrap_or(if seconds < 0 { i64::MIN } else { i64::MAX });
    if entry.mode & DIRECTORY == 0 {
        entry.size = stat.st_size;
    }
    if entry.mode & DEVICE != 0 {
        entry.devmajor = rustix::fs::major(stat.st_rdev).into();
        entry.devminor = rustix::fs::minor(stat.st_rdev).into();
    }
    entry
}

/// Whether an entry has content that an engine can ask for.
#[must_use]
pub(crate) fn has_content(entry: &Stat) -> bool {
    entry.mode & TYPE == 0
}

/// Whether an entry is a folder.
#[must_use]
pub(crate) fn is_folder_entry(entry: &Stat) -> bool {
    entry.mode & DIRECTORY != 0
}

/// Whether it is a folder.
#[must_use]
pub(crate) fn is_folder(stat: &rustix::fs::Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

/// Whether it is a symbolic link.
#[must_use]
pub(crate) fn is_link(stat: &rustix::fs::Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Symlink
}

/// Whether it is a regular file.
#[must_use]
pub(crate) fn is_file(stat: &rustix::fs::Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

/// Whether it is a socket, which an engine has no use for.
#[must_use]
pub(crate) fn is_socket(stat: &rustix::fs::Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Socket
}

fn mode(unix: u32) -> u32 {
    let kind = match FileType::from_raw_mode(unix) {
        FileType::RegularFile => 0,
        FileType::Directory => DIRECTORY,
        FileType::Symlink => SYMLINK,
        FileType::BlockDevice => DEVICE,
        FileType::CharacterDevice => DEVICE | CHARACTER_DEVICE,
        FileType::Fifo => NAMED_PIPE,
        FileType::Socket => SOCKET,
        FileType::Unknown => IRREGULAR,
    };
    let flag = |bit: u32, flag: u32| if unix & bit == 0 { 0 } else { flag };
    (unix & 0o777) | kind | flag(0o4000, SETUID) | flag(0o2000, SETGID) | flag(0o1000, STICKY)
}
