//! The pull request of a delivery: one for an image and a branch, which each delivery brings up to date.

use super::error::Error;
use super::work::{Edit, Outcome, Work};
use crate::github::{api, git_data, pull_requests};
use crate::oci::Digest;
use crate::text;

/// What its branch is called. It depends on nothing that a delivery changes; of two environments, and of other files, each has
/// its own.
fn branch(work: &Work<'_>) -> String {
    let (repository, environment) = (&work.shipment.wanted.repository, work.shipment.environment);
    let mut places: Vec<_> = work.settings.places.iter().map(ToString::to_string).collect();
    places.sort_unstable();
    let of = format!("{repository}\n{}\n{environment}\n{}", work.settings.branch, places.join("\n"));
    let digest = Digest::of(of.as_bytes()).hex();
    format!("gp-deliver/{}-{}", repository.name().replace('/', "-"), &digest[..12])
}

/// Proposes a change; none where someone else was faster.
///
/// Its branch goes on from what it was and from the branch that it is for, so nothing is forced, and what it shows is this
/// change alone.
pub(super) async fn propose(work: &Work<'_>, edit: &Edit) -> Result<Option<Outcome>, Error> {
    let api = work.host.github().ok_or(Error::NoPullRequests)?;
    let name = branch(work);
    let there = git_data::head(api, &name).await?;
    let is_there = there.is_some();
    let mut delivered = edit.delivered.clone();
    let commit = match &there {
        None => Some(work.commit(edit, &[&edit.base.commit], &delivered).await?),
        Some(there) => {
            let earlier = work.shipment.earlier(&there.message).ok_or_else(|| Error::Foreign { branch: name.clone() })?;
            if let Some(outcome) = work.stays(&earlier).await? {
                return Ok(Some(outcome));
            }
            delivered.extend_from_slice(earlier.delivered());
            let says_so =
                Some(&earlier.commit) == work.shipment.commit.as_ref() && earlier.is_rollback() == work.shipment.goes_back();
            let is_as_wanted = there.tree == edit.tree && says_so;
            if is_as_wanted { None } else { Some(work.commit(edit, &[&there.commit, &edit.base.commit], &delivered).await?) }
        }
    };
    if let Some(commit) = &commit {
        let moved = if is_there {
            git_data::move_branch(api, &name, commit).await
        } else {
            git_data::create_branch(api, &name, commit).await
        };
        match moved {
            Ok(()) => {}
            Err(error) if was_faster(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
    let title = work.shipment.title();
    let body = format!("{}\n\n{}", about(work), work.shipment.trailers(&delivered));
    let open = pull_requests::open(api, &name, &work.settings.branch).await?;
    let pull = match open {
        Some(pull) => pull_requests::describe(api, pull.number, &title, &body).await?,
        None => match pull_requests::create(api, &name, &work.settings.branch, &title, &body).await {
            Ok(pull) => pull,
            Err(error) if was_faster(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        },
    };
    Ok(Some(Outcome::PullRequest { url: text::words(&pull.html_url) }))
}

/// What it is, for whoever is to merge it.
fn about(work: &Work<'_>) -> &'static str {
    if work.shipment.goes_back() {
        "Somebody has chosen this earlier delivery. Merging this brings the files back to it. Deliveries of what is taken back leave \
         them there; the next one of a newer commit brings this pull request, or the files, to that."
    } else {
        "A delivery has published this image. Merging this brings the files to it; the next delivery brings this pull request up to \
         date."
    }
}

/// Whether a refusal means that something is there by now, or has moved.
fn was_faster(error: &api::Error) -> bool {
    error.refusal().is_some_and(|status| matches!(status.as_u16(), 409 | 422))
}

/// Closes it where it is open and nothing that has to stay: the branch has what it says, or something newer.
pub(super) async fn close(work: &Work<'_>) -> Result<(), Error> {
    let Some(api) = work.host.github() else { return Ok(()) };
    let name = branch(work);
    let Some(pull) = pull_requests::open(api, &name, &work.settings.branch).await? else { return Ok(()) };
    let there = git_data::head(api, &name).await?;
    if let Some(earlier) = there.and_then(|there| work.shipment.earlier(&there.message))
        && work.stays(&earlier).await?.is_some()
    {
        return Ok(());
    }
    Ok(pull_requests::close(api, pull.number).await?)
}
