use serde_json::Value;

use super::*;
use crate::finding::Finding;
use crate::record::StageOutcome;
use crate::report::advice::distinct;
use crate::report::fixture;

fn run(record: &Record, tool: Tool) -> Value {
    let sarif: Value = serde_json::from_slice(&render(record, tool).unwrap()).unwrap();
    assert_eq!(sarif["runs"].as_array().unwrap().len(), 1);
    sarif["runs"][0].clone()
}

fn results(record: &Record, tool: Tool) -> Vec<Value> {
    run(record, tool)["results"].as_array().unwrap().clone()
}

fn fingerprints(record: &Record, tool: Tool) -> Vec<String> {
    let fingerprint = |result: &Value| result["partialFingerprints"]["primaryLocationLineHash"].as_str().unwrap().to_owned();
    results(record, tool).iter().map(fingerprint).collect()
}

#[test]
fn the_files_of_a_blocked_delivery() {
    let record = fixture::blocked();
    let text = |tool| String::from_utf8(render(&record, tool).unwrap()).unwrap();
    insta::assert_snapshot!("gitleaks", text(Tool::GITLEAKS));
    insta::assert_snapshot!("trivy", text(Tool::TRIVY));
}

#[test]
fn a_scan_that_found_nothing_has_a_file_and_one_that_did_not_run_to_its_end_has_none() {
    assert!(results(&fixture::delivered(), Tool::TRIVY).is_empty());
    assert!(render(&fixture::failed(), Tool::TRIVY).is_none(), "there is no stage");
    for outcome in [
        StageOutcome::Failed(String::new()),
        StageOutcome::Skipped(String::new()),
        StageOutcome::Cancelled,
        StageOutcome::Running,
    ] {
        let mut record = fixture::blocked();
        record.stages.iter_mut().for_each(|stage| stage.outcome = outcome.clone());
        assert!(Tool::judging().all(|tool| render(&record, tool).is_none()), "{outcome:?}");
    }
}

#[test]
fn what_the_registry_alone_knows_has_a_file_of_its_own_unless_an_image_has_no_result() {
    let mut record = fixture::scanned();
    assert!(registry_scan(&record).is_none(), "an image has no result");
    record.registry_scan.iter_mut().for_each(|scan| scan.images.truncate(1));
    let file = registry_scan(&record).unwrap();
    let file: Value = serde_json::from_slice(file.bytes()).unwrap();
    let run = &file["runs"][0];
    let rules: Vec<_> = run["results"].as_array().unwrap().iter().map(|one| one["ruleId"].as_str().unwrap()).collect();
    assert_eq!(rules, ["CVE-2026-1", "CVE-2026-3"], "trivy knows the second, and the last is let through");
    assert_eq!(run["automationDetails"]["id"], "gp-deliver/ecr/team/hello/");
    assert!(registry_scan(&fixture::delivered()).is_none(), "it was not asked for");
}

#[test]
fn a_finding_keeps_its_fingerprint_when_lines_and_versions_move() {
    let before = fixture::blocked();
    let mut after = before.clone();
    for finding in &mut after.findings {
        match finding {
            Finding::Leak(leak) => {
                leak.line += 7;
                leak.commit = None;
            }
            Finding::Vulnerability(vulnerability) => {
                vulnerability.installed.push_str("-1");
                if let Some(instruction) = &mut vulnerability.instruction {
                    instruction.line += 3;
                    instruction.end_line += 3;
                }
            }
        }
    }
    for tool in Tool::judging() {
        assert_eq!(fingerprints(&before, tool), fingerprints(&after, tool), "{tool}");
    }
}

#[test]
fn two_findings_never_have_one_fingerprint() {
    let mut record = fixture::blocked();
    let twice: Vec<_> = record
        .findings
        .iter()
        .filter_map(|finding| match finding {
            Finding::Leak(leak) => Some(Finding::Leak(crate::finding::Leak { line: leak.line + 1, ..leak.clone() })),
            Finding::Vulnerability(_) => None,
        })
        .collect();
    record.findings.extend(twice);
    for tool in Tool::judging() {
        let fingerprints = fingerprints(&record, tool);
        assert_eq!(distinct(fingerprints.iter().map(String::as_str)).len(), fingerprints.len(), "{tool}");
    }
}

#[test]
fn of_too_many_results_the_worst_are_kept_and_the_rest_is_told() {
    let run = run(&fixture::many(RESULTS + 1000), Tool::TRIVY);
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), RESULTS);
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert!(rules.len() <= RESULTS);
    let level = |result: &Value| result["level"].as_str().unwrap().to_owned();
    let notes = results.iter().filter(|result| level(result) == "note").count();
    assert_eq!(notes, 200, "1,200 of 6,000 are LOW, and 1,000 are left out");
    let told = run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"].as_str().unwrap();
    assert!(told.starts_with("1000 results left out"), "{told}");
}

#[test]
fn every_result_names_its_rule() {
    for record in [fixture::blocked(), fixture::hostile(), fixture::many(50)] {
        for tool in Tool::judging() {
            let run = run(&record, tool);
            for result in run["results"].as_array().unwrap() {
                let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
                assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
            }
        }
    }
}

#[test]
fn a_file_that_would_be_too_large_keeps_as_many_of_the_worst_as_fit() {
    let mut record = fixture::many(300);
    for (index, finding) in record.findings.iter_mut().enumerate() {
        let Finding::Vulnerability(vulnerability) = finding else { continue };
        // What does not compress.
        let digest = |part| crate::oci::Digest::of(format!("{index} {part}").as_bytes()).hex();
        vulnerability.title = (0..15).map(digest).collect();
    }
    let limit = 50_000;
    let json = fit(&record, Tool::TRIVY, Tool::TRIVY.finds.as_ref().unwrap(), (RESULTS, limit));
    assert!((limit / 2..=limit).contains(&compressed(&json)), "{}", compressed(&json));
    let sarif: Value = serde_json::from_slice(&json).unwrap();
    let run = &sarif["runs"][0];
    let kept = run["results"].as_array().unwrap().len();
    assert!(run["results"].as_array().unwrap().iter().all(|result| result["level"] == "error"), "the worst are kept");
    let told = run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"].as_str().unwrap();
    assert!(told.starts_with(&format!("{} results left out", 300 - kept)), "{told}");
}

#[test]
fn hostile_words_stay_words() {
    for tool in Tool::judging() {
        for result in results(&fixture::hostile(), tool) {
            let message = result["message"]["text"].as_str().unwrap();
            assert!(!message.contains("](") && !message.contains('{') && !message.contains('\u{1b}'), "{message}");
            assert!(message.chars().count() < 2 * TEXT);
            let uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap();
            assert!(!uri.starts_with('/') && !uri.contains([':', '<', ' ', '\n', '\\']), "{uri}");
        }
    }
}

#[test]
fn the_category_is_the_same_for_every_delivery_of_an_image() {
    let mut record = fixture::delivered();
    let id = run(&record, Tool::TRIVY)["automationDetails"]["id"].clone();
    assert_eq!(id, "gp-deliver/trivy/team/hello/");
    record.publication = None;
    record.elapsed_ms += 1;
    assert_eq!(run(&record, Tool::TRIVY)["automationDetails"]["id"], id);
}
