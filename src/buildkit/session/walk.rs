//! An ordered walk through a folder: depth first, siblings by the bytes of their names, as an engine demands it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use bollard_buildkit_proto::fsutil::types::Stat;

use super::error::Error;
use super::filter::{Filter, Selection, Within};
use super::mode;
use crate::beneath::{self, Root};

/// The entries of a folder that a filter lets through, read as they are asked for. It ends at the first error.
pub(crate) struct Walk {
    filter: Filter,
    /// Device and inode of what is never sent.
    left_out: HashSet<(u64, u64)>,
    /// The folders from the root down to where the walk is.
    open: Vec<Folder>,
    ready: VecDeque<Stat>,
    /// Where the first name of a file that has several was sent.
    first_names: HashMap<(u64, u64), String>,
}

struct Folder {
    descriptor: OwnedFd,
    names: std::vec::IntoIter<OsString>,
    path: PathBuf,
    within: Within,
    /// The folder's own entry, while nothing in it had to be sent.
    unsent: Option<rustix::fs::Stat>,
}

impl Walk {
    /// A walk through `root`, without what is at the host paths `left_out`.
    ///
    /// # Errors
    /// The folder can't be read.
    pub(crate) fn new(root: &Root, filter: Filter, left_out: &[PathBuf]) -> Result<Self, Error> {
        let read = || {
            let descriptor = root.folder(Path::new(""))?;
            let names = beneath::names_in(descriptor.as_fd())?.into_iter();
            Ok(Folder { descriptor, names, path: PathBuf::new(), within: Within::default(), unsent: None })
        };
        let top = read().map_err(|source| Error::Folder { path: root.path().to_owned(), source })?;
        // A path that does not exist (yet) need not be left out.
        let left_out = left_out.iter().filter_map(|path| rustix::fs::stat(path).ok());
        let left_out = left_out.map(|stat| (stat.st_dev, stat.st_ino)).collect();
        Ok(Self { filter, left_out, open: vec![top], ready: VecDeque::new(), first_names: HashMap::new() })
    }

    fn advance(&mut self) -> Result<Option<Stat>, Error> {
        loop {
            if let Some(stat) = self.ready.pop_front() {
                return Ok(Some(stat));
            }
            let Some(folder) = self.open.last_mut() else { return Ok(None) };
            match folder.names.next() {
                Some(name) => self.visit(Path::new(&name))?,
                None => drop(self.open.pop()),
            }
        }
    }

    fn visit(&mut self, name: &Path) -> Result<(), Error> {
        let Some(folder) = self.open.last() else { return Ok(()) };
        let path = folder.path.join(name);
        let stat = match beneath::stat_in(folder.descriptor.as_fd(), name) {
            Ok(stat) => Some(stat),
            // Gone since the folder was read.
            Err(error) if beneath::is_absent(&error) => return Ok(()),
            Err(source) => {
                let (selection, _) = self.filter.judge(&path.to_string_lossy(), false, &folder.within)?;
                return if selection == Selection::Send { Err(Error::Read { path, source }) } else { Ok(()) };
            }
        };
        let Some(stat) = stat.filter(|stat| !mode::is_socket(stat) && !self.left_out.contains(&(stat.st_dev, stat.st_ino)))
        else {
            return Ok(());
        };
        let is_folder = mode::is_folder(&stat);
        let (selection, within) = self.filter.judge(&path.to_string_lossy(), is_folder, &folder.within)?;
        if selection == Selection::Skip {
            return Ok(());
        }
        let inside = if is_folder { self.enter(name, &path, selection, within, stat)? } else { None };
        if selection == Selection::Send {
            self.send(name, &path, &stat)?;
        }
        self.open.extend(inside);
        Ok(())
    }

    /// Opens a folder; `None` if it is gone, or may not be read and need not be.
    fn enter(
        &self,
        name: &Path,
        path: &Path,
        selection: Selection,
        within: Within,
        stat: rustix::fs::Stat,
    ) -> Result<Option<Folder>, Error> {
        let Some(parent) = self.open.last() else { return Ok(None) };
        let read = || {
            let descriptor = beneath::folder_in(parent.descriptor.as_fd(), name)?;
            let names = beneath::names_in(descriptor.as_fd())?.into_iter();
            let unsent = (selection != Selection::Send).then_some(stat);
            Ok(Folder { descriptor, names, path: path.to_owned(), within, unsent })
        };
        match read() {
            Ok(folder) => Ok(Some(folder)),
            Err(error) if beneath::is_absent(&error) => Ok(None),
            Err(error) if selection == Selection::Enter && error.kind() == std::io::ErrorKind::PermissionDenied => Ok(None),
            Err(source) => Err(Error::Read { path: path.to_owned(), source }),
        }
    }

    /// Queues an entry, after those of the folders that it is in.
    fn send(&mut self, name: &Path, path: &Path, stat: &rustix::fs::Stat) -> Result<(), Error> {
        for folder in &mut self.open {
            if let Some(stat) = folder.unsent.take() {
                self.ready.push_back(mode::entry(utf8(&folder.path)?, &stat));
            }
        }
        let mut entry = mode::entry(utf8(path)?, stat);
        if mode::is_link(stat) {
            let Some(folder) = self.open.last() else { return Ok(()) };
            match beneath::link_in(folder.descriptor.as_fd(), name) {
                Ok(target) => entry.linkname = utf8(Path::new(&target)).map_err(|_| Error::Name { path: path.to_owned() })?,
                // No longer a link, or gone.
                Err(_) => return Ok(()),
            }
        } else if mode::is_file(stat) && stat.st_nlink > 1 {
            match self.first_names.get(&(stat.st_dev, stat.st_ino)) {
                Some(first) => (entry.linkname, entry.size) = (first.clone(), 0),
                None => drop(self.first_names.insert((stat.st_dev, stat.st_ino), entry.path.clone())),
            }
        }
        self.ready.push_back(entry);
        Ok(())
    }
}

impl Iterator for Walk {
    type Item = Result<Stat, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance().transpose();
        if let Some(Err(_)) = next {
            self.open.clear();
            self.ready.clear();
        }
        next
    }
}

/// The protocol's strings are UTF-8.
fn utf8(path: &Path) -> Result<String, Error> {
    path.to_str().map(str::to_owned).ok_or_else(|| Error::Name { path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::buildkit::session::context::Directory;
    use crate::buildkit::session::filter::Wanted;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        folder
    }

    fn stats(folder: &tempfile::TempDir, wanted: &Wanted) -> Vec<Stat> {
        let directory = Directory::folder(folder.path(), Vec::new()).unwrap();
        directory.entries(wanted).unwrap().collect::<Result<_, _>>().unwrap()
    }

    fn paths(folder: &tempfile::TempDir, include: &[&str], exclude: &[&str], follow: &[&str]) -> Vec<String> {
        let own = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        let wanted = Wanted { include: own(include), exclude: own(exclude), follow: own(follow) };
        stats(folder, &wanted).into_iter().map(|stat| stat.path).collect()
    }

    #[test]
    fn siblings_come_by_the_bytes_of_their_names_and_folders_before_what_is_in_them() {
        let folder = tree(&["foo/x", "foo-z", "foo.bar", "é", "Z"]);
        assert_eq!(paths(&folder, &[], &[], &[]), ["Z", "foo", "foo/x", "foo-z", "foo.bar", "é"]);
    }

    #[test]
    fn ignored_files_stay_and_an_exception_brings_its_folders() {
        let folder = tree(&["a/b/keep", "a/b/drop", "a/c/drop", "secret.env", "x"]);
        assert_eq!(paths(&folder, &[], &["a", "*.env", "!a/b/keep"], &[]), ["a", "a/b", "a/b/keep", "x"]);
        assert_eq!(paths(&folder, &[], &["a", "*.env", "!a/*/keep"], &[]), ["a", "a/b", "a/b/keep", "x"]);
    }

    #[test]
    fn only_what_is_asked_for_travels_with_its_folders() {
        let folder = tree(&["a/b/c", "a/d", "e"]);
        assert_eq!(paths(&folder, &[], &[], &["a/b"]), ["a", "a/b", "a/b/c"]);
        assert_eq!(paths(&folder, &["e"], &[], &["a/d"]), ["a", "a/d", "e"]);
        assert_eq!(paths(&folder, &[], &["**/c"], &["a/b"]), ["a", "a/b"]);
        assert_eq!(paths(&folder, &[], &[], &["absent"]), [""; 0]);
    }

    #[test]
    fn a_link_travels_as_a_link_with_what_it_leads_to() {
        let folder = tree(&["other/3", "rest"]);
        fs::create_dir(folder.path().join("src")).unwrap();
        symlink("../other", folder.path().join("src/lnk")).unwrap();
        let wanted = Wanted { follow: vec!["src/lnk/3".to_owned()], ..Wanted::default() };
        let stats = stats(&folder, &wanted);
        assert_eq!(stats.iter().map(|stat| stat.path.as_str()).collect::<Vec<_>>(), ["other", "other/3", "src", "src/lnk"]);
        assert_eq!((stats[3].linkname.as_str(), stats[3].mode >> 27), ("../other", 1));
    }

    #[test]
    fn the_second_name_of_a_file_is_a_link_to_the_first_that_is_sent() {
        let folder = tree(&["a"]);
        for name in ["b", "c"] {
            fs::hard_link(folder.path().join("a"), folder.path().join(name)).unwrap();
        }
        let wanted = Wanted { exclude: vec!["a".to_owned()], ..Wanted::default() };
        let stats = stats(&folder, &wanted);
        assert_eq!((stats[0].path.as_str(), stats[0].linkname.as_str(), stats[0].size), ("b", "", 1));
        assert_eq!((stats[1].path.as_str(), stats[1].linkname.as_str(), stats[1].size), ("c", "b", 0));
    }

    #[test]
    fn modes_are_go_modes_and_owners_are_nobody_in_particular() {
        let folder = tree(&["d/f"]);
        fs::set_permissions(folder.path().join("d/f"), fs::Permissions::from_mode(0o4755)).unwrap();
        fs::set_permissions(folder.path().join("d"), fs::Permissions::from_mode(0o1777)).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::new(1_234_567_890, 123_456_789);
        fs::File::open(folder.path().join("d/f")).unwrap().set_modified(time).unwrap();
        let stats = stats(&folder, &Wanted::default());
        assert_eq!(stats[0].mode, 1 << 31 | 1 << 20 | 0o777);
        assert_eq!(stats[1].mode, 1 << 23 | 0o755);
        assert_eq!((stats[0].size, stats[1].size, stats[1].mod_time), (0, 3, 1_234_567_890_123_456_789));
        assert!(stats.iter().all(|stat| stat.uid == 0 && stat.gid == 0));
    }

    #[test]
    fn sockets_and_our_own_report_are_left_out() {
        let folder = tree(&["report/record.json", "src/report/x"]);
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("sock")).unwrap();
        let left_out = vec![folder.path().join("report"), folder.path().join("absent")];
        let directory = Directory::folder(folder.path(), left_out).unwrap();
        let paths: Vec<String> = directory.entries(&Wanted::default()).unwrap().map(|stat| stat.unwrap().path).collect();
        assert_eq!(paths, ["src", "src/report", "src/report/x"]);
    }

    #[test]
    fn a_name_that_is_not_utf8_is_named_unless_it_is_ignored() {
        let folder = tree(&["a"]);
        let name = std::ffi::OsStr::from_bytes(b"bad-\xff");
        fs::write(folder.path().join(name), "").unwrap();
        let directory = Directory::folder(folder.path(), Vec::new()).unwrap();
        let error = directory.entries(&Wanted::default()).unwrap().find_map(Result::err).unwrap();
        assert!(matches!(error, Error::Name { path } if path == Path::new(name)));
        assert_eq!(paths(&folder, &[], &["bad-*"], &[]), ["a"]);
    }
}
