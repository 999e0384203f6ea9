//! Where what is built lies, and the folder that no link of the source leads it out of.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use super::Error;
use crate::beneath::{self, Links, Root};
use crate::git;

/// A file or a folder that is built.
///
/// The path is a person's, up to the checkout that it leads into: links outside of every checkout are their owner's own. From
/// there on it is the commit's: whoever wrote that would choose what is built from the files of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    /// As it was given.
    path: PathBuf,
    /// What it stays in.
    root: PathBuf,
    /// The way from there, over the source's own links.
    inside: PathBuf,
}

/// What is the source's where there is no repository.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grounds {
    /// The workspace of the run. What lies around it is the runner's own.
    workspace: Option<PathBuf>,
    /// The build context.
    context: Option<PathBuf>,
}

impl Grounds {
    /// Those of a build, by the paths as they were given.
    pub(crate) fn of(context: &Path, workspace: Option<&Path>) -> Self {
        let real = |path: &Path| path.canonicalize().ok();
        Self { workspace: workspace.and_then(real), context: real(context) }
    }

    /// What a folder, an absolute path without links, is a part of: the outermost checkout that it is in, else the workspace,
    /// else the build context.
    fn around(&self, folder: &Path) -> Option<PathBuf> {
        let is_the_runners = |above: &Path| {
            self.workspace
                .as_deref()
                .is_some_and(|workspace| folder.starts_with(workspace) && workspace != above && workspace.starts_with(above))
        };
        let outermost = git::checkouts_around(folder).filter(|above| !is_the_runners(above)).last();
        let grounds = [&self.workspace, &self.context].into_iter().flatten().find(|ground| folder.starts_with(ground));
        outermost.map(Path::to_owned).or_else(|| grounds.cloned())
    }
}

impl Location {
    /// The location of `path`.
    pub(crate) fn of(path: &Path, grounds: &Grounds) -> Self {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut walked = PathBuf::new();
        let mut parts = absolute.components();
        while let Some(part) = parts.next() {
            match part {
                // Nothing that was walked over is a link.
                Component::ParentDir => drop(walked.pop()),
                part => walked.push(part),
            }
            if !walked.is_symlink() {
                continue;
            }
            match walked.parent().and_then(|folder| grounds.around(folder)) {
                // The way on is the source's.
                Some(root) => return Self::inside(path, root, &walked.join(parts.as_path())),
                // One that leads nowhere is told by whoever opens it.
                None => walked = walked.canonicalize().unwrap_or(walked),
            }
        }
        let root = grounds.around(&walked).or_else(|| walked.parent().map(Path::to_owned));
        Self::inside(path, root.unwrap_or_default(), &walked)
    }

    fn inside(path: &Path, root: PathBuf, walked: &Path) -> Self {
        let inside = walked.strip_prefix(&root).unwrap_or(walked).to_owned();
        Self { path: path.to_owned(), root, inside }
    }

    /// The location of another file in the same folder.
    pub(crate) fn beside(&self, name: &OsStr) -> Self {
        let (path, inside) = (self.path.with_file_name(name), self.inside.with_file_name(name));
        Self { path, inside, root: self.root.clone() }
    }

    /// The path as it was given.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it as a folder.
    ///
    /// # Errors
    /// It is none, may not be read, or a link leads out.
    pub(crate) fn folder(&self) -> Result<Root, Error> {
        let opened = self.root().and_then(|root| root.inside(&self.inside, Links::Inside));
        opened.map_err(|error| self.refused(&self.path, error))
    }

    /// Reads it as a file of at most `limit` bytes; nothing where there is none.
    ///
    /// # Errors
    /// It is no regular file, is larger, may not be read, or a link leads out.
    pub(crate) fn read(&self, limit: u64) -> Result<Option<Vec<u8>>, Error> {
        let read = self.root().and_then(|root| root.read(&self.inside, Links::Inside, limit));
        read.map_err(|error| self.refused(&self.path, error))
    }

    /// Reads a file of this folder as whoever gets the folder's content alone does: links lead around in it, and not beyond.
    ///
    /// # Errors
    /// As of [`Location::read`].
    pub(crate) fn read_in(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, Error> {
        let path = self.path.join(name);
        self.folder()?.read(name.as_ref(), Links::Relative, limit).map_err(|error| match error {
            beneath::Error::LeadsOut { link, target } => {
                Error::LeadsOutOfContext { link: self.path.join(link), context: self.path.clone(), target }
            }
            error => self.refused(&path, error),
        })
    }

    /// Opens what it stays in, which had no link in its path when that was looked at, and has none now.
    fn root(&self) -> Result<Root, beneath::Error> {
        let path = self.root.strip_prefix("/").unwrap_or(&self.root);
        Root::open("/")?.inside(path, Links::Refused)
    }

    fn refused(&self, path: &Path, error: beneath::Error) -> Error {
        match error {
            beneath::Error::LeadsOut { link, target } => {
                Error::LeadsOut { link: self.root.join(link), root: self.root.clone(), target }
            }
            other => Error::Unusable { path: path.to_owned(), reason: other.to_string() },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder, without links in its path.
    fn place(folders: &[&str]) -> (tempfile::TempDir, PathBuf) {
        let made = tempfile::tempdir().unwrap();
        let place = made.path().canonicalize().unwrap();
        folders.iter().for_each(|folder| fs::create_dir_all(place.join(folder)).unwrap());
        (made, place)
    }

    fn root_of(path: &Path, grounds: &Grounds) -> (PathBuf, PathBuf) {
        let Location { root, inside, .. } = Location::of(path, grounds);
        (root, inside)
    }

    #[test]
    fn what_is_in_a_checkout_stays_in_the_outermost() {
        let (_made, place) = place(&["main/.git", "main/lib/.git", "main/lib/src", "beside"]);
        symlink("../beside", place.join("main/out")).unwrap();
        symlink("main/lib", place.join("own")).unwrap();
        let none = Grounds::default();
        for (path, inside) in [
            ("main", ""),
            ("main/lib/src", "lib/src"),
            ("main/lib/../lib/src", "lib/src"),
            ("own/src", "lib/src"),
            ("own/../out/x", "out/x"),
            ("main/out/../y", "out/../y"),
            ("beside/../main/absent", "absent"),
        ] {
            assert_eq!(root_of(&place.join(path), &none), (place.join("main"), inside.into()), "{path}");
        }
        // A person's own path may lead out again.
        assert_eq!(root_of(&place.join("main/lib/../../beside"), &none), (place.clone(), "beside".into()));
    }

    #[test]
    fn what_is_around_the_workspace_is_not_the_sources() {
        let (_made, place) = place(&[".git", "work/app/.git", "work/other"]);
        symlink("../other", place.join("work/app/link")).unwrap();
        symlink("/proc/self", place.join("work/link")).unwrap();
        let grounds = Grounds::of(&place, Some(&place.join("work")));
        for (path, root, inside) in [
            ("work/app/link", "work/app", "link"),
            ("work/link", "work", "link"),
            ("work/other", "work", "other"),
            ("work", "work", ""),
        ] {
            assert_eq!(root_of(&place.join(path), &grounds), (place.join(root), inside.into()), "{path}");
        }
        assert_eq!(root_of(&place.join("work/other"), &Grounds::default()), (place.clone(), "work/other".into()));
    }

    #[test]
    fn outside_of_every_checkout_what_is_in_the_context_stays_there() {
        let (_made, place) = place(&["data/app/docker", "home"]);
        symlink("../data/app", place.join("home/app")).unwrap();
        fs::write(place.join("home/Dockerfile"), "1").unwrap();
        symlink("../../home/Dockerfile", place.join("data/app/Dockerfile")).unwrap();
        symlink("../Dockerfile.x", place.join("data/app/docker/Dockerfile")).unwrap();
        fs::write(place.join("data/app/Dockerfile.x"), "2").unwrap();
        let context = place.join("home/app");
        let grounds = Grounds::of(&context, None);
        let at = |path: &Path| Location::of(path, &grounds);
        assert!(at(&context).folder().is_ok());
        assert!(matches!(at(&context.join("Dockerfile")).read(9), Err(Error::LeadsOut { .. })));
        assert_eq!(at(&context.join("docker/Dockerfile")).read(9).unwrap().unwrap(), b"2");
        assert_eq!(at(&place.join("home/Dockerfile")).read(9).unwrap().unwrap(), b"1");
        assert_eq!(at(&context.join("absent")).read(9).unwrap(), None);
    }

    #[test]
    fn what_is_opened_is_what_is_there_when_it_is_opened() {
        let (_made, place) = place(&["main/.git", "main/app", "beside"]);
        let location = Location::of(&place.join("main/app"), &Grounds::default());
        assert!(location.folder().is_ok());
        fs::remove_dir(place.join("main/app")).unwrap();
        symlink("../beside", place.join("main/app")).unwrap();
        assert!(matches!(location.folder(), Err(Error::LeadsOut { link, .. }) if link == place.join("main/app")));
        // Nor is the checkout another one.
        fs::rename(place.join("main"), place.join("before")).unwrap();
        symlink("before", place.join("main")).unwrap();
        assert!(matches!(location.folder(), Err(Error::Unusable { .. })));
    }
}
