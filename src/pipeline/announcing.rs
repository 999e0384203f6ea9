//! The report is shown beside the commit.

use crate::annotation::Annotation;
use crate::config::Config;
use crate::github::checks::{self, CheckRun, Conclusion};
use crate::github::{Api, Event, api, commands};
use crate::record::{Record, RunResult};
use crate::report::{annotations, headline, is_flawless, summary};
use crate::text;

/// Shows a check run with annotations. Where the token may not, the runner shows the first of them: the lines for it are
/// what is returned.
///
/// # Errors
/// GitHub can't be reached, or refuses for another reason.
pub(crate) async fn announce(record: &Record, config: &Config, event: &Event) -> Result<Option<String>, api::Error> {
    let annotations = annotations::of(record);
    let by_commands = |annotations: &[Annotation]| {
        // A name that can't stand in a log as it is stays out of it: the summary has it.
        let plain = annotations.iter().filter(|annotation| text::line(&annotation.file, usize::MAX) == annotation.file);
        let plain: Vec<_> = plain.cloned().collect();
        Ok((!plain.is_empty()).then(|| commands::annotate(&plain)))
    };
    let Some(access) = &config.github else { return by_commands(&annotations) };
    // Whoever set the run up wants nothing shown here: the job that shows a change has the token.
    let Some(api) = Api::open(access)? else { return Ok(None) };
    let image = record.name.as_deref().map(|name| format!(", {name}")).unwrap_or_default();
    let check = CheckRun {
        name: format!("gp-deliver ({}{image})", config.environment),
        commit: event.shown_at().to_owned(),
        conclusion: conclusion(record),
        title: headline(record),
        summary: summary::render(record, checks::SUMMARY),
        annotations,
    };
    match checks::show(&api, &check).await {
        Ok(()) => Ok(None),
        Err(error) if error.refusal().is_some_and(|status| matches!(status.as_u16(), 403 | 404)) => {
            by_commands(&check.annotations)
        }
        Err(error) => Err(error),
    }
}

pub(super) fn conclusion(record: &Record) -> Conclusion {
    match record.result {
        Some(RunResult::Delivered | RunResult::Skipped) if is_flawless(record) => Conclusion::Success,
        Some(RunResult::Delivered | RunResult::Skipped) => Conclusion::Neutral,
        Some(RunResult::Blocked | RunResult::Failed | RunResult::Cancelled) | None => Conclusion::Failure,
    }
}
