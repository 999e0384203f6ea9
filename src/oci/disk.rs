//! The room that is left where images are put.

use std::io;
use std::path::Path;

use super::layout::Error;

/// What is left free for reports and for others, in bytes.
pub(crate) const RESERVE: u64 = 256 << 20;

/// Sees to it that `needed` bytes have room in `folder`, with [`RESERVE`] left over. Where the file system does not say how much
/// it has left, what is written shows it.
///
/// # Errors
/// They have not.
pub(crate) fn has_room(folder: &Path, needed: u64) -> Result<(), Error> {
    let Some(free) = free(folder) else { return Ok(()) };
    if needed.saturating_add(RESERVE) <= free {
        return Ok(());
    }
    let (needed, free) = (crate::text::size(needed), crate::text::size(free));
    let source =
        io::Error::new(io::ErrorKind::StorageFull, format!("{needed} and some more are needed there, and {free} are free"));
    Err(Error::Io { path: folder.to_owned(), source })
}

/// How many bytes this user may still write there.
fn free(folder: &Path) -> Option<u64> {
    let space = rustix::fs::statvfs(folder).ok()?;
    // Some network file systems know nothing of their size.
    (space.f_blocks > 0).then(|| space.f_bavail.saturating_mul(space.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_disk_has_room_for_is_told_before_it_is_fetched() {
        let folder = tempfile::tempdir().unwrap();
        has_room(folder.path(), 0).unwrap();
        let error = has_room(folder.path(), u64::MAX / 2).unwrap_err();
        let Error::Io { source, .. } = &error else { panic!("{error}") };
        assert_eq!(source.kind(), io::ErrorKind::StorageFull);
        assert!(source.to_string().contains("are free"), "{source}");
        assert!(has_room(Path::new("/nowhere"), 1).is_ok());
    }
}
