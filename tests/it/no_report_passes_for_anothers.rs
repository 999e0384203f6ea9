//! What stands in the report's folder is of the delivery that ran last, however that ended.

use std::fs;

use crate::support::Source;

fn source() -> Source {
    Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY a /\n"), ("a", "1")])
}

/// The files of the report, the image left aside.
fn files(source: &Source) -> Vec<String> {
    let mut files: Vec<_> = fs::read_dir(source.beside("report")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    files.sort();
    files.into_iter().map(|name| name.into_string().unwrap()).collect()
}

#[test]
fn a_delivery_that_fails_early_leaves_nothing_of_the_one_before_it() {
    let source = source();
    source.deliver().ends_with(0);
    assert_eq!(files(&source), [".gitignore", "outputs", "record.json", "sarif", "sbom", "summary.md"]);
    // As a cancelled delivery, or whoever may write there, leaves them.
    for planted in ["sarif/clean.sarif", "sbom/linux-amd64.spdx.json", "outputs", "record.json"] {
        fs::write(source.beside("report").join(planted), "planted").unwrap();
    }
    source.deliver().variable("DOCKER_HOST", "unix:///nowhere/docker.sock").ends_with(1);
    assert_eq!(source.record()["result"], "failed");
    let left: Vec<_> = fs::read_dir(source.beside("report/sarif")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(files(&source), [".gitignore", "outputs", "record.json", "sarif", "summary.md"]);
    let outputs = fs::read_to_string(source.beside("report/outputs")).unwrap();
    assert!(outputs.contains("failed") && !outputs.contains("sarif-path") && !outputs.contains("sbom-path"), "{outputs}");
}

#[test]
fn inputs_that_are_wrong_leave_nothing_of_the_delivery_before_them() {
    let source = source();
    source.deliver().ends_with(0);
    source.deliver().flag("--severity-threshold", "terrible").ends_with(2);
    assert_eq!(source.record()["result"], "failed");
    assert!(!source.beside("report/sbom").exists());
}
