//! What was found goes where the team looks: into the Security tab, and into one issue an image. Nothing depends on it but where
//! it is required: a refusal is a warning.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::judged::Watched;
use super::{issue, one};
use crate::config::Config;
use crate::diagnosis::Diagnosis;
use crate::error::Error;
use crate::github::code_scanning::{self, Analysis};
use crate::github::issues::{self, Kept, Notice};
use crate::github::{Api, Demand, Event};
use crate::inputs::{self, Inputs};
use crate::text;

/// Where it is shown.
pub(super) struct Shown<'a> {
    api: Option<Api>,
    event: Option<&'a Event>,
    security_tab: Demand,
    /// Whether the environment asks for the Security tab.
    asks: bool,
    issues: Demand,
}

impl<'a> Shown<'a> {
    /// Where the inputs say.
    ///
    /// # Errors
    /// One of them makes no sense, or GitHub's address does not.
    pub(super) fn to(config: &Config<()>, inputs: &Inputs, event: Option<&'a Event>) -> Result<Self, Error> {
        let api = config.github.as_ref().map(Api::open).transpose()?.flatten();
        let issues = inputs.get(&inputs::ISSUES).map_err(Error::Inputs)?;
        let asks = config.environment.requirements().sarif_upload;
        Ok(Self { api, event, security_tab: config.code_scanning, asks, issues })
    }

    /// Shows all of it; false where it is not shown and has to be.
    pub(super) async fn show(&self, watched: &mut [Watched], warnings: &mut Vec<String>) -> bool {
        let Some(event) = self.event else { return !self.is_required() };
        // What a change asks for is a stranger's word.
        if !event.may_publish() {
            warnings.push(format!("Nothing is shown in the Security tab or in an issue: {} may be anybody's event.", event.name));
            return !self.is_required();
        }
        let Some(api) = &self.api else {
            warnings
                .push("Nothing is shown in the Security tab or in an issue: the workflow gives no `github-token`.".to_owned());
            return !self.is_required();
        };
        let is_uploaded = self.upload(api, event, watched, warnings).await;
        let is_kept = self.keep(api, watched, warnings).await;
        is_uploaded && is_kept
    }

    fn is_required(&self) -> bool {
        [self.security_tab, self.issues].contains(&Demand::Required)
    }

    async fn upload(&self, api: &Api, event: &Event, watched: &[Watched], warnings: &mut Vec<String>) -> bool {
        if !self.security_tab.applies(self.asks) {
            return true;
        }
        let started_at = Timestamp::now();
        for sarif in one::analyses(watched).flatten() {
            let analysis = Analysis { sarif: &sarif, commit: &event.sha, reference: &event.reference, started_at };
            if let Err(error) = code_scanning::upload(api, &analysis).await {
                // What one upload lacks, the others do.
                warnings.push(Diagnosis::from(&error).in_a_row());
                return self.security_tab != Demand::Required;
            }
        }
        true
    }

    /// Keeps an issue for each image, by the name that comes first; what is kept under its other names is closed as the same. What
    /// could not be judged as a whole is not clean: its issue stays as it is.
    async fn keep(&self, api: &Api, watched: &mut [Watched], warnings: &mut Vec<String>) -> bool {
        if self.issues == Demand::Off {
            return true;
        }
        for group in one::issues(watched) {
            let about: Vec<&Watched> = group.iter().map(|&at| &watched[at]).collect();
            let Some(first) = about.first() else { continue };
            let notice = issue::notice(&about);
            if notice.is_none() && !about.iter().all(|one| one.is_clean()) {
                continue;
            }
            let others = about.iter().map(|one| &*one.image).filter(|image| *image != first.image).collect();
            match kept(api, &first.image, others, notice.as_ref()).await {
                Ok(kept) => group.iter().for_each(|&at| watched[at].issue = Some(kept.to_string())),
                Err(error) => {
                    warnings.push(text::words(&Diagnosis::from(&error).in_a_row()).into());
                    // What is refused once is refused for the others.
                    return self.issues != Demand::Required;
                }
            }
        }
        true
    }
}

async fn kept(api: &Api, image: &str, others: BTreeSet<&str>, notice: Option<&Notice>) -> Result<Kept, issues::Error> {
    let kept = issues::keep(api, image, notice).await?;
    for other in others {
        issues::retire(api, other, notice.is_some()).await?;
    }
    Ok(kept)
}
