//! The words for the repository that a cluster is brought to.

use super::{Diagnosis, sentences};
use crate::gitops::Error;

/// How it is done again.
const AGAIN: &str = "Then run the same again; after a delivery, `gp-deliver gitops IMAGE@DIGEST` does this step alone.";

impl From<&Error> for Diagnosis {
    fn from(error: &Error) -> Self {
        let told = |why: String, remedy: &str| {
            let what = "The image is out, and the repository that a cluster is brought to does not name it";
            Self::new(what, why, format!("{remedy} {AGAIN}"))
        };
        match error {
            Error::Api(error) => Self::from(error),
            Error::NoToken => told(
                "There is no token for it.".to_owned(),
                "Give `gitops-token`, or `gitops-app-id` with `gitops-app-private-key`.",
            ),
            Error::NoRegistry { destination } => {
                told(format!("{destination} is no image of a registry by its digest."), "Name one.")
            }
            Error::NoBranch { branch } => told(
                format!("It has no branch {branch:?}, or the token may not see it."),
                "Give the branch as `gitops-branch`, and a `gitops-token`, or an App, with `contents: write` in that repository.",
            ),
            Error::Truncated => told(
                "It has more files than GitHub lists in one answer (100,000, or 7 MB of names).".to_owned(),
                "Move what the cluster is brought to into a repository of its own.",
            ),
            Error::NoFile { place } => told(format!("No file there is {place:?}."), "Correct `gitops-path`."),
            Error::NoRegularFile { path, kind } => told(
                format!("{path} is {kind}, and is not followed."),
                "Name the file itself in `gitops-path`, by its path in that repository.",
            ),
            Error::TooMany { count } => told(format!("{count} files match."), "Narrow `gitops-path`: 50 files are read at most."),
            Error::NotNamed { files } => told(
                format!("The image is named in none of these:\n{}", sentences(files)),
                "Name it there once, by hand: a new place is never guessed. Where the files call it otherwise, say so by `gitops-image`, \
                 or give the way to the value behind the path: `FILE#WAY`.",
            ),
            Error::Refused { path, refusal } => told(
                format!("{path}, {refusal}."),
                "Write the value as one text at its own place, or give the way to another behind the path: `FILE#WAY`.",
            ),
            Error::Undecided { there, ours: commit, reason } => told(
                format!("It has the image of {there}, and whether {commit} is newer is not known: {reason}."),
                "If it is, set the image there by hand, in a commit that has `Gp-Deliver-Image`, `Gp-Deliver-Environment` and `Gp-Deliver-Commit` of this one as trailers.",
            ),
            Error::Overrun { times } => {
                told(format!("Others wrote to the branch each of the {times} times."), "Wait until fewer do.")
            }
            Error::TooLong => told("GitHub took too long.".to_owned(), "Wait until it answers (githubstatus.com)."),
            Error::Unread(error) => {
                let Self { why, remedy, .. } = Self::from(&**error);
                let what = "What the repository that a cluster is brought to names can't be told";
                Self::new(what, why, remedy.replace(AGAIN, "Then run the same again."))
            }
            Error::Protected { branch, message } => told(
                format!("The branch {branch:?} takes no commit of this token: {message}"),
                "Let the token past the branch's rules, or leave `gitops-mode` at auto: a pull request is opened then.",
            ),
            Error::Foreign { branch } => told(
                format!("The branch {branch:?}, which is for its pull request, has a commit of someone else."),
                "Merge what is on it, or remove that branch.",
            ),
            Error::Secret { path } => told(
                format!("{path} has a secret of this run in it, and is not sent."),
                "Take the secret out of the file, and revoke it.",
            ),
        }
    }
}
