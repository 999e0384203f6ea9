//! Whose a folder is that a delivery writes to, and keeps out of the scan and the image: a folder of that name may be the
//! project's.
//!
//! A folder is gp-deliver's own if gp-deliver found it absent or empty and took it. It says so by a mark, an extended
//! attribute (xattr(7)) that names the folder itself, by its inode and the time of its birth. Nothing that comes with a
//! project can have it: git carries no attributes, nor do most archives, and where one does, what is unpacked is another
//! folder. A mark can hold seals besides: digests of the one file in the folder that decides what its reader sees.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatxFlags, XattrFlags, getxattr, setxattr, statx};
use rustix::process::geteuid;

/// The form of the mark.
const VERSION: &str = "1";
/// The most that is read of a mark, in bytes.
const MAX_MARK: usize = 1024;

/// What gp-deliver has taken a folder for. One that it took for something else is a stranger's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Images and reports.
    Output,
    /// A build cache.
    BuildCache,
    /// Layers that were read before.
    Layers,
}

impl Purpose {
    /// The attribute that holds the mark.
    fn attribute(self) -> &'static str {
        match self {
            Self::Output => "user.gp-deliver.folder",
            Self::BuildCache => "user.gp-deliver.build-cache",
            Self::Layers => "user.gp-deliver.layers",
        }
    }
}

/// Whose a folder is that may be written to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing is there.
    Absent,
    /// A folder with nothing in it.
    Empty,
    /// A folder that gp-deliver took, with its seals.
    Own(Vec<String>),
}

/// A folder that is not gp-deliver's to write to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stranger {
    /// It holds something, and nothing says that gp-deliver made it.
    #[error("{} holds {entry:?}, and is not gp-deliver's own", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// The name of something in it.
        entry: String,
    },
    /// Something that is no folder has its name.
    #[error("{} is not a folder", path.display())]
    NotAFolder {
        /// Its path.
        path: PathBuf,
    },
    /// It can't be looked at.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// Says whose the folder at `path` is. A link there is followed: [`link_on_the_way`] says which may not be.
///
/// # Errors
/// It is someone else's, or can't be looked at.
pub(crate) fn look(path: &Path, purpose: Purpose) -> Result<Standing, Stranger> {
    let unreadable = |source| Stranger::Unreadable { path: path.to_owned(), source };
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Standing::Absent),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(Stranger::NotAFolder { path: path.to_owned() });
        }
        Err(error) => return Err(unreadable(error)),
    };
    if let Some(seals) = mark_of(path, purpose) {
        return Ok(Standing::Own(seals));
    }
    let names: Result<Vec<_>, _> = entries.map(|entry| entry.map(|entry| entry.file_name())).collect();
    // The first by its name, so that the same folder is always refused in the same words.
    match names.map_err(unreadable)?.into_iter().min() {
        None => Ok(Standing::Empty),
        Some(entry) => Err(Stranger::Foreign { path: path.to_owned(), entry: entry.to_string_lossy().into_owned() }),
    }
}

/// Marks a folder as gp-deliver's own, under these seals. It has to be new, empty or marked already.
///
/// # Errors
/// The file system keeps no such attributes: the folder will be a stranger's for the next delivery.
pub(crate) fn mark(path: &Path, purpose: Purpose, seals: &[String]) -> io::Result<()> {
    let words = [VERSION.to_owned(), identity(path, purpose)?].into_iter().chain(seals.iter().cloned()).collect::<Vec<_>>();
    setxattr(path, purpose.attribute(), words.join(" ").as_bytes(), XattrFlags::empty())?;
    Ok(())
}

/// The seals of a folder that has a mark of its own.
fn mark_of(path: &Path, purpose: Purpose) -> Option<Vec<String>> {
    let mut bytes = vec![0; MAX_MARK];
    let length = getxattr(path, purpose.attribute(), &mut bytes[..]).ok()?;
    let text = std::str::from_utf8(bytes.get(..length)?).ok()?;
    let mut words = text.split(' ');
    let known = words.next() == Some(VERSION) && words.next() == Some(identity(path, purpose).ok()?.as_str());
    known.then(|| words.map(str::to_owned).collect())
}

/// What no other folder has, also none that takes this one's place: an inode is used again, a time of birth is not.
fn identity(path: &Path, purpose: Purpose) -> io::Result<String> {
    let stat = statx(CWD, path, AtFlags::empty(), StatxFlags::INO | StatxFlags::BTIME)?;
    // What a cache says is believed, so that a file system without such times keeps none that counts as ours.
    if purpose == Purpose::BuildCache && !StatxFlags::from_bits_retain(stat.stx_mask).contains(StatxFlags::BTIME) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    Ok(format!("{}:{}.{:09}", stat.stx_ino, stat.stx_btime.tv_sec, stat.stx_btime.tv_nsec))
}

/// Makes a folder that nobody else may write to, unless there is one; [`is_private`] says whether that is such a one.
///
/// # Errors
/// It can't be made.
pub(crate) fn make_private(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Whether a path is a folder, and no link to one, that nobody else may write to.
pub(crate) fn is_private(folder: &Path) -> bool {
    folder.symlink_metadata().is_ok_and(|found| found.is_dir() && is_only_ours(&found))
}

/// Whether nobody else may write to what was looked at.
pub(crate) fn is_only_ours(found: &fs::Metadata) -> bool {
    found.uid() == geteuid().as_raw() && found.mode() & 0o022 == 0
}

/// The link on the way to `path` that may be the project's: any where the path is relative, and any that lies in one of the
/// folders of the project. Where it leads is not what was asked for.
#[must_use]
pub(crate) fn link_on_the_way(path: &Path, project: &[PathBuf]) -> Option<PathBuf> {
    let project: Vec<PathBuf> = project.iter().filter_map(|folder| folder.canonicalize().ok()).collect();
    let in_project = |link: &Path| {
        let place = link.parent().and_then(|place| place.canonicalize().ok());
        place.is_none_or(|place| project.iter().any(|folder| place.starts_with(folder)))
    };
    let ways: Vec<&Path> = path.ancestors().collect();
    let link = ways.into_iter().rev().find(|way| way.is_symlink() && (path.is_relative() || in_project(way)));
    link.map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_folder_is_ours_once_it_was_taken_while_empty() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("out");
        assert_eq!(look(&folder, Purpose::Output).unwrap(), Standing::Absent);
        fs::create_dir(&folder).unwrap();
        assert_eq!(look(&folder, Purpose::Output).unwrap(), Standing::Empty);
        mark(&folder, Purpose::Output, &["seal".to_owned()]).unwrap();
        fs::write(folder.join("a"), "").unwrap();
        assert_eq!(look(&folder, Purpose::Output).unwrap(), Standing::Own(vec!["seal".to_owned()]));
        let moved = place.path().join("moved");
        fs::rename(&folder, &moved).unwrap();
        assert!(matches!(look(&moved, Purpose::Output), Ok(Standing::Own(_))), "the same folder under another name");
    }

    #[test]
    fn a_folder_with_something_in_it_is_a_strangers() {
        let place = tempfile::tempdir().unwrap();
        for name in ["b", "a"] {
            fs::write(place.path().join(name), "").unwrap();
        }
        assert!(matches!(look(place.path(), Purpose::Output), Err(Stranger::Foreign { entry, .. }) if entry == "a"));
        assert!(matches!(look(&place.path().join("a"), Purpose::Output), Err(Stranger::NotAFolder { .. })));
        assert!(look(&place.path().join("a/b"), Purpose::Output).is_err());
    }

    #[test]
    fn a_copied_mark_is_no_mark() {
        let place = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| place.path().join(name));
        for folder in [&one, &other] {
            fs::create_dir(folder).unwrap();
        }
        mark(&one, Purpose::Output, &[]).unwrap();
        fs::write(other.join("a"), "").unwrap();
        // As an archive does that keeps extended attributes.
        let mut bytes = vec![0; MAX_MARK];
        let length = getxattr(&one, Purpose::Output.attribute(), &mut bytes[..]).unwrap();
        setxattr(&other, Purpose::Output.attribute(), &bytes[..length], XattrFlags::empty()).unwrap();
        assert!(matches!(look(&other, Purpose::Output), Err(Stranger::Foreign { .. })));
    }

    #[test]
    fn what_was_taken_for_one_thing_is_not_taken_for_another() {
        let folder = tempfile::tempdir().unwrap();
        mark(folder.path(), Purpose::BuildCache, &[]).unwrap();
        fs::write(folder.path().join("a"), "").unwrap();
        assert!(matches!(look(folder.path(), Purpose::BuildCache), Ok(Standing::Own(_))));
        assert!(matches!(look(folder.path(), Purpose::Output), Err(Stranger::Foreign { .. })));
    }

    #[test]
    fn a_folder_that_takes_the_place_of_ours_is_a_strangers() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("out");
        fs::create_dir(&folder).unwrap();
        mark(&folder, Purpose::Output, &[]).unwrap();
        fs::remove_dir(&folder).unwrap();
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("a"), "").unwrap();
        assert!(matches!(look(&folder, Purpose::Output), Err(Stranger::Foreign { .. })));
    }

    #[test]
    fn a_link_of_the_project_is_seen_and_one_of_the_machine_is_not() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        for folder in ["machine/project/.git", "machine/project/context", "elsewhere"] {
            fs::create_dir_all(path(folder)).unwrap();
        }
        symlink(path("machine"), path("mount")).unwrap();
        symlink(path("elsewhere"), path("machine/project/link")).unwrap();
        let project = [path("machine/project")];
        for (out, link) in [
            ("mount/project/out/image", None),
            ("mount/project/link", Some("mount/project/link")),
            ("mount/project/link/image", Some("mount/project/link")),
            ("elsewhere/image", None),
        ] {
            assert_eq!(link_on_the_way(&path(out), &project), link.map(path), "{out}");
        }
        // Another way to the same link.
        assert!(link_on_the_way(&path("mount/project/context/../link/image"), &project).is_some());
    }
}
