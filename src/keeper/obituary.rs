//! What is known of a worker that died, and the report that is made of it.

use std::io::{Write as _, stderr};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::lifeline::{self, Kind, Lists};
use crate::diagnosis::Diagnosis;
use crate::document;
use crate::error::{Cause, Death, Error, Exit};
use crate::record::{Record, RunResult, Stage, StageOutcome};
use crate::report::console::{Console, Form};
use crate::report::{self, Folder, RunnerFiles, Written};
use crate::scanner::Tool;

/// What the worker has told. It is read as what a stranger may have written: its lengths are bounded, and what makes no sense
/// counts as not told.
pub(super) struct Known {
    begun: Instant,
    form: Form,
    files: RunnerFiles,
    reports: Option<PathBuf>,
    staging: Option<PathBuf>,
    record: Option<Record>,
    lists: Option<Lists>,
    panic: Option<String>,
    over: Option<u8>,
}

impl Known {
    /// Nothing yet, of a worker that begins now.
    pub(super) fn new() -> Self {
        Self {
            begun: Instant::now(),
            form: Form::Plain,
            files: RunnerFiles::default(),
            reports: None,
            staging: None,
            record: None,
            lists: Some(Lists::default()),
            panic: None,
            over: None,
        }
    }

    /// Takes a message.
    pub(super) fn take(&mut self, kind: Kind, bytes: Vec<u8>) {
        match kind {
            Kind::Form => self.form = lifeline::form(&bytes),
            Kind::Output => self.files.output = Some(lifeline::path(&bytes)),
            Kind::StepSummary => self.files.step_summary = Some(lifeline::path(&bytes)),
            Kind::Reports => self.reports = Some(lifeline::path(&bytes)),
            Kind::Staging => self.staging = Some(lifeline::path(&bytes)),
            Kind::Record => self.record = document::read(&bytes).ok().or_else(|| self.record.take()),
            Kind::Lists => self.lists = document::read(&bytes).ok(),
            // The first one is the cause of the others.
            Kind::Panic => self.panic = self.panic.take().or_else(|| String::from_utf8(bytes).ok()),
            Kind::Over => self.over = bytes.first().copied(),
        }
    }

    /// The exit code of a worker that came to its end.
    pub(super) fn over(&self) -> Option<u8> {
        self.over
    }

    /// Removes the folder of the image. There is none after an end that was announced.
    pub(super) fn remove_staging(&self) {
        let inside = |staging: &Path| staging.parent().is_some() && staging.file_name().is_some();
        if let Some(staging) = self.staging.as_deref().filter(|staging| inside(staging)) {
            // What can't be removed now is removed by the next delivery.
            let _ = std::fs::remove_dir_all(staging);
        }
    }

    /// Tells of the worker's death, and says by which code to exit. `told` where a signal asked the worker to end.
    pub(super) fn tell(self, cause: Cause, told: Option<Exit>) -> Exit {
        let cause = self.panic.clone().map_or(cause, Cause::Panic);
        let Self { begun, form, files, reports, record, lists, .. } = self;
        let Some(mut record) = record else {
            let error = Error::Died(Death { cause, during: Vec::new() });
            return told.unwrap_or_else(|| say(&error));
        };
        match lists {
            Some(lists) => lists.put(&mut record),
            None => forget_scans(&mut record),
        }
        forget_what_is_missing(&mut record);
        let elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        conclude(&mut record, cause, told.is_some(), elapsed_ms);
        let written = write(&record, reports.as_deref(), &files);
        let console = Console::new(form);
        console.take_over();
        console.finish(&record, written.as_ref().and_then(|written| written.as_ref().ok()));
        if let Some(Err(error)) = written {
            say(&Error::Report(error));
        }
        told.unwrap_or(Exit::Failed)
    }
}

/// Writes the report where the worker would have; without a folder of its own, where the runner shows it.
fn write(record: &Record, reports: Option<&Path>, files: &RunnerFiles) -> Option<Result<Written, report::Error>> {
    match reports {
        Some(reports) => Some(Folder::again(reports).and_then(|folder| report::write(record, &folder, files))),
        None => report::write_without_folder(record, files).err().map(Err),
    }
}

/// Says an error that there is no report for.
fn say(error: &Error) -> Exit {
    let Diagnosis { what, why, remedy, .. } = error.into();
    for line in [format!("error: {what}"), why, remedy].iter().filter(|line| !line.is_empty()) {
        // Where the words can't be written, the exit code still says it.
        let _ = writeln!(stderr(), "{line}");
    }
    Exit::from(error)
}

/// Ends the record of a worker that could not.
fn conclude(record: &mut Record, cause: Cause, cancelled: bool, elapsed_ms: u64) {
    let during = running(record).map(|stage| stage.name).collect();
    let death = Death { cause, during };
    let outcome = if cancelled { StageOutcome::Cancelled } else { StageOutcome::Failed(death.cause.to_string()) };
    for stage in record.stages.iter_mut().filter(|stage| !stage.is_over()) {
        stage.elapsed_ms = elapsed_ms.saturating_sub(stage.started_ms);
        stage.outcome = outcome.clone();
    }
    record.elapsed_ms = elapsed_ms;
    record.result = Some(if cancelled { RunResult::Cancelled } else { RunResult::Failed });
    if cancelled {
        return;
    }
    let diagnosis = Diagnosis::from(&Error::Died(death));
    match &record.failure {
        // It had failed already, and died while it said so.
        Some(_) => record.warnings.push(diagnosis.in_a_row()),
        None => record.failure = Some(diagnosis),
    }
}

fn running(record: &Record) -> impl Iterator<Item = &Stage> {
    record.stages.iter().filter(|stage| !stage.is_over())
}

/// Findings that did not arrive are no clean result.
fn forget_scans(record: &mut Record) {
    Tool::all().for_each(|tool| forget_scan(record, tool));
}

/// A scan that ended with findings has them in the record, or they are on their way and do not count yet.
fn forget_what_is_missing(record: &mut Record) {
    for tool in Tool::all().filter(|tool| tool.finds.is_some()) {
        let remarked = |stage: &Stage| matches!(stage.outcome, StageOutcome::Advised | StageOutcome::Blocked);
        let remarked = record.stages.iter().any(|stage| stage.name == tool.stage && remarked(stage));
        if remarked && !record.findings.iter().any(|finding| finding.tool() == tool) {
            forget_scan(record, tool);
        }
    }
}

fn forget_scan(record: &mut Record, tool: Tool) {
    for stage in record.stages.iter_mut().filter(|stage| stage.name == tool.stage && stage.is_over()) {
        stage.outcome = StageOutcome::Failed("what it found is lost".to_owned());
    }
}
