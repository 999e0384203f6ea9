//! The stages of a delivery: a table and a picture.

use std::fmt::Write as _;

use crate::record::{Record, Stage, StageOutcome};
use crate::report::document::Document;
use crate::report::wait;
use crate::text;
use crate::text::markdown::prose;

/// Writes the table of the stages.
pub(crate) fn stages(document: &mut Document, record: &Record) {
    if record.stages.is_empty() {
        return;
    }
    document.heading(&format!("Stages, {} in all", text::duration(record.elapsed_ms)));
    let rows = record.stages.iter().map(|stage| {
        let (icon, word, why) = outcome(&stage.outcome);
        let time =
            if matches!(stage.outcome, StageOutcome::Skipped(_)) { "–".to_owned() } else { text::duration(stage.elapsed_ms) };
        let detail = if why.is_empty() { &stage.detail } else { why };
        let wait = wait(stage).map(|wait| format!(" after {wait}")).unwrap_or_default();
        [stage.name.name().to_owned(), format!("{icon} {word}"), format!("{time}{wait}"), prose(detail)]
    });
    document.table(["Stage", "Result", "Time", ""], rows);
}

/// Writes the timeline as a Gantt chart for Mermaid, which GitHub renders (Mermaid docs, "Gantt diagrams").
pub(crate) fn picture(document: &mut Document, record: &Record) {
    let bars: Vec<_> = record.stages.iter().filter_map(|stage| bar(stage, record)).collect();
    if bars.is_empty() {
        return;
    }
    // The times are those of the reader's own clock on any one day: only what has passed since the start is shown.
    let axis = if record.elapsed_ms < 3_600_000 { "%M:%S" } else { "%H:%M:%S" };
    let chart = format!(
        "%%{{init: {{\"gantt\": {{\"leftPadding\": 170}}}}}}%%\ngantt\n    dateFormat YYYY-MM-DD HH:mm:ss.SSS\n    axisFormat {axis}\n{}",
        bars.concat()
    );
    document.paragraph(&format!("```mermaid\n{chart}```"));
}

/// The picture, the word and the reason of an outcome.
fn outcome(outcome: &StageOutcome) -> (&'static str, &'static str, &str) {
    match outcome {
        StageOutcome::Running => ("⏳", "running", ""),
        StageOutcome::Passed => ("✅", "passed", ""),
        StageOutcome::Advised => ("⚠️", "advice", ""),
        StageOutcome::Blocked => ("⛔", "blocked", ""),
        StageOutcome::Skipped(why) => ("⏭️", "skipped", why),
        StageOutcome::Failed(what) => ("❌", "failed", what),
        StageOutcome::Cancelled => ("⏹️", "cancelled", ""),
    }
}

fn bar(stage: &Stage, record: &Record) -> Option<String> {
    let (mark, elapsed) = match stage.outcome {
        StageOutcome::Skipped(_) => return None,
        StageOutcome::Failed(_) | StageOutcome::Blocked | StageOutcome::Cancelled => ("crit", stage.elapsed_ms),
        StageOutcome::Advised => ("active", stage.elapsed_ms),
        StageOutcome::Passed => ("done", stage.elapsed_ms),
        StageOutcome::Running => ("crit", record.elapsed_ms.saturating_sub(stage.started_ms)),
    };
    let mut bar = String::new();
    // A name of its own in a section of its own: the name stands at the left, however short the bar is.
    let name = stage.name.name();
    let end = stage.started_ms + elapsed.max(1);
    let _ = writeln!(bar, "    section {name}");
    if let Some(wait) = wait(stage) {
        // Mermaid takes a comma or a colon in a name for its end.
        let wait = wait.replace(',', "");
        let _ = writeln!(bar, "    {wait} :{}, {}", clock(stage.started_ms - stage.waited_ms), clock(stage.started_ms));
    }
    let _ = writeln!(bar, "    {} :{mark}, {}, {}", text::duration(elapsed), clock(stage.started_ms), clock(end));
    Some(bar)
}

fn clock(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    format!("2000-01-{:02} {hours:02}:{minutes:02}:{:02}.{:03}", (1 + days).min(28), seconds % 60, milliseconds % 1000)
}
