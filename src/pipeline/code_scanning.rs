//! The findings go to the Security tab, before a tag can be seen.

use super::preflight::Ready;
use super::{Delivery, Ending};
use crate::diagnosis::Diagnosis;
use crate::error::Error;
use crate::github::Api;
use crate::github::code_scanning::{self, Accepted, Analysis};
use crate::publish::Shown;
use crate::record::{Record, StageName};
use crate::report::sarif;
use crate::scanner::Tool;
use crate::text;

/// Uploads what the scans found. Where the environment's gates are blocking and the image is cleared, an upload that fails is
/// a failure: what the team can't see must not be delivered.
pub(super) async fn upload(delivery: &Delivery, ready: &Ready, cleared: bool) -> Result<Shown, Error> {
    let demands = delivery.config.environment.requirements();
    if !demands.sarif_upload {
        return Ok(Shown::NotAsked);
    }
    let uploader = match Uploader::find(delivery, ready)? {
        Ok(uploader) => uploader,
        Err(why) => {
            delivery.recorder.skip(StageName::CodeScanning, why);
            return Ok(Shown::Nowhere);
        }
    };
    let strict = cleared && Tool::all().any(|tool| tool.blocks(demands));
    delivery
        .stage(StageName::CodeScanning, async |_| {
            let error = match uploader.upload(&delivery.recorder.snapshot()).await {
                Ok(ending) => return Ok((Shown::Uploaded, ending)),
                Err(error) if strict && !matches!(error, code_scanning::Error::Unavailable { .. }) => return Err(error.into()),
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

/// All that an upload needs.
struct Uploader {
    api: Api,
    commit: String,
    reference: String,
}

impl Uploader {
    /// What is needed, or why there is no place to upload to.
    fn find(delivery: &Delivery, ready: &Ready) -> Result<Result<Self, String>, Error> {
        let (Some(event), Some(access)) = (&delivery.event, &delivery.config.github) else {
            return Ok(Err("this is not a job of GitHub Actions".to_owned()));
        };
        let commit = ready.checkout.source.commit.as_deref();
        let Some((commit, reference)) = event.analysed(commit) else {
            return Ok(Err(format!(
                "the commit that is checked out ({}) is not the one that the run is of ({})",
                commit.unwrap_or_default(),
                event.sha
            )));
        };
        let api = Api::open(access).map_err(code_scanning::Error::from)?;
        Ok(api.map(|api| Self { api, commit, reference }).ok_or_else(|| "the workflow gives no github-token".to_owned()))
    }

    async fn upload(&self, record: &Record) -> Result<Ending, code_scanning::Error> {
        let files: Vec<_> = sarif::files(record).collect();
        let uploads = files.iter().filter_map(|(_, sarif)| sarif.as_ref()).map(|sarif| {
            let (commit, reference, started_at) = (&*self.commit, &*self.reference, record.started_at);
            let analysis = Analysis { sarif, commit, reference, started_at };
            async move { code_scanning::upload(&self.api, &analysis).await }
        });
        let accepted = futures_util::future::try_join_all(uploads).await?;
        let analyses = match accepted.len() {
            1 => "1 analysis".to_owned(),
            several => format!("{several} analyses"),
        };
        Ok(if accepted.contains(&Accepted::Pending) {
            Ending::Advise(format!("GitHub has taken {analyses} and has not processed all of them after two minutes"))
        } else {
            let shown = text::count(record.findings.len(), "finding");
            Ending::Pass(format!("{analyses} of {shown} for {}", self.reference))
        })
    }
}
