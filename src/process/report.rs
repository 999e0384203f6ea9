//! A file that a program wrote, opened as a stranger's.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

/// Opens a program's report, a regular file of at most `most` bytes: no link, which would lead elsewhere, and no pipe, which would
/// never end.
///
/// # Errors
/// There is no such file, in the system's words or in ours.
pub(crate) fn open(path: &Path, most: u64) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    let opened = File::options().read(true).custom_flags(flags).open(path);
    let file = match opened.map_err(|error| (Errno::from_io_error(&error), error)) {
        Ok(file) => file,
        Err((Some(Errno::LOOP), _)) => return Err(io::Error::other("not a file, but a link")),
        Err((_, error)) => return Err(error),
    };
    // Of what was opened, not of what has the name by now.
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a file"));
    }
    if metadata.len() > most {
        return Err(io::Error::other(format!("{} bytes are more than {most}", metadata.len())));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn only_a_regular_file_of_its_size_is_a_report() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("file"), "12345").unwrap();
        symlink("file", path("link")).unwrap();
        mknodat(CWD, path("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        std::fs::create_dir(path("folder")).unwrap();
        assert!(open(&path("file"), 5).is_ok());
        assert!(open(&path("file"), 4).unwrap_err().to_string().contains("5 bytes are more than 4"));
        for name in ["link", "pipe", "folder", "absent"] {
            assert!(open(&path(name), 5).is_err(), "{name}");
        }
    }
}
