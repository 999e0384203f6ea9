//! Whether what goes into the image is as the commit has it.
//!
//! git tells by its index, which vouches for the files that it wrote and that nobody touched since; it reads the others. It
//! runs no filter for that: a file that one has smudged looks changed then. Of Git LFS the commit holds the hash, so those are
//! compared with it; for other filters it is not known, which is said and no more.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::pointer::{self, Pointer};
use crate::beneath::Root;
use crate::git::{Entry, Error, Place, Repository, Status};
use crate::process::Launcher;

/// What a comparison came to. Paths are relative to the repository's top where they are inside, else absolute.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// What the commit does not have, or not like that.
    pub(crate) changed: Paths,
    /// What passes through a filter that is not run, and may be as in the commit or not.
    pub(crate) unknown: Paths,
    /// Why nothing is known; then all may have changed.
    pub(crate) failed: Option<Failed>,
}

/// Why nothing could be compared.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// There is no commit.
    NoCommit,
    /// git or the file system refused, with these words.
    Words(String),
}

/// Some paths, a few of them by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Paths {
    /// How many there are.
    pub(crate) count: usize,
    /// The first few.
    pub(crate) first: Vec<PathBuf>,
}

/// How many paths are named.
const NAMED: usize = 3;

impl Paths {
    fn add(&mut self, path: impl Into<PathBuf>) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(path.into());
        }
    }
}

impl Comparison {
    /// Whether the image may not be taken for the commit's.
    pub(crate) fn is_dirty(&self) -> bool {
        self.changed.count > 0 || self.failed.is_some()
    }

    pub(super) fn without_commit() -> Self {
        Self { failed: Some(Failed::NoCommit), ..Self::default() }
    }

    pub(super) async fn of(
        launcher: &Launcher,
        repository: &Repository,
        commit: &str,
        sent: impl Iterator<Item = Result<PathBuf, String>> + Send,
        goes: &(dyn Fn(&Path) -> bool + Sync),
    ) -> Self {
        let mut found = Self::default();
        // What a remark comes of never ends a delivery.
        if let Err(words) = found.compare(launcher, repository, commit, sent, goes).await {
            found.failed = Some(Failed::Words(words));
        }
        found
    }

    async fn compare(
        &mut self,
        launcher: &Launcher,
        repository: &Repository,
        commit: &str,
        sent: impl Iterator<Item = Result<PathBuf, String>> + Send,
        goes: &(dyn Fn(&Path) -> bool + Sync),
    ) -> Result<(), String> {
        let mut tree = Tree::read(launcher, repository, commit).await.map_err(words)?;
        for path in sent {
            let path = path?;
            match path.strip_prefix(repository.top()) {
                Ok(inside) => tree.see(inside, self),
                Err(_) => self.changed.add(path),
            }
        }
        let (suspects, mut inside) = tree.finish(goes, self);
        self.look_into(launcher, repository, Path::new(""), suspects).await.map_err(words)?;
        // Submodules in submodules are taken in turn.
        while let Some((path, submodule)) = inside.pop_first() {
            inside.extend(self.submodule(launcher, repository.top(), path, submodule, goes).await?);
        }
        Ok(())
    }

    /// Compares what is sent of a submodule with the commit that the one around it has for it.
    async fn submodule(
        &mut self,
        launcher: &Launcher,
        root: &Path,
        path: PathBuf,
        submodule: Submodule,
        goes: &(dyn Fn(&Path) -> bool + Sync),
    ) -> Result<BTreeMap<PathBuf, Submodule>, String> {
        let Submodule { commit, files } = submodule;
        let repository = match Place::at(&root.join(&path)) {
            Some(place) => Repository::open(launcher, place).await.ok(),
            None => None,
        };
        let head = match &repository {
            Some(repository) => repository.head(launcher).await.ok().flatten(),
            None => None,
        };
        let Some(repository) = repository.filter(|_| head.as_ref() == Some(&commit)) else {
            // Its files are another commit's, or nothing says which.
            self.changed.add(path);
            return Ok(BTreeMap::new());
        };
        let mut tree = Tree { prefix: path.clone(), ..Tree::read(launcher, &repository, &commit).await.map_err(words)? };
        files.iter().for_each(|file| tree.see(file, self));
        let (suspects, inside) = tree.finish(goes, self);
        self.look_into(launcher, &repository, &path, suspects).await.map_err(words)?;
        Ok(inside)
    }

    /// Looks into files that git takes for changed.
    async fn look_into(
        &mut self,
        launcher: &Launcher,
        repository: &Repository,
        prefix: &Path,
        suspects: Vec<(OsString, Entry)>,
    ) -> Result<(), Error> {
        if suspects.is_empty() {
            return Ok(());
        }
        let ids = suspects.iter().map(|(_, entry)| &*entry.id);
        let contents = repository.small_contents(launcher, ids, pointer::MAX_BYTES).await?;
        let mut rest = Vec::new();
        let root = Root::open(repository.top());
        for (path, entry) in suspects {
            let file = root.as_ref().ok().and_then(|root| root.file(path.as_ref()).ok());
            let Some(file) = file.filter(|file| is_like(file, entry.mode)) else {
                self.changed.add(prefix.join(path));
                continue;
            };
            match contents.get(&entry.id).and_then(|content| Pointer::parse(content)) {
                Some(pointer) if pointer.leads_to(file).unwrap_or(false) => {}
                pointer => rest.push((path, entry.id, pointer.is_some())),
            }
        }
        if rest.is_empty() {
            return Ok(());
        }
        let paths: Vec<_> = rest.iter().map(|(path, ..)| path.clone()).collect();
        let (ids, filtered) = tokio::try_join!(repository.ids(launcher, &paths), repository.filtered(launcher, &paths))?;
        for ((path, committed, is_pointer), id) in rest.into_iter().zip(ids) {
            let is_filtered = filtered.contains(&path) && !is_pointer;
            let path = prefix.join(path);
            match (id == committed, is_filtered) {
                // A pointer that was not followed is as in the commit too.
                (true, _) => {}
                (false, true) => self.unknown.add(path),
                (false, false) => self.changed.add(path),
            }
        }
        Ok(())
    }
}

/// A commit's files, and what is found of them.
struct Tree {
    top: PathBuf,
    /// Where it is from the root; empty for the root's own.
    prefix: PathBuf,
    files: HashMap<OsString, Entry>,
    status: HashMap<OsString, Status>,
    suspects: Vec<(OsString, Entry)>,
    /// By their paths from the root.
    submodules: BTreeMap<PathBuf, Submodule>,
}

/// What is sent of a submodule.
struct Submodule {
    commit: String,
    /// Relative to its top.
    files: Vec<PathBuf>,
}

impl Tree {
    async fn read(launcher: &Launcher, repository: &Repository, commit: &str) -> Result<Self, Error> {
        let (files, status) = tokio::try_join!(repository.files(launcher, commit), repository.status(launcher))?;
        let top = repository.top().to_owned();
        Ok(Self { top, prefix: PathBuf::new(), files, status, suspects: Vec::new(), submodules: BTreeMap::new() })
    }

    /// Takes a file that is sent, by its path from the top.
    fn see(&mut self, path: &Path, found: &mut Comparison) {
        // The repository itself, which no commit has.
        if path.starts_with(".git") {
            return;
        }
        let Some(entry) = self.files.get(path.as_os_str()) else {
            return match self.submodule_of(path) {
                Some((top, commit)) => self.see_in_submodule(&top, commit, path),
                None => found.changed.add(self.prefix.join(path)),
            };
        };
        if self.status.remove(path.as_os_str()).is_some() {
            self.suspects.push((path.as_os_str().to_owned(), entry.clone()));
        }
    }

    fn submodule_of(&self, path: &Path) -> Option<(PathBuf, String)> {
        let around = path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
        let mut entries = around.filter_map(|folder| Some((folder, self.files.get(folder.as_os_str())?)));
        let (folder, entry) = entries.find(|(_, entry)| entry.is_submodule())?;
        Some((folder.to_owned(), entry.id.clone()))
    }

    fn see_in_submodule(&mut self, top: &Path, commit: String, path: &Path) {
        let Ok(inside) = path.strip_prefix(top) else { return };
        // It leads to the submodule's repository.
        if inside.as_os_str() == OsStr::new(".git") {
            return;
        }
        let submodule = self.submodules.entry(self.prefix.join(top)).or_insert_with(|| Submodule { commit, files: Vec::new() });
        submodule.files.push(inside.to_owned());
    }

    /// What is left to look into, when all that is sent was seen: a file that is gone would have been sent.
    fn finish(
        self,
        goes: &(dyn Fn(&Path) -> bool + Sync),
        found: &mut Comparison,
    ) -> (Vec<(OsString, Entry)>, BTreeMap<PathBuf, Submodule>) {
        let Self { top, prefix, files, status, suspects, submodules } = self;
        let mut gone: Vec<_> =
            status.into_iter().filter(|(_, status)| *status == Status::Deleted).map(|(path, _)| path).collect();
        gone.sort();
        for path in gone.into_iter().filter(|path| files.contains_key(path) && goes(&top.join(path))) {
            found.changed.add(prefix.join(path));
        }
        (suspects, submodules)
    }
}

/// Whether a regular file has the mode that the commit has for one.
fn is_like(file: &File, mode: u32) -> bool {
    let is_like = |metadata: Metadata| mode & 0o170_000 == 0o100_000 && metadata.permissions().mode() & 0o100 == mode & 0o100;
    file.metadata().is_ok_and(is_like)
}

fn words(error: Error) -> String {
    match error {
        Error::Refused { last, .. } if !last.is_empty() => last.join("; "),
        other => other.to_string(),
    }
}
