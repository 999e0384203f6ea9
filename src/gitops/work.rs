//! What an update has at hand in each of its tries, and which of two deliveries is the newer one.

use super::error::Error;
use super::host::Host;
use super::message::{Earlier, Shipment};
use super::settings::Settings;
use super::source_commit::SourceCommit;
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
    /// The branch, or the pull request, was gone back to an earlier delivery, and this one is not newer than what that took back.
    TakenBack {
        /// The commit of the earlier delivery.
        to: Line,
    },
}

/// Who is asked, and for what.
pub(super) struct Work<'a> {
    pub(super) host: &'a Host,
    pub(super) settings: &'a Settings,
    pub(super) shipment: &'a Shipment,
    /// The API for the repository of the source; absent without a token for that.
    pub(super) source: Option<&'a Api>,
}

/// What the files are to be, on top of what was read.
pub(super) struct Edit {
    pub(super) base: Head,
    pub(super) tree: String,
    /// What the branch says was delivered before.
    pub(super) delivered: Vec<SourceCommit>,
}

impl Work<'_> {
    /// Makes a commit of an edit, which no branch names. `taken_back` is what was delivered before.
    pub(super) async fn commit(&self, edit: &Edit, parents: &[&str], taken_back: &[SourceCommit]) -> Result<String, Error> {
        self.host.create_commit(&self.shipment.message(taken_back), &edit.tree, parents).await
    }

    /// How the update ends if what is there has to stay: it is of a newer commit, or an earlier delivery was gone back to and
    /// took this one back. What was chosen on purpose takes the place of anything.
    pub(super) async fn stays(&self, earlier: &Earlier) -> Result<Option<Outcome>, Error> {
        if self.shipment.goes_back() {
            return Ok(None);
        }
        let mut unknown = None;
        for delivered in earlier.delivered() {
            match self.compare(delivered).await {
                Ok(Ancestry::Descendant) => {}
                Ok(Ancestry::Same) if !earlier.is_rollback() => {}
                Ok(Ancestry::Same | Ancestry::Ancestor) if earlier.is_rollback() => {
                    return Ok(Some(Outcome::TakenBack { to: earlier.commit.shown() }));
                }
                Ok(Ancestry::Same | Ancestry::Ancestor) => return Ok(Some(Outcome::Overtaken { by: delivered.shown() })),
                Ok(Ancestry::Apart) => unknown = Some(self.undecided(delivered, "neither comes from the other")),
                Err(error @ Error::Undecided { .. }) => unknown = Some(error),
                Err(error) => return Err(error),
            }
        }
        unknown.map_or(Ok(None), Err)
    }

    /// Why it is not known whether what is delivered is newer than a commit.
    pub(super) fn undecided(&self, there: &SourceCommit, reason: &str) -> Error {
        let ours = self.shipment.commit.as_ref().map(|commit| commit.id.clone()).unwrap_or_default();
        Error::Undecided { there: there.shown(), ours, reason: reason.to_owned() }
    }

    /// What the commit that is delivered is to another.
    async fn compare(&self, there: &SourceCommit) -> Result<Ancestry, Error> {
        let undecided = |reason: &str| self.undecided(there, reason);
        let ours = self.shipment.commit.as_ref().filter(|ours| ours.is_known() && there.is_known());
        let ours = ours.ok_or_else(|| undecided("one of them is no commit of git"))?;
        if !ours.source.eq_ignore_ascii_case(&there.source) {
            return Err(undecided("they are not of the same repository"));
        }
        if ours.id == there.id {
            return Ok(Ancestry::Same);
        }
        let source = self.source.ok_or_else(|| undecided("there is no github-token to ask the source's repository with"))?;
        git_data::compare(source, &there.id, &ours.id).await.map_err(|error| match error.refusal() {
            Some(status) => undecided(&format!("GitHub does not compare them ({status})")),
            None => error.into(),
        })
    }
}
