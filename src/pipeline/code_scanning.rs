//! The findings go to the Security tab, before a tag can be seen.

use std::time::Duration;

use super::preflight::Ready;
use super::{Delivery, Ending};
use crate::config::Publish;
use crate::diagnosis::Diagnosis;
use crate::error::Error;
use crate::github::code_scanning::{self, Accepted, Analysis};
use crate::github::{Api, Demand, Event};
use crate::publish::Shown;
use crate::record::{Record, StageName};
use crate::report::sarif;
use crate::scanner::Tool;
use crate::text;

/// Uploads what the scans found. What the team can't see must not be delivered: where the environment's gates are blocking
/// and the image is cleared, an upload that fails is a failure, unless the repository has no code scanning at all.
pub(super) async fn upload(delivery: &Delivery, ready: &Ready, cleared: bool) -> Result<Shown, Error> {
    let demands = delivery.config.environment.requirements();
    let demand = delivery.config.code_scanning;
    if !demand.applies(demands.sarif_upload) {
        if demands.sarif_upload {
            delivery.recorder.skip(StageName::CodeScanning, "code-scanning is off");
        }
        return Ok(Shown::NotAsked);
    }
    // What is blocked ends as blocked, shown or not.
    let duty = match demand {
        _ if !cleared => Duty::None,
        Demand::Required => Duty::Whatever,
        _ if !Tool::all().any(|tool| tool.blocks(demands)) => Duty::None,
        _ if delivery.config.publish == Publish::Yes => Duty::WhereThereIsCodeScanning,
        _ => Duty::WhereItMay,
    };
    let found = match Uploader::find(delivery, ready) {
        Ok(uploader) => Ok(uploader),
        Err(Absence::NotAsked(why)) if duty != Duty::Whatever => {
            delivery.recorder.skip(StageName::CodeScanning, why);
            return Ok(Shown::Nowhere);
        }
        Err(Absence::NotAsked(why)) => Err(code_scanning::Error::Impossible(why.to_owned())),
        Err(Absence::Failure(error)) => Err(error),
    };
    delivery
        .stage(StageName::CodeScanning, async |_| {
            let accepted = match found {
                Ok(uploader) => uploader.upload(&delivery.recorder.snapshot()).await,
                Err(error) => Err(error),
            };
            let error = match accepted {
                Ok(analyses) => return Ok((Shown::Uploaded, analyses.ending())),
                Err(error) if duty.forbids(&error) => return Err(error.into()),
                Err(error) => error,
            };
            let fork = delivery.event.as_ref().is_some_and(|event| event.fork);
            let diagnosis = Diagnosis::from(&error);
            // The token of a fork's pull request can't be given more: nobody has anything to do.
            if !fork {
                delivery.recorder.warn(diagnosis.in_a_row());
            }
            Ok((Shown::Nowhere, Ending::Skip(diagnosis.what)))
        })
        .await
}

/// How long GitHub is asked to take in what nothing waits for.
const DEADLINE: Duration = Duration::from_secs(30);

/// Shows what the registry's own scan alone knows, in a category of its own. Nothing depends on it: a failure is a warning.
pub(super) async fn show_registry_scan(delivery: &Delivery, ready: &Ready) {
    let record = delivery.recorder.snapshot();
    let asked = delivery.config.code_scanning.applies(delivery.config.environment.requirements().sarif_upload);
    let Some(sarif) = sarif::registry_scan(&record).filter(|_| asked) else { return };
    // Why there is nobody to upload is said where trivy's file is.
    let Ok(Uploader { api, commit, reference }) = Uploader::find(delivery, ready) else { return };
    let analysis = Analysis { sarif: &sarif, commit: &commit, reference: &reference, started_at: record.started_at };
    let upload = tokio::time::timeout(DEADLINE, code_scanning::upload(&api, &analysis));
    match delivery.cancel.run_until_cancelled(upload).await {
        Some(Ok(Err(error))) => delivery.recorder.warn(Diagnosis::from(&Error::from(error)).in_a_row()),
        Some(Err(_)) => {
            delivery.recorder.warn("What Amazon ECR's scan found is not in the Security tab: GitHub took too long to answer.");
        }
        Some(Ok(Ok(_))) | None => {}
    }
}

/// What a delivery owes its team.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Duty {
    /// Nothing: an upload that fails is a warning.
    None,
    /// To show what it found wherever the token may: nothing is published, so a token without the right harms nobody.
    WhereItMay,
    /// To show what it found wherever there is code scanning.
    WhereThereIsCodeScanning,
    /// To show what it found.
    Whatever,
}

impl Duty {
    /// Whether the delivery may not go on after this.
    fn forbids(self, error: &code_scanning::Error) -> bool {
        match self {
            Self::None => false,
            Self::WhereItMay => !matches!(error, code_scanning::Error::Unavailable { .. } | code_scanning::Error::Impossible(_)),
            Self::WhereThereIsCodeScanning => !error.is_without_the_feature(),
            Self::Whatever => true,
        }
    }
}

/// Why there is nobody to upload.
enum Absence {
    /// Whoever set the run up has asked for none.
    NotAsked(&'static str),
    /// It was asked for and can't be.
    Failure(code_scanning::Error),
}

/// All that an upload needs.
pub(super) struct Uploader {
    api: Api,
    commit: String,
    reference: String,
}

/// What became of an upload.
pub(super) struct Analyses {
    number: usize,
    findings: usize,
    reference: String,
    pending: bool,
}

impl Uploader {
    fn find(delivery: &Delivery, ready: &Ready) -> Result<Self, Absence> {
        let (Some(event), Some(access)) = (&delivery.event, &delivery.config.github) else {
            return Err(Absence::NotAsked("this is not a job of GitHub Actions"));
        };
        if ready.origin.is_some() && event.analysed(ready.checkout.source.commit.as_deref()).is_none() {
            return Err(Absence::NotAsked("the image is of another commit than the run, which the Security tab is about"));
        }
        let api = Api::open(access).map_err(|error| Absence::Failure(error.into()))?;
        let api = api.ok_or(Absence::NotAsked("the workflow gives no github-token"))?;
        Self::of(api, event, ready.checkout.source.commit.as_deref()).map_err(Absence::Failure)
    }

    /// One for the commit of a checkout.
    ///
    /// # Errors
    /// It is not the commit that the run is of.
    pub(super) fn of(api: Api, event: &Event, commit: Option<&str>) -> Result<Self, code_scanning::Error> {
        let Some((commit, reference)) = event.analysed(commit) else {
            return Err(code_scanning::Error::Impossible(format!(
                "the commit that is checked out ({}) is not the one that the run is of ({})",
                text::line(commit.unwrap_or_default(), 64),
                event.sha
            )));
        };
        Ok(Self { api, commit, reference })
    }

    pub(super) async fn upload(&self, record: &Record) -> Result<Analyses, code_scanning::Error> {
        let files: Vec<_> = sarif::files(record).collect();
        let uploads = files.iter().filter_map(|(_, sarif)| sarif.as_ref()).map(|sarif| {
            let (commit, reference, started_at) = (&*self.commit, &*self.reference, record.started_at);
            let analysis = Analysis { sarif, commit, reference, started_at };
            async move { code_scanning::upload(&self.api, &analysis).await }
        });
        let accepted = futures_util::future::try_join_all(uploads).await?;
        Ok(Analyses {
            number: accepted.len(),
            findings: record.findings.len(),
            reference: self.reference.clone(),
            pending: accepted.contains(&Accepted::Pending),
        })
    }
}

impl Analyses {
    fn ending(self) -> Ending {
        if self.pending { Ending::Advise(self.to_string()) } else { Ending::Pass(self.to_string()) }
    }
}

impl std::fmt::Display for Analyses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let analyses = match self.number {
            1 => "1 analysis".to_owned(),
            several => format!("{several} analyses"),
        };
        if self.pending {
            write!(f, "GitHub has taken {analyses} and has not processed all of them after two minutes")
        } else {
            write!(f, "{analyses} of {} for {}", text::count(self.findings, "finding"), self.reference)
        }
    }
}
