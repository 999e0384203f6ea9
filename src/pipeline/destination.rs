//! The destination is checked while the work begins: the identity, whether it may be written, what it holds already.

use std::path::{Path, PathBuf};

use super::preflight::Ready;
use super::reuse::{self, Existing};
use super::{Delivery, Ending, amazon, keys};
use crate::aws::ecr::Mutability;
use crate::config::{Ecr, Publish, RequestedDestination};
use crate::error::Error;
use crate::oci::registry::{self, Store};
use crate::publish::{self, ExistingTag, Target};
use crate::record::{StageLog, StageName};

/// A destination that was checked.
pub(super) struct ResolvedDestination {
    /// Where the image goes; absent where publishing is not asked for.
    pub(crate) target: Option<Target>,
    /// What it already holds of this delivery.
    pub(crate) existing: Existing,
    /// What the moving tags name before it.
    pub(crate) moving: Vec<ExistingTag>,
}

pub(super) async fn look(delivery: &Delivery, ready: &Ready) -> Result<ResolvedDestination, Error> {
    if delivery.config.publish != Publish::Yes {
        return Ok(ResolvedDestination { target: None, existing: Existing::Nothing, moving: Vec::new() });
    }
    delivery
        .stage(StageName::Destination, async |log| {
            let project = [ready.checkout.root.clone(), delivery.config.context.clone()];
            let (target, mutability) = target(delivery, &project, &log).await?;
            let snapshot = target.snapshot(&ready.tags).await?;
            let existing = reuse::find(delivery, ready, &target, &snapshot, &mutability).await?;
            let detail = match target.repository() {
                Some(_) => format!("{}: {existing}", target.destination()),
                None => target.destination().to_string(),
            };
            log.line(&detail);
            let moving = snapshot.tags.into_iter().filter(|tag| tag.planned.moving).collect();
            Ok((ResolvedDestination { target: Some(target), existing, moving }, Ending::Pass(detail)))
        })
        .await
}

/// The destination that is asked for, as a place that may be written, and which of its tags may move.
pub(super) async fn target(delivery: &Delivery, project: &[PathBuf], log: &StageLog) -> Result<(Target, Mutability), Error> {
    let (target, mutability) = match &delivery.config.destination {
        RequestedDestination::Named(destination) => {
            (publish::preflight(destination, &Store::from_env(), project).await?, Mutability::Unknown)
        }
        RequestedDestination::Ecr(ecr) => sign_in(delivery, ecr, project.first().map(PathBuf::as_path), log).await?,
    };
    delivery.recorder.write(|record| record.destination = Some(target.destination().to_string()));
    Ok((target, mutability))
}

/// Signs in at AWS, and says as whom. A checkout may say how a repository is created.
async fn sign_in(delivery: &Delivery, ecr: &Ecr, checkout: Option<&Path>, log: &StageLog) -> Result<(Target, Mutability), Error> {
    let session = keys::session(delivery, &ecr.identity).await?;
    let signed_in = amazon::sign_in(ecr, session, checkout).await?;
    log.line(&format!("identity: {}", session.arn));
    if let Some((arn, as_what)) = &signed_in.created {
        delivery.recorder.warn(format!("The repository {arn} did not exist and is created {as_what}"));
    }
    if signed_in.mutability == Mutability::Unknown {
        log.line("which tags may not move is unknown: the role lacks ecr:DescribeRepositories, which publishing does not need");
    }
    Ok((signed_in.target, signed_in.mutability))
}

impl From<registry::Error> for Error {
    fn from(error: registry::Error) -> Self {
        publish::Error::from(error).into()
    }
}
