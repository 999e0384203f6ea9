//! The report's folder: every file in it is whole or not there.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::Error;

/// A folder that reports are written to.
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Opens the folder, creating it if it is missing. A new one keeps itself out of git; one that was there before with
    /// something in it may be anything (the project itself), so it gets no `.gitignore`.
    ///
    /// # Errors
    /// It can't be made, or something else has its name: a link too, where the path is relative.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Folder { path: path.to_owned(), source };
        // The project that is delivered may have put a link there, and what it points to is not ours to write.
        if path.is_relative() && path.ancestors().any(Path::is_symlink) {
            return Err(failed(io::ErrorKind::NotADirectory.into()));
        }
        fs::create_dir_all(path).map_err(failed)?;
        let folder = Self { path: path.to_owned() };
        if fs::read_dir(path).map_err(failed)?.next().is_none() {
            folder.write(".gitignore", b"*\n")?;
        }
        Ok(folder)
    }

    /// Opens a folder in this one. A link in its place is not followed: the project that is delivered may have put it there.
    ///
    /// # Errors
    /// As [`Folder::open`].
    pub(crate) fn inner(&self, name: &str) -> Result<Self, Error> {
        let path = self.path.join(name);
        let failed = |source| Error::Folder { path: path.clone(), source };
        match fs::create_dir(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
            _ => {}
        }
        let kind = fs::symlink_metadata(&path).map_err(failed)?;
        if kind.is_dir() { Ok(Self { path }) } else { Err(failed(io::ErrorKind::NotADirectory.into())) }
    }

    /// Writes a file beside its place and moves it there.
    ///
    /// # Errors
    /// It can't be written; the file that was there before is then unchanged.
    pub(crate) fn write(&self, name: &str, content: &[u8]) -> Result<PathBuf, Error> {
        let path = self.path.join(name);
        let written = || {
            // For all to read: in a container we are root, and the steps that come after are not.
            let mut file = tempfile::Builder::new()
                .prefix(".report-")
                .permissions(fs::Permissions::from_mode(0o644))
                .tempfile_in(&self.path)?;
            file.write_all(content)?;
            file.persist(&path)?;
            Ok(())
        };
        written().map_err(|source| Error::File { path: path.clone(), source })?;
        Ok(path)
    }

    /// Removes a file that an earlier delivery left, if there is one.
    ///
    /// # Errors
    /// It is there and can't be removed.
    pub(crate) fn remove(&self, name: &str) -> Result<(), Error> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::File { path, source }),
            _ => Ok(()),
        }
    }
}

/// Adds to a file of the runner's.
///
/// # Errors
/// It can't be written.
pub(crate) fn append(path: &Path, content: &[u8]) -> Result<(), Error> {
    let written = || OpenOptions::new().create(true).append(true).open(path)?.write_all(content);
    written().map_err(|source| Error::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_folder_keeps_itself_out_of_git() {
        let place = tempfile::tempdir().unwrap();
        Folder::open(&place.path().join("a/report")).unwrap();
        assert_eq!(fs::read_to_string(place.path().join("a/report/.gitignore")).unwrap(), "*\n");
    }

    #[test]
    fn a_folder_that_holds_something_gets_no_gitignore() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("main.c"), "").unwrap();
        Folder::open(place.path()).unwrap();
        assert!(!place.path().join(".gitignore").exists());
    }

    #[test]
    fn a_link_that_the_project_planted_is_replaced_and_not_followed() {
        let place = tempfile::tempdir().unwrap();
        let outside = place.path().join("outside");
        fs::write(&outside, "untouched").unwrap();
        let folder = Folder::open(&place.path().join("report")).unwrap();
        std::os::unix::fs::symlink(&outside, place.path().join("report/summary.md")).unwrap();
        std::os::unix::fs::symlink(place.path(), place.path().join("report/sarif")).unwrap();
        folder.write("summary.md", b"ours").unwrap();
        assert!(matches!(folder.inner("sarif"), Err(Error::Folder { .. })));
        assert_eq!(fs::read_to_string(&outside).unwrap(), "untouched");
    }

    #[test]
    fn a_written_file_can_be_read_by_other_users_and_leaves_nothing_beside_it() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(&place.path().join("report")).unwrap();
        let path = folder.write("record.json", b"{}").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o044, 0o044);
        let mut names: Vec<_> =
            fs::read_dir(place.path().join("report")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [".gitignore", "record.json"]);
    }
}
