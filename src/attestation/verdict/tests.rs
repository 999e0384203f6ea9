use super::super::examples::{self, cleared, verdict_facts};
use super::*;
use crate::report::fixture;

/// A verdict of this record, whose image the gate has let pass.
fn verdict(record: &Record, coverage: Option<&Coverage>) -> Result<Verdict, NoVerdict> {
    let parameters = examples::parameters();
    let facts = Facts { coverage, ..verdict_facts(&parameters) };
    Verdict::of(&cleared(record), record, facts)
}

fn gaps(accepted: bool) -> Coverage {
    let reason = || accepted.then(|| "known".to_owned());
    Coverage::of(fixture::undecided().unscanned.into_iter().map(|gap| Gap { accepted: reason(), ..gap }).collect())
}

#[test]
fn an_image_with_nothing_in_it_is_cleared_and_each_scan_says_so() {
    let verdict = verdict(&fixture::delivered(), Some(&Coverage::Complete)).unwrap();
    assert_eq!((verdict.decision, verdict.environment), (Decision::Cleared, Environment::Prod));
    let scans: Vec<_> = verdict.scans.iter().map(|scan| (&*scan.tool, scan.platform.as_ref().map(ToString::to_string))).collect();
    let platform = |name: &str| Some(name.to_owned());
    assert_eq!(scans, [("gitleaks", None), ("trivy", platform("linux/amd64")), ("trivy", platform("linux/arm64"))]);
    assert!(verdict.scans.iter().all(|scan| scan.findings == 0 && scan.coverage == Extent::Complete));
    assert_eq!(verdict.scans[1].by_severity.len(), Severity::ALL.len(), "a severity of which there is none is said to be 0");
    assert_eq!(verdict.oldest_database(), Some("2026-08-02T06:00:00Z".parse().unwrap()));
}

#[test]
fn findings_are_counted_by_scanner_platform_and_severity_and_what_is_let_through_is_named() {
    let verdict = verdict(&fixture::advised(), None).unwrap();
    assert_eq!(verdict.decision, Decision::Advised);
    let counted: Vec<_> = verdict.scans.iter().map(|scan| (scan.findings, scan.counting, scan.coverage)).collect();
    assert_eq!(counted, [(2, 2, Extent::Complete), (5, 4, Extent::Unknown), (1, 1, Extent::Unknown)]);
    assert_eq!(verdict.scans[1].by_severity[&Severity::Critical], 3);
    let named: Vec<_> = verdict.suppressions.iter().map(|one| (&*one.by, &*one.id, one.count, one.new)).collect();
    assert_eq!(named, [(".trivyignore.yaml", "CVE-2011-3374", 2, false), ("gitleaks:allow", "generic-api-key", 1, true)]);
}

#[test]
fn what_was_not_judged_is_named_with_the_reason_for_going_on_without() {
    let accepted = verdict(&fixture::delivered(), Some(&gaps(true))).unwrap();
    assert_eq!((accepted.decision, accepted.unscanned.len()), (Decision::Cleared, 3));
    assert!(accepted.unscanned.iter().all(|one| one.accepted.as_deref() == Some("known")));
    assert!(accepted.scans[1..].iter().all(|scan| scan.coverage == Extent::Partial));
}

#[test]
fn an_advisory_environment_is_cleared_only_by_what_would_clear_a_blocking_one() {
    let dev = Record { findings: Vec::new(), ..fixture::advised() };
    let decision = |coverage: Option<&Coverage>| verdict(&dev, coverage).unwrap().decision;
    assert_eq!(decision(Some(&Coverage::Complete)), Decision::Cleared);
    assert_eq!(decision(Some(&gaps(true))), Decision::Cleared);
    assert_eq!(decision(Some(&gaps(false))), Decision::Advised);
    assert_eq!(decision(None), Decision::Advised);
    let mut unscanned = dev.clone();
    unscanned.stages.retain(|stage| stage.name != StageName::Vulnerabilities);
    assert_eq!(verdict(&unscanned, Some(&Coverage::Complete)).unwrap().decision, Decision::Advised);
}

#[test]
fn no_verdict_says_more_than_the_record_and_the_gate_do() {
    let prod = fixture::delivered();
    let complete = Some(&Coverage::Complete);
    let refused = |record: &Record, coverage: Option<&Coverage>| verdict(record, coverage).unwrap_err();
    for (record, name) in [(fixture::blocked(), "blocked"), (fixture::undecided(), "undecided")] {
        assert_eq!(refused(&record, complete), NoVerdict::NotDecided, "{name}");
    }
    let mut undecided = prod.clone();
    undecided.stages.retain(|stage| stage.name != StageName::Decision);
    assert_eq!(refused(&undecided, complete), NoVerdict::NotDecided);
    let found = Record { findings: fixture::advised().findings, ..prod.clone() };
    assert_eq!(refused(&found, complete), NoVerdict::Contradicted("findings"));
    assert_eq!(refused(&prod, None), NoVerdict::Contradicted("scans that did not happen"));
    assert_eq!(refused(&prod, Some(&gaps(false))), NoVerdict::Contradicted("things that were not judged"));
    let mut unscanned = prod.clone();
    unscanned.stages.retain(|stage| stage.name != StageName::Secrets);
    assert_eq!(refused(&unscanned, complete), NoVerdict::Contradicted("scans that did not happen"));
    for (record, what) in [
        (Record { environment: None, ..prod.clone() }, "the environment"),
        (Record { demands: None, ..prod.clone() }, "what the environment demands"),
        (Record { severity_threshold: None, ..prod.clone() }, "the severity that counts"),
        (Record { source: None, ..prod.clone() }, "the source"),
    ] {
        assert_eq!(refused(&record, complete), NoVerdict::Missing(what));
    }
    let parameters = examples::parameters();
    let facts = || Facts { coverage: complete, ..verdict_facts(&parameters) };
    let other = Record {
        image: prod.image.clone().map(|image| crate::record::ImageRecord { digest: Digest::of(b"x"), ..image }),
        ..prod.clone()
    };
    assert_eq!(Verdict::of(&cleared(&prod), &other, facts()), Err(NoVerdict::OtherImage));
    assert_eq!(
        Verdict::of(&cleared(&prod), &prod, Facts { databases: Vec::new(), ..facts() }),
        Err(NoVerdict::Missing("a database that was used"))
    );
}

#[test]
fn a_verdict_is_of_one_source_and_one_part_of_it() {
    let parameters = examples::parameters();
    let (repository, commit) = ("https://github.com/team/app", "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678");
    let verdict = verdict(&fixture::delivered(), Some(&Coverage::Complete)).unwrap();
    assert!(verdict.is_of(repository, commit, &parameters));
    assert!(!verdict.is_of("https://github.com/team/app2", commit, &parameters));
    assert!(!verdict.is_of(repository, &commit[..7], &parameters));
    assert!(!verdict.is_of(repository, commit, &Parameters { target: None, ..parameters.clone() }));
    assert!(!verdict.is_of(repository, commit, &Parameters { arguments: Digest::of(b"x"), ..parameters.clone() }));
    let dirty = Verdict { source: Source { dirty: true, ..verdict.source.clone() }, ..verdict.clone() };
    let nobodys = Verdict { source: Source { repository: None, ..verdict.source.clone() }, ..verdict };
    assert!(!dirty.is_of(repository, commit, &parameters) && !nobodys.is_of(repository, commit, &parameters));
}

#[test]
fn who_set_a_suppression_is_noted_by_the_commit_that_brought_it() {
    let verdict = verdict(&fixture::advised(), None).unwrap();
    let set_in: Vec<_> = verdict.suppressions.iter().map(|one| one.set_in.as_deref()).collect();
    assert_eq!(set_in, [Some("0f1e2d3c4b5a69788796a5b4c3d2e1f001234567"), None]);
}

#[test]
fn a_suppression_that_did_not_count_let_nothing_through() {
    let mut record = fixture::advised();
    record.suppressions[0].standing = Standing::Refused;
    assert_eq!(verdict(&record, None).unwrap().suppressions.len(), 1);
}

#[test]
fn no_secret_is_in_a_text_of_the_projects() {
    let secret = "Verd1ctS3cretValue-42";
    crate::redaction::remember(secret);
    let mut record = fixture::advised();
    record.suppressions[0].reason = Some(format!("because {secret}"));
    assert_eq!(verdict(&record, None).unwrap().suppressions[0].reason.as_deref(), Some("because ***"));
}
