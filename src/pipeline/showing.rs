//! The report of a change's job is shown by another job: the one may not write, the other runs nothing of the change.
//!
//! A change may have written its report itself, so what is shown says no more than the change could say of itself: under a
//! name of its own, for the change's own ref and commit, and never better than its job ended by GitHub's own word.

use super::announcing::conclusion;
use super::code_scanning::Uploader;
use super::preflight::of_platform;
use crate::config::{Config, RequestedDestination};
use crate::diagnosis::Diagnosis;
use crate::environment::Environment;
use crate::error::Error;
use crate::github::checks::{self, CheckRun};
use crate::github::{Api, Event, JobResult};
use crate::github::{Demand, code_scanning};
use crate::oci::Platform;
use crate::publish::Destination;
use crate::record::{Record, RunResult};
use crate::report::claimed::{self, Known};
use crate::report::{annotations, headline, summary};
use crate::text;

/// The most characters of a check run's title.
const TITLE: usize = 250;

/// Shows the report in `report-dir`, and says what was shown. `job` is how the job ended that it is of; `platform` is named where
/// each has a report of its own.
///
/// # Errors
/// There is nothing to show, or it can't be shown.
pub(crate) async fn show(
    config: &Config<()>,
    event: Option<&Event>,
    job: Option<JobResult>,
    platform: Option<&Platform>,
) -> Result<Vec<String>, Error> {
    let event = event.filter(|event| event.is_shown_by_another_job());
    let event = event.ok_or(Error::NotShown("This is not the run of a pull request or of a merge queue."))?;
    let job = job.ok_or(Error::NotShown("`job-result` is missing: how the job ended whose report it is."))?;
    let access = config.github.as_ref().ok_or(Error::NotShown("GITHUB_REPOSITORY is not set."))?;
    let api = Api::open(access)?.ok_or(Error::NotShown("The workflow gives no `github-token`."))?;
    let claim = claimed::read(&config.report_dir)?;
    let uploader = Uploader::of(api.clone(), event, claim.source.as_ref().and_then(|source| source.commit.as_deref()))?;
    let name = of_platform(name(config, &access.repository, claim.name.as_deref()), platform);
    let known = Known { environment: config.environment, threshold: config.threshold, commit: event.sha.clone(), name };
    let record = held_against(claimed::retold(claim, known), job);

    // Both are tried: each is of use without the other.
    let analyses = upload(config, &uploader, &record).await;
    let check = check_run(&record, event);
    let checked = checks::show(&api, &check).await;
    let mut shown = analyses?;
    checked?;
    shown.push(format!("{}: {}", check.name, check.title));
    Ok(shown)
}

/// The findings, in the Security tab.
async fn upload(config: &Config<()>, uploader: &Uploader, record: &Record) -> Result<Vec<String>, code_scanning::Error> {
    if !config.code_scanning.applies(config.environment.requirements().sarif_upload) {
        return Ok(Vec::new());
    }
    match uploader.upload(record).await {
        Ok(analyses) => Ok(vec![analyses.to_string()]),
        Err(error) if config.code_scanning == Demand::Auto && error.is_without_the_feature() => {
            Ok(vec![format!("warning: {}", Diagnosis::from(&error).in_a_row())])
        }
        Err(error) => Err(error),
    }
}

/// What the image is called: its repository, as at a push; else what the report says, if that is a folder of the source.
fn name(config: &Config<()>, source: &str, claimed: Option<&str>) -> String {
    match &config.destination {
        RequestedDestination::Named(Destination::Registry(repository)) => repository.name().to_owned(),
        RequestedDestination::Ecr(ecr) => ecr.name.clone(),
        RequestedDestination::Named(Destination::Layout(_)) => {
            let folder = claimed.and_then(|name| name.strip_prefix(source)).filter(|folder| folder.starts_with('/'));
            text::line(&format!("{source}{}", folder.unwrap_or_default()), TITLE).into()
        }
    }
}

/// The record, which never says that all passed where GitHub says that the job did not end well.
fn held_against(mut record: Record, job: JobResult) -> Record {
    if job != JobResult::Success && record.result == Some(RunResult::Skipped) {
        record.result = Some(RunResult::Failed);
        record.failure = Some(Diagnosis::new(
            "The change's own job did not end well",
            format!("GitHub says that it ended as {job}, and its report says that all passed."),
            "Look into the log of the job: what ran there may have written the report itself.",
        ));
    }
    record
}

fn check_run(record: &Record, event: &Event) -> CheckRun {
    let environment = record.environment.map(Environment::name).unwrap_or_default();
    let image = record.name.as_deref().unwrap_or_default();
    CheckRun {
        // Another name than a delivery's own: nobody takes the one for the other.
        name: format!("gp-deliver ({environment}, {image}), as the change's job reports it"),
        commit: event.shown_at().to_owned(),
        conclusion: conclusion(record),
        title: text::line(&format!("The change's job reports: {}", headline(record)), TITLE).into(),
        summary: summary::render(record, checks::SUMMARY),
        annotations: annotations::of(record),
    }
}
