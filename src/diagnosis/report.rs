//! The words for a report that can't be written.

use std::io::ErrorKind;

use super::Diagnosis;
use crate::report::Error;

impl From<&Error> for Diagnosis {
    fn from(error: &Error) -> Self {
        let what = match error {
            Error::Folder { path, .. } | Error::Foreign { path, .. } => {
                format!("The report folder {} can't be used", path.display())
            }
            Error::File { path, .. } => format!("The report file {} can't be written", path.display()),
            Error::Claim { path, .. } => format!("{} is not the report of a change's job", path.display()),
        };
        let (path, source) = match error {
            Error::Folder { path, source } | Error::File { path, source } => (path, source),
            Error::Foreign { path, entry } => return foreign(&path.display().to_string(), entry),
            Error::Claim { reason, .. } => {
                let remedy = "Check that the job before this one ran gp-deliver of the same version and kept its report, and \
                              that `report-dir` names the folder that it was fetched to.";
                return Self::new(what, reason.clone(), remedy);
            }
        };
        let remedy = match source.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                "Name a folder that this user may write to with `report-dir`."
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                "Make room on its disk, or name a folder on another with `report-dir`."
            }
            ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
                "A file or a link has the name of a folder: move it away, or name another folder with `report-dir`."
            }
            _ => "Name another folder with `report-dir`.",
        };
        Self::new(what, format!("{}: {source}", path.display()), remedy)
    }
}

/// A folder that holds something that gp-deliver did not put there.
fn foreign(path: &str, entry: &str) -> Diagnosis {
    Diagnosis::new(
        format!("The report folder {path} is not gp-deliver's own"),
        format!(
            "It holds {entry:?}. What the report folder holds is neither scanned nor built in, and is replaced, so it has to be \
             a folder that is new or empty, or that gp-deliver made on this machine: one that came with the source, an \
             archive or a cache is not."
        ),
        "Name another folder with `report-dir`; or, if nothing in it is needed, remove the folder and run again.",
    )
}
