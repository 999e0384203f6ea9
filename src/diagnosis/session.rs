//! The words for what a build asked for and could not get.

use std::path::Path;

use super::Diagnosis;
use crate::buildkit::session::error::Error;

impl From<&Error> for Diagnosis {
    fn from(error: &Error) -> Self {
        match error {
            Error::Folder { path, source } => Self::new(
                format!("The folder {} can't be opened", path.display()),
                source.to_string(),
                "Give a folder that exists and that this user may read.",
            ),
            Error::Read { path, source } => Self::new(
                format!("{} in the build context can't be read", path.display()),
                source.to_string(),
                format!("Let this user read it, or, where the image does not need it, leave it out: {}.", ignore(path)),
            ),
            Error::Changed { path } => Self::new(
                format!("{} in the build context changed while the build read it", path.display()),
                "It is gone, or no longer a regular file.",
                format!(
                    "Let nothing write to the context while an image is built from it, or leave the file out: {}.",
                    ignore(path)
                ),
            ),
            Error::Name { path } => Self::new(
                format!("The build context holds a name that is not UTF-8: {}", path.display()),
                "A file's name, or what a symbolic link leads to, can't be sent to the engine as it is.",
                "Rename it, or exclude it with a pattern in .dockerignore.",
            ),
            Error::Pattern(pattern) => Self::new(
                format!("The pattern {} is malformed", pattern.0),
                "It is in .dockerignore, or a source of COPY or ADD; a [ without a ] and a \\ at the end are malformed.",
                "Correct the pattern; \\[ stands for the character itself.",
            ),
            Error::Layout { folder, reason } => Self::new(
                format!("The image layout {} can't be used as a build context", folder.display()),
                reason.clone(),
                "Give a folder with `oci-layout`, `index.json` and `blobs`, as `oci-layout://FOLDER`, with :TAG or @DIGEST where it \
                 has several images, in `build-contexts`. If a blob is not what its name says, write the layout anew.",
            ),
            Error::SecretFile { id, path, source } => Self::new(
                format!("The build secret {id} can't be read from {}", path.display()),
                source.to_string(),
                "Give a file that exists and that this user may read, in `build-secrets`.",
            ),
            Error::SecretTooLarge { id, limit } => Self::new(
                format!("The build secret {id} is too large"),
                format!("A build secret has at most {limit} bytes."),
                "Fetch what is larger in the build step itself, with a credential as the secret.",
            ),
        }
    }
}

/// How to ignore one path.
fn ignore(path: &Path) -> String {
    format!("the line {} in .dockerignore", crate::buildkit::session::glob::escape(&path.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_and_the_way_out_are_named() {
        let source = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let diagnosis = Diagnosis::from(&Error::Read { path: "keys/a*.pem".into(), source });
        assert!(diagnosis.what.contains("keys/a*.pem"));
        assert!(diagnosis.remedy.contains(r"the line keys/a\*.pem in .dockerignore"));
    }
}
