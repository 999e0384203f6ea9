//! The words for an image that was not published.

use super::{Diagnosis, layout};
use crate::publish::{Error, Leftover};

impl From<&Error> for Diagnosis {
    fn from(error: &Error) -> Self {
        match error {
            Error::Registry(error) => error.into(),
            Error::Layout(error) => error.into(),
            Error::NotCleared { cleared, image } => Self::new(
                format!("The image {image} is not the one that was scanned"),
                format!("The scan cleared {cleared}."),
                "This is a fault of gp-deliver: please report it with the record of this run.",
            ),
            Error::NotALayout { path } => Self::new(
                format!("{} is not an image layout", path.display()),
                "There is something else at that place, and it is left as it is.",
                "Name a new or empty folder, or one that holds an image layout.",
            ),
            Error::Unwritable { path, source } => layout::file(path, source),
            Error::Locked { path } => Self::new(
                format!("{} is in use by another delivery", path.display()),
                "It did not end within five minutes.",
                "End the other one, or wait for it, and run again.",
            ),
            Error::ReadBack { repository, tag, expected, actual } => Self::new(
                format!("{repository}:{tag} does not name the image that it was set to"),
                match actual {
                    Some(actual) => format!("It was set to {expected} and names {actual}."),
                    None => format!("It was set to {expected}, and the registry does not know it."),
                },
                "Run again. If it comes back, another delivery sets the same tag, or the registry changes manifests.",
            ),
            Error::LeftOver { cause, repository, digest, leftovers } => {
                left_over(cause.as_ref().into(), repository, &digest.to_string(), leftovers)
            }
            Error::Cancelled => Self::new(
                "Publishing was cancelled",
                "A signal ended the run before all tags were set; those that were set are put back.",
                "Run again when it suits.",
            ),
            Error::Broken(detail) => Self::new(
                "Publishing broke down",
                format!("{detail}."),
                "This is a fault of gp-deliver: please report it with the record of this run.",
            ),
        }
    }
}

/// The failure, and beside it what it left behind: the one case in which a destination is not as it was.
fn left_over(cause: Diagnosis, repository: &str, digest: &str, leftovers: &[Leftover]) -> Diagnosis {
    let names: Vec<String> = leftovers.iter().map(|leftover| leftover.tag.to_string()).collect();
    let commands: Vec<String> = leftovers
        .iter()
        .map(|Leftover { tag, before }| match before {
            Some(before) => format!("crane tag {repository}@{before} {tag}"),
            None => format!("crane delete {repository}:{tag}"),
        })
        .collect();
    let names = names.join(", ");
    let why =
        format!("{}\nThe registry did not let us put back what was set by then: {names} may still name {digest}.", cause.why);
    let by_hand = commands.join("\n");
    let remedy = format!(
        "{}\nTo put the tags back by hand (where the registry removes no tags, use its own page or clean-up):\n{by_hand}",
        cause.remedy
    );
    Diagnosis { why, remedy, ..cause }
}
