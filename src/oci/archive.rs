//! Tar archives of others, entry by entry.
//!
//! A name that is too long for a header, a link's target, attributes and the map of a file's holes stand before the file they
//! are of, and whoever reads the archive holds them (pax(1), "pax Extended Header"; GNU tar's manual, "GNU extensions to tar
//! format"). How long they are is up to who made it, and they may be packed to next to nothing: so there is an end to them.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// The most bytes of what stands before a file about it.
pub(crate) const MAX_HEADERS: u64 = 1 << 20;

const BLOCK: u64 = 512;

/// Where an archive is read, and how far it may be.
#[derive(Clone, Default)]
struct Position(Rc<Cell<(u64, u64)>>);

/// The content of an archive, up to where it may be read.
pub(crate) struct Bounded<R> {
    content: R,
    position: Position,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.content.read(buffer)?;
        let (at, limit) = self.position.0.get();
        let at = at.saturating_add(count as u64);
        self.position.0.set((at, limit));
        if at > limit {
            return Err(io::Error::other(format!("what it says of a file has more than {MAX_HEADERS} bytes")));
        }
        Ok(count)
    }
}

impl Position {
    fn allow(&self, bytes: u64) {
        let (at, _) = self.0.get();
        self.0.set((at, at.saturating_add(bytes)));
    }
}

/// Hands `take` each entry, as far as that wants to read it, and returns the content behind the archive's last one.
///
/// # Errors
/// What `failed` makes of it where the content can't be read or is no archive; the error of `take`.
pub(crate) fn for_each<R: Read, E>(
    content: R,
    failed: impl Fn(&io::Error) -> E,
    mut take: impl FnMut(&mut tar::Entry<'_, Bounded<R>>) -> Result<(), E>,
) -> Result<R, E> {
    let position = Position::default();
    let mut archive = tar::Archive::new(Bounded { content, position: position.clone() });
    let mut entries = archive.entries().map_err(|error| failed(&error))?;
    let mut unread = 0;
    loop {
        position.allow(MAX_HEADERS.saturating_add(unread));
        let Some(entry) = entries.next() else { break };
        let mut entry = entry.map_err(|error| failed(&error))?;
        position.allow(u64::MAX);
        let (begin, _) = position.0.get();
        take(&mut entry)?;
        let (end, _) = position.0.get();
        // What is stored of a sparse file is less than it comes to.
        let is_sparse = entry.header().entry_type().is_gnu_sparse();
        let stored = if is_sparse { entry.header().entry_size().unwrap_or_default() } else { entry.size() };
        unread = stored.div_ceil(BLOCK).saturating_mul(BLOCK).saturating_sub(end - begin);
    }
    position.allow(u64::MAX);
    Ok(archive.into_inner().content)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header of a kind and its content, which is `size` zeros.
    fn entry(kind: tar::EntryType, size: u64) -> impl Read {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_path("a").unwrap();
        header.set_cksum();
        io::Cursor::new(*header.as_bytes()).chain(io::repeat(0).take(size.next_multiple_of(BLOCK)))
    }

    /// How many entries there are, and where they end the names that are too long.
    fn read(archive: impl Read) -> (usize, Result<(), String>) {
        let mut count = 0;
        let read = for_each(archive, ToString::to_string, |_| {
            count += 1;
            Ok(())
        });
        (count, read.map(drop))
    }

    #[test]
    fn what_is_said_of_a_file_before_it_has_an_end() {
        use tar::EntryType as Kind;
        let file = || entry(Kind::Regular, 3 * MAX_HEADERS);
        for kind in [Kind::GNULongName, Kind::GNULongLink, Kind::XHeader] {
            assert_eq!(read(entry(kind, MAX_HEADERS / 2).chain(file()).chain(file())), (2, Ok(())), "{kind:?}");
            // As much as no machine holds: it is not read to its end.
            let (count, ended) = read(file().chain(entry(kind, 1 << 60)).chain(file()));
            assert!(count == 1 && ended.as_ref().is_err_and(|reason| reason.contains("1048576 bytes")), "{kind:?}: {ended:?}");
        }
    }

    #[test]
    fn files_are_as_long_as_they_like_whether_they_are_read_or_not() {
        for part in [0, 1, 700, u64::MAX] {
            let files = entry(tar::EntryType::Regular, 5 * MAX_HEADERS).chain(entry(tar::EntryType::Regular, 7 * MAX_HEADERS));
            let mut lengths = Vec::new();
            let rest = for_each(files.chain(&b"\0"[..]), ToString::to_string, |entry| {
                lengths.push(io::copy(&mut entry.take(part), &mut io::sink()).unwrap());
                Ok(())
            });
            assert!(rest.is_err() && lengths == [part.min(5 * MAX_HEADERS), part.min(7 * MAX_HEADERS)], "{lengths:?}");
        }
    }
}
