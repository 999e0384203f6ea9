use std::fs;

use super::*;
use crate::record::StageOutcome;

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_report_is_the_record_the_summary_the_sarif_files_and_the_outputs() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("report");
    let written = write(&fixture::blocked(), &open(&folder, &[]).unwrap(), &RunnerFiles::default()).unwrap();
    assert_eq!(names(&folder), [".gitignore", "outputs", "record.json", "sarif", "summary.md"]);
    assert_eq!(names(&folder.join("sarif")), ["gitleaks.sarif", "trivy.sarif"]);
    assert_eq!(written.sarif.len(), 2);
    let record: Record = serde_json::from_slice(&fs::read(written.record).unwrap()).unwrap();
    assert_eq!(record.findings, fixture::blocked().findings);
}

#[test]
fn under_the_runner_the_outputs_and_the_summary_are_added_to_its_files() {
    let place = tempfile::tempdir().unwrap();
    let runner = RunnerFiles { output: Some(place.path().join("output")), step_summary: Some(place.path().join("summary")) };
    fs::write(place.path().join("output"), "before=1\n").unwrap();
    fs::write(place.path().join("summary"), "before\n").unwrap();
    let folder = place.path().join("report");
    write(&fixture::delivered(), &open(&folder, &[]).unwrap(), &runner).unwrap();
    assert_eq!(names(&folder), [".gitignore", "record.json", "sarif", "summary.md"]);
    let [output, summary] = ["output", "summary"].map(|name| fs::read_to_string(place.path().join(name)).unwrap());
    assert!(output.starts_with("before=1\nresult<<") && summary.starts_with("before\n## ✅ Delivered to prod"), "{summary}");
    assert_eq!(summary.strip_prefix("before\n"), Some(&*fs::read_to_string(folder.join("summary.md")).unwrap()));
}

#[test]
fn what_an_earlier_delivery_found_does_not_stay() {
    let place = tempfile::tempdir().unwrap();
    write(&fixture::blocked(), &open(place.path(), &[]).unwrap(), &RunnerFiles::default()).unwrap();
    let mut record = fixture::blocked();
    record.stages.iter_mut().for_each(|stage| stage.outcome = StageOutcome::Cancelled);
    write(&record, &open(place.path(), &[]).unwrap(), &RunnerFiles::default()).unwrap();
    assert_eq!(names(&place.path().join("sarif")), [""; 0]);
}

#[test]
fn one_report_that_can_not_be_written_does_not_keep_the_others_away() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("report");
    let reports = open(&folder, &[]).unwrap();
    fs::create_dir_all(folder.join("record.json")).unwrap();
    let error = write(&fixture::blocked(), &reports, &RunnerFiles::default()).unwrap_err();
    assert!(matches!(&error, Error::File { path, .. } if path.ends_with("record.json")), "{error}");
    assert_eq!(names(&folder), [".gitignore", "outputs", "record.json", "sarif", "summary.md"]);
}

#[test]
fn a_report_folder_that_can_not_be_is_said_with_its_name_and_a_way_out() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("file"), "").unwrap();
    let error = open(&place.path().join("file/report"), &[]).err().unwrap();
    let diagnosis = crate::diagnosis::Diagnosis::from(&error);
    assert!(diagnosis.what.contains("file/report") && diagnosis.remedy.contains("report-dir"), "{diagnosis:?}");
}

#[test]
fn a_run_without_a_folder_is_told_on_its_page_all_the_same() {
    let place = tempfile::tempdir().unwrap();
    let runner = RunnerFiles { output: None, step_summary: Some(place.path().join("summary")) };
    write_without_folder(&fixture::blocked(), &runner).unwrap();
    let summary = fs::read_to_string(place.path().join("summary")).unwrap();
    assert!(summary.contains("Blocked for prod"), "{summary}");
}
