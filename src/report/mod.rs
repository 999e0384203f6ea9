//! The reports: pure functions of the record, and the folder that they are written to.

pub(crate) mod advice;
pub(crate) mod annotations;
mod artifacts;
pub(crate) mod bounded;
pub(crate) mod catalogue;
pub(crate) mod claimed;
pub(crate) mod console;
mod document;
#[cfg(test)]
pub(crate) mod fixture;
mod folder;
pub(crate) mod outputs;
mod phrase;
mod registry_scan;
pub(crate) mod sarif;
#[cfg(test)]
mod schema;
pub(crate) mod summary;
mod unjudged;
mod verdict;
mod verify;

use std::io;
use std::path::{Path, PathBuf};

use crate::oci::Digest;
use crate::record::{Record, Stage, StageName};
use crate::sink::Redacted;
use crate::text;
use crate::variables;
pub(crate) use artifacts::add_artifact;
use catalogue::Catalogue;
pub(crate) use folder::Folder;
use folder::append;

/// A report can't be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The folder can't be made or read.
    #[error("{path}: {source}", path = path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The report of another job is not one that may be shown.
    #[error("{path}: {reason}", path = path.display())]
    Claim {
        /// The record.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The folder is not gp-deliver's own.
    #[error("{path} holds {entry:?}, which is not gp-deliver's", path = path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// The name of something in it.
        entry: String,
    },
    /// A file can't be written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// The runner's files that reports are added to (GitHub Docs, "Workflow commands for GitHub Actions", "Environment files").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RunnerFiles {
    /// `GITHUB_OUTPUT`; where absent, the outputs are written to `outputs` in the report's folder.
    pub(crate) output: Option<PathBuf>,
    /// `GITHUB_STEP_SUMMARY`.
    pub(crate) step_summary: Option<PathBuf>,
}

impl RunnerFiles {
    /// The files that the environment names.
    #[must_use]
    pub(crate) fn from_environment() -> Self {
        let path = |name: &str| variables::filled(name).map(PathBuf::from);
        Self { output: path(variables::GITHUB_OUTPUT), step_summary: path(variables::GITHUB_STEP_SUMMARY) }
    }
}

/// How a delivery ended, in one line without markup.
#[must_use]
pub(crate) fn headline(record: &Record) -> String {
    let catalogue = Catalogue::of(record);
    let reason = verdict::reason(record, &catalogue).to_plain();
    let blank = if reason.starts_with(':') { "" } else { " " };
    format!("{}{blank}{reason}", verdict::Verdict::of(record, &catalogue).word())
}

/// Whether nothing was found that counts, and nothing was left out.
#[must_use]
pub(crate) fn is_flawless(record: &Record) -> bool {
    verdict::remarks(record, &Catalogue::of(record)).is_empty()
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// The record.
    pub(crate) record: PathBuf,
    /// The summary.
    pub(crate) summary: PathBuf,
    /// The SARIF files, one per scan that ran to its end.
    pub(crate) sarif: Vec<PathBuf>,
}

/// Opens the report's folder before anything else is done, so that one that can't be written is known at once. `project` are
/// the folders of the project that is delivered.
///
/// # Errors
/// As [`Folder::open`].
pub(crate) fn open(folder: &Path, project: &[PathBuf]) -> Result<Folder, Error> {
    Folder::open(folder, project)
}

/// Writes the reports of a record that has ended: `record.json`, `summary.md`, `sarif/`, `outputs`.
///
/// # Errors
/// The first that could not be written; the others are written all the same.
pub(crate) fn write(record: &Record, reports: &Folder, runner: &RunnerFiles) -> Result<Written, Error> {
    let json = write_record(record, reports);
    let summary = write_summary(record, reports, runner);
    let sarif = write_sarif(record, reports);
    write_outputs(record, reports, runner)?;
    Ok(Written { record: json?, summary: summary?, sarif: sarif? })
}

/// Tells the runner alone, where there is no folder for the reports.
///
/// # Errors
/// The runner's file can't be written.
pub(crate) fn write_without_folder(record: &Record, runner: &RunnerFiles) -> Result<(), Error> {
    add_to_step_summary(record, runner)
}

fn write_record(record: &Record, reports: &Folder) -> Result<PathBuf, Error> {
    reports.write("record.json", &Redacted::of_json(&json(&*bounded::bounded(record))))
}

/// The name of the file that has the record as a signed verdict names it.
pub(crate) const SIGNED: &str = "record.signed.json";

/// The record as it is at a moment, in the bytes that a verdict names by their digest.
pub(crate) struct SignedRecord(Redacted);

impl SignedRecord {
    /// The record as it is now, as `record.json` would have it.
    #[must_use]
    pub(crate) fn of(record: &Record) -> Self {
        Self(Redacted::of_json(&json(&*bounded::bounded(record))))
    }

    /// The digest of its bytes.
    #[must_use]
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(self.0.bytes())
    }

    /// Writes these bytes into the report's folder, which this delivery has opened.
    ///
    /// # Errors
    /// They can't be written.
    pub(crate) fn write(&self, reports: &Path) -> Result<(), Error> {
        Folder::again(reports)?.write(SIGNED, &self.0).map(drop)
    }
}

/// A document as JSON for people and programs. Ours have only text for keys, so there is none that can't be written.
fn json(document: &impl serde::Serialize) -> Vec<u8> {
    let mut json = serde_json::to_vec_pretty(document).unwrap_or_default();
    json.push(b'\n');
    json
}

fn write_summary(record: &Record, reports: &Folder, runner: &RunnerFiles) -> Result<PathBuf, Error> {
    let path = reports.write("summary.md", &Redacted::text(&summary::render(record, summary::LIMIT)));
    add_to_step_summary(record, runner)?;
    path
}

fn add_to_step_summary(record: &Record, runner: &RunnerFiles) -> Result<(), Error> {
    let Some(file) = &runner.step_summary else { return Ok(()) };
    // What the step has said already counts too.
    let taken = std::fs::metadata(file).map_or(0, |file| usize::try_from(file.len()).unwrap_or(usize::MAX));
    append(file, &Redacted::text(&summary::render(record, summary::LIMIT.saturating_sub(taken))))
}

/// The name of the file with a delivery's figures.
const METRICS: &str = "metrics.jsonl";

/// Writes figures into the report's folder, which this delivery has opened.
///
/// # Errors
/// They can't be written.
pub(crate) fn write_metrics(lines: &str, reports: &Path) -> Result<(), Error> {
    Folder::again(reports)?.write(METRICS, &Redacted::of_json(lines.as_bytes())).map(drop)
}

fn write_sarif(record: &Record, reports: &Folder) -> Result<Vec<PathBuf>, Error> {
    let folder = reports.inner("sarif")?;
    let mut paths = Vec::new();
    let files = sarif::files(record).map(|(tool, sarif)| (tool.name(), sarif));
    for (name, sarif) in files.chain([(sarif::REGISTRY_SCAN, sarif::registry_scan(record))]) {
        let name = format!("{name}.sarif");
        match sarif {
            Some(sarif) => paths.push(folder.write(&name, &sarif)?),
            // What an earlier delivery found must not pass for this one's.
            None => folder.remove(&name)?,
        }
    }
    Ok(paths)
}

/// Writes the report of a look at delivered images: a summary, which the runner shows too, and a SARIF file an image, by its number.
///
/// # Errors
/// Something can't be written.
pub(crate) fn write_watched(
    summary: &str,
    sarif: &[(usize, Redacted)],
    reports: &Folder,
    runner: &RunnerFiles,
) -> Result<(), Error> {
    let summary = Redacted::text(summary);
    reports.write("summary.md", &summary)?;
    if let Some(file) = &runner.step_summary {
        append(file, &summary)?;
    }
    let folder = reports.inner("sarif")?;
    sarif.iter().try_for_each(|(number, sarif)| folder.write(&format!("watch-{number}.sarif"), sarif).map(drop))
}

/// Adds outputs to the runner's file, where there is one.
///
/// # Errors
/// It can't be written.
pub(crate) fn add_outputs(outputs: &outputs::Outputs, runner: &RunnerFiles) -> Result<(), Error> {
    match &runner.output {
        Some(file) => append(file, &Redacted::text(&outputs::render(outputs))),
        None => Ok(()),
    }
}

/// Adds Markdown to the runner's summary, where there is one.
///
/// # Errors
/// It can't be written.
pub(crate) fn add_summary(markdown: &str, runner: &RunnerFiles) -> Result<(), Error> {
    match &runner.step_summary {
        Some(file) => append(file, &Redacted::text(markdown)),
        None => Ok(()),
    }
}

fn write_outputs(record: &Record, reports: &Folder, runner: &RunnerFiles) -> Result<(), Error> {
    let rendered = Redacted::text(&outputs::render(&outputs::of(record, reports.path())));
    match &runner.output {
        Some(file) => {
            append(file, &rendered)?;
            reports.remove("outputs")
        }
        None => reports.write("outputs", &rendered).map(drop),
    }
}

/// A wait that is shorter, in milliseconds, is nobody's concern.
const SHORT_WAIT: u64 = 100;

/// How long a stage had waited for others when it began: `4.2 s of waiting for SBOM`.
fn wait(stage: &Stage) -> Option<String> {
    let names: Vec<_> = stage.waited_for.iter().copied().map(StageName::name).collect();
    let worth_a_word = stage.waited_ms >= SHORT_WAIT && !names.is_empty();
    worth_a_word.then(|| format!("{} of waiting for {}", text::duration(stage.waited_ms), text::list(&names)))
}

#[cfg(test)]
mod tests;
