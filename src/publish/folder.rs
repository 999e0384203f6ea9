//! An image goes to a layout folder.
//!
//! A reader never sees half of it: a new folder is built beside its place and renamed into it; in one that is there, the
//! content comes first and the index is replaced in one step, with all the tags.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oci_spec::image::Descriptor;
use rustix::fs::{Access, access};
use tokio_util::sync::CancellationToken;

use super::{Destination, Error, Listener, PublishEvent, referrers};
use crate::oci::layout::{self, REF_NAME, digest_of};
use crate::oci::registry::Upload;
use crate::oci::{Digest, Image, Layout, Tag};
use crate::ownership::{self, Purpose, Standing, Stranger};
use crate::record::Publication;
use crate::tags::PlannedTag;

/// How long to wait for another delivery to the same folder.
const LOCK_PATIENCE: Duration = Duration::from_mins(5);
/// How often to look whether it has ended.
const LOCK_INTERVAL: Duration = Duration::from_millis(50);

/// What is at a path where an image may be written.
enum PathState {
    Nothing,
    EmptyFolder,
    /// A layout that gp-deliver made, and that says what gp-deliver wrote.
    OwnLayout,
}

/// The parts of a layout that its reader finds everything by.
const PARTS: [&str; 4] = ["oci-layout", INDEX, "blobs", "blobs/sha256"];
/// The file that says which images a layout offers.
const INDEX: &str = "index.json";

/// What goes into a folder, and how it is going.
struct LayoutUpdate {
    image: Image,
    /// Manifests that are about it, in its own layout or in the folder already.
    beside: Vec<Descriptor>,
    tags: Vec<PlannedTag>,
    cancel: CancellationToken,
    listener: Listener,
}

/// Whether an image can be written to `path`. `project` are the folders of the project that is delivered.
pub(super) fn look(path: &Path, project: &[PathBuf]) -> Result<(), Error> {
    if let Some(link) = ownership::link_on_the_way(path, project) {
        return Err(Error::Linked { path: path.to_owned(), link });
    }
    let folder = match find(path)? {
        PathState::OwnLayout | PathState::EmptyFolder => path,
        PathState::Nothing => path.ancestors().skip(1).find(|above| absolute(above).exists()).unwrap_or(path),
    };
    let folder = absolute(folder);
    if !folder.is_dir() {
        let source = io::Error::from(io::ErrorKind::NotADirectory);
        return Err(Error::Unwritable { path: folder, source });
    }
    access(&folder, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| Error::Unwritable { path: folder, source: error.into() })
}

/// The folder that a relative path without parts means.
fn absolute(path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_owned() }
}

fn find(path: &Path) -> Result<PathState, Error> {
    match ownership::look(path, Purpose::Output) {
        Ok(Standing::Absent) => Ok(PathState::Nothing),
        Ok(Standing::Empty) => Ok(PathState::EmptyFolder),
        Ok(Standing::Own(seals)) => own_layout(path, seals),
        // What a stranger's index offers was never judged, and a reader takes the first that fits.
        Err(Stranger::Foreign { path, .. }) if path.join("oci-layout").exists() => Err(Error::ForeignLayout { path }),
        Err(Stranger::Foreign { path, .. } | Stranger::NotAFolder { path }) => Err(Error::NotALayout { path }),
        Err(Stranger::Unreadable { path, source }) => Err(Error::Unwritable { path, source }),
    }
}

/// The layout in a folder of ours, if it still offers what gp-deliver wrote and nothing else.
fn own_layout(path: &Path, mut seals: Vec<String>) -> Result<PathState, Error> {
    if fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none()) {
        return Ok(PathState::EmptyFolder);
    }
    if !path.join("oci-layout").exists() {
        return Err(Error::NotALayout { path: path.to_owned() });
    }
    let layout = Layout::open(path)?;
    if PARTS.iter().any(|part| path.join(part).is_symlink()) {
        return Err(Error::Changed { path: path.to_owned() });
    }
    loop {
        let index = layout.index()?;
        // Taken and not yet written into, it offers nothing.
        if seals.contains(&seal(&layout)?) || seals.is_empty() && index.manifests().is_empty() {
            return Ok(PathState::OwnLayout);
        }
        // Another delivery may have replaced the index between the two looks: then the seals are others too.
        match ownership::look(path, Purpose::Output) {
            Ok(Standing::Own(now)) if now != seals => seals = now,
            _ => return Err(Error::Changed { path: path.to_owned() }),
        }
    }
}

/// The digest of the layout's index.
fn seal(layout: &Layout) -> Result<String, Error> {
    let path = layout.root().join(INDEX);
    let bytes = fs::read(&path).map_err(|source| layout::Error::Io { path, source })?;
    Ok(Digest::of(&bytes).hex())
}

/// The layout of ours that is at `path`.
pub(super) fn layout(path: &Path) -> Option<Layout> {
    matches!(find(path), Ok(PathState::OwnLayout)).then(|| Layout::open(path).ok()).flatten()
}

pub(super) async fn publish(
    path: &Path,
    image: &Image,
    beside: Vec<Descriptor>,
    tags: Vec<PlannedTag>,
    cancel: &CancellationToken,
    listener: &Listener,
) -> Result<Publication, Error> {
    // Dropped, this future ends the work on the other thread too.
    let stop = cancel.child_token();
    let _dropped = stop.clone().drop_guard();
    let delivery = LayoutUpdate { image: image.clone(), beside, tags, cancel: stop, listener: listener.clone() };
    let path = path.to_owned();
    let done = tokio::task::spawn_blocking(move || delivery.write(&path)).await;
    done.map_err(|error| Error::Broken(error.to_string()))?
}

impl LayoutUpdate {
    fn write(&self, path: &Path) -> Result<Publication, Error> {
        if !matches!(find(path)?, PathState::OwnLayout)
            && let Some(publication) = self.write_new(path)?
        {
            return Ok(publication);
        }
        // By now there is one, or the folder can't be replaced (a mount point): then it is made on the spot.
        let _lock = self.lock(path)?;
        // Looked at again: another may have been first, and not only another delivery.
        if !matches!(find(path)?, PathState::OwnLayout) {
            take(path, &[]);
        }
        let layout = Layout::create(path)?;
        let mut new = Vec::new();
        let written = self.fill(&layout, &mut new, path);
        if written.is_err() {
            // Nobody else has come to rely on them: whoever writes here holds the lock.
            for blob in new {
                let _ = fs::remove_file(blob);
            }
        }
        written
    }

    /// Builds a folder beside `path` and renames it there; nothing is returned where another was first.
    fn write_new(&self, path: &Path) -> Result<Option<Publication>, Error> {
        let parent = absolute(path.parent().unwrap_or(Path::new("/")));
        let refused = |source| Error::Unwritable { path: parent.clone(), source };
        fs::create_dir_all(&parent).map_err(refused)?;
        let beside = tempfile::Builder::new().prefix(".gp-deliver-").tempdir_in(&parent).map_err(refused)?;
        let publication = self.fill(&Layout::create(beside.path())?, &mut Vec::new(), path)?;
        // Temporary folders are private; this one is for others to read.
        fs::set_permissions(beside.path(), fs::Permissions::from_mode(0o755)).map_err(refused)?;
        match fs::rename(beside.path(), path) {
            Ok(()) => {
                let _gone = beside.keep();
                Ok(Some(publication))
            }
            Err(_) if path.is_dir() => Ok(None),
            Err(source) => Err(Error::Unwritable { path: path.to_owned(), source }),
        }
    }

    /// Holds the folder for itself as long as what is returned lives (flock(2), which ends with the process).
    fn lock(&self, path: &Path) -> Result<File, Error> {
        let failed = |source| Error::Unwritable { path: path.to_owned(), source };
        let folder = File::open(path).map_err(failed)?;
        let began = Instant::now();
        let mut told = false;
        loop {
            match folder.try_lock() {
                Ok(()) => return Ok(folder),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
                Err(TryLockError::WouldBlock) if began.elapsed() > LOCK_PATIENCE => {
                    return Err(Error::Locked { path: path.to_owned() });
                }
                Err(TryLockError::WouldBlock) => {}
            }
            self.check()?;
            if !told {
                (self.listener)(PublishEvent::Waiting);
                told = true;
            }
            std::thread::sleep(LOCK_INTERVAL);
        }
    }

    fn check(&self) -> Result<(), Error> {
        if self.cancel.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// Writes the blobs, then the index.
    fn fill(&self, layout: &Layout, new: &mut Vec<PathBuf>, path: &Path) -> Result<Publication, Error> {
        let mut publication = Publication {
            destination: Destination::Layout(path.to_owned()).to_string(),
            digest: self.image.digest,
            tags: self.tags.iter().map(|planned| planned.tag.clone()).collect(),
            bytes_sent: 0,
            blobs_present: 0,
            blobs_sent: 0,
        };
        let (total, mut done) = (self.image.size(), 0);
        for blob in self.image.descriptors() {
            self.check()?;
            let digest = digest_of(&blob)?;
            let upload = self.place(layout, &blob, new)?;
            if upload == Upload::Sent {
                publication.blobs_sent += 1;
                publication.bytes_sent += blob.size();
            } else {
                publication.blobs_present += 1;
            }
            done += blob.size();
            (self.listener)(PublishEvent::Blob { digest, size: blob.size(), upload });
            (self.listener)(PublishEvent::Moved { done, total });
        }
        for referrer in &self.beside {
            for blob in self.parts(layout, referrer)? {
                self.check()?;
                self.place(layout, &blob, new)?;
            }
        }
        self.check()?;
        self.name(layout)?;
        Ok(publication)
    }

    /// The blobs of a manifest that is about the image: in the image's layout where it is new, else in the folder.
    fn parts(&self, folder: &Layout, referrer: &Descriptor) -> Result<Vec<Descriptor>, Error> {
        let is_new = self.image.layout.blob(&digest_of(referrer)?).exists();
        let layout = if is_new { &self.image.layout } else { folder };
        let manifest = layout.read_manifest(referrer)?.manifest();
        let manifest = manifest.map_err(|fault| layout::Error::invalid(layout.root(), fault))?;
        Ok([referrer, manifest.config()].into_iter().chain(manifest.layers()).cloned().collect())
    }

    /// Puts a blob into the folder, checked by its digest: by a second name for the file where that is possible, else by a
    /// copy.
    fn place(&self, layout: &Layout, blob: &Descriptor, new: &mut Vec<PathBuf>) -> Result<Upload, Error> {
        let digest = digest_of(blob)?;
        let (from, to) = (self.image.layout.blob(&digest), layout.blob(&digest));
        // A link would be another's file, which may change when it has been looked at.
        if to.exists() && !to.is_symlink() && layout.verify(blob).is_ok() {
            return Ok(Upload::Present);
        }
        let same_disk = device(&from).is_some_and(|from| to.parent().and_then(device) == Some(from));
        if same_disk && !to.exists() {
            self.image.layout.verify(blob)?;
            if fs::hard_link(&from, &to).is_ok() {
                new.push(to);
                return Ok(Upload::Sent);
            }
        }
        let failed = |path: &Path, source| layout::Error::Io { path: path.to_owned(), source };
        let mut file = File::open(&from).map_err(|error| failed(&from, error))?;
        let mut writer = layout.writer()?;
        let mut buffer = vec![0; 1 << 20];
        loop {
            self.check()?;
            let count = file.read(&mut buffer).map_err(|error| failed(&from, error))?;
            if count == 0 {
                break;
            }
            writer.write_all(&buffer[..count]).map_err(|error| failed(&to, error))?;
        }
        writer.finish_as(digest)?;
        new.push(to);
        Ok(Upload::Sent)
    }

    /// Replaces the index by one in which the tags name the image; all else stays as it is.
    fn name(&self, layout: &Layout) -> Result<(), Error> {
        let mut index = layout.index()?;
        let mut entries = index.manifests().clone();
        let wanted: Vec<Option<&Tag>> = match self.tags.as_slice() {
            [] => vec![None],
            tags => tags.iter().map(|planned| Some(&planned.tag)).collect(),
        };
        let before: Vec<(&Tag, Option<Descriptor>)> = (wanted.iter().flatten())
            .map(|tag| (*tag, entries.iter().find(|entry| name_of(entry) == Some(tag.as_str())).cloned()))
            .collect();
        let is_replaced = |entry: &Descriptor| match name_of(entry) {
            Some(name) => wanted.iter().flatten().any(|tag| tag.as_str() == name),
            None => wanted.contains(&None) && entry.digest() == self.image.root.digest(),
        };
        entries.retain(|entry| !is_replaced(entry));
        entries.extend(wanted.iter().map(|tag| named(&self.image.root, *tag)));
        entries.extend(self.beside.iter().cloned());
        index.set_manifests(referrers::listed(layout, entries));
        // Both seals until the new index is there: whoever is killed between the two leaves a layout of ours.
        let seals = [seal(layout)?, layout::index_digest(&index)?.hex()];
        take(layout.root(), &seals);
        layout.set_index(&index)?;
        take(layout.root(), &seals[1..]);
        for (tag, before) in before {
            self.tell(tag, before.as_ref());
        }
        Ok(())
    }

    fn tell(&self, tag: &Tag, before: Option<&Descriptor>) {
        let moving = self.tags.iter().any(|planned| planned.tag == *tag && planned.moving);
        let tag = tag.clone();
        (self.listener)(match before.map(digest_of) {
            Some(Ok(digest)) if digest == self.image.digest => PublishEvent::Kept(tag),
            Some(Ok(before)) if !moving => PublishEvent::Replaced { tag, before },
            _ => PublishEvent::Tagged(tag),
        });
    }
}

/// Marks a folder as ours. Where the file system can't hold that, the next delivery will not know the folder.
fn take(path: &Path, seals: &[String]) {
    let marked = ownership::mark(path, Purpose::Output, seals);
    tracing::debug!(path = %path.display(), ?marked, "the layout's folder is marked");
}

fn device(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|metadata| metadata.dev())
}

fn name_of(entry: &Descriptor) -> Option<&str> {
    entry.annotations().as_ref()?.get(REF_NAME).map(String::as_str)
}

fn named(root: &Descriptor, tag: Option<&Tag>) -> Descriptor {
    let mut entry = root.clone();
    let mut annotations = entry.annotations().clone().unwrap_or_default();
    annotations.remove(REF_NAME);
    annotations.extend(tag.map(|tag| (REF_NAME.to_owned(), tag.to_string())));
    entry.set_annotations(Some(annotations).filter(|annotations| !annotations.is_empty()));
    entry
}
