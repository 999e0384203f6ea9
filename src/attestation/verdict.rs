//! What gp-deliver decided about an image, and on what grounds: a predicate of this project, whose form is public
//! (`docs/verdict.schema.json`).
//!
//! It is made from the record, and only with the gate's own leave for the same image ([`Cleared`]). It is read by its own
//! version alone: what it has more than this program knows may take something back, so it is refused.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::build::Build;
use crate::cache_writers::CacheWriters;
use crate::coverage::{Coverage, Gap, GapKind, JudgedBy};
use crate::environment::{Environment, Gate};
use crate::finding::{Finding, Severity, Standing, Suppression};
use crate::oci::{Digest, Platform};
use crate::policy::{Cleared, Threshold};
use crate::provenance::Parameters;
use crate::record::{Record, Reuse, StageName, StageOutcome};
use crate::scanner::Tool;
use crate::text;

/// What was decided about an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Verdict {
    /// What was decided.
    pub(crate) decision: Decision,
    /// The environment that the image was judged for.
    pub(crate) environment: Environment,
    /// What that environment demanded.
    pub(crate) demands: Demands,
    /// When it was decided.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) decided_at: Timestamp,
    /// The source.
    pub(crate) source: Source,
    /// What of the source was built.
    pub(crate) build: Build,
    /// How it is known that the image is of this source.
    pub(crate) origin: Origin,
    /// Who may have written the build cache that its steps were taken from.
    pub(crate) cache_writers: CacheWriters,
    /// What of the image was judged; absent where that is the image itself.
    #[serde(default, skip_serializing_if = "JudgedBy::is_image")]
    pub(crate) judged_by: JudgedBy,
    /// The digest of where builds are run, where that is another machine than the job's. It is for comparison.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) builder: Digest,
    /// The programs that looked at the source and the image.
    pub(crate) tools: Vec<Program>,
    /// The databases that vulnerabilities were looked up in.
    pub(crate) databases: Vec<Database>,
    /// The scans that ran to their end. One that is not here did not happen.
    pub(crate) scans: Vec<Scan>,
    /// Whose lists of what is let through counted.
    pub(crate) lists: Lists,
    /// What those lists let through.
    pub(crate) suppressions: Vec<LetThrough>,
    /// What is in the image and was not judged.
    pub(crate) unscanned: Vec<Unscanned>,
    /// The digest of the delivery's `record.signed.json`: its record as it was when this was decided, byte for byte.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) record: Digest,
    /// The version of gp-deliver.
    pub(crate) gp_deliver: String,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Decision {
    /// All was judged, or what was not is accepted, and nothing was found that counts.
    Cleared,
    /// There is something that counts, or something was not judged, and the environment only advises.
    Advised,
}

/// How it is known that an image is of a source. A scan finds no door that somebody has built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Origin {
    /// This delivery has built it.
    Built,
    /// It was there, and a verdict of a delivery that knew has proven it.
    Proven,
    /// It was there, and says so itself. Whoever may push can have written it.
    Claimed,
}

/// What an environment demanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Demands {
    /// What a leaked secret does.
    pub(crate) secrets: Gate,
    /// What a vulnerability that counts does.
    pub(crate) vulnerabilities: Gate,
    /// The mildest severity that counts; one that is unknown always counts.
    pub(crate) severity_threshold: Severity,
    /// Whether vulnerabilities without a fix do not count.
    pub(crate) ignore_unfixed: bool,
    /// The digest of the inputs that decide what else is let pass: whose lists count, which commits are looked through, what may
    /// be unscanned, where databases come from, what programs are shut in, and the version of gp-deliver. It is for comparison.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) inputs: Digest,
}

/// The source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Source {
    /// The address of the repository; absent where nobody vouches for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) repository: Option<String>,
    /// The commit's full id; absent outside git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) commit: Option<String>,
    /// The full ref; absent where nobody vouches for it.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub(crate) reference: Option<String>,
    /// Whether what can go into the image differed from the commit.
    pub(crate) dirty: bool,
}

/// A program that looked at the source or the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Program {
    /// Its name.
    pub(crate) name: String,
    /// Its version, in its own words.
    pub(crate) version: String,
}

/// A database that vulnerabilities were looked up in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Database {
    /// What it is called: `trivy-db`.
    pub(crate) name: String,
    /// The version of its form.
    pub(crate) version: u32,
    /// Where it came from, as the input names it.
    pub(crate) repository: String,
    /// The digest of its manifest.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) digest: Digest,
    /// When its advisories were gathered.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) updated_at: Timestamp,
}

/// A scan that ran to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Scan {
    /// The program.
    pub(crate) tool: String,
    /// The platform of the image that was scanned; absent for a scan of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) platform: Option<Platform>,
    /// How much it judged.
    pub(crate) coverage: Extent,
    /// How many findings there are, those that were let through left out.
    pub(crate) findings: usize,
    /// How many of them count.
    pub(crate) counting: usize,
    /// How many there are of each severity; empty for secrets, which have none.
    pub(crate) by_severity: BTreeMap<Severity, usize>,
}

/// How much a scan judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Extent {
    /// All that it should have.
    Complete,
    /// All but what is unscanned.
    Partial,
    /// It was not compared with what is in the image.
    Unknown,
}

/// Whose lists of what is let through counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Lists {
    /// Whose they are.
    pub(crate) of: ListsOf,
    /// The commit that they are taken from, or that the delivered one's were compared with; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) commit: Option<String>,
}

/// Whose lists counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum ListsOf {
    /// The delivered commit's own.
    Head,
    /// Those of a commit before the change, or of one that somebody named.
    Base,
    /// Nobody's: nothing was let through.
    Nobody,
}

/// Findings that a list let through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct LetThrough {
    /// The program whose findings they are.
    pub(crate) tool: String,
    /// The file or mark that let them through: `.trivyignore.yaml`, `gitleaks:allow`.
    pub(crate) by: String,
    /// The ID of the advisory or of the rule.
    pub(crate) id: String,
    /// The reason that the project gives, where it gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// How many findings.
    pub(crate) count: u32,
    /// Whether it came with the change.
    pub(crate) new: bool,
    /// The commit that brought the entry as it is, whose author is who set it; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) set_in: Option<String>,
    /// Until when it lets anything through; absent where it has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) expires: Option<Timestamp>,
}

/// Something in the image that was not judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Unscanned {
    /// The program that did not judge it.
    pub(crate) tool: String,
    /// What kind of thing it is.
    pub(crate) kind: GapKind,
    /// What it is called.
    pub(crate) name: String,
    /// The platform of the image that has it.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) platform: Platform,
    /// Why it was not judged.
    pub(crate) why: String,
    /// The reason that was given for going on without; absent where none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) accepted: Option<String>,
}

/// What a verdict has beside the record.
#[derive(Clone, Debug)]
pub(crate) struct Facts<'a> {
    /// When it was decided.
    pub(crate) decided_at: Timestamp,
    /// The address of the repository, where somebody vouches for it.
    pub(crate) repository: Option<String>,
    /// The full ref, where somebody vouches for it.
    pub(crate) reference: Option<String>,
    /// What of the source was built.
    pub(crate) parameters: &'a Parameters,
    /// How it is known that the image is of the source.
    pub(crate) origin: Origin,
    /// Who may have written the build cache that its steps were taken from.
    pub(crate) cache_writers: CacheWriters,
    /// The digest of where builds are run.
    pub(crate) builder: Digest,
    /// The scanners' versions.
    pub(crate) tools: Vec<Program>,
    /// The databases that were used.
    pub(crate) databases: Vec<Database>,
    /// Whose lists of what is let through counted.
    pub(crate) lists: Lists,
    /// The digest of the inputs that decide what is let pass.
    pub(crate) inputs: Digest,
    /// What the vulnerability scan judged; none where it was not compared with what is in the image.
    pub(crate) coverage: Option<&'a Coverage>,
    /// The digest of the record as it is now, in the bytes that are kept.
    pub(crate) record_digest: Digest,
}

/// Why there is no verdict. Each is a mistake of the program that asks for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoVerdict {
    /// Something is not known that a verdict has to say.
    #[error("there is no verdict: {0} is not known")]
    Missing(&'static str),
    /// The gate's leave is for another image than the record's.
    #[error("there is no verdict: the record is of another image than the one that was judged")]
    OtherImage,
    /// The record has not passed the gate.
    #[error("there is no verdict: the decision of the record does not let the image pass")]
    NotDecided,
    /// What the record says does not let the image pass at an environment that blocks.
    #[error("there is no verdict: {0} hold the image back at this environment")]
    Contradicted(&'static str),
}

impl Verdict {
    /// What was decided about an image that may be published. Texts of the project lose the secrets that are known.
    ///
    /// # Errors
    /// The record and the gate's leave do not say the same, or not enough.
    pub(crate) fn of(cleared: &Cleared, record: &Record, facts: Facts<'_>) -> Result<Self, NoVerdict> {
        let image = record.image.as_ref().ok_or(NoVerdict::Missing("the image"))?;
        if image.digest != cleared.digest() {
            return Err(NoVerdict::OtherImage);
        }
        let passed = |outcome: &StageOutcome| matches!(outcome, StageOutcome::Passed | StageOutcome::Advised);
        let decided = record.stages.iter().rfind(|stage| stage.name == StageName::Decision);
        if !decided.is_some_and(|stage| passed(&stage.outcome)) {
            return Err(NoVerdict::NotDecided);
        }
        let demands = Demands::of(record, facts.inputs)?;
        let source = record.source.as_ref().ok_or(NoVerdict::Missing("the source"))?;
        let (coverage, databases) = (facts.coverage, &facts.databases);
        if record.database.as_ref().is_some_and(|used| databases.iter().all(|named| named.digest != used.digest)) {
            return Err(NoVerdict::Missing("a database that was used"));
        }
        let platforms: Vec<_> = image.platforms.iter().map(|image| &image.platform).collect();
        let scans = scans(record, demands, &platforms, coverage);
        if databases.is_empty() && scans.iter().any(|scan| scan.platform.is_some()) {
            return Err(NoVerdict::Missing("the database that was used"));
        }
        let decision = decide(record, &scans, coverage)?;
        Ok(Self {
            decision,
            environment: record.environment.ok_or(NoVerdict::Missing("the environment"))?,
            demands,
            decided_at: facts.decided_at,
            source: Source {
                repository: facts.repository,
                commit: source.commit.clone(),
                reference: facts.reference,
                dirty: source.dirty,
            },
            build: facts.parameters.into(),
            origin: facts.origin,
            cache_writers: facts.cache_writers,
            judged_by: match record.reuse {
                Some(Reuse::Promoted { judged_by, .. }) => judged_by,
                Some(Reuse::Assembled) => JudgedBy::Sbom,
                _ => JudgedBy::Image,
            },
            builder: facts.builder,
            tools: facts.tools,
            databases: facts.databases,
            scans,
            lists: facts.lists,
            suppressions: record.suppressions.iter().filter_map(LetThrough::of).collect(),
            unscanned: coverage.map_or(&*record.unscanned, Coverage::gaps).iter().map(Unscanned::of).collect(),
            record: facts.record_digest,
            gp_deliver: record.gp_deliver.clone(),
        })
    }

    /// Whether it is about this commit, and nothing but what is in it, and the same part of it.
    #[must_use]
    pub(crate) fn is_of(&self, repository: &str, commit: &str, parameters: &Parameters) -> bool {
        let Source { repository: ours, commit: our_commit, dirty, .. } = &self.source;
        let same_source = ours.as_deref() == Some(repository) && our_commit.as_deref() == Some(commit) && !dirty;
        same_source && Parameters::from(&self.build) == *parameters
    }

    /// How many leaked secrets were found in the source, all of which was looked at; none where that did not happen.
    #[must_use]
    pub(crate) fn leaks_in_source(&self) -> Option<usize> {
        let mut scans = self.scans.iter().filter(|scan| scan.tool == Tool::GITLEAKS.name() && scan.platform.is_none()).peekable();
        scans.peek()?;
        scans.try_fold(0, |found: usize, scan| (scan.coverage == Extent::Complete).then(|| found.saturating_add(scan.findings)))
    }

    /// When the oldest of its databases was gathered; none where vulnerabilities were not looked up.
    #[must_use]
    pub(crate) fn oldest_database(&self) -> Option<Timestamp> {
        self.databases.iter().map(|database| database.updated_at).min()
    }
}

/// What follows from the scans: whether something counts. A blocking environment has let nothing pass that does.
fn decide(record: &Record, scans: &[Scan], coverage: Option<&Coverage>) -> Result<Decision, NoVerdict> {
    let requirements = record.demands.ok_or(NoVerdict::Missing("the environment"))?;
    let mut clear = true;
    for tool in Tool::judging() {
        let of_tool = || scans.iter().filter(|scan| scan.tool == tool.name());
        let judged = of_tool().next().is_some() && of_tool().all(|scan| scan.coverage != Extent::Unknown);
        let (found, open) = (of_tool().any(|scan| scan.counting > 0), is_open(tool, coverage));
        if tool.blocks(requirements) {
            let contradicted =
                [(!judged, "scans that did not happen"), (found, "findings"), (open, "things that were not judged")];
            if let Some((_, what)) = contradicted.into_iter().find(|(holds, _)| *holds) {
                return Err(NoVerdict::Contradicted(what));
            }
        }
        clear &= judged && !found && !open;
    }
    Ok(if clear { Decision::Cleared } else { Decision::Advised })
}

/// Whether a tool has left something out that nobody accepted.
fn is_open(tool: Tool, coverage: Option<&Coverage>) -> bool {
    coverage.into_iter().flat_map(Coverage::open).any(|gap| gap.tool == tool)
}

/// The scans that ran to their end: those of the image, platform by platform, and those of the source.
fn scans(record: &Record, demands: Demands, platforms: &[&Platform], coverage: Option<&Coverage>) -> Vec<Scan> {
    let ended = |outcome: &StageOutcome| matches!(outcome, StageOutcome::Passed | StageOutcome::Advised);
    let ran = |tool: &Tool| {
        let mut stages = record.stages.iter().filter(|stage| stage.name == tool.stage).peekable();
        stages.peek().is_some() && stages.all(|stage| ended(&stage.outcome))
    };
    let mut scans = Vec::new();
    for tool in Tool::judging().filter(ran) {
        let findings = || record.findings.iter().filter(|finding| finding.tool() == tool);
        if tool.stage == StageName::Vulnerabilities {
            for platform in platforms {
                let of_platform =
                    |finding: &&Finding| matches!(finding, Finding::Vulnerability(one) if one.platform == **platform);
                let is_here = |gap: &Gap| gap.tool == tool && gap.platform == **platform;
                let extent = coverage.map_or(Extent::Unknown, |coverage| Extent::of(coverage.gaps().iter().any(is_here)));
                scans.push(Scan::of(tool, Some((*platform).clone()), extent, findings().filter(of_platform), demands));
            }
        } else {
            // It reads all that it is given, or its scan is an error.
            scans.push(Scan::of(tool, None, Extent::Complete, findings(), demands));
        }
    }
    scans
}

impl Extent {
    fn of(has_gaps: bool) -> Self {
        if has_gaps { Self::Partial } else { Self::Complete }
    }
}

impl Scan {
    fn of<'a>(
        tool: Tool,
        platform: Option<Platform>,
        coverage: Extent,
        findings: impl Iterator<Item = &'a Finding>,
        demands: Demands,
    ) -> Self {
        let Demands { severity_threshold: severity, ignore_unfixed, .. } = demands;
        let threshold = Threshold { severity, ignore_unfixed };
        let (mut number, mut counting, mut by_severity) = (0, 0, BTreeMap::new());
        if platform.is_some() {
            by_severity.extend(Severity::ALL.map(|severity| (severity, 0)));
        }
        for finding in findings {
            number += 1;
            counting += usize::from(threshold.counts_finding(finding));
            if let Finding::Vulnerability(vulnerability) = finding {
                *by_severity.entry(vulnerability.severity).or_default() += 1;
            }
        }
        Self { tool: tool.name().to_owned(), platform, coverage, findings: number, counting, by_severity }
    }
}

impl Demands {
    fn of(record: &Record, inputs: Digest) -> Result<Self, NoVerdict> {
        let requirements = record.demands.ok_or(NoVerdict::Missing("what the environment demands"))?;
        let severity = record.severity_threshold.ok_or(NoVerdict::Missing("the severity that counts"))?;
        Ok(Self {
            secrets: requirements.secrets,
            vulnerabilities: requirements.vulnerabilities,
            severity_threshold: severity,
            ignore_unfixed: record.ignore_unfixed,
            inputs,
        })
    }
}

/// A text of the project's without the secrets that are known.
fn said(text: &str) -> String {
    text::redacted(text).into_owned()
}

impl LetThrough {
    /// None for one that did not count: its findings stayed.
    fn of(suppression: &Suppression) -> Option<Self> {
        let Suppression { tool, by, id, reason, count, standing, set_in, expires } = suppression;
        (*standing != Standing::Refused).then(|| Self {
            tool: tool.name().to_owned(),
            by: said(by),
            id: said(id),
            reason: reason.as_deref().map(said),
            count: *count,
            new: *standing == Standing::New,
            set_in: set_in.clone(),
            expires: *expires,
        })
    }
}

impl Unscanned {
    fn of(gap: &Gap) -> Self {
        let Gap { tool, kind, name, why, platform, accepted } = gap;
        Self {
            tool: tool.name().to_owned(),
            kind: *kind,
            name: said(name),
            platform: platform.clone(),
            why: said(why),
            accepted: accepted.as_deref().map(said),
        }
    }
}

#[cfg(test)]
mod tests;
