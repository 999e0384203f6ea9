//! A branch is brought to an image: read, edited, written on what was read. Where others are faster, that is done again.

use std::time::Duration;

use rand::Rng as _;

use super::error::Error;
use super::host::{self, Host, Last};
use super::message::{Earlier, Shipment};
use super::pull_request;
use super::settings::{Mode, Settings};
use super::source_commit::SourceCommit;
use super::work::{Edit, Outcome, Work};
use crate::github::Api;
use crate::github::git_data::{File, Head};
use crate::text::{self, Line};

/// How often it is tried: of ten writers the last has waited for nine.
const TRIES: usize = 20;
/// The longest wait before the next try.
const LONGEST_WAIT: Duration = Duration::from_millis(1500);

/// What a try came to.
enum Try {
    Done(Outcome),
    /// Someone else was faster.
    Again,
}

/// Brings the branch to the image. `host` is for the repository of the settings, `source` for that of the commit.
///
/// # Errors
/// It is not done, and the branch is as it was, or as others have made it.
pub(crate) async fn update(
    host: &Host,
    settings: &Settings,
    shipment: &Shipment,
    source: Option<&Api>,
) -> Result<Outcome, Error> {
    let work = Work { host, settings, shipment, source };
    if settings.mode == Mode::PullRequest && host.github().is_none() {
        return Err(Error::NoPullRequests);
    }
    for round in 1..=TRIES {
        if let Try::Done(outcome) = work.attempt().await? {
            return Ok(outcome);
        }
        let longest = LONGEST_WAIT.min(Duration::from_millis(100) * u32::try_from(round).unwrap_or(u32::MAX));
        let wait = rand::rng().random_range(Duration::ZERO..=longest);
        tokio::time::sleep(wait).await;
    }
    Err(Error::Overrun { times: TRIES })
}

impl Work<'_> {
    async fn attempt(&self) -> Result<Try, Error> {
        let branch = &self.settings.branch;
        let base = self.host.head(branch).await?;
        let base = base.ok_or_else(|| Error::NoBranch { branch: branch.clone() })?;
        let files = self.edited(&base).await?;
        let Some(first) = files.first() else {
            self.close().await;
            return Ok(Try::Done(Outcome::Unchanged));
        };
        let earlier = self.deliveries(&base, &files).await?;
        for earlier in &earlier {
            if let Some(outcome) = self.stays(earlier).await? {
                return Ok(Try::Done(outcome));
            }
        }
        let tree = self.host.create_tree(&base.tree, &files).await?;
        let tree = tree.ok_or_else(|| Error::Secret { path: text::words(&first.path) })?;
        let delivered = earlier.iter().flat_map(Earlier::delivered).cloned().collect();
        let edit = Edit { base, tree, delivered };
        if self.settings.mode != Mode::PullRequest {
            let commit = self.commit(&edit, &[&edit.base.commit], &edit.delivered).await?;
            let moved = match self.host.move_branch(branch, &edit.base.commit, &commit).await {
                // What was done may have been answered by nobody.
                Err(error) if !host::is_answered(&error) && self.has(&commit).await => Ok(()),
                moved => moved,
            };
            match moved {
                Ok(()) => {
                    self.close().await;
                    return Ok(Try::Done(Outcome::Updated { commit }));
                }
                Err(refused) => match self.refused(&edit, refused).await? {
                    None => return Ok(Try::Again),
                    Some(reason) if self.host.github().is_none() => {
                        return Err(Error::Rejected { branch: branch.clone(), reason });
                    }
                    Some(message) if self.settings.mode == Mode::Push => {
                        return Err(Error::Protected { branch: branch.clone(), message });
                    }
                    Some(_) => {}
                },
            }
        }
        Ok(pull_request::propose(self, &edit).await?.map_or(Try::Again, Try::Done))
    }

    /// Whether the branch names a commit.
    async fn has(&self, commit: &str) -> bool {
        let now = self.host.commit_of(&self.settings.branch).await;
        now.is_ok_and(|now| now.as_deref() == Some(commit))
    }

    /// Who delivered last to each of these files, as the branch has it.
    async fn deliveries(&self, base: &Head, files: &[File]) -> Result<Vec<Earlier>, Error> {
        let mut all = Vec::new();
        for file in files {
            let last = self.last_delivery(base, &file.path).await?;
            all.extend(last.filter(|last| !all.contains(last)));
        }
        Ok(all)
    }

    async fn last_delivery(&self, base: &Head, path: &str) -> Result<Option<Earlier>, Error> {
        match self.host.last_delivery(self.shipment, &base.commit, path).await? {
            Last::Is(found) => Ok(Some(found)),
            Last::Nobody => Ok(None),
            // Whether there is an older one that counts is not known. Who goes back asks nobody.
            Last::Unknown(_) if self.shipment.goes_back() => Ok(None),
            Last::Unknown(reason) => Err(self.undecided(&SourceCommit::read(""), &reason)),
        }
    }

    /// Why a branch does not move, in its host's words; none where it has moved meanwhile. Its words differ, so what counts is
    /// whether it did.
    async fn refused(&self, edit: &Edit, refused: Error) -> Result<Option<Line>, Error> {
        let Some(message) = host::refusal(&refused) else { return Err(refused) };
        let now = self.host.commit_of(&self.settings.branch).await?;
        match now {
            Some(now) if now == edit.base.commit => {
                // What an archived repository refuses is no rule of a branch.
                let is_archived =
                    matches!(&refused, Error::Api(error) if error.refusal().is_some_and(|status| status.as_u16() == 403));
                if is_archived && message.contains("archived") { Err(refused) } else { Ok(Some(message)) }
            }
            _ => Ok(None),
        }
    }

    /// Closes the pull request that an earlier delivery has opened, where there may be one: what it says is on the branch. The
    /// branch is as it is to be by then; what is not closed is closed by the next delivery.
    async fn close(&self) {
        if let Err(error) = pull_request::close(self).await {
            tracing::debug!(%error, "the pull request is not closed");
        }
    }
}
