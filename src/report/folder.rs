//! The report's folder: every file in it is whole or not there.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::Error;
use crate::ownership::{self, Purpose, Standing, Stranger};
use crate::sink::Redacted;

/// A folder that reports are written to.
pub(crate) struct Folder {
    path: PathBuf,
}

/// What a delivery writes into the folder: the report's own files and folders, and the image.
const WRITTEN: [&str; 10] =
    [".gitignore", PROBE, "image", super::METRICS, "outputs", "record.json", super::SIGNED, "sarif", "sbom", "summary.md"];
/// The files of a report, and its folders with how the names of their files end.
const FILES: [&str; 5] = [super::METRICS, "outputs", "record.json", super::SIGNED, "summary.md"];
const FOLDERS: [(&str, &str); 2] = [("sarif", ".sarif"), ("sbom", ".json")];
/// How the names of what it works with begin, which a killed delivery leaves behind.
const WORKED_WITH: [&str; 3] = [".image-", TEMPORARY, ".gp-deliver-"];
/// How the name of a file begins until it is whole.
const TEMPORARY: &str = ".report-";
/// A file that is written to see whether any can be.
const PROBE: &str = ".gp-deliver";

impl Folder {
    /// Opens the folder, creating it if it is missing. It has to be new, empty or gp-deliver's own, with nothing in it that
    /// is not: what it holds is neither scanned nor built in, and is replaced. A new one keeps itself out of git.
    /// `project` are the folders of the project that is delivered.
    ///
    /// # Errors
    /// It is a stranger's, it can't be made or written, or something else has its name: a link of the project too.
    pub(crate) fn open(path: &Path, project: &[PathBuf]) -> Result<Self, Error> {
        let failed = |source| Error::Folder { path: path.to_owned(), source };
        // The project that is delivered may have put a link there, and what it points to is not ours to write.
        if ownership::link_on_the_way(path, project).is_some() {
            return Err(failed(io::ErrorKind::NotADirectory.into()));
        }
        let folder = Self { path: path.to_owned() };
        match ownership::look(path, Purpose::Output) {
            Ok(Standing::Own(_)) => folder.refuse_others_files()?,
            Ok(Standing::Absent | Standing::Empty) => {
                fs::create_dir_all(path).map_err(failed)?;
                // Where it can't be marked, this delivery goes on: the next one will not know the folder.
                let marked = ownership::mark(path, Purpose::Output, &[]);
                tracing::debug!(path = %path.display(), ?marked, "the report's folder is taken");
                folder.write(".gitignore", &Redacted::text("*\n"))?;
            }
            Err(Stranger::Foreign { path, entry }) => return Err(Error::Foreign { path, entry }),
            Err(Stranger::NotAFolder { .. }) => return Err(failed(io::ErrorKind::NotADirectory.into())),
            Err(Stranger::Unreadable { source, .. }) => return Err(failed(source)),
        }
        folder.write(PROBE, &Redacted::text(""))?;
        folder.remove(PROBE)?;
        Ok(folder)
    }

    /// Opens a folder that this delivery has opened before, in another process.
    ///
    /// # Errors
    /// It is no folder any more.
    pub(crate) fn again(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Folder { path: path.to_owned(), source };
        let kind = fs::symlink_metadata(path).map_err(failed)?;
        if kind.is_dir() { Ok(Self { path: path.to_owned() }) } else { Err(failed(io::ErrorKind::NotADirectory.into())) }
    }

    /// The folder's path.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What came into our folder later is not ours: a file that someone keeps there, a project that moved in.
    fn refuse_others_files(&self) -> Result<(), Error> {
        let failed = |source| Error::Folder { path: self.path.clone(), source };
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let written = WRITTEN.contains(&&*name) || WORKED_WITH.iter().any(|prefix| name.starts_with(prefix));
            if !written && !matches!(ownership::look(&entry.path(), Purpose::Output), Ok(Standing::Own(_))) {
                return Err(Error::Foreign { path: self.path.clone(), entry: name });
            }
        }
        Ok(())
    }

    /// Removes the report of an earlier delivery, so that none of it passes for this one's, however this one ends. The image
    /// that a delivery to this folder left stays. Where git has nothing in the folder (`untracked`), all of it goes that is in
    /// a place of ours; otherwise what has a name of ours.
    ///
    /// # Errors
    /// Something can't be removed.
    pub(crate) fn clear(&self, untracked: bool) -> Result<(), Error> {
        FILES.into_iter().try_for_each(|name| self.remove(name))?;
        for (name, ending) in FOLDERS {
            let path = self.path.join(name);
            let failed = |source| Error::Folder { path: path.clone(), source };
            let is_folder = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
            if untracked && is_folder {
                fs::remove_dir_all(&path).map_err(failed)?;
            } else if is_folder {
                let files = fs::read_dir(&path).map_err(failed)?.filter_map(Result::ok).map(|entry| entry.path());
                let ours = files.filter(|file| file.to_string_lossy().ends_with(ending));
                ours.into_iter().try_for_each(fs::remove_file).map_err(failed)?;
            } else {
                self.remove(name)?;
            }
        }
        Ok(())
    }

    /// Opens a folder in this one. A link in its place is not followed: the project that is delivered may have put it there.
    ///
    /// # Errors
    /// As [`Folder::open`].
    pub(crate) fn inner(&self, name: &str) -> Result<Self, Error> {
        let path = self.path.join(name);
        match fs::create_dir(&path) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => Err(Error::Folder { path, source }),
            _ => Self::again(&path),
        }
    }

    /// Writes a file beside its place and moves it there.
    ///
    /// # Errors
    /// It can't be written; the file that was there before is then unchanged.
    pub(crate) fn write(&self, name: &str, content: &Redacted) -> Result<PathBuf, Error> {
        let path = self.path.join(name);
        let written = || {
            // For all to read: in a container we are root, and the steps that come after are not.
            let mut file = tempfile::Builder::new()
                .prefix(TEMPORARY)
                .permissions(fs::Permissions::from_mode(0o644))
                .tempfile_in(&self.path)?;
            file.write_all(content.bytes())?;
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
pub(crate) fn append(path: &Path, content: &Redacted) -> Result<(), Error> {
    let written = || OpenOptions::new().create(true).append(true).open(path)?.write_all(content.bytes());
    written().map_err(|source| Error::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_folder_keeps_itself_out_of_git() {
        let place = tempfile::tempdir().unwrap();
        Folder::open(&place.path().join("a/report"), &[]).unwrap();
        assert_eq!(fs::read_to_string(place.path().join("a/report/.gitignore")).unwrap(), "*\n");
    }

    #[test]
    fn a_folder_that_holds_something_else_is_refused_and_left_as_it_is() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("main.c"), "").unwrap();
        assert!(matches!(Folder::open(place.path(), &[]), Err(Error::Foreign { entry, .. }) if entry == "main.c"));
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }

    #[test]
    fn our_folder_is_opened_again_until_something_else_is_put_into_it() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("report");
        for _ in 0..2 {
            let folder = Folder::open(&path, &[]).unwrap();
            folder.write("record.json", &Redacted::text("{}")).unwrap();
        }
        // Another folder of ours, as the destination of the image is.
        Folder::open(&path.join("layout"), &[]).unwrap();
        Folder::open(&path, &[]).unwrap();
        for name in ["app.py", "image.py", ".git"] {
            fs::write(path.join(name), "").unwrap();
            assert!(matches!(Folder::open(&path, &[]), Err(Error::Foreign { entry, .. }) if entry == name));
            fs::remove_file(path.join(name)).unwrap();
        }
    }

    #[test]
    fn nothing_of_an_earlier_report_is_left_and_the_image_is() {
        let place = tempfile::tempdir().unwrap();
        for untracked in [true, false] {
            let folder = Folder::open(&place.path().join("report"), &[]).unwrap();
            let image = folder.inner("image").unwrap();
            image.write("index.json", &Redacted::text("{}")).unwrap();
            FILES.into_iter().for_each(|name| drop(folder.write(name, &Redacted::text("")).unwrap()));
            for (name, ending) in FOLDERS {
                let inner = folder.inner(name).unwrap();
                inner.write(&format!("planted{ending}"), &Redacted::text("")).unwrap();
                inner.write("other", &Redacted::text("")).unwrap();
            }
            folder.clear(untracked).unwrap();
            let left = walkdir::WalkDir::new(folder.path()).min_depth(1).sort_by_file_name().into_iter();
            let left = left.map(|entry| entry.unwrap().path().strip_prefix(folder.path()).unwrap().display().to_string());
            let expected = [".gitignore", "image", "image/index.json", "sarif", "sarif/other", "sbom", "sbom/other"];
            assert_eq!(left.collect::<Vec<_>>(), if untracked { &expected[..3] } else { &expected[..] });
        }
    }

    #[test]
    fn a_link_in_the_place_of_a_report_goes_and_what_it_leads_to_stays() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(&place.path().join("report"), &[]).unwrap();
        let elsewhere = place.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        fs::write(elsewhere.join("a.sarif"), "").unwrap();
        for name in ["sarif", "record.json"] {
            std::os::unix::fs::symlink(&elsewhere, folder.path().join(name)).unwrap();
        }
        folder.clear(true).unwrap();
        assert!(elsewhere.join("a.sarif").exists());
        assert!(["sarif", "record.json"].iter().all(|name| !folder.path().join(name).is_symlink()));
    }

    #[test]
    fn a_report_that_was_committed_is_not_ours() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("report");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("record.json"), "{}").unwrap();
        assert!(matches!(Folder::open(&path, &[]), Err(Error::Foreign { .. })));
    }

    #[test]
    fn a_link_that_the_project_planted_is_replaced_and_not_followed() {
        let place = tempfile::tempdir().unwrap();
        let outside = place.path().join("outside");
        fs::write(&outside, "untouched").unwrap();
        let folder = Folder::open(&place.path().join("report"), &[]).unwrap();
        std::os::unix::fs::symlink(&outside, place.path().join("report/summary.md")).unwrap();
        std::os::unix::fs::symlink(place.path(), place.path().join("report/sarif")).unwrap();
        folder.write("summary.md", &Redacted::text("ours")).unwrap();
        assert!(matches!(folder.inner("sarif"), Err(Error::Folder { .. })));
        assert_eq!(fs::read_to_string(&outside).unwrap(), "untouched");
    }

    #[test]
    fn a_written_file_can_be_read_by_other_users_and_leaves_nothing_beside_it() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(&place.path().join("report"), &[]).unwrap();
        let path = folder.write("record.json", &Redacted::text("{}")).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o044, 0o044);
        let mut names: Vec<_> =
            fs::read_dir(place.path().join("report")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [".gitignore", "record.json"]);
    }
}
