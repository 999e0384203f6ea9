//! A folder, or a few given files, as an engine sees it: a list of entries in the engine's order, and their content.

use std::collections::VecDeque;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bollard_buildkit_proto::fsutil::types::Stat;
use bytes::Bytes;

use super::error::Error;
use super::filter::{Filter, Selection, Wanted, Within};
use super::walk::Walk;
use crate::beneath::{self, Root};

/// What is served under one name (`context`, `dockerfile`).
#[derive(Clone, Debug)]
pub(crate) struct Directory(Arc<Kind>);

#[derive(Debug)]
enum Kind {
    Folder { root: Root, place: String, left_out: Vec<PathBuf> },
    Files(Vec<(Stat, Bytes)>),
}

impl Directory {
    /// The folder at `path`, without what is at the host paths `left_out` (our own report, say), whoever asks for it.
    ///
    /// # Errors
    /// The folder can't be opened.
    #[cfg(test)]
    pub(crate) fn folder(path: impl Into<PathBuf>, left_out: Vec<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        let root = Root::open(&path).map_err(|source| Error::Folder { path, source })?;
        Ok(Self::within(root, Path::new(""), left_out))
    }

    /// As [`Directory::folder`], of one that is open. `place` is where it is in the folder that has all that are served.
    pub(crate) fn within(root: Root, place: &Path, left_out: Vec<PathBuf>) -> Self {
        Self(Arc::new(Kind::Folder { root, place: place.to_string_lossy().into_owned(), left_out }))
    }

    /// Files with the given names (no `/` in them) and content, dated now: an engine reuses content whose name, size and time
    /// are unchanged.
    pub(crate) fn files(files: impl IntoIterator<Item = (String, Bytes)>) -> Self {
        let age = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mod_time = i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
        let stat = |path, bytes: &Bytes| {
            let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
            Stat { path, mode: 0o644, size, mod_time, ..Stat::default() }
        };
        let mut files: Vec<_> = files.into_iter().map(|(name, bytes)| (stat(name, &bytes), bytes)).collect();
        files.sort_by(|(a, _), (b, _)| a.path.cmp(&b.path));
        Self(Arc::new(Kind::Files(files)))
    }

    /// The path of an entry from the folder that has all that are served; none of a file that was given.
    pub(super) fn placed(&self, path: &str) -> Option<String> {
        match &*self.0 {
            Kind::Folder { place, .. } if place.is_empty() => Some(path.to_owned()),
            Kind::Folder { place, .. } => Some(format!("{place}/{path}")),
            Kind::Files(_) => None,
        }
    }

    /// The wanted entries, in the engine's order: a folder before what is in it, siblings by the bytes of their names.
    ///
    /// # Errors
    /// A pattern is malformed, or a link can't be read.
    pub(crate) fn entries(&self, wanted: &Wanted) -> Result<Entries, Error> {
        Ok(match &*self.0 {
            Kind::Folder { root, left_out, .. } => {
                let filter = Filter::new(wanted, Some(root))?;
                Entries(Source::Walk(Walk::new(root, filter, left_out)?))
            }
            Kind::Files(files) => {
                let filter = Filter::new(wanted, None)?;
                let mut kept = VecDeque::new();
                for (stat, _) in files {
                    if filter.judge(&stat.path, false, &Within::default())?.0 == Selection::Send {
                        kept.push_back(stat.clone());
                    }
                }
                Entries(Source::Files(kept))
            }
        })
    }

    /// The content of the file that an entry named `path`.
    ///
    /// # Errors
    /// It can't be read, or is no longer a regular file.
    pub(crate) fn content(&self, path: &str) -> Result<Box<dyn Read + Send>, Error> {
        match &*self.0 {
            Kind::Folder { root, .. } => match root.file(Path::new(path)) {
                Ok(file) => Ok(Box::new(file)),
                Err(error) if beneath::is_absent(&error) => Err(Error::Changed { path: path.into() }),
                Err(source) => Err(Error::Read { path: path.into(), source }),
            },
            Kind::Files(files) => match files.iter().find(|(stat, _)| stat.path == path) {
                Some((_, bytes)) => Ok(Box::new(Cursor::new(bytes.clone()))),
                None => Err(Error::Changed { path: path.into() }),
            },
        }
    }
}

/// The entries of a [`Directory`], read as they are asked for.
pub(crate) struct Entries(Source);

enum Source {
    Walk(Walk),
    Files(VecDeque<Stat>),
}

impl Iterator for Entries {
    type Item = Result<Stat, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Source::Walk(walk) => walk.next(),
            Source::Files(files) => files.pop_front().map(Ok),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_that_became_a_link_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "").unwrap();
        let directory = Directory::folder(folder.path(), Vec::new()).unwrap();
        fs::remove_file(folder.path().join("a")).unwrap();
        symlink("/etc/passwd", folder.path().join("a")).unwrap();
        assert!(matches!(directory.content("a"), Err(Error::Changed { path }) if path == Path::new("a")));
    }

    #[test]
    fn given_files_are_listed_in_order_and_read_back() {
        let files = [("Dockerfile.dockerignore", "x"), ("Dockerfile", "FROM scratch")];
        let directory = Directory::files(files.map(|(name, text)| (name.to_owned(), Bytes::from(text))));
        let wanted = Wanted { follow: vec!["Dockerfile".to_owned()], ..Wanted::default() };
        let stats: Vec<Stat> = directory.entries(&wanted).unwrap().map(Result::unwrap).collect();
        assert_eq!((stats.len(), stats[0].path.as_str(), stats[0].size), (1, "Dockerfile", 12));
        assert!(stats[0].mod_time > 0);
        let mut text = String::new();
        directory.content("Dockerfile").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "FROM scratch");
    }
}
