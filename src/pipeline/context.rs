//! What of the build context can go into the image, and whether it is as the commit has it.

use std::path::{Path, PathBuf};

use crate::buildkit::session::context::Directory;
use crate::buildkit::session::error::Error;
use crate::buildkit::session::filter::{Filter, Selection, Wanted, Within};
use crate::buildkit::session::{ignore_file, mode};
use crate::process::Launcher;
use crate::source::{Checkout, Comparison, Definition};

/// The files that a builder may ask for: the context without what `.dockerignore` leaves out, and the Dockerfile. Which of
/// them the Dockerfile copies is known to the builder alone.
struct Offered {
    context: PathBuf,
    directory: Directory,
    wanted: Wanted,
    filter: Filter,
    /// The Dockerfile, and the file that says what is left out.
    besides: Vec<PathBuf>,
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

/// The folder that a file is in.
pub(super) fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl Offered {
    fn of(definition: &Definition, left_out: &[&Path]) -> Result<Self, String> {
        let root = definition.context.folder().map_err(|error| error.to_string())?;
        let real = |path: &Path| path.canonicalize().map_err(|error| format!("{}: {error}", path.display()));
        let context = real(definition.context.path())?;
        // By the name that the commit has for it, wherever that leads.
        let named = |path: &Path| Ok::<_, String>(real(folder_of(path))?.join(path.file_name().unwrap_or_default()));
        let dockerfile = named(&definition.path)?;
        let ignore_file = definition.ignore().map(|(path, _)| named(path)).transpose()?;
        let exclude = definition.ignore().map(|(_, text)| ignore_file::patterns(text)).unwrap_or_default();
        let wanted = Wanted { exclude, ..Wanted::default() };
        // What is read is what a link leads to.
        let read_there = definition.path.canonicalize().ok().filter(|file| *file != dockerfile);
        let left_out = left_out.iter().filter_map(|path| path.canonicalize().ok()).collect();
        Ok(Self {
            directory: Directory::within(root, left_out),
            filter: Filter::new(&wanted, None).map_err(|error| error.to_string())?,
            wanted,
            besides: [dockerfile].into_iter().chain(read_there).chain(ignore_file).collect(),
            context,
        })
    }

    /// The absolute paths of all that is no folder.
    fn files(&self) -> Result<impl Iterator<Item = Result<PathBuf, String>> + '_, Error> {
        let files = self.directory.entries(&self.wanted)?.filter_map(|entry| match entry {
            Ok(entry) if mode::is_folder_entry(&entry) => None,
            Ok(entry) => Some(self.context.join(entry.path)).filter(|path| !self.besides.contains(path)).map(Ok),
            Err(error) => Some(Err(error.to_string())),
        });
        Ok(self.besides.iter().cloned().map(Ok).chain(files))
    }

    /// Whether a file that is not there would be one of them.
    fn has(&self, path: &Path) -> bool {
        if self.besides.iter().any(|besides| besides == path) {
            return true;
        }
        let Ok(inside) = path.strip_prefix(&self.context) else { return false };
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
        let definition = Definition::read(&context, &context.join("Dockerfile"), None, &[]).unwrap();
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
}
