//! A folder that a program wrote to, made fit to be removed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// How deep folders may lie in one another. Whoever removes a tree goes down into it, with a descriptor and a piece of its stack
/// for each step.
const DEPTH: usize = 64;

/// Puts what lies too deep in `folder` beside the rest, and opens what its owner may not open. Nobody else may write to it any more.
pub(crate) fn flatten(folder: &Path) {
    let mut moved = 0_u64;
    let mut folders: Vec<(PathBuf, usize)> = vec![(folder.to_owned(), 0)];
    while let Some((path, depth)) = folders.pop() {
        let listed = fs::read_dir(&path).or_else(|_| {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
            fs::read_dir(&path)
        });
        for entry in listed.into_iter().flatten().flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            if depth < DEPTH {
                folders.push((entry.path(), depth + 1));
                continue;
            }
            let place = folder.join(format!("deep-{moved}"));
            moved += 1;
            if fs::rename(entry.path(), &place).is_ok() {
                folders.push((place, 1));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};

    use super::*;

    #[test]
    fn a_tree_that_is_deeper_than_any_path_is_removed() {
        let made = tempfile::tempdir().unwrap();
        let mut at = openat(CWD, made.path(), OFlags::DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..20_000 {
            mkdirat(&at, "deeper", Mode::RWXU).unwrap();
            at = openat(&at, "deeper", OFlags::DIRECTORY, Mode::empty()).unwrap();
        }
        drop(at);
        fs::create_dir(made.path().join("shut")).unwrap();
        fs::set_permissions(made.path().join("shut"), fs::Permissions::from_mode(0o0)).unwrap();
        flatten(made.path());
        let deepest = walkdir::WalkDir::new(made.path()).into_iter().map(|entry| entry.unwrap().depth()).max();
        assert_eq!(deepest, Some(DEPTH));
        made.close().unwrap();
    }
}
