//! The repository that a cluster is brought to names the published image.

use std::sync::OnceLock;
use std::time::Duration;

use super::{Delivery, Ending};
use crate::config::Config;
use crate::diagnosis::Diagnosis;
use crate::error::Error;
use crate::github::{Access, Api};
use crate::gitops::{self, Course, Host, Mode, Outcome, Shipment, SourceCommit, Wanted};
use crate::inputs::{self, Problem};
use crate::oci::reference::Repository;
use crate::oci::{Digest, Tag};
use crate::record::{GitOps, GitOpsResult, Publication, StageName};
use crate::variables;

/// How long it may take: twenty tries, each of ten requests.
const DEADLINE: Duration = Duration::from_mins(5);

/// Brings it to what was published. What fails is told, and takes nothing back.
pub(super) async fn update(delivery: &Delivery, publication: &Publication) {
    let Some(settings) = &delivery.config.gitops else { return };
    let commit = delivery.recorder.snapshot().source.and_then(|source| source.commit);
    let opened = OnceLock::new();
    let updated = delivery.stage(StageName::GitOps, async |_| {
        let destination = &publication.destination;
        let repository = destination.parse().map_err(|_| gitops::Error::NoRegistry { destination: destination.clone() })?;
        let update = Update {
            repository,
            tag: publication.tags.first().cloned(),
            digest: publication.digest,
            commit: own_commit(&delivery.config, commit),
            course: Course::Onward,
            mode: None,
        };
        let host = open(&delivery.config)?;
        let outcome = bring(&delivery.config, opened.get_or_init(|| host), update).await?;
        let (result, detail) = told(&outcome);
        let ending = match &outcome {
            Outcome::Overtaken { .. } => Ending::Skip(words(&outcome)),
            Outcome::TakenBack { .. } => {
                delivery.recorder.warn(words(&outcome));
                Ending::Skip(words(&outcome))
            }
            _ => Ending::Pass(format!("{}: {}", settings.home, words(&outcome))),
        };
        Ok(((result, detail), ending))
    });
    let ended = updated.await;
    // A run that is called off too.
    if let Some(host) = opened.get() {
        host.leave().await;
    }
    let (result, detail, failure) = match ended {
        Ok((result, detail)) => (result, detail, None),
        Err(error) => {
            let diagnosis = Diagnosis::from(&error);
            delivery.recorder.warn(diagnosis.in_a_row());
            (GitOpsResult::Failed, String::new(), Some(diagnosis))
        }
    };
    let (repository, branch) = (settings.home.to_string(), settings.branch.clone());
    delivery.recorder.write(|record| record.gitops = Some(GitOps { repository, branch, result, detail, failure }));
}

/// What a repository is to name.
pub(crate) struct Update {
    /// The image's repository.
    pub(crate) repository: Repository,
    /// Its tag, for people to read.
    pub(crate) tag: Option<Tag>,
    /// Its digest.
    pub(crate) digest: Digest,
    /// The commit that it is of.
    pub(crate) commit: Option<SourceCommit>,
    /// Whether it may be an older one.
    pub(crate) course: Course,
    /// How the change gets there, where that is not as the inputs say.
    pub(crate) mode: Option<Mode>,
}

/// Does just this, for an image that is out. What it came to is said in words, and by its name.
///
/// # Errors
/// It is not done.
pub(crate) async fn by_itself(config: &Config<()>, update: Update) -> Result<(GitOpsResult, String), Error> {
    let host = open(config)?;
    let ended = bring(config, &host, update).await;
    host.leave().await;
    let outcome = ended?;
    Ok((told(&outcome).0, words(&outcome)))
}

/// What is wrong where a run writes nothing there: one that anyone could cause, or that publishes nothing.
pub(crate) fn not_here(why: &str) -> Problem {
    inputs::GITOPS_REPOSITORY.problem("", format!("nothing is written there by this run: {why}"))
}

/// A commit of the run's own repository.
pub(crate) fn own_commit<B>(config: &Config<B>, id: Option<String>) -> Option<SourceCommit> {
    let source = config.github.as_ref().map(Access::slug).unwrap_or_default();
    id.map(|id| SourceCommit { source, id })
}

/// A client for that repository.
fn open<B>(config: &Config<B>) -> Result<Host, gitops::Error> {
    let settings = config.gitops.as_deref().ok_or(gitops::Error::NoToken)?;
    Host::open(&settings.home)?.ok_or(gitops::Error::NoToken)
}

async fn bring<B>(config: &Config<B>, host: &Host, update: Update) -> Result<Outcome, Error> {
    let Update { repository, tag, digest, commit, course, mode } = update;
    let mut settings = config.gitops.as_deref().ok_or(gitops::Error::NoToken)?.clone();
    settings.mode = mode.unwrap_or(settings.mode);
    let wanted = Wanted { name: settings.name.clone(), repository, tag, digest: Some(digest) };
    let source = config.github.as_ref().map(Api::open).transpose().map_err(gitops::Error::from)?.flatten();
    let shipment = Shipment { wanted, environment: config.environment, commit, run: run(), course };
    match tokio::time::timeout(DEADLINE, gitops::update(host, &settings, &shipment, source.as_ref())).await {
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
