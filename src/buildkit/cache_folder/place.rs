//! Where a cache's folder is: whether it is one that is used, and what its index says.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, mkdirat, openat, renameat, unlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::entries::{self, Entries};
use super::lock;
use super::{Surroundings, Use};
use crate::beneath::{Links, Root, names_in};
use crate::buildkit::blob_folder::{self, BLOBS, BlobFolder, INCOMING};
use crate::buildkit::id::random_id;
use crate::oci::Digest;
use crate::oci::layout::MAX_DOCUMENT_BYTES;
use crate::ownership::{self, Purpose, Standing, Stranger, is_only_ours, link_on_the_way, make_private};

/// The file that makes a folder a layout, and what it says.
const MARKER: (&str, &[u8]) = ("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
/// The file with the entries.
const INDEX: &str = "index.json";
/// The folder of the blobs' folder.
const BLOBS_PARENT: &str = "blobs";

/// How often an index is read anew that another process may have replaced between two looks.
const LOOKS: usize = 3;

/// A folder that is used.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) root: Root,
}

impl Place {
    /// Opens the folder at `path`; nothing where there is none and none is to be made.
    ///
    /// # Errors
    /// It is not one that is used, and why.
    pub(super) fn open(path: &Path, around: &Surroundings, purpose: Use) -> Result<Option<Self>, String> {
        let refused = |why: &str| format!("{} {why}", path.display());
        let failed = |error: io::Error| refused(&format!("can't be used: {error}"));
        if let Some(link) = link_on_the_way(path, &around.project).or_else(|| path.is_symlink().then(|| path.to_owned())) {
            return Err(format!("{} is a link", link.display()));
        }
        around.keep_out(&settled(path)).map_err(refused)?;
        if purpose == Use::Write {
            fs::create_dir_all(absolute(path.parent().unwrap_or(path))).and_then(|()| make_private(path)).map_err(failed)?;
        }
        let Some(root) = opened(path).map_err(|why| refused(&why))? else { return Ok(None) };
        around.keep_out(&settled(path)).map_err(refused)?;
        let place = Self { root };
        place.look().map_err(|why| refused(&why))?;
        // Nothing is written into what turns out to be somebody else's.
        place.entries()?;
        if purpose == Use::Write {
            place.make().map_err(|why| refused(&format!("can't be used: {why}")))?;
        }
        Ok(Some(place))
    }

    /// Whether nobody else may write to it, and it holds nothing but a cache.
    fn look(&self) -> Result<(), String> {
        let folder = self.root.folder(Path::new("")).map_err(|error| format!("can't be read: {error}"))?;
        let names = names_in(folder.as_fd()).map_err(|error| format!("can't be read: {error}"))?;
        let found = File::from(folder).metadata().map_err(|error| format!("can't be read: {error}"))?;
        if !is_only_ours(&found) {
            return Err("is another user's, or others may write to it".to_owned());
        }
        for name in [BLOBS_PARENT, BLOBS, INDEX] {
            let Ok(found) = self.root.stat(Path::new(name)) else { continue };
            // Who may write to a link does not say who may write to what it leads to, and none is followed.
            let is_link = FileType::from_raw_mode(found.st_mode) == FileType::Symlink;
            if !is_link && (found.st_mode & 0o022 != 0 || found.st_uid != geteuid().as_raw()) {
                return Err(format!("holds {name}, which is another user's, or others may write to it"));
            }
        }
        let ours = [MARKER.0, INDEX, BLOBS_PARENT, lock::IN_USE, lock::INDEX];
        let is_ours = |name: &str| ours.contains(&name) || name.starts_with(INCOMING);
        let foreign = names.into_iter().map(|name| name.to_string_lossy().into_owned()).find(|name| !is_ours(name));
        foreign.map_or(Ok(()), |name| Err(format!("holds {name:?}, which is no part of a build cache")))
    }

    /// Makes what a layout has, and takes the folder for ours where nothing is in it.
    fn make(&self) -> Result<(), String> {
        let failed = |error: io::Error| error.to_string();
        lock::make(&self.root).map_err(failed)?;
        // A build waits for no other one where nothing is to be made.
        let _lock = match self.index() {
            Ok(None) => Some(lock::index(&self.root)?),
            _ => None,
        };
        if self.is_vacant().map_err(failed)? {
            // Where it can't be marked, what is in it counts as brought there.
            let marked = self.mark(&[]);
            tracing::debug!(?marked, "the cache's folder is taken");
        }
        for folder in [BLOBS_PARENT, BLOBS] {
            let (parent, name) = (Path::new(folder).parent(), Path::new(folder).file_name());
            let parent = self.root.folder(parent.unwrap_or(Path::new(""))).map_err(failed)?;
            match mkdirat(&parent, name.unwrap_or_default(), Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(failed(errno.into())),
            }
        }
        if self.root.file(Path::new(MARKER.0)).is_err() {
            self.replace(MARKER.0, MARKER.1).map_err(failed)?;
        }
        if matches!(self.index(), Ok(None)) { self.write(&Entries::default()) } else { Ok(()) }
    }

    /// Whether nothing is in it but the files that are locked, which whoever takes the folder makes first.
    fn is_vacant(&self) -> io::Result<bool> {
        let names = names_in(self.root.folder(Path::new(""))?.as_fd())?;
        Ok(names.iter().all(|name| name == lock::IN_USE || name == lock::INDEX))
    }

    /// What the index says, and whether it says what gp-deliver has written here. One of ours that is spoilt says nothing.
    ///
    /// # Errors
    /// It is somebody else's.
    pub(super) fn entries(&self) -> Result<(Entries, bool), String> {
        for _ in 0..LOOKS {
            let seals = self.seals();
            let index = self.index();
            let has_blobs = self.root.stat(Path::new(BLOBS_PARENT)).is_ok();
            if seals.is_none() && self.seals().is_some() {
                // Another delivery has taken the folder meanwhile, and what was seen is that one's.
                continue;
            }
            let bytes = match index {
                Ok(Some(bytes)) => bytes,
                Ok(None) if seals.is_none() && has_blobs => {
                    return Err(format!("{} holds blobs, and no index of a build cache", self.root.path().display()));
                }
                Err(why) if seals.is_none() => return Err(why),
                Ok(None) | Err(_) => return Ok((Entries::default(), true)),
            };
            if seals.as_ref().is_some_and(|seals| seals.contains(&seal(&bytes))) {
                return Ok((Entries::read(&bytes).unwrap_or_default(), true));
            }
            // Another delivery may have replaced the index between the two looks: then the seals are others too.
            if seals == self.seals() {
                return match Entries::read(&bytes) {
                    Ok(entries) => Ok((entries, false)),
                    Err(_) if seals.is_some() => Ok((Entries::default(), true)),
                    Err(why) => Err(format!("{}: {INDEX}: {why}", self.root.path().display())),
                };
            }
        }
        Ok((Entries::default(), true))
    }

    /// Enters a manifest and what it names under a name, where all of it is there.
    pub(super) fn enter(&self, blobs: &BlobFolder, name: &str, manifest: Digest) -> Result<(), String> {
        let _lock = lock::index(&self.root)?;
        let bytes = blobs.document(&manifest)?.ok_or_else(|| format!("{manifest} is not there"))?;
        for (digest, size) in entries::parts(&bytes)? {
            let found = self.root.stat(&blob_folder::place(&digest));
            if !found.is_ok_and(|found| u64::try_from(found.st_size) == Ok(size)) {
                return Err(format!("{digest} is not there as it was written"));
            }
        }
        let mut entries = self.begin()?;
        entries.put(name, manifest, bytes.len() as u64);
        self.write(&entries)
    }

    /// What the index says, to be written once more. In a folder of ours, what others have put into its place is not taken over.
    pub(super) fn begin(&self) -> Result<Entries, String> {
        match self.entries() {
            Ok((entries, is_own)) if is_own || self.seals().is_none() => Ok(entries),
            Err(why) if self.seals().is_none() => Err(why),
            _ => Ok(Entries::default()),
        }
    }

    /// Writes the index, and that it is ours where the folder is. Whoever calls holds the index.
    pub(super) fn write(&self, entries: &Entries) -> Result<(), String> {
        let bytes = entries.bytes()?;
        let new = seal(&bytes);
        let failed = |error: io::Error| format!("{INDEX}: {error}");
        if let Some(seals) = self.seals() {
            // With both, whoever looks meanwhile finds the one that belongs to what is there.
            let old = self.index().ok().flatten().map(|bytes| seal(&bytes)).filter(|old| seals.contains(old));
            let both: Vec<_> = old.into_iter().chain([new.clone()]).collect();
            self.mark(&both).map_err(failed)?;
            self.replace(INDEX, &bytes).map_err(failed)?;
            return self.mark(&[new]).map_err(failed);
        }
        self.replace(INDEX, &bytes).map_err(failed)
    }

    fn index(&self) -> Result<Option<Vec<u8>>, String> {
        let read = self.root.read(Path::new(INDEX), Links::Refused, MAX_DOCUMENT_BYTES);
        read.map_err(|error| format!("{}: {INDEX}: {error}", self.root.path().display()))
    }

    /// The seals of the mark; nothing where the folder has none.
    fn seals(&self) -> Option<Vec<String>> {
        match self.standing() {
            Ok(Ok(Standing::Own(seals))) => Some(seals),
            _ => None,
        }
    }

    fn standing(&self) -> io::Result<Result<Standing, Stranger>> {
        self.by_path(|path| ownership::look(path, Purpose::BuildCache))
    }

    fn mark(&self, seals: &[String]) -> io::Result<()> {
        self.by_path(|path| ownership::mark(path, Purpose::BuildCache, seals))?
    }

    /// Does something with a path that leads to the open folder, and to nothing that has taken its place.
    fn by_path<T>(&self, act: impl FnOnce(&Path) -> T) -> io::Result<T> {
        let folder = self.root.folder(Path::new(""))?;
        Ok(act(Path::new(&format!("/proc/self/fd/{}", folder.as_raw_fd()))))
    }

    /// Replaces a file by another one beside it: whoever looks sees the one or the other.
    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let folder = self.root.folder(Path::new(""))?;
        let beside = format!("{INCOMING}{}", random_id());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(&folder, beside.as_str(), flags, Mode::RUSR | Mode::WUSR)?);
        let written = file.write_all(bytes).and_then(|()| Ok(renameat(&folder, beside.as_str(), &folder, name)?));
        if written.is_err() {
            let _ = unlinkat(&folder, beside.as_str(), AtFlags::empty());
        }
        written
    }
}

/// The folder at a path, without a link in its last place; nothing where there is none.
fn opened(path: &Path) -> Result<Option<Root>, String> {
    let is_missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let name = Path::new(path.file_name().ok_or("is no name of a folder")?);
    let parent = match Root::open(absolute(path.parent().unwrap_or(Path::new("")))) {
        Err(error) if is_missing(&error) => return Ok(None),
        parent => parent.map_err(|error| format!("can't be opened: {error}"))?,
    };
    match parent.inside(name, Links::Refused) {
        Err(crate::beneath::Error::Io(error)) if is_missing(&error) => Ok(None),
        opened => opened.map(Some).map_err(|error| format!("can't be opened: {error}")),
    }
}

fn seal(index: &[u8]) -> String {
    Digest::of(index).hex()
}

impl Surroundings {
    /// Sees to it that a folder is nowhere where the delivery reads or writes otherwise.
    fn keep_out(&self, folder: &Path) -> Result<(), &'static str> {
        let Self { project, outputs } = self;
        if project.iter().any(|project| folder.starts_with(settled(project))) {
            return Err("is in the source, which is looked through and sent to the builder");
        }
        let overlaps = |output: &PathBuf| {
            let output = settled(output);
            folder.starts_with(&output) || output.starts_with(folder)
        };
        if outputs.iter().any(overlaps) { Err("is where the image or the report goes") } else { Ok(()) }
    }
}

/// Where a path leads, as far as something is there, and what would be made below.
fn settled(path: &Path) -> PathBuf {
    let there = path.ancestors().find_map(|above| Some((above, absolute(above).canonicalize().ok()?)));
    let Some((above, real)) = there else { return path.to_owned() };
    path.strip_prefix(above).map_or(real.clone(), |below| real.join(below))
}

/// The folder that a relative path without parts means.
fn absolute(path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_owned() }
}
