//! The words for image layouts that can't be read or written.

use std::io;
use std::path::Path;

use super::Diagnosis;
use crate::oci::layout::Error;

impl From<&Error> for Diagnosis {
    fn from(error: &Error) -> Self {
        match error {
            Error::Io { path, source } => file(path, source),
            Error::DigestMismatch { expected, actual } => Self::new(
                format!("The content {expected} is damaged"),
                format!("Its bytes hash to {actual}: they changed after they were written."),
                "Remove the folder that holds it and run again; if it happens again, check the disk.",
            ),
            Error::SizeMismatch { digest, expected, actual } => Self::new(
                format!("The content {digest} is damaged"),
                format!("It has {actual} bytes and should have {expected}."),
                "Remove the folder that holds it and run again; if it happens again, check the disk.",
            ),
            Error::TooLarge(too_large) => Self::new(
                "The image is larger than any that is delivered",
                format!("{too_large}."),
                "Build it for fewer platforms (`platforms`), in fewer layers, or with less in it. One that was not built here is \
                 someone else's: `rebuild: true` builds the commit anew.",
            ),
            Error::Invalid { path, reason } => Self::new(
                format!("{} is not valid in an image layout", path.display()),
                format!("{reason}."),
                "Name a folder that an image tool wrote, or remove the damaged one and run again.",
            ),
        }
    }
}

/// A file or folder that the file system refuses.
pub(super) fn file(path: &Path, source: &io::Error) -> Diagnosis {
    let path = path.display();
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Diagnosis::new(
            format!("The disk is full: {path} can't be written"),
            format!("{source}."),
            "Make room on that disk (`docker system prune` frees what old builds left), and run again.",
        ),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Diagnosis::new(
            format!("{path} can't be used"),
            format!("{source}."),
            "Give this user the right to read and write there, or name another place.",
        ),
        io::ErrorKind::NotFound => Diagnosis::new(
            format!("{path} does not exist"),
            "There is no file or folder of that name.",
            "Check the name; if it was there when the run began, something removed it meanwhile.",
        ),
        _ => Diagnosis::new(format!("{path} can't be used"), format!("{source}."), "Check the path and the disk it is on."),
    }
}
