//! Where a repository is.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::beneath;

/// What makes a folder the top of a working tree. git refuses to commit an entry of this name in any folder (git-fsck(1),
/// `hasDotgit`), so that one that is there was put there by git or by someone who may write to the machine.
const ENTRY: &str = ".git";

/// No file that holds one path or one ref is longer.
const MAX_BYTES: u64 = 8 << 10;

/// More folders than any repository is spread over.
const MAX_FOLDERS: usize = 32;

/// A working tree and its repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The topmost folder of the working tree.
    pub(crate) top: PathBuf,
    /// Where the working tree's own files are: `HEAD` and `index`.
    pub(super) own: PathBuf,
    /// Where the files are that it shares with other working trees: objects, refs, configuration.
    pub(super) common: PathBuf,
}

impl Place {
    /// The repository whose working tree begins at `top`, if there is one: by a folder `.git`, or by a file of that name that
    /// leads to one, as those of submodules and of linked working trees do (gitrepository-layout(5)).
    pub(crate) fn at(top: &Path) -> Option<Self> {
        let entry = top.join(ENTRY);
        let kind = fs::metadata(&entry).ok()?;
        let own = if kind.is_dir() { entry } else { top.join(path_in(&entry, b"gitdir: ")?) };
        let own = own.canonicalize().ok()?;
        let common = match path_in(&own.join("commondir"), b"") {
            Some(path) => own.join(path).canonicalize().ok()?,
            None => own.clone(),
        };
        let complete = head(&own).is_some() && common.join("objects").is_dir() && common.join("refs").is_dir();
        complete.then(|| Self { top: top.to_owned(), own, common })
    }

    /// The folders that it is in: its own, and those that its objects are in, which may be elsewhere.
    pub(super) fn folders(&self) -> Vec<PathBuf> {
        let objects = self.common.join("objects");
        let mut found = vec![self.own.clone(), self.common.clone(), objects.clone(), self.common.join("refs")];
        let mut asked = vec![objects];
        while let Some(objects) = asked.pop() {
            // gitrepository-layout(5), "objects/info/alternates".
            let text = read(&objects.join("info/alternates")).unwrap_or_default();
            let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && !line.starts_with(b"#"));
            for other in lines.map(|line| objects.join(OsStr::from_bytes(line))) {
                // As deep as git follows them (its `object-file.c`), in whatever order.
                if found.len() < MAX_FOLDERS && !found.contains(&other) {
                    found.push(other.clone());
                    asked.push(other);
                }
            }
        }
        found
    }

    /// What `HEAD` says, in the form of the file: `ref: refs/heads/main`, or a commit's id.
    pub(super) fn head(&self) -> Option<Vec<u8>> {
        head(&self.own)
    }
}

/// The repositories that a folder is in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Enclosing {
    /// The innermost first.
    pub(crate) places: Vec<Place>,
    /// Folders with a `.git` that leads to no repository, the innermost first.
    pub(crate) strays: Vec<PathBuf>,
}

impl Enclosing {
    /// Looks at `folder`, an absolute path without links in it, and at all the folders that it is in.
    pub(crate) fn of(folder: &Path) -> Self {
        let mut found = Self::default();
        for top in folder.ancestors() {
            match Place::at(top) {
                Some(place) => found.places.push(place),
                None if is_top(top) => found.strays.push(top.to_owned()),
                None => {}
            }
        }
        found
    }
}

/// The top of the outermost checkout that `folder`, an absolute path without links in it, is in: the outermost folder with a
/// `.git`, also where that leads to no repository. What lies in a checkout, whoever wrote its commits may have put there, and
/// one whose repository is somewhere else, or gone, is a checkout all the same.
pub(crate) fn checkout_around(folder: &Path) -> Option<PathBuf> {
    checkouts_around(folder).last().map(Path::to_owned)
}

/// The tops of all checkouts that such a folder is in, the innermost first.
pub(crate) fn checkouts_around(folder: &Path) -> impl Iterator<Item = &Path> {
    folder.ancestors().filter(|top| is_top(top))
}

fn is_top(folder: &Path) -> bool {
    fs::symlink_metadata(folder.join(ENTRY)).is_ok()
}

/// What `HEAD` in the folder `own` says, where it says what one does.
fn head(own: &Path) -> Option<Vec<u8>> {
    let file = own.join("HEAD");
    // Old repositories have a link there.
    if let Ok(target) = fs::read_link(&file) {
        let is_ref = target.as_os_str().as_bytes().starts_with(b"refs/");
        return is_ref.then(|| [b"ref: ", target.as_os_str().as_bytes(), b"\n"].concat());
    }
    let text = read(&file)?;
    let is_id = text.trim_ascii_end();
    let is_id = matches!(is_id.len(), 40 | 64) && is_id.iter().all(u8::is_ascii_hexdigit);
    (is_id || text.strip_prefix(b"ref:")?.trim_ascii().starts_with(b"refs/")).then_some(text)
}

/// The path that a file holds after `mark`. A path is bytes: only the line end goes.
fn path_in(file: &Path, mark: &[u8]) -> Option<PathBuf> {
    let text = read(file)?;
    let path = text.strip_prefix(mark)?;
    let end = path.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map(|last| last + 1)?;
    Some(PathBuf::from(OsStr::from_bytes(&path[..end])))
}

fn read(file: &Path) -> Option<Vec<u8>> {
    beneath::read(file, MAX_BYTES).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with the files that make a repository.
    fn repository(folder: &Path) {
        for part in ["objects", "refs"] {
            fs::create_dir_all(folder.join(part)).unwrap();
        }
        fs::write(folder.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    }

    #[test]
    fn only_a_dot_git_makes_a_repository() {
        let made = tempfile::tempdir().unwrap();
        let root = made.path().canonicalize().unwrap();
        repository(&root.join(".git"));
        let bare = root.join("services/api");
        repository(&bare);
        fs::write(bare.join("config"), "[core]\n\tworktree = .\n").unwrap();
        let found = Enclosing::of(&bare);
        assert_eq!(found.places.iter().map(|place| &place.top).collect::<Vec<_>>(), [&root]);
        assert_eq!(found.strays, Vec::<PathBuf>::new());
    }

    #[test]
    fn what_leads_to_no_repository_is_a_stray() {
        let made = tempfile::tempdir().unwrap();
        let root = made.path().canonicalize().unwrap();
        for (name, text) in [("nowhere", "gitdir: ../.git/modules/x\n"), ("other", "hello\n"), ("empty", "")] {
            fs::create_dir(root.join(name)).unwrap();
            fs::write(root.join(name).join(".git"), text).unwrap();
            assert_eq!(Enclosing::of(&root.join(name)).strays, [root.join(name)], "{name}");
        }
        fs::create_dir_all(root.join("folder/.git")).unwrap();
        assert_eq!(Enclosing::of(&root.join("folder")).strays, [root.join("folder")]);
    }

    #[test]
    fn the_outermost_checkout_is_one_wherever_its_repository_is() {
        let made = tempfile::tempdir().unwrap();
        let root = made.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("outer/inner/.git")).unwrap();
        assert_eq!(checkout_around(&root.join("outer/inner")), Some(root.join("outer/inner")));
        std::os::unix::fs::symlink("nowhere", root.join("outer/.git")).unwrap();
        assert_eq!(checkout_around(&root.join("outer/inner")), Some(root.join("outer")));
        assert_eq!(checkout_around(&root.join("outer")), Some(root.join("outer")));
        assert_eq!(checkout_around(&root), None);
    }

    #[test]
    fn a_path_keeps_its_spaces() {
        let made = tempfile::tempdir().unwrap();
        let root = made.path().canonicalize().unwrap();
        repository(&root.join("own "));
        fs::create_dir(root.join("tree ")).unwrap();
        fs::write(root.join("tree /.git"), "gitdir: ../own \n").unwrap();
        assert_eq!(Place::at(&root.join("tree ")).unwrap().own, root.join("own "));
    }

    #[test]
    fn a_head_is_a_ref_or_an_id() {
        let made = tempfile::tempdir().unwrap();
        for (text, is_head) in [
            ("ref: refs/heads/main\n", true),
            (&"a".repeat(40), true),
            (&format!("{}\n", "0".repeat(64)), true),
            ("ref: ../../etc/passwd\n", false),
            ("main\n", false),
            ("", false),
        ] {
            fs::write(made.path().join("HEAD"), text).unwrap();
            assert_eq!(head(made.path()).is_some(), is_head, "{text}");
        }
    }
}
