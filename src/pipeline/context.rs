//! What of the build context can go into the image, and whether it is as the commit has it.

use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Stat};

use crate::beneath::{self, Root};
use crate::buildkit::session::context::Directory;
use crate::buildkit::session::error::Error;
use crate::buildkit::session::filter::{Filter, Selection, Wanted, Within};
use crate::buildkit::session::{ignore_file, mode};
use crate::process::Launcher;
use crate::source::{Checkout, Comparison, Definition, Location};

/// The files that a builder may ask for: those of the contexts, and the Dockerfile. Which of them the Dockerfile copies is
/// known to the builder alone.
struct Offered {
    /// The build context, and the named ones.
    folders: Vec<Folder>,
    /// The Dockerfile, and the file that says what is left out.
    besides: Vec<PathBuf>,
}

/// A context without what its `.dockerignore` leaves out.
struct Folder {
    path: PathBuf,
    directory: Directory,
    wanted: Wanted,
    filter: Filter,
}

/// Compares what can go into the image with the commit of the checkout. `left_out` are folders of ours.
pub(crate) async fn compare(launcher: &Launcher, checkout: &Checkout, definition: &Definition, left_out: &[&Path]) -> Comparison {
    let offered = match Offered::of(definition, left_out) {
        Ok(offered) => offered,
        // The build ends with the same error, in its own words.
        Err(error) => {
            let failed = std::iter::once(Err(error));
            return checkout.compare(launcher, failed, &|_| false).await;
        }
    };
    match offered.files() {
        Ok(files) => checkout.compare(launcher, files, &|path| offered.has(path)).await,
        Err(error) => checkout.compare(launcher, std::iter::once(Err(error.to_string())), &|_| false).await,
    }
}

/// Those of `paths` in the checkout at `root` of which the builder is offered nothing: neither them nor, of a folder, anything
/// in it. Where it can't be told what is offered, there are none.
pub(crate) fn unseen(root: &Path, definition: &Definition, paths: Vec<PathBuf>) -> Vec<PathBuf> {
    let Ok(offered) = Offered::of(definition, &[]) else { return Vec::new() };
    paths.into_iter().filter(|path| !offered.has_of(&root.join(path))).collect()
}

/// Whether no link is on the way to a path, nor among what is in it if that is a folder: BuildKit follows those. Of more than so many
/// entries it is not known.
pub(super) fn has_no_link(root: &Root, path: &Path, most: usize) -> bool {
    let kind = |stat: &Stat| FileType::from_raw_mode(stat.st_mode);
    let looked = || -> io::Result<bool> {
        match kind(&root.stat(path)?) {
            FileType::Directory => {}
            other => return Ok(other != FileType::Symlink),
        }
        let folder = root.folder(path)?;
        let names = beneath::names_in(folder.as_fd())?;
        let is_none = |name: &OsString| {
            beneath::stat_in(folder.as_fd(), Path::new(name)).is_ok_and(|stat| kind(&stat) != FileType::Symlink)
        };
        Ok(names.len() <= most && names.iter().all(is_none))
    };
    looked().unwrap_or(false)
}

/// The folder that a file is in.
pub(super) fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn real(path: &Path) -> Result<PathBuf, String> {
    path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))
}

impl Offered {
    fn of(definition: &Definition, left_out: &[&Path]) -> Result<Self, String> {
        let left_out: Vec<_> = left_out.iter().filter_map(|path| path.canonicalize().ok()).collect();
        let context = Folder::of(&definition.context, definition.ignore(), &left_out)?;
        let others = definition.folders.iter().map(|folder| Folder::of(&folder.location, folder.ignore(), &left_out));
        let others = others.collect::<Result<Vec<_>, _>>()?;
        // By the name that the commit has for it, wherever that leads.
        let named = |path: &Path| Ok::<_, String>(real(folder_of(path))?.join(path.file_name().unwrap_or_default()));
        let dockerfile = named(&definition.path)?;
        let ignore_file = definition.ignore().map(|(path, _)| named(path)).transpose()?;
        // What is read is what a link leads to.
        let read_there = definition.path.canonicalize().ok().filter(|file| *file != dockerfile);
        Ok(Self {
            folders: std::iter::once(context).chain(others).collect(),
            besides: [dockerfile].into_iter().chain(read_there).chain(ignore_file).collect(),
        })
    }

    /// The absolute paths of all that is no folder.
    fn files(&self) -> Result<impl Iterator<Item = Result<PathBuf, String>> + '_, Error> {
        let listed = self.folders.iter().map(|folder| Ok((folder, folder.directory.entries(&folder.wanted)?)));
        let listed = listed.collect::<Result<Vec<_>, Error>>()?;
        let files = listed.into_iter().enumerate().flat_map(move |(place, (folder, entries))| {
            entries.filter_map(move |entry| match entry {
                Ok(entry) if mode::is_folder_entry(&entry) => None,
                Ok(entry) => Some(folder.path.join(entry.path)).filter(|path| !self.is_listed(path, place)).map(Ok),
                Err(error) => Some(Err(error.to_string())),
            })
        });
        Ok(self.besides.iter().cloned().map(Ok).chain(files))
    }

    /// Whether a file has had its turn when it is met in a folder: contexts may lie in each other.
    fn is_listed(&self, path: &Path, place: usize) -> bool {
        self.besides.iter().any(|besides| besides == path) || self.folders[..place].iter().any(|folder| folder.has(path))
    }

    /// Whether a file that is not there would be one of them.
    fn has(&self, path: &Path) -> bool {
        self.is_listed(path, self.folders.len())
    }

    /// Whether what is at a path, or may be in it, can be among them.
    fn has_of(&self, path: &Path) -> bool {
        let is_around = |inside: &Path| inside.starts_with(path);
        self.besides.iter().any(|besides| is_around(besides))
            || self.folders.iter().any(|folder| is_around(&folder.path) || folder.has_of(path))
    }
}

impl Folder {
    fn of(location: &Location, ignore: Option<(&Path, &[u8])>, left_out: &[PathBuf]) -> Result<Self, String> {
        let root = location.folder().map_err(|error| error.to_string())?;
        let path = real(location.path())?;
        let exclude = ignore.map(|(_, text)| ignore_file::patterns(text)).unwrap_or_default();
        let wanted = Wanted { exclude, ..Wanted::default() };
        let filter = Filter::new(&wanted, None).map_err(|error| error.to_string())?;
        Ok(Self { path, directory: Directory::within(root, Path::new(""), left_out.to_vec()), wanted, filter })
    }

    /// Whether what is at a path in it, or may be in that, can be one of them.
    fn has_of(&self, path: &Path) -> bool {
        let Ok(inside) = path.strip_prefix(&self.path) else { return false };
        let (mut here, mut within) = (PathBuf::new(), Within::default());
        for part in inside.components() {
            here.push(part);
            match self.filter.judge(&here.to_string_lossy(), true, &within) {
                Ok((Selection::Skip, _)) => return false,
                Ok((Selection::Enter | Selection::Send, inside)) => within = inside,
                Err(_) => return true,
            }
        }
        true
    }

    /// Whether a file that is not there would be one of them.
    fn has(&self, path: &Path) -> bool {
        let Ok(inside) = path.strip_prefix(&self.path) else { return false };
        let (mut here, mut within) = (PathBuf::new(), Within::default());
        let mut parts = inside.components().peekable();
        while let Some(part) = parts.next() {
            here.push(part);
            let is_folder = parts.peek().is_some();
            match self.filter.judge(&here.to_string_lossy(), is_folder, &within) {
                Ok((Selection::Skip, _)) | Err(_) => return false,
                Ok((selection, inside)) if is_folder || selection == Selection::Send => within = inside,
                Ok(_) => return false,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_the_ignore_file_leaves_out_is_not_offered() {
        let made = tempfile::tempdir().unwrap();
        let context = made.path().canonicalize().unwrap();
        for (path, text) in [
            ("Dockerfile", ""),
            (".dockerignore", "out\n*.log\n!keep.log\n"),
            ("a/b", ""),
            ("out/x", ""),
            ("c.log", ""),
            ("keep.log", ""),
        ] {
            fs::create_dir_all(context.join(path).parent().unwrap()).unwrap();
            fs::write(context.join(path), text).unwrap();
        }
        let definition = Definition::read(&context, &context.join("Dockerfile"), None, &[], std::iter::empty()).unwrap();
        let offered = Offered::of(&definition, &[]).unwrap();
        let mut files: Vec<_> =
            offered.files().unwrap().map(|path| path.unwrap().strip_prefix(&context).unwrap().to_owned()).collect();
        files.sort();
        files.dedup();
        assert_eq!(files, [".dockerignore", "Dockerfile", "a/b", "keep.log"].map(PathBuf::from));
        for (path, is_offered) in [("a/gone", true), ("out/gone", false), ("gone.log", false), ("keep.log", true)] {
            assert_eq!(offered.has(&context.join(path)), is_offered, "{path}");
        }
        assert!(!offered.has(Path::new("/elsewhere")));
    }

    #[test]
    fn of_what_the_ignore_file_leaves_out_whole_nothing_is_seen() {
        let made = tempfile::tempdir().unwrap();
        let root = made.path().canonicalize().unwrap();
        for (path, text) in [
            ("app/Dockerfile", ""),
            ("app/.dockerignore", "target\nnode_modules\n!node_modules/kept/**\n*.log\n"),
            ("app/target/b/Dockerfile", ""),
            ("lib/x", ""),
        ] {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), text).unwrap();
        }
        let app = root.join("app");
        let paths = ["app/target/", "app/node_modules", "app/a.log", "app/.env", "app/target/b/c", "lib/", "app/target/d"];
        let seen = |dockerfile: &str, named: &[(&str, &str)]| {
            let named = named.iter().map(|(name, folder)| ((*name).to_owned(), root.join(folder)));
            let definition = Definition::read(&app, &app.join(dockerfile), None, &[], named).unwrap();
            let unseen = unseen(&root, &definition, paths.map(PathBuf::from).to_vec());
            paths.map(|path| !unseen.contains(&PathBuf::from(path)))
        };
        assert_eq!(seen("Dockerfile", &[]), [false, true, false, true, false, false, false]);
        // What a named context has is seen, and what is around one or around the Dockerfile.
        let named = [("lib", "lib"), ("b", "app/target/b")];
        assert_eq!(seen("Dockerfile", &named), [true, true, false, true, true, true, false]);
        assert_eq!(seen("target/b/Dockerfile", &[]), [true, true, false, true, false, false, false]);
    }

    #[test]
    fn the_files_of_a_named_context_are_offered_once_by_its_own_ignore_file() {
        let made = tempfile::tempdir().unwrap();
        let root = made.path().canonicalize().unwrap();
        for (path, text) in [
            ("app/Dockerfile", ""),
            ("app/.dockerignore", "libs/x\n"),
            ("app/libs/x", ""),
            ("app/libs/y", ""),
            ("app/libs/z", ""),
            ("app/libs/.dockerignore", "z\n"),
            ("common/a", ""),
            ("common/b.log", ""),
            ("common/.dockerignore", "*.log\n"),
        ] {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), text).unwrap();
        }
        let app = root.join("app");
        let named = [("common", root.join("common")), ("libs", app.join("libs"))];
        let named = named.into_iter().map(|(name, folder)| (name.to_owned(), folder));
        let definition = Definition::read(&app, &app.join("Dockerfile"), None, &[], named).unwrap();
        let offered = Offered::of(&definition, &[]).unwrap();
        let mut files: Vec<_> =
            offered.files().unwrap().map(|path| path.unwrap().strip_prefix(&root).unwrap().to_owned()).collect();
        files.sort();
        let expected = [
            "app/.dockerignore",
            "app/Dockerfile",
            "app/libs/.dockerignore",
            "app/libs/x",
            "app/libs/y",
            "app/libs/z",
            "common/.dockerignore",
            "common/a",
        ];
        assert_eq!(files, expected.map(PathBuf::from));
        for (path, is_offered) in [("common/gone", true), ("common/gone.log", false), ("app/libs/x", true), ("other", false)] {
            assert_eq!(offered.has(&root.join(path)), is_offered, "{path}");
        }
    }
}
