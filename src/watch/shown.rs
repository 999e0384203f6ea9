//! What was found goes where the team looks: into the Security tab, and into one issue an image. Nothing depends on it but where
//! it is required: a refusal is a warning.

use jiff::Timestamp;

use super::issue;
use super::judged::Watched;
use crate::config::Config;
use crate::diagnosis::Diagnosis;
use crate::error::Error;
use crate::github::code_scanning::{self, Analysis};
use crate::github::{Api, Demand, Event, issues};
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
        for sarif in watched.iter().filter_map(Watched::sarif) {
            let analysis = Analysis { sarif: &sarif, commit: &event.sha, reference: &event.reference, started_at };
            if let Err(error) = code_scanning::upload(api, &analysis).await {
                // What one upload lacks, the others do.
                warnings.push(Diagnosis::from(&error).in_a_row());
                return self.security_tab != Demand::Required;
            }
        }
        true
    }

    /// Keeps an issue for each image. What could not be judged as a whole is not clean: its issue stays as it is.
    async fn keep(&self, api: &Api, watched: &mut [Watched], warnings: &mut Vec<String>) -> bool {
        if self.issues == Demand::Off {
            return true;
        }
        for one in watched {
            let Ok(judged) = &one.looked else { continue };
            let notice = judged.counting().next().is_some().then(|| issue::notice(&one.image, judged));
            if notice.is_none() && !judged.is_clean() {
                continue;
            }
            match issues::keep(api, &one.image, notice.as_ref()).await {
                Ok(kept) => one.issue = Some(kept.to_string()),
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
