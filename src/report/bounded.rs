//! The record as it is written: bounded, so that whoever reads it has an end to read to. The gates and the outputs go by the
//! whole.

use std::borrow::Cow;
use std::cmp::Reverse;

use crate::finding::{Finding, Severity};
use crate::record::Record;
use crate::text;

/// The most findings that are written down, the worst first.
pub(crate) const FINDINGS: usize = 20_000;
/// The most entries of another list.
pub(crate) const ENTRIES: usize = 1000;

/// The record, with an end to its lists and a warning that says what is left out.
pub(super) fn bounded(record: &Record) -> Cow<'_, Record> {
    let Record { findings, suppressions, unscanned, warnings, build_checks, since, registry_scan, build_cache, .. } = record;
    let steps = build_cache.as_ref().map_or(0, |cache| cache.steps.len());
    let of_registry = registry_scan.as_ref().map_or(0, |scan| scan.findings.len());
    let only_trivy = registry_scan.as_ref().and_then(|scan| scan.only_trivy.as_ref()).map_or(0, Vec::len);
    let mut since = since.clone();
    let changes = since.as_mut().map_or(0, |since| since.cut(ENTRIES));
    let lists = [
        ("finding", findings.len(), FINDINGS),
        ("suppression", suppressions.len(), ENTRIES),
        ("gap", unscanned.len(), ENTRIES),
        ("change", changes, 0),
        ("cached step", steps, ENTRIES),
        ("ECR finding", of_registry, FINDINGS),
        ("advisory", only_trivy, ENTRIES),
        ("build check", build_checks.len(), ENTRIES),
        // One place is for the warning that says so.
        ("warning", warnings.len(), ENTRIES - 1),
    ];
    let left_out: Vec<_> = lists.into_iter().filter(|(_, number, most)| number > most).collect();
    if left_out.is_empty() {
        return Cow::Borrowed(record);
    }
    let mut record = record.clone();
    let left_out = left_out.into_iter();
    let left_out: Vec<_> = left_out.map(|(noun, number, most)| text::count(number - most, noun)).collect();
    // Within a severity, the order stays.
    record.findings.sort_by_key(|finding| Reverse(weight(finding)));
    record.findings.truncate(FINDINGS);
    record.suppressions.truncate(ENTRIES);
    record.unscanned.truncate(ENTRIES);
    record.build_checks.truncate(ENTRIES);
    record.since = since;
    if let Some(scan) = &mut record.registry_scan {
        // What counts and the worst come first.
        scan.findings.truncate(FINDINGS);
        scan.only_trivy.iter_mut().for_each(|only| only.truncate(ENTRIES));
    }
    if let Some(cache) = &mut record.build_cache {
        cache.steps.truncate(ENTRIES);
    }
    record.warnings.truncate(ENTRIES - 1);
    record.warnings.push(format!(
        "record.json is cut: {} left out, the mildest findings first. What was decided goes by all of them.",
        text::list(&left_out)
    ));
    Cow::Owned(record)
}

/// How bad a finding is: no vulnerability is worse than a leak, and none than one of which that is not known.
fn weight(finding: &Finding) -> (u8, Option<Severity>) {
    match finding {
        Finding::Leak(_) => (2, None),
        Finding::Vulnerability(vulnerability) => {
            (u8::from(vulnerability.severity == Severity::Unknown), Some(vulnerability.severity))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn a_record_beyond_all_bounds_keeps_the_worst_and_says_what_it_leaves_out() {
        let small = fixture::blocked();
        assert!(matches!(bounded(&small), Cow::Borrowed(_)));
        let vulnerability = small.findings.iter().find_map(|finding| match finding {
            Finding::Vulnerability(vulnerability) => Some(vulnerability.clone()),
            Finding::Leak(_) => None,
        });
        let of = |severity| {
            let mut vulnerability = vulnerability.clone().unwrap();
            vulnerability.severity = severity;
            Finding::Vulnerability(vulnerability)
        };
        let leak = small.findings.iter().find(|finding| matches!(finding, Finding::Leak(_))).unwrap().clone();
        let mut record = small.clone();
        record.findings = vec![of(Severity::Low); FINDINGS];
        record.findings.extend([of(Severity::Critical), leak.clone()]);
        record.warnings = (0..ENTRIES + 3).map(|number| number.to_string()).collect();
        let written = bounded(&record);
        assert_eq!((written.findings.len(), written.warnings.len()), (FINDINGS, ENTRIES));
        assert_eq!(written.findings[..2], [leak, of(Severity::Critical)]);
        let said = written.warnings.last().unwrap();
        assert!(said.contains("2 findings and 4 warnings left out"), "{said}");
    }
}
