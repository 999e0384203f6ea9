//! The packed form of a database: a gzipped tar archive of two files.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use tar::{Archive, Entry, EntryType};

use super::Kind;
use super::digests::Digests;
use crate::oci::hashed::Hashed;

/// What trivy's makers put beside the database.
pub(super) const METADATA: &str = "metadata.json";

/// More than either database has, unpacked.
pub(crate) const MAX_DATABASE_BYTES: u64 = 16 << 30;
const MAX_METADATA_BYTES: u64 = 64 << 10;

/// How many times its size an archive may come to, once [`FREE_BYTES`] are through: a real one comes to some fifteen.
pub(crate) const MAX_RATIO: u64 = 100;

/// What any archive may come to, in bytes: small databases shrink well.
const FREE_BYTES: u64 = 16 << 20;

/// Where an archive is unpacked to, in the folder of what comes in.
pub(super) const FOLDER: &str = "database";

/// Unpacks the two files of an archive of `size` bytes into `folder`, which it makes, and says what they hash to. An archive
/// that holds anything else is refused: what is in there was chosen by whoever has the mirror.
pub(super) fn unpack(archive: impl Read, size: u64, folder: &Path, kind: Kind) -> Result<Digests, String> {
    let digests = try_unpack(archive, size, folder, kind).map_err(|error| format!("it can't be unpacked: {error}"))?;
    let missing = [kind.file(), METADATA].into_iter().find(|name| !digests.0.contains_key(*name));
    missing.map_or(Ok(digests), |name| Err(format!("it holds no {name}")))
}

fn try_unpack(archive: impl Read, size: u64, folder: &Path, kind: Kind) -> io::Result<Digests> {
    fs::create_dir(folder)?;
    let mut digests = Digests::default();
    let left = FREE_BYTES.saturating_add(size.saturating_mul(MAX_RATIO));
    let content = Bounded { content: MultiGzDecoder::new(BufReader::with_capacity(1 << 20, archive)), left };
    // Raw: an archive must neither rename its entries by headers of its own nor decide how much memory those take.
    for entry in Archive::new(content).entries()?.raw(true) {
        let entry = entry?;
        let unexpected = |entry: &Entry<'_, _>| {
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            io::Error::other(format!("it holds {name:?}, which no {} does", kind.name()))
        };
        let name = entry.path_bytes().into_owned();
        let name = name.strip_prefix(b"./").unwrap_or(&name);
        let (name, limit) = match name {
            name if name == kind.file().as_bytes() => (kind.file(), MAX_DATABASE_BYTES),
            name if name == METADATA.as_bytes() => (METADATA, MAX_METADATA_BYTES),
            b"" if entry.header().entry_type() == EntryType::Directory => continue,
            _ => return Err(unexpected(&entry)),
        };
        if entry.header().entry_type() != EntryType::Regular {
            return Err(unexpected(&entry));
        }
        // New, so that a second entry of a name is an error too.
        let (mut file, mut content) = (File::create_new(folder.join(name))?, Hashed::new(entry.take(limit + 1)));
        if io::copy(&mut content, &mut file)? > limit {
            return Err(io::Error::other(format!("{name} has more than {limit} bytes")));
        }
        digests.0.insert(name.to_owned(), content.so_far().0);
    }
    Ok(digests)
}

/// Content that ends in an error where it exceeds its bound.
struct Bounded<R> {
    content: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.content.read(buffer)?;
        let exceeded = || io::Error::other("it unpacks to far more than expected");
        self.left = self.left.checked_sub(count as u64).ok_or_else(exceeded)?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn entry(name: &str, kind: EntryType, text: &[u8]) -> (tar::Header, Vec<u8>) {
        let mut header = tar::Header::new_gnu();
        // Not by `set_path`, which refuses what a hostile archive has.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(text.len() as u64);
        if kind != EntryType::Regular {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        (header, text.to_vec())
    }

    fn unpacked(entries: &[(tar::Header, Vec<u8>)]) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (header, text) in entries {
            builder.append(header, &**text).unwrap();
        }
        let archive = builder.into_inner().unwrap().finish().unwrap();
        unpack(&*archive, archive.len() as u64, &folder.path().join("database"), Kind::Vulnerabilities).map(drop)
    }

    #[test]
    fn the_two_files_are_unpacked() {
        let files = [entry("./trivy.db", EntryType::Regular, b"db"), entry("metadata.json", EntryType::Regular, b"{}")];
        assert_eq!(unpacked(&files), Ok(()));
        assert!(unpacked(&files[..1]).unwrap_err().contains("metadata.json"));
        assert!(unpacked(&files[1..]).unwrap_err().contains("trivy.db"));
    }

    #[test]
    fn an_archive_with_anything_else_is_refused() {
        let files = [entry("trivy.db", EntryType::Regular, b"db"), entry("metadata.json", EntryType::Regular, b"{}")];
        for (name, kind) in [
            ("../trivy.db", EntryType::Regular),
            ("/trivy.db", EntryType::Regular),
            ("other", EntryType::Regular),
            ("trivy.db", EntryType::Regular),
            ("trivy.db", EntryType::Symlink),
            ("trivy.db", EntryType::Link),
            ("trivy.db", EntryType::Fifo),
            ("db/", EntryType::Directory),
        ] {
            let mut all = files.to_vec();
            all.push(entry(name, kind, b""));
            assert!(unpacked(&all).is_err(), "{name} {kind:?}");
            let alone = [entry(name, kind, b""), files[1].clone()];
            assert!(name == "trivy.db" && kind == EntryType::Regular || unpacked(&alone).is_err(), "{name} {kind:?}");
        }
    }

    #[test]
    fn metadata_without_end_is_refused() {
        let long = vec![b' '; usize::try_from(MAX_METADATA_BYTES).unwrap() + 1];
        let files = [entry("trivy.db", EntryType::Regular, b"db"), entry("metadata.json", EntryType::Regular, &long)];
        assert!(unpacked(&files).unwrap_err().contains("metadata.json"));
    }

    #[test]
    fn an_archive_that_grows_without_end_is_refused() {
        let member = |content: &[u8]| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(content).unwrap();
            encoder.finish().unwrap()
        };
        let mebibytes = 24;
        let mut header = entry("trivy.db", EntryType::Regular, b"").0;
        header.set_size(mebibytes << 20);
        header.set_cksum();
        let folder = tempfile::tempdir().unwrap();
        // Members one after the other are one content (RFC 1952), and a mebibyte of nothing takes a kibibyte.
        let archive = [member(header.as_bytes()), member(&vec![0; 1 << 20]).repeat(usize::try_from(mebibytes).unwrap())].concat();
        let refused =
            unpack(&*archive, archive.len() as u64, &folder.path().join("database"), Kind::Vulnerabilities).unwrap_err();
        assert!(refused.contains("far more"), "{refused}");
    }
}
