//! The repository that a cluster is brought to names the published image.

use std::time::Duration;

use super::{Delivery, Ending};
use crate::config::Config;
use crate::diagnosis::Diagnosis;
use crate::error::Error;
use crate::github::{Access, Api};
use crate::gitops::{self, Course, Outcome, Shipment, SourceCommit, Wanted};
use crate::oci::reference::{Reference, Repository};
use crate::oci::{Digest, Tag};
use crate::record::{GitOps, GitOpsResult, Publication, StageName};
use crate::variables;

/// How long it may take: twenty tries, each of ten requests.
const DEADLINE: Duration = Duration::from_mins(5);

/// Brings it to what was published. What fails is told, and takes nothing back.
pub(super) async fn update(delivery: &Delivery, publication: &Publication) {
    let Some(settings) = &delivery.config.gitops else { return };
    let commit = delivery.recorder.snapshot().source.and_then(|source| source.commit);
    let updated = delivery.stage(StageName::GitOps, async |_| {
        let destination = &publication.destination;
        let repository = destination.parse().map_err(|_| gitops::Error::NoRegistry { destination: destination.clone() })?;
        let outcome = bring(&delivery.config, repository, publication.tags.first().cloned(), publication.digest, commit).await?;
        let (result, detail) = told(&outcome);
        let ending = match &outcome {
            Outcome::Overtaken { .. } => Ending::Skip(words(&outcome)),
            Outcome::TakenBack { .. } => {
                delivery.recorder.warn(words(&outcome));
                Ending::Skip(words(&outcome))
            }
            _ => Ending::Pass(format!("{}: {}", settings.access.slug(), words(&outcome))),
        };
        Ok(((result, detail), ending))
    });
    let (result, detail, failure) = match updated.await {
        Ok((result, detail)) => (result, detail, None),
        Err(error) => {
            let diagnosis = Diagnosis::from(&error);
            delivery.recorder.warn(diagnosis.in_a_row());
            (GitOpsResult::Failed, String::new(), Some(diagnosis))
        }
    };
    let (repository, branch) = (settings.access.slug(), settings.branch.clone());
    delivery.recorder.write(|record| record.gitops = Some(GitOps { repository, branch, result, detail, failure }));
}

/// Does just this, for an image that is out. What it came to is said in words, and by its name.
///
/// # Errors
/// It is not done.
pub(crate) async fn again(
    config: &Config<()>,
    image: Reference,
    commit: Option<String>,
) -> Result<(GitOpsResult, String), Error> {
    let Reference { repository, tag, digest: Some(digest) } = image else {
        return Err(gitops::Error::NoRegistry { destination: image.to_string() }.into());
    };
    let outcome = bring(config, repository, tag, digest, commit).await?;
    Ok((told(&outcome).0, words(&outcome)))
}

async fn bring<B>(
    config: &Config<B>,
    repository: Repository,
    tag: Option<Tag>,
    digest: Digest,
    commit: Option<String>,
) -> Result<Outcome, Error> {
    let settings = config.gitops.as_deref().ok_or(gitops::Error::NoToken)?;
    let wanted = Wanted { name: settings.name.clone(), repository, tag, digest: Some(digest) };
    let source = config.github.as_ref();
    let api = source.map(Api::open).transpose().map_err(gitops::Error::from)?.flatten();
    let of = source.map(Access::slug).unwrap_or_default();
    let commit = commit.map(|id| SourceCommit { source: of, id });
    let shipment = Shipment { wanted, environment: config.environment, commit, run: run(), course: Course::Onward };
    match tokio::time::timeout(DEADLINE, gitops::update(settings, &shipment, api.as_ref())).await {
        Ok(outcome) => Ok(outcome?),
        Err(_) => Err(gitops::Error::TooLong.into()),
    }
}

/// The address of the run.
fn run() -> Option<String> {
    let [server, repository, run] = [variables::GITHUB_SERVER_URL, variables::GITHUB_REPOSITORY, variables::GITHUB_RUN_ID]
        .map(variables::text)
        .map(|value| value.filter(|value| !value.is_empty()));
    Some(format!("{}/{}/actions/runs/{}", server?, repository?, run?))
}

fn told(outcome: &Outcome) -> (GitOpsResult, String) {
    match outcome {
        Outcome::Updated { commit } => (GitOpsResult::Updated, commit.clone()),
        Outcome::Unchanged => (GitOpsResult::Unchanged, String::new()),
        Outcome::PullRequest { url } => (GitOpsResult::PullRequest, url.to_string()),
        Outcome::Overtaken { by: there } | Outcome::TakenBack { to: there } => (GitOpsResult::Skipped, there.to_string()),
    }
}

fn words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Updated { commit } => format!("updated by {commit}"),
        Outcome::Unchanged => "it names the image already".to_owned(),
        Outcome::PullRequest { url } => format!("proposed by {url}"),
        Outcome::Overtaken { by } => format!("a newer delivery is there, of {by}"),
        Outcome::TakenBack { to } => {
            format!(
                "a rollback to {to} has taken this delivery back: a newer commit takes its place, or `gp-deliver rollback` again"
            )
        }
    }
}
