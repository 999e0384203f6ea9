//! What is known of a worker that died, and the report that is made of it.

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
use crate::sink::{self, Stream};
use crate::staging;

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
        self.staging.iter().for_each(|folder| staging::remove(folder));
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
    let lines: Vec<_> = [format!("error: {what}"), why, remedy].into_iter().filter(|line| !line.is_empty()).collect();
    // Where the words can't be written, the exit code still says it.
    let _ = sink::say(Stream::Error, &lines.join("\n"));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::StageName;
    use crate::report::{fixture, headline};

    fn concluded(mut record: Record, cause: Cause, cancelled: bool) -> Record {
        record.result = None;
        conclude(&mut record, cause, cancelled, 60_000);
        record
    }

    /// A delivery in the middle of its build.
    fn building() -> Record {
        let mut record = fixture::failed();
        record.failure = None;
        for stage in record.stages.iter_mut().filter(|stage| stage.name == StageName::Build) {
            stage.outcome = StageOutcome::Running;
        }
        record
    }

    #[test]
    fn the_report_of_a_death_says_what_was_running_and_what_ended_it() {
        for (cause, what, why) in [
            (Cause::Signal(9), "The process of the delivery was killed during build", "SIGKILL"),
            (Cause::Signal(11), "The process of the delivery ended during build", "It was ended by signal 11 (SIGSEGV)"),
            (Cause::Code(101), "The process of the delivery ended during build", "code 101"),
            (Cause::Panic("no".to_owned()), "gp-deliver broke during build", "It panicked: no."),
        ] {
            let record = concluded(building(), cause, false);
            let failure = record.failure.clone().unwrap();
            assert_eq!((record.result, &*failure.what), (Some(RunResult::Failed), what));
            assert!(failure.why.contains(why), "{}", failure.why);
            assert!(headline(&record).starts_with("Failed: "), "{}", headline(&record));
            let build = record.stages.iter().find(|stage| stage.name == StageName::Build).unwrap();
            assert!(matches!(build.outcome, StageOutcome::Failed(_)) && build.ended_ms() == 60_000);
        }
    }

    #[test]
    fn a_death_after_a_signal_is_the_end_of_a_cancelled_delivery() {
        let record = concluded(building(), Cause::Signal(15), true);
        assert_eq!((record.result, record.failure.as_ref()), (Some(RunResult::Cancelled), None));
        assert!(record.stages.iter().all(Stage::is_over));
    }

    #[test]
    fn a_failure_that_was_known_stays_what_the_report_is_about() {
        let known = fixture::failed().failure;
        let record = concluded(fixture::failed(), Cause::Signal(9), false);
        assert_eq!(record.failure, known);
        assert!(record.warnings.last().unwrap().starts_with("The process of the delivery was killed."));
    }

    #[test]
    fn a_scan_whose_findings_did_not_arrive_is_not_taken_for_a_clean_one() {
        let mut record = fixture::blocked();
        assert!(report::catalogue::is_complete(&record, Tool::TRIVY));
        forget_what_is_missing(&mut record);
        assert!(report::catalogue::is_complete(&record, Tool::TRIVY), "they are there");
        record.findings.clear();
        forget_what_is_missing(&mut record);
        assert!(Tool::all().filter(|tool| tool.finds.is_some()).all(|tool| !report::catalogue::is_complete(&record, tool)));
        let mut record = fixture::delivered();
        forget_scans(&mut record);
        assert!(Tool::all().all(|tool| !report::catalogue::is_complete(&record, tool)));
    }

    #[test]
    fn what_makes_no_sense_counts_as_not_told() {
        let mut known = Known::new();
        known.take(Kind::Record, serde_json::to_vec(&building()).unwrap());
        known.take(Kind::Record, b"{".to_vec());
        assert!(known.record.is_some());
        known.take(Kind::Lists, Vec::new());
        assert!(known.lists.is_none(), "lists that were too long are lost");
        known.take(Kind::Panic, b"first".to_vec());
        known.take(Kind::Panic, b"second".to_vec());
        assert_eq!(known.panic.as_deref(), Some("first"));
    }
}
