//! Whether a blob of the store is what is said of it, and its way into a layout.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::os::fd::AsRawFd as _;

use flate2::read::MultiGzDecoder;
use rustix::fs::{AtFlags, CWD, linkat};

use super::entry::{Entry, Key};
use crate::oci::Compression;
use crate::oci::dated::{Dated, Undone};
use crate::oci::hashed::Hashed;
use crate::oci::layout::{self, Layout};

/// How much is read at once, in bytes.
const BLOCK: usize = 1 << 20;

/// Whether a blob has the digest and the size that are said, and unpacks to what is looked for. No more of it is read, or
/// unpacked, than is said.
pub(super) fn is_as_said(file: &File, entry: &Entry, key: &Key) -> io::Result<bool> {
    if !entry.answers(key) || file.metadata()?.len() != entry.size {
        return Ok(false);
    }
    let mut blob = Hashed::new(file.take(entry.size));
    if let (Key::Content(_, compression) | Key::Dated(_, _, compression), Some(content)) = (key, entry.content) {
        let unpacked: &mut dyn Read = match compression {
            Compression::Gzip => &mut MultiGzDecoder::new(io::BufReader::with_capacity(BLOCK, &mut blob)),
            Compression::Zstd => &mut zstd::Decoder::new(&mut blob)?,
        };
        // One byte more than is said shows that there is more.
        let unpacked = unpacked.take(content.size.saturating_add(1));
        let said = (content.diff_id, content.size);
        let is_said = match key {
            Key::Dated(before, dates, _) => {
                let Some(changes) = entry.changes() else { return Ok(false) };
                // The changes are a claim too, and may hide any others: what they give back is dated once more.
                let mut undone = Hashed::new(Undone::new(unpacked, &changes));
                let is_dated = Hashed::new(Dated::new(&mut undone, *dates)).finish()? == said;
                is_dated && undone.so_far() == (*before, content.size)
            }
            Key::Content(..) | Key::Blob(_) => Hashed::new(unpacked).finish()? == said,
        };
        if !is_said {
            return Ok(false);
        }
    }
    Ok(blob.finish()? == (entry.digest, entry.size))
}

/// Brings the blob that was looked at into a layout: by another name of the same file where that is possible, else by a copy,
/// which is hashed once more.
pub(super) fn bring(mut file: &File, entry: &Entry, layout: &Layout) -> Result<(), layout::Error> {
    let to = layout.blob(&entry.digest);
    // Another platform may have it: it was hashed when it was written.
    if to.exists() {
        return Ok(());
    }
    // The file that is open, and not whatever has its name by now.
    let open = format!("/proc/self/fd/{}", file.as_raw_fd());
    if linkat(CWD, open.as_str(), CWD, &to, AtFlags::SYMLINK_FOLLOW).is_ok() {
        return Ok(());
    }
    let failed = |source| layout::Error::Io { path: to.clone(), source };
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let mut writer = layout.writer()?;
    io::copy(&mut file.take(entry.size), &mut writer).map_err(failed)?;
    writer.finish_as(entry.digest).map(drop)
}
