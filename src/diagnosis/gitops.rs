//! The words for the repository that a cluster is brought to.

use super::{Diagnosis, sentences};
use crate::git_server::Error as ServerError;
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
            Error::Git(error) => {
                let (why, remedy) = of_server(error);
                told(why, remedy)
            }
            Error::Rejected { branch, reason } => told(
                format!("The branch {branch:?} takes no commit of this token: {reason}"),
                "Let the token push to the branch, or name another as `gitops-branch` and merge that: a pull request is opened at GitHub alone.",
            ),
            Error::NoPullRequests => told(
                "A pull request is opened at GitHub alone.".to_owned(),
                "Have it committed: `gitops-mode: push`, or `--push` of `gp-deliver rollback`.",
            ),
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

/// Why a git server does not do it, and what to do.
fn of_server(error: &ServerError) -> (String, &'static str) {
    match error {
        ServerError::Transport(error) => {
            (format!("The git server can't be reached: {error}."), "Check the host in `gitops-repository`, and the network.")
        }
        ServerError::Token => (
            "The token for it has characters that no token has.".to_owned(),
            "Give `gitops-token` as the server shows it, on one line.",
        ),
        ServerError::Refused { status, message } if matches!(status.as_u16(), 401 | 403 | 404) => (
            format!("The git server answers {status}: {message}"),
            "Give a `gitops-token` that may read and write that repository, with the user name before the host where the server asks for \
             one (`https://USER@HOST/PATH`), and correct the path in `gitops-repository`. An archived repository takes nothing.",
        ),
        ServerError::Refused { status, message } => {
            (format!("The git server answers {status}: {message}"), "Look up the message above.")
        }
        ServerError::Elsewhere { to } => {
            (format!("The git server names another address: {to}."), "Give that one as `gitops-repository`, if it is yours.")
        }
        ServerError::Said(words) => (format!("The git server says: {words}"), "Look up the message above."),
        ServerError::Rejected { reason } => (format!("The git server takes no commit: {reason}"), "Look up the message above."),
        ServerError::Unspoken(what) => (
            format!("The git server does not speak {what}."),
            "Give the address that `git clone` takes over https as `gitops-repository`.",
        ),
        ServerError::Malformed(what) => (
            format!("The git server's answer makes no sense: {what}."),
            "Check what answers at that address: a proxy, or another server. If it is your git server, report it as a bug here.",
        ),
        ServerError::TooLong(limit) => (
            format!("The git server's answer comes to more than {limit} bytes."),
            "Move what the cluster is brought to into a repository of its own.",
        ),
    }
}
