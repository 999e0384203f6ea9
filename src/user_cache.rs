//! The user's cache folder, and the folders in it that nobody else may write to.
//!
//! What is kept there is the word of a file, as good as whoever may write it: the user, and what runs as the user. Who believes it
//! is for each reader to say.

use std::fs::{self, DirEntry, File, Metadata};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::beneath::Root;
use crate::ownership::{is_private, make_private};
use crate::variables;

/// The program that runs.
const SELF: &str = "/proc/self/exe";

/// gp-deliver's folder in the user's cache (XDG Base Directory Specification); `None` where there is no home.
#[must_use]
pub(crate) fn folder() -> Option<PathBuf> {
    let absolute = |name| variables::bytes(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute(variables::XDG_CACHE_HOME).or_else(|| absolute(variables::HOME).map(|home| home.join(".cache")))?;
    Some(cache.join("gp-deliver"))
}

/// What tells a program, and this one, from any other that stands or stood in the same place; `None` where one can't be looked at.
#[must_use]
pub(crate) fn identity_with(program: &Path) -> Option<String> {
    let told = |path: &Path, file: Metadata| {
        let [changed, modified] = [(file.ctime(), file.ctime_nsec()), (file.mtime(), file.mtime_nsec())];
        format!("{} {} {} {} {changed:?} {modified:?}", path.display(), file.dev(), file.ino(), file.size())
    };
    let of = |path: &Path| path.metadata().ok().map(|file| told(path, file));
    Some(format!("{}\n{}", of(program)?, of(Path::new(SELF))?))
}

/// A folder of files that are replaced as a whole. It may not be there yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PrivateFolder(PathBuf);

impl PrivateFolder {
    /// That of this name.
    #[must_use]
    pub(crate) fn of(cache: &Path, name: &str) -> Self {
        Self(cache.join(name))
    }

    /// Opens a file; `None` where there is none, where it is a link, or where others may write to the folder.
    #[must_use]
    pub(crate) fn open(&self, name: &str) -> Option<File> {
        let root = is_private(&self.0).then(|| Root::open(&self.0).ok()).flatten()?;
        root.file(Path::new(name)).ok()
    }

    /// Puts what `write` writes in the place of a file: all of it, or nothing.
    ///
    /// # Errors
    /// It can't be written, or others may write to the folder.
    pub(crate) fn put(&self, name: &str, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
        let Self(folder) = self;
        folder.parent().map_or(Ok(()), fs::create_dir_all)?;
        make_private(folder)?;
        if !is_private(folder) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let mut incoming = tempfile::Builder::new().prefix(".incoming-").tempfile_in(folder)?;
        write(incoming.as_file_mut())?;
        incoming.flush()?;
        incoming.persist(folder.join(name))?;
        Ok(())
    }

    /// Removes a file that is of no use.
    pub(crate) fn remove(&self, name: &str) {
        let _ = fs::remove_file(self.0.join(name));
    }

    /// Removes the files that were not written for so long.
    pub(crate) fn remove_unused_for(&self, time: Duration) {
        let is_old = |file: &DirEntry| {
            let modified = file.metadata().and_then(|file| file.modified());
            modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > time))
        };
        let listed = is_private(&self.0).then(|| fs::read_dir(&self.0).ok()).flatten();
        for file in listed.into_iter().flatten().flatten().filter(is_old) {
            let _ = fs::remove_file(file.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::time::SystemTime;

    use super::*;

    fn text(file: Option<File>) -> Option<String> {
        let mut text = String::new();
        file?.read_to_string(&mut text).unwrap();
        Some(text)
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_or_not_at_all() {
        let cache = tempfile::tempdir().unwrap();
        let folder = PrivateFolder::of(&cache.path().join("new"), "private");
        assert_eq!(text(folder.open("a")), None);
        folder.put("a", |file| file.write_all(b"1")).unwrap();
        folder.put("a", |file| file.write_all(b"2").and(Err(io::ErrorKind::StorageFull.into()))).unwrap_err();
        assert_eq!(text(folder.open("a")).as_deref(), Some("1"));
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
        fs::write(folder.0.join("b"), "").unwrap();
        let long_ago = SystemTime::now() - Duration::from_hours(2);
        File::options().write(true).open(folder.0.join("b")).unwrap().set_modified(long_ago).unwrap();
        folder.remove_unused_for(Duration::from_hours(1));
        assert!(folder.open("a").is_some() && folder.open("b").is_none());
        folder.remove("a");
        assert_eq!(text(folder.open("a")), None);
    }

    #[test]
    fn what_others_may_write_to_and_what_a_link_leads_to_is_neither_read_nor_written() {
        let cache = tempfile::tempdir().unwrap();
        let folder = PrivateFolder::of(cache.path(), "private");
        folder.put("a", |file| file.write_all(b"1")).unwrap();
        symlink("a", folder.0.join("link")).unwrap();
        assert!(folder.open("link").is_none());
        fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o722)).unwrap();
        assert!(folder.open("a").is_none() && folder.put("a", |_| Ok(())).is_err());
        fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o700)).unwrap();
        let linked = PrivateFolder::of(cache.path(), "linked");
        symlink(&folder.0, &linked.0).unwrap();
        assert!(linked.open("a").is_none() && linked.put("a", |_| Ok(())).is_err());
    }
}
