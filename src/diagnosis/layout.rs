//! The words for a layout that can't be read or written.

use std::io::ErrorKind;

use super::Diagnosis;
use crate::oci::layout::Error;

impl From<&Error> for Diagnosis {
    fn from(error: &Error) -> Self {
        match error {
            Error::Io { path, source } => {
                let what = format!("{} can't be read or written", path.display());
                let remedy = match source.kind() {
                    ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "Make room on that disk, or name a folder on another.",
                    ErrorKind::PermissionDenied => "Give this user the right to write there, or name another folder.",
                    ErrorKind::NotFound => "The folder is incomplete: remove it and run again.",
                    _ => "Look whether that folder is as it should be, then run again.",
                };
                Self::new(what, source.to_string(), remedy)
            }
            Error::DigestMismatch { expected, actual } => Self::new(
                "An image's content is damaged",
                format!("What should be {expected} is {actual}"),
                "A disk or a connection changed it: remove the layout folder that holds it, and run again.",
            ),
            Error::SizeMismatch { digest, expected, actual } => Self::new(
                "An image's content is damaged",
                format!("{digest} has {actual} bytes instead of {expected}"),
                "A disk or a connection cut it off: remove the layout folder that holds it, and run again.",
            ),
            Error::Invalid { path, reason } => Self::new(
                format!("{} is not what an OCI image layout holds", path.display()),
                reason.clone(),
                "Name a folder that is an image layout, or one that does not exist yet.",
            ),
        }
    }
}
