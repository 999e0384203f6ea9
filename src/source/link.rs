//! Links that a checkout has in the way to what is built.

use std::path::{Component, Path, PathBuf};

use super::Error;
use crate::git::checkout_around;

/// Whether no link of a checkout leads `path` out of that checkout: whoever wrote the commit would choose what is built from
/// the files of the machine. A link that is outside of every checkout is its owner's own.
///
/// # Errors
/// One does: [`Error::LeadsOut`].
pub(super) fn stay_inside(path: &Path) -> Result<(), Error> {
    let Ok(path) = std::path::absolute(path) else { return Ok(()) };
    let mut walked = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => walked = walked.canonicalize().unwrap_or(walked).join(part),
            part => walked.push(part),
        }
        if !walked.is_symlink() {
            continue;
        }
        let folder = walked.parent().and_then(|folder| folder.canonicalize().ok());
        let Some(root) = folder.and_then(|folder| checkout_around(&folder)) else { continue };
        // One that leads nowhere is told by whoever opens it.
        let Ok(target) = walked.canonicalize() else { continue };
        if !target.starts_with(&root) {
            return Err(Error::LeadsOut { link: walked, root, target });
        }
    }
    Ok(())
}
