//! What a repository of Amazon ECR holds, looked at from outside a delivery, and what a lifecycle policy would do to it; and
//! its settings, shown and brought to what is wanted. No image is deleted by anything here.

mod chosen;
mod contents;
mod expiry;
mod guard;
mod images;
mod named;
mod preview;
mod registry;
mod report;
mod request;
mod row;
mod settings;
mod state;
mod table;
mod wanted;

pub(crate) use expiry::{Expiry, expiry};
pub(crate) use images::Listing;
pub(crate) use preview::Preview;
pub(crate) use registry::Repositories;
pub(crate) use report::Report;
pub(crate) use request::{ImagesRequest, Keep, LifecycleRequest, PreviewRequest, SettingsRequest};
pub(crate) use wanted::{Said, Verb};

use crate::aws::Session;
use crate::aws::ecr::Repository;
use crate::config::{Config, RequestedDestination};
use crate::error::Error;
use crate::github::Event;
use crate::github::oidc::TokenSource;
use crate::inputs;
use crate::lifecycle::{self, Preset};
use crate::tags::Template;
use crate::variables;

/// Looks at what a policy would do to a repository.
///
/// # Errors
/// The request or the policy makes no sense, or ECR refuses or can't be reached.
pub(crate) async fn preview(config: &Config<()>, event: Option<&Event>, request: &PreviewRequest) -> Result<Preview, Error> {
    // What is wrong with the request is said before anyone is asked.
    let guard = guard::Guard::of(&config.tags, &request.keep).map_err(Error::Inputs)?;
    let given = chosen::Policy::given(request.policy.as_deref(), request.preset.as_deref()).map_err(Error::Inputs)?;
    let repository = open(config, event).await?;
    let (contents, policy) = tokio::try_join!(contents::Contents::read(&repository), async {
        match given {
            Some(given) => Ok(Some(given)),
            None => chosen::Policy::in_force(&repository).await,
        }
    })?;
    preview::Preview::of(&repository, contents, policy, &guard, &request.force).await
}

/// Lists what is in a repository.
///
/// # Errors
/// There is no such repository, or ECR refuses or can't be reached.
pub(crate) async fn images(config: &Config<()>, event: Option<&Event>, request: ImagesRequest) -> Result<Listing, Error> {
    let repository = open(config, event).await?;
    Listing::read(&repository, request.details).await
}

/// Lists the repositories of a registry. The configuration's repository says which registry that is, and need not be there.
///
/// # Errors
/// ECR refuses, or can't be reached.
pub(crate) async fn all(config: &Config<()>, event: Option<&Event>) -> Result<Repositories, Error> {
    let repository = open(config, event).await?;
    Repositories::read(&repository).await
}

/// Shows a repository's settings, compares them with what is wanted, or brings them to that.
///
/// # Errors
/// What is wanted makes no sense, there is no repository to show, or ECR refuses or can't be reached.
pub(crate) async fn settings(config: &Config<()>, event: Option<&Event>, request: &SettingsRequest) -> Result<Report, Error> {
    let wanted = wanted::Wanted::read(request.file.as_deref(), &request.said, request.verb).map_err(Error::Inputs)?;
    let guard = guard::Guard::of(&config.tags, &request.keep).map_err(Error::Inputs)?;
    let repository = open(config, event).await?;
    settings::run(&repository, &wanted, &guard, request).await
}

/// A policy that AWS would take.
pub(crate) struct Checked {
    /// Its text, with the rules in the order in which they act.
    pub(crate) text: String,
    /// What is to be looked at.
    pub(crate) warnings: Vec<String>,
}

/// Reads a file as a policy.
///
/// # Errors
/// All that is wrong with it.
pub(crate) fn check(file: &std::path::Path) -> Result<Checked, Error> {
    let policy = chosen::Policy::of_file(file).map_err(Error::Inputs)?;
    Ok(Checked { text: policy.value.to_json(), warnings: policy.warnings(&guard::moving_in_production()) })
}

/// The presets, each with its name, what it is for and what is to be looked at.
#[must_use]
pub(crate) fn presets() -> String {
    let preset = |preset: Preset| {
        let warnings = preset_warnings(preset).into_iter().map(|warning| format!("\n  {warning}"));
        format!("{}: {}{}", preset.name(), preset.what(), warnings.collect::<String>())
    };
    Preset::ALL.map(preset).join("\n\n")
}

/// The preset with a name, to print.
///
/// # Errors
/// There is none.
pub(crate) fn preset(name: &str) -> Result<Preset, Error> {
    chosen::preset("print", name).map_err(|problem| Error::Inputs(vec![problem]))
}

/// What is to be looked at in a preset.
#[must_use]
pub(crate) fn preset_warnings(preset: Preset) -> Vec<String> {
    let policy = preset.policy().ok();
    let warnings = policy.map(|policy| lifecycle::warnings(&policy, &guard::moving_in_production()));
    warnings.unwrap_or_default().iter().map(ToString::to_string).collect()
}

/// The repository that the inputs name, by their identity.
async fn open(config: &Config<()>, event: Option<&Event>) -> Result<Repository, Error> {
    let RequestedDestination::Ecr(ecr) = &config.destination else {
        return Err(Error::Inputs(vec![inputs::ECR_REPOSITORY.problem("", "a repository of Amazon ECR is expected")]));
    };
    let tokens = || event.map(|event| TokenSource::find(variables::text, event.fork));
    let session = Session::open(&ecr.identity, tokens).await?;
    Ok(ecr.repository(session))
}

/// The templates of tags, as the configuration has them.
type Templates = [Template];
