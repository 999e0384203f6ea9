//! The findings of a record, sorted for a reader.

use std::collections::BTreeMap;

use crate::environment::Environment;
use crate::finding::{Finding, Instruction, Leak, Severity, Vulnerability};
use crate::policy::Threshold;
use crate::record::{Record, StageOutcome};
use crate::scanner::Tool;

/// The findings as reports list them: vulnerabilities of several platforms merged, the worst first.
pub(crate) struct Catalogue<'a> {
    /// All leaks, by file and line.
    pub(crate) leaks: Vec<&'a Leak>,
    /// Vulnerabilities that count against the gate and have a fix.
    pub(crate) fixable: Vec<Merged<'a>>,
    /// Vulnerabilities that count against the gate and have none.
    pub(crate) unfixable: Vec<Merged<'a>>,
    /// Vulnerabilities without a fix, which do not count because `ignore-unfixed` is set.
    pub(crate) ignored: Vec<Merged<'a>>,
    /// Vulnerabilities below the threshold.
    pub(crate) mild: Vec<Merged<'a>>,
}

/// A vulnerability, and all the platforms that have it in the same package, version and place.
pub(crate) struct Merged<'a> {
    /// The vulnerability as the first platform has it.
    pub(crate) vulnerability: &'a Vulnerability,
    /// The platforms.
    pub(crate) platforms: Vec<String>,
}

/// What makes two platforms' vulnerabilities the same.
type Key<'a> = (&'a str, &'a str, &'a str, Option<&'a str>, Severity, &'a str, Option<&'a Instruction>, Tool);

impl<'a> Catalogue<'a> {
    /// Sorts out a record's findings.
    #[must_use]
    pub(crate) fn of(record: &'a Record) -> Self {
        let threshold = threshold(record);
        let mut catalogue =
            Self { leaks: leaks(record), fixable: Vec::new(), unfixable: Vec::new(), ignored: Vec::new(), mild: Vec::new() };
        for merged in merge(record) {
            let vulnerability = merged.vulnerability;
            let strict = Threshold { ignore_unfixed: false, ..threshold };
            let shelf = match (threshold.counts(vulnerability), &vulnerability.fixed) {
                (true, Some(_)) => &mut catalogue.fixable,
                (true, None) => &mut catalogue.unfixable,
                (false, _) if strict.counts(vulnerability) => &mut catalogue.ignored,
                (false, _) => &mut catalogue.mild,
            };
            shelf.push(merged);
        }
        catalogue
    }

    /// The leaks that a tool found.
    pub(crate) fn leaks_of(&self, tool: Tool) -> impl Iterator<Item = &'a Leak> {
        self.leaks.iter().copied().filter(move |leak| leak.tool == tool)
    }

    /// The vulnerabilities that count against a tool's gate.
    pub(crate) fn counting_of(&self, tool: Tool) -> impl Iterator<Item = &Merged<'a>> {
        of(&self.fixable, tool).chain(of(&self.unfixable, tool))
    }

    /// All vulnerabilities: those that count first, then the worst first.
    pub(crate) fn vulnerabilities(&self) -> impl Iterator<Item = &Merged<'a>> {
        self.fixable.iter().chain(&self.unfixable).chain(&self.ignored).chain(&self.mild)
    }
}

/// The vulnerabilities of a shelf that a tool found.
pub(crate) fn of<'s, 'a>(shelf: &'s [Merged<'a>], tool: Tool) -> impl Iterator<Item = &'s Merged<'a>> {
    shelf.iter().filter(move |merged| merged.vulnerability.tool == tool)
}

/// The threshold that a record was judged by.
#[must_use]
pub(crate) fn threshold(record: &Record) -> Threshold {
    Threshold { severity: record.severity_threshold.unwrap_or(Severity::High), ignore_unfixed: record.ignore_unfixed }
}

/// Whether a tool's findings hold this delivery back.
#[must_use]
pub(crate) fn is_blocking(record: &Record, tool: Tool) -> bool {
    record.demands.is_some_and(|demands| tool.blocks(demands))
}

/// Whether a tool's scan ran to its end.
#[must_use]
pub(crate) fn is_complete(record: &Record, tool: Tool) -> bool {
    let ended = |outcome: &StageOutcome| matches!(outcome, StageOutcome::Passed | StageOutcome::Advised | StageOutcome::Blocked);
    let mut stages = record.stages.iter().filter(|stage| stage.name == tool.stage).peekable();
    stages.peek().is_some() && stages.all(|stage| ended(&stage.outcome))
}

/// The names of the environments where findings of one of these tools would hold a delivery back.
#[must_use]
pub(crate) fn blocking_environments(tools: &[Tool]) -> Vec<&'static str> {
    let blocks = |environment: &Environment| tools.iter().any(|tool| tool.blocks(environment.requirements()));
    Environment::ALL.into_iter().filter(blocks).map(Environment::name).collect()
}

fn leaks(record: &Record) -> Vec<&Leak> {
    let leaks = record.findings.iter().filter_map(|finding| match finding {
        Finding::Leak(leak) => Some(leak),
        Finding::Vulnerability(_) => None,
    });
    let mut leaks: Vec<_> = leaks.collect();
    leaks.sort_by_key(|leak| (&leak.file, leak.line, &leak.rule, &leak.commit));
    leaks
}

fn merge(record: &Record) -> Vec<Merged<'_>> {
    let mut merged: BTreeMap<Key<'_>, Merged<'_>> = BTreeMap::new();
    for finding in &record.findings {
        let Finding::Vulnerability(vulnerability) = finding else { continue };
        let entry = merged.entry(key(vulnerability)).or_insert_with(|| Merged { vulnerability, platforms: Vec::new() });
        let platform = vulnerability.platform.to_string();
        if !entry.platforms.contains(&platform) {
            entry.platforms.push(platform);
        }
    }
    let mut merged: Vec<_> = merged.into_values().collect();
    // Stable, so equals stay by advisory and package.
    merged.sort_by_key(|merged| std::cmp::Reverse(merged.vulnerability.severity));
    merged
}

fn key(vulnerability: &Vulnerability) -> Key<'_> {
    let Vulnerability { id, severity, package, installed, fixed, target, instruction, tool, .. } = vulnerability;
    (id, package, installed, fixed.as_deref(), *severity, target, instruction.as_ref(), *tool)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn the_same_vulnerability_on_two_platforms_is_one_entry() {
        let record = fixture::blocked();
        let catalogue = Catalogue::of(&record);
        let merged: Vec<_> = catalogue.vulnerabilities().filter(|merged| merged.platforms.len() == 2).collect();
        assert_eq!(merged.len(), 1);
        assert_eq!(merged[0].platforms, ["linux/amd64", "linux/arm64"]);
    }

    #[test]
    fn every_finding_is_on_one_shelf_the_worst_first() {
        let mut record = fixture::blocked();
        record.ignore_unfixed = true;
        let catalogue = Catalogue::of(&record);
        let ids = |shelf: &[Merged<'_>]| shelf.iter().map(|merged| merged.vulnerability.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&catalogue.fixable), ["CVE-2020-14343", "CVE-2024-5535", "CVE-2023-0286"]);
        assert_eq!(ids(&catalogue.unfixable), [""; 0]);
        assert_eq!(ids(&catalogue.ignored), ["CVE-2019-8457"]);
        assert_eq!(ids(&catalogue.mild), ["CVE-2022-4899"]);
    }

    #[test]
    fn leaks_are_listed_by_file_and_line() {
        let record = fixture::blocked();
        let places: Vec<_> = Catalogue::of(&record).leaks.iter().map(|leak| (leak.file.clone(), leak.line)).collect();
        assert_eq!(places, [("config/prod.env".to_owned(), 3), ("old/settings.py".to_owned(), 12)]);
    }
}
