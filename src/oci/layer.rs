//! A layer's files, written into a folder to be looked at.
//!
//! Whoever made the archive decides nothing about what happens here: names are written so that they lead nowhere, links,
//! devices and folders are not made, whatever carries bytes is a plain file, and there is an end to how much is written. What
//! is read is what an engine reads: the archive's digest has to be the one that the configuration states, and nothing may
//! come after its end.

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub(crate) mod listing;
mod name;

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::digest::Hasher;
use super::disk;
use super::image::Layer;
use super::layout::{self, Layout, digest_of};
use super::{Digest, archive};
#[cfg(test)]
pub(crate) use name::MAX_PATH;
pub(crate) use name::original;
use name::written_as;

/// The most bytes of one image that are written or read uncompressed.
pub(crate) const MAX_BYTES: u64 = 32 << 30;
/// The most entries of one image.
pub(crate) const MAX_ENTRIES: u64 = 4_000_000;
/// After how many written bytes the disk is looked at again.
const LOOK: u64 = 64 << 20;
/// How much is copied at a time, in bytes.
const BLOCK: usize = 64 << 10;

/// A layer could not be looked through.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Its blob can't be read, or is not what its descriptor says.
    #[error(transparent)]
    Blob(#[from] layout::Error),
    /// It is no archive, or more than that.
    #[error("the layer {layer}: {reason}")]
    Archive {
        /// The digest of its blob.
        layer: Digest,
        /// What is wrong.
        reason: String,
    },
    /// Its content is not what the configuration states.
    #[error("the layer {layer} holds {actual}, its configuration says {expected}")]
    Content {
        /// The digest of its blob.
        layer: Digest,
        /// The digest that the configuration states for what is in it.
        expected: Digest,
        /// The digest of what is in it.
        actual: Digest,
    },
    /// The image has more than is looked through.
    #[error("more than {} or {MAX_ENTRIES} files in an image", crate::text::size(MAX_BYTES))]
    TooMuch,
    /// The disk has no room for what is in it.
    #[error(transparent)]
    NoRoom(layout::Error),
    /// The folder can't be written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// It was asked to end.
    #[error("cancelled")]
    Cancelled,
}

/// Writes the files of an image's layers, each layer's into a folder of its own.
pub(crate) struct Extraction<'a> {
    /// The folder for all of them.
    pub(crate) root: &'a Path,
    /// What need not be written: it is looked at elsewhere.
    pub(crate) known: &'a HashSet<Digest>,
    /// Words that are not to be taken for what they say; each is written with one letter changed.
    pub(crate) defused: &'a str,
    /// Whether to end early.
    pub(crate) stop: &'a AtomicBool,
    /// How many bytes may still be read and written.
    bytes_left: u64,
    /// How many entries may still come.
    entries_left: u64,
    /// How many bytes were written since the disk was last looked at.
    since_look: u64,
}

impl<'a> Extraction<'a> {
    /// Into an empty folder of our own.
    pub(crate) fn into(root: &'a Path, known: &'a HashSet<Digest>, defused: &'a str, stop: &'a AtomicBool) -> Self {
        Self { root, known, defused, stop, bytes_left: MAX_BYTES, entries_left: MAX_ENTRIES, since_look: LOOK }
    }

    /// Writes the files of a layer, in folders whose names begin with `name`.
    ///
    /// # Errors
    /// Not all of the layer was written.
    pub(crate) fn layer(&mut self, layout: &Layout, layer: &Layer, name: &str) -> Result<(), Error> {
        let digest = digest_of(&layer.descriptor)?;
        let path = layout.blob(&digest);
        let blob = File::open(&path).map_err(|source| Error::Io { path, source })?;
        let broken = |error: &dyn std::fmt::Display| Error::Archive { layer: digest, reason: error.to_string() };
        let content = Counted {
            content: uncompressed(blob).map_err(|error| broken(&error))?,
            hasher: Hasher::new(),
            left: self.bytes_left,
        };
        let mut folders = Folders { root: self.root, name, conflicts: 0 };
        let entries = archive::for_each(
            content,
            |error| unread(error, digest),
            |entry| {
                if self.stop.load(Ordering::Relaxed) {
                    return Err(Error::Cancelled);
                }
                self.entries_left = self.entries_left.checked_sub(1).ok_or(Error::TooMuch)?;
                let path = written_as(&entry.path_bytes());
                self.file(entry, &path, &mut folders, digest)
            },
        );
        let mut content = entries?;
        let rest = only_zeros(&mut content).map_err(|error| unread(&error, digest))?;
        self.bytes_left = content.left;
        if !rest {
            return Err(broken(&"there is something behind the end of its archive"));
        }
        let actual = content.hasher.finish();
        if actual == layer.diff_id { Ok(()) } else { Err(Error::Content { layer: digest, expected: layer.diff_id, actual }) }
    }

    /// Writes what an entry carries, whatever kind it says it is of. What carries nothing is not written.
    fn file(&mut self, entry: &mut impl Read, path: &str, folders: &mut Folders<'_>, layer: Digest) -> Result<(), Error> {
        let mut block = vec![0; BLOCK];
        let mut count = entry.read(&mut block).map_err(|error| unread(&error, layer))?;
        if count == 0 {
            return Ok(());
        }
        let (path, file) = folders.create(path)?;
        let io = |source| Error::Io { path: path.clone(), source };
        let mut hasher = Hasher::new();
        let mut file = Defused { file, words: self.defused.as_bytes(), held: Vec::new() };
        while count > 0 {
            self.since_look += count as u64;
            if self.since_look >= LOOK {
                // A layer of zeros takes a thousandth of what it comes to: it fills no disk before anyone has looked.
                disk::has_room(self.root, LOOK).map_err(Error::NoRoom)?;
                self.since_look = 0;
            }
            if self.stop.load(Ordering::Relaxed) {
                return Err(Error::Cancelled);
            }
            // A sparse file is more than the archive has of it.
            self.bytes_left = self.bytes_left.checked_sub(count as u64).ok_or(Error::TooMuch)?;
            hasher.update(&block[..count]);
            file.write(&block[..count]).map_err(io)?;
            count = entry.read(&mut block).map_err(|error| unread(&error, layer))?;
        }
        file.finish().map_err(io)?;
        if self.known.contains(&hasher.finish()) { fs::remove_file(&path).map_err(io) } else { Ok(()) }
    }
}

/// The folders of one layer. An entry that is in the way of another, as one of the same name is, begins a new one.
struct Folders<'a> {
    root: &'a Path,
    name: &'a str,
    conflicts: u32,
}

impl Folders<'_> {
    fn create(&mut self, path: &str) -> Result<(PathBuf, File), Error> {
        match self.try_create(path) {
            Err(_) => {
                self.conflicts += 1;
                self.try_create(path)
            }
            created => created,
        }
    }

    fn try_create(&self, path: &str) -> Result<(PathBuf, File), Error> {
        let folder = match self.conflicts {
            0 => self.name.to_owned(),
            more => format!("{}.{more}", self.name),
        };
        let path = self.root.join(folder).join(path);
        let create = || {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            File::create_new(&path)
        };
        let file = create().map_err(|source| Error::Io { path: path.clone(), source })?;
        Ok((path, file))
    }
}

/// Writes a file in which some words are not to be found.
struct Defused<'a> {
    file: File,
    words: &'a [u8],
    /// What may be the beginning of the words.
    held: Vec<u8>,
}

impl Defused<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.held.extend_from_slice(bytes);
        let Some(last) = self.words.last() else { return self.finish() };
        let mut from = 0;
        while let Some(at) = self.held[from..].iter().position(|byte| byte == last) {
            from += at + 1;
            if self.held[..from].ends_with(self.words) {
                self.held[from - 1] = b'_';
            }
        }
        let done = self.held.len().saturating_sub(self.words.len() - 1);
        self.file.write_all(&self.held[..done])?;
        self.held.drain(..done);
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.file.write_all(&self.held)?;
        self.held.clear();
        Ok(())
    }
}

/// What a layer's blob holds. How it is compressed is told by its first bytes, as engines do it, whatever its media type says.
fn uncompressed(blob: File) -> io::Result<Box<dyn Read>> {
    let mut blob = BufReader::with_capacity(BLOCK, blob);
    let start = blob.fill_buf()?;
    let is_zstd = start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) || matches!(start, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]); // RFC 8878, sections 3.1.1 and 3.1.2
    Ok(match start {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(blob)),
        _ if is_zstd => Box::new(zstd::Decoder::with_buffer(blob)?),
        _ => Box::new(blob),
    })
}

/// Counts and hashes what is read.
struct Counted<R> {
    content: R,
    hasher: Hasher,
    left: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.content.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| io::Error::from(io::ErrorKind::FileTooLarge))?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

/// Reads to the end, and says whether there is nothing but zeros.
fn only_zeros(content: &mut impl Read) -> io::Result<bool> {
    let mut block = vec![0; BLOCK];
    let mut only_zeros = true;
    loop {
        match content.read(&mut block)? {
            0 => return Ok(only_zeros),
            count => only_zeros &= block[..count].iter().all(|byte| *byte == 0),
        }
    }
}

fn unread(error: &io::Error, layer: Digest) -> Error {
    if error.kind() == io::ErrorKind::FileTooLarge {
        return Error::TooMuch;
    }
    Error::Archive { layer, reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use flate2::write::GzEncoder;
    use oci_spec::image::MediaType;
    use tar::{Builder, EntryType, Header};

    use super::*;

    const WORDS: &str = "gitleaks:allow";

    /// An archive of entries, names and kinds written as they are given.
    fn archive(entries: &[(&[u8], EntryType, &[u8])]) -> Vec<u8> {
        let mut archive = Builder::new(Vec::new());
        for (name, kind, content) in entries {
            let mut header = Header::new_gnu();
            header.as_mut_bytes()[..name.len().min(100)].copy_from_slice(&name[..name.len().min(100)]);
            header.set_entry_type(*kind);
            header.set_size(content.len() as u64);
            if matches!(kind, EntryType::Symlink | EntryType::Link) {
                header.set_link_name_literal("/etc/passwd").unwrap();
            }
            header.set_cksum();
            archive.append(&header, *content).unwrap();
        }
        archive.into_inner().unwrap()
    }

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    /// A folder with one layer's files: path in the layer, content.
    struct Extracted {
        folder: tempfile::TempDir,
        ended: Result<(), Error>,
    }

    fn extract(blob: &[u8], content: &[u8]) -> Extracted {
        extract_knowing(blob, content, &HashSet::new())
    }

    fn extract_knowing(blob: &[u8], content: &[u8], known: &HashSet<Digest>) -> Extracted {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::create(folder.path().join("layout")).unwrap();
        let descriptor = layout.write(MediaType::ImageLayerGzip, blob).unwrap();
        let layer = Layer { descriptor, diff_id: Digest::of(content) };
        let (root, stop) = (folder.path().join("files"), AtomicBool::new(false));
        let ended = Extraction::into(&root, known, WORDS, &stop).layer(&layout, &layer, "0");
        Extracted { folder, ended }
    }

    impl Extracted {
        fn files(&self) -> BTreeMap<String, Vec<u8>> {
            let root = self.folder.path().join("files");
            let mut found = BTreeMap::new();
            for entry in walkdir::WalkDir::new(&root).into_iter().filter_map(Result::ok) {
                assert!(entry.file_type().is_dir() || entry.file_type().is_file(), "{entry:?}");
                if entry.file_type().is_file() {
                    let written = entry.path().strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                    found.insert(written, fs::read(entry.path()).unwrap());
                }
            }
            found
        }
    }

    #[test]
    fn what_carries_bytes_is_a_plain_file_whatever_it_says_it_is_and_nothing_else_is_made() {
        let content = archive(&[
            (b"/abs", EntryType::Regular, b"1"),
            (b"../../up", EntryType::Regular, b"2"),
            (b"link", EntryType::Symlink, b""),
            (b"link/through", EntryType::Regular, b"3"),
            (b"hard", EntryType::Link, b"4"),
            (b"device", EntryType::Block, b""),
            (b"pipe", EntryType::Fifo, b"5"),
            (b"folder", EntryType::Directory, b""),
            (b".wh.gone", EntryType::Regular, b""),
            (b"unknown", EntryType::new(b'Z'), b"6"),
        ]);
        for blob in [gzip(&content), content.clone(), zstd::encode_all(&content[..], 1).unwrap()] {
            let extracted = extract(&blob, &content);
            extracted.ended.as_ref().unwrap();
            let expected = [
                ("0/%2E./%2E./up", "2"),
                ("0/abs", "1"),
                ("0/hard", "4"),
                ("0/link/through", "3"),
                ("0/pipe", "5"),
                ("0/unknown", "6"),
            ];
            let expected = expected.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
            assert_eq!(extracted.files(), BTreeMap::from(expected));
        }
    }

    #[test]
    fn nothing_takes_the_place_of_what_came_before() {
        let content = archive(&[
            (b"a", EntryType::Regular, b"1"),
            (b"a", EntryType::Regular, b"2"),
            (b"a/b", EntryType::Regular, b"3"),
            (b"a", EntryType::Regular, b"4"),
        ]);
        let extracted = extract(&gzip(&content), &content);
        extracted.ended.as_ref().unwrap();
        let found: BTreeSet<_> = extracted.files().into_values().collect();
        assert_eq!(found, ["1", "2", "3", "4"].map(|text| text.as_bytes().to_vec()).into());
        assert!(extracted.files().keys().all(|name| super::original(name).unwrap().0 == "0"));
    }

    #[test]
    fn what_is_known_is_left_out() {
        let content = archive(&[(b"a", EntryType::Regular, b"known"), (b"b", EntryType::Regular, b"new")]);
        let extracted = extract_knowing(&gzip(&content), &content, &HashSet::from([Digest::of(b"known")]));
        extracted.ended.as_ref().unwrap();
        assert_eq!(extracted.files().into_keys().collect::<Vec<_>>(), ["0/b"]);
    }

    #[test]
    fn a_file_does_not_excuse_itself_wherever_the_words_are() {
        for before in [0, 1, BLOCK - 15, BLOCK - 14, BLOCK - 7, BLOCK - 1, BLOCK, 2 * BLOCK - 3] {
            let text = format!("{}{WORDS} and {WORDS}{WORDS}", "w".repeat(before));
            let content = archive(&[(b"a", EntryType::Regular, text.as_bytes())]);
            let extracted = extract(&gzip(&content), &content);
            extracted.ended.as_ref().unwrap();
            let written = String::from_utf8(extracted.files().remove("0/a").unwrap()).unwrap();
            assert_eq!(written, text.replace(WORDS, "gitleaks:allo_"), "{before}");
        }
    }

    #[test]
    fn content_that_is_not_the_configurations_or_comes_after_the_end_is_an_error() {
        let content = archive(&[(b"a", EntryType::Regular, b"1")]);
        assert!(matches!(extract(&gzip(&content), b"other").ended, Err(Error::Content { .. })));
        let more = [&content[..], b"more"].concat();
        assert!(matches!(extract(&gzip(&more), &more).ended, Err(Error::Archive { .. })));
        let twice = [&content[..], &content[..]].concat();
        assert!(matches!(extract(&gzip(&twice), &twice).ended, Err(Error::Archive { .. })));
        let padded = [&content[..], &[0; 9000]].concat();
        extract(&gzip(&padded), &padded).ended.unwrap();
        let broken = &content[..700];
        assert!(matches!(extract(&gzip(broken), broken).ended, Err(Error::Archive { .. })));
        assert!(extract(b"no archive", b"no archive").ended.is_err());
    }

    #[test]
    fn there_is_an_end_to_how_much_is_read() {
        let content = archive(&[(b"a", EntryType::Regular, &[7; 5000]), (b"b", EntryType::Regular, b"1")]);
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::create(folder.path().join("layout")).unwrap();
        let descriptor = layout.write(MediaType::ImageLayer, &content).unwrap();
        let layer = Layer { descriptor, diff_id: Digest::of(&content) };
        let (root, stop, known) = (folder.path().join("files"), AtomicBool::new(false), HashSet::new());
        let extraction = || Extraction::into(&root, &known, WORDS, &stop);
        for mut limited in [Extraction { bytes_left: 4000, ..extraction() }, Extraction { entries_left: 1, ..extraction() }] {
            assert!(matches!(limited.layer(&layout, &layer, "0"), Err(Error::TooMuch)));
        }
        stop.store(true, Ordering::Relaxed);
        assert!(matches!(extraction().layer(&layout, &layer, "1"), Err(Error::Cancelled)));
    }
}
