//! Named contexts (`build-contexts`): what every image of a repository is built with besides its own folder.

use std::path::{Component, Path, PathBuf};

use super::Untold;
use crate::buildkit::contexts::{NamedContext, Origin};

/// Those that are folders of the repository, by their paths from its top.
///
/// # Errors
/// What one has is in no commit of it, so that nothing says whether it has changed.
pub(super) fn folders(root: &Path, contexts: &[NamedContext]) -> Result<Vec<PathBuf>, Untold> {
    let folder = |context: &NamedContext| match &context.origin {
        Origin::Folder(folder) => match inside(root, folder) {
            Some(folder) => Some(Ok(folder)),
            None => Some(Err(format!("the build context {} is outside of the repository", context.name))),
        },
        Origin::Layout { .. } => Some(Err(format!("what the build context {} has may be in no commit", context.name))),
        // As of a base image: which image it names is not a matter of commits.
        Origin::Image(_) => None,
    };
    contexts.iter().filter_map(folder).collect()
}

/// A folder by its path from the root, where no part of it leads upwards.
fn inside(root: &Path, folder: &Path) -> Option<PathBuf> {
    let folder = if folder.is_absolute() { folder.strip_prefix(root).ok()? } else { folder };
    folder
        .components()
        .filter(|part| *part != Component::CurDir)
        .map(|part| matches!(part, Component::Normal(_)).then_some(part))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_the_repository_leaves_nothing_out() {
        let told = |line: &str| folders(Path::new("/repo"), &[line.parse().unwrap()]);
        for (line, folder) in [("a=libs/x", "libs/x"), ("a=./libs/./x/", "libs/x"), ("a=/repo/libs", "libs"), ("a=.", "")] {
            assert_eq!(told(line).unwrap(), [PathBuf::from(folder)], "{line}");
        }
        for line in ["a=../x", "a=libs/../../x", "a=libs/../x", "a=/other", "a=/repository", "a=oci-layout://out"] {
            assert!(told(line).is_err(), "{line}");
        }
        assert_eq!(told("a=docker-image://alpine").unwrap(), [] as [PathBuf; 0]);
    }
}
