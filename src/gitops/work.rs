//! What an update has at hand in each of its tries, and which of two deliveries is the newer one.

use super::error::Error;
use super::message::{Earlier, Shipment};
use super::settings::Settings;
use crate::github::Api;
use crate::github::git_data::{self, Ancestry, Head};
use crate::text::Line;

/// How an update ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The branch has a commit that names the image.
    Updated {
        /// The commit.
        commit: String,
    },
    /// The branch names the image already.
    Unchanged,
    /// A pull request would have it name the image.
    PullRequest {
        /// Its address.
        url: Line,
    },
    /// The branch, or the pull request, names the image of a newer commit.
    Overtaken {
        /// That commit.
        by: Line,
    },
}

/// Who is asked, and for what.
pub(super) struct Work<'a> {
    pub(super) api: &'a Api,
    pub(super) settings: &'a Settings,
    pub(super) shipment: &'a Shipment,
    /// The API for the repository of the source; absent without a token for that.
    pub(super) source: Option<&'a Api>,
}

/// What the files are to be, on top of what was read.
pub(super) struct Edit {
    pub(super) base: Head,
    pub(super) tree: String,
}

impl Work<'_> {
    /// Makes a commit of a tree, which no branch names.
    pub(super) async fn commit(&self, tree: &str, parents: &[&str]) -> Result<String, Error> {
        Ok(git_data::create_commit(self.api, &self.shipment.message(), tree, parents).await?)
    }

    /// Whether what is there is of a newer commit than what is delivered.
    pub(super) async fn is_newer(&self, earlier: &Earlier) -> Result<bool, Error> {
        let ours = self.shipment.commit.clone().unwrap_or_default();
        let undecided = |reason: &str| Error::Undecided { there: earlier.shown(), ours: ours.clone(), reason: reason.to_owned() };
        let is_commit = |text: &str| text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_commit(&ours) || !is_commit(&earlier.commit) {
            return Err(undecided("one of them is no commit of git"));
        }
        if earlier.commit == ours {
            return Ok(false);
        }
        if self.shipment.source.as_ref().is_some_and(|source| !earlier.source.eq_ignore_ascii_case(source)) {
            return Err(undecided("they are not of the same repository"));
        }
        let source = self.source.ok_or_else(|| undecided("there is no github-token to ask the source's repository with"))?;
        match git_data::compare(source, &earlier.commit, &ours).await {
            Ok(Ancestry::Descendant | Ancestry::Same) => Ok(false),
            Ok(Ancestry::Ancestor) => Ok(true),
            Ok(Ancestry::Apart) => Err(undecided("neither comes from the other")),
            Err(error) => match error.refusal() {
                Some(status) => Err(undecided(&format!("GitHub does not compare them ({status})"))),
                None => Err(error.into()),
            },
        }
    }
}
