//! Where the repository is that a cluster is brought to: at GitHub, which is asked by its API, or at another git server, which is
//! asked by git's own protocol.

use std::borrow::Cow;

use super::error::Error;
use super::message::{Earlier, Shipment};
use super::settings::Home;
use crate::git_server::{self, Remote};
use crate::github::git_data::{self, Entry, File, Head};
use crate::github::{Api, api};
use crate::text::{self, Line};

/// How many pages of a file's commits are looked through for the last delivery.
const MAX_PAGES: usize = 10;

/// The repository.
pub(crate) enum Host {
    /// At GitHub.
    GitHub(Api),
    /// At another git server.
    Git(Box<Remote>),
}

/// Who delivered last to a file.
pub(super) enum Last {
    /// The delivery.
    Is(Earlier),
    /// Nobody has.
    Nobody,
    /// It is not known; why.
    Unknown(String),
}

impl Host {
    /// The repository of the settings; none without a token.
    ///
    /// # Errors
    /// Its address or the token is none.
    pub(crate) fn open(home: &Home) -> Result<Option<Self>, Error> {
        match home {
            Home::GitHub(access) => Ok(Api::open(access)?.map(Self::GitHub)),
            Home::Git { token: None, .. } => Ok(None),
            Home::Git { address, token } => Ok(Some(Self::Git(Box::new(Remote::open(address, token.clone())?)))),
        }
    }

    /// Ends what was given for this client alone.
    pub(crate) async fn leave(&self) {
        if let Self::GitHub(api) = self {
            api.leave().await;
        }
    }

    /// GitHub's API, for what it alone has.
    pub(super) fn github(&self) -> Option<&Api> {
        match self {
            Self::GitHub(api) => Some(api),
            Self::Git(_) => None,
        }
    }

    /// What a branch names; none where there is no such branch.
    pub(super) async fn head(&self, branch: &str) -> Result<Option<Head>, Error> {
        match self {
            Self::GitHub(api) => Ok(git_data::head(api, branch).await?),
            Self::Git(remote) => {
                let head = remote.head(branch).await?;
                Ok(head.map(|git_server::Commit { id, tree, message }| Head { commit: id, tree, message }))
            }
        }
    }

    /// The commit that a branch names; none where there is no such branch.
    pub(super) async fn commit_of(&self, branch: &str) -> Result<Option<String>, Error> {
        match self {
            Self::GitHub(api) => Ok(git_data::commit_of(api, branch).await?),
            Self::Git(remote) => Ok(remote.branch(branch).await?),
        }
    }

    /// What is below a tree, at any depth.
    pub(super) async fn entries(&self, tree: &str) -> Result<Vec<Entry>, Error> {
        match self {
            Self::GitHub(api) => {
                let tree = git_data::tree(api, tree).await?;
                if tree.truncated { Err(Error::Truncated) } else { Ok(tree.entries) }
            }
            Self::Git(remote) => {
                let entries = remote.entries(tree).await?.ok_or(Error::Truncated)?;
                Ok(entries.into_iter().map(entry).collect())
            }
        }
    }

    /// The bytes of a file.
    pub(super) async fn blob(&self, id: &str) -> Result<Vec<u8>, Error> {
        match self {
            Self::GitHub(api) => Ok(git_data::blob(api, id).await?),
            Self::Git(remote) => Ok(remote.file(id).await?),
        }
    }

    /// Makes the tree that a tree is with these files; none where a secret is in one of them.
    pub(super) async fn create_tree(&self, base: &str, files: &[File]) -> Result<Option<String>, Error> {
        match self {
            Self::GitHub(api) => Ok(git_data::create_tree(api, base, files).await?),
            Self::Git(remote) => {
                let has_secret = |file: &File| matches!(text::redacted(&String::from_utf8_lossy(&file.content)), Cow::Owned(_));
                if files.iter().any(has_secret) {
                    return Ok(None);
                }
                let files: Vec<_> = files.iter().map(|file| (&*file.path, &*file.content)).collect();
                Ok(Some(remote.edited(base, &files).await?))
            }
        }
    }

    /// Makes a commit, which no branch names yet.
    pub(super) async fn create_commit(&self, message: &str, tree: &str, parents: &[&str]) -> Result<String, Error> {
        match self {
            Self::GitHub(api) => Ok(git_data::create_commit(api, message, tree, parents).await?),
            Self::Git(remote) => Ok(remote.commit(message, tree, parents).await?),
        }
    }

    /// Has a branch name a commit that comes from the one that it names now, which is `from`.
    pub(super) async fn move_branch(&self, branch: &str, from: &str, to: &str) -> Result<(), Error> {
        match self {
            Self::GitHub(api) => Ok(git_data::move_branch(api, branch, to).await?),
            Self::Git(remote) => Ok(remote.push(branch, from, to).await?),
        }
    }

    /// Who delivered last to a file, as the commits say that changed it.
    pub(super) async fn last_delivery(&self, shipment: &Shipment, commit: &str, path: &str) -> Result<Last, Error> {
        match self {
            Self::GitHub(api) => {
                for page in 1..=MAX_PAGES {
                    let messages = git_data::messages(api, commit, path, page).await?;
                    if let Some(found) = messages.iter().find_map(|message| shipment.earlier(message)) {
                        return Ok(Last::Is(found));
                    }
                    if messages.len() < git_data::PAGE {
                        return Ok(Last::Nobody);
                    }
                }
                let searched = MAX_PAGES * git_data::PAGE;
                Ok(Last::Unknown(format!("none of the last {searched} commits of {} is a delivery's", text::words(path))))
            }
            Self::Git(remote) => {
                let history = remote.history(commit, path).await?;
                if let Some(found) = history.messages.iter().find_map(|message| shipment.earlier(message)) {
                    return Ok(Last::Is(found));
                }
                if history.is_whole {
                    return Ok(Last::Nobody);
                }
                // Of what lies deeper it is known what commits say, and not what they changed.
                let all = remote.all_messages(commit).await?;
                if all.is_some_and(|all| all.iter().all(|message| shipment.earlier(message).is_none())) {
                    return Ok(Last::Nobody);
                }
                Ok(Last::Unknown(format!("none of the commits of {} that were read is a delivery's", text::words(path))))
            }
        }
    }
}

fn entry(entry: git_server::Entry) -> Entry {
    let kind = match &*entry.mode {
        "040000" => "tree",
        "160000" => "commit",
        _ => "blob",
    };
    Entry { path: entry.path, mode: entry.mode, kind: kind.to_owned(), sha: entry.id, size: None }
}

/// Why a branch was not moved, in the other side's words; none where nothing was said to that.
pub(super) fn refusal(error: &Error) -> Option<Line> {
    match error {
        Error::Api(api::Error::Refused { status, message, limited: false, .. }) if matches!(status.as_u16(), 403 | 409 | 422) => {
            Some(message.clone())
        }
        Error::Git(git_server::Error::Rejected { reason }) => Some(reason.clone()),
        _ => None,
    }
}

/// Whether it is known that a request was not done.
pub(super) fn is_answered(error: &Error) -> bool {
    match error {
        Error::Api(error) => error.refusal().is_some(),
        Error::Git(git_server::Error::Rejected { .. }) => true,
        // What stands before a server says for it that it failed, whatever it has done.
        Error::Git(git_server::Error::Refused { status, .. }) => status.is_client_error(),
        Error::Git(_) => false,
        _ => true,
    }
}
