//! The step of the reusable workflow that collects the report for its artifact, run as it stands there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// A runner's folders: a workspace, a temporary one, the file of outputs.
struct Runner(TempDir);

impl Runner {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir_all(place.path().join("workspace")).unwrap();
        fs::create_dir_all(place.path().join("temp")).unwrap();
        Self(place)
    }

    /// Writes a file of the workspace.
    fn write(&self, file: &str, content: &[u8]) {
        let path = self.workspace().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn workspace(&self) -> std::path::PathBuf {
        self.0.path().join("workspace")
    }

    /// Runs the step and gives its outputs.
    fn collect(&self, variables: &[(&str, &str)]) -> BTreeMap<String, String> {
        let workflow = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/workflows/_build-and-release.yml"));
        let workflow: Value = serde_yaml::from_str(&workflow.unwrap()).unwrap();
        let steps = workflow["jobs"]["deliver"]["steps"].as_array().unwrap();
        let step = steps.iter().find(|step| step["id"] == "report").unwrap();
        let outputs = self.0.path().join("outputs");
        fs::write(&outputs, "").unwrap();
        // As `shell: bash` is run: GitHub Docs, "Workflow syntax for GitHub Actions", jobs.<job_id>.steps[*].shell.
        let output = Command::new("bash")
            .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"].as_str().unwrap()])
            .current_dir(self.workspace())
            .envs([("REPORT_DIR", "gp-deliver-report"), ("ENVIRONMENT", "prod"), ("DESTINATION", "team/app"), ("IMAGE", ".  ")])
            .env("GITHUB_WORKSPACE", self.workspace())
            .env("RUNNER_TEMP", self.0.path().join("temp"))
            .env("GITHUB_OUTPUT", &outputs)
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let outputs = fs::read_to_string(outputs).unwrap();
        outputs.lines().filter_map(|line| line.split_once('=')).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    /// Runs the step and gives the files that it collected.
    fn collected(&self, variables: &[(&str, &str)]) -> BTreeSet<String> {
        let folder = self.collect(variables)["folder"].clone();
        let files = walkdir::WalkDir::new(&folder).into_iter().map(Result::unwrap).filter(|entry| !entry.file_type().is_dir());
        files.map(|entry| entry.path().strip_prefix(&folder).unwrap().to_str().unwrap().to_owned()).collect()
    }
}

fn set<const N: usize>(files: [&str; N]) -> BTreeSet<String> {
    files.map(str::to_owned).into()
}

#[test]
fn the_report_is_kept_without_the_image_and_without_what_is_large() {
    let runner = Runner::new();
    for file in ["summary.md", "record.json", "sbom/linux-amd64.spdx.json", "sarif/trivy.sarif", "with space/a\nline"] {
        runner.write(&format!("gp-deliver-report/{file}"), b"x");
    }
    for file in ["image/index.json", "image/blobs/sha256/ab", "other-image/blobs/sha256/cd"] {
        runner.write(&format!("gp-deliver-report/{file}"), b"x");
    }
    let large = fs::File::create(runner.workspace().join("gp-deliver-report/large")).unwrap();
    large.set_len(60 << 20).unwrap();
    let expected = set([
        "gp-deliver-report/summary.md",
        "gp-deliver-report/record.json",
        "gp-deliver-report/sbom/linux-amd64.spdx.json",
        "gp-deliver-report/sarif/trivy.sarif",
        "gp-deliver-report/with space/a\nline",
    ]);
    assert_eq!(runner.collected(&[]), expected);
    // A second attempt on the same machine starts anew.
    fs::remove_file(runner.workspace().join("gp-deliver-report/with space/a\nline")).unwrap();
    assert_eq!(runner.collected(&[]).len(), expected.len() - 1);
}

#[test]
fn a_link_in_the_checkout_brings_no_file_of_the_runner_into_the_artifact() {
    let runner = Runner::new();
    let secret = runner.0.path().join("credentials");
    fs::create_dir(&secret).unwrap();
    fs::write(secret.join("token"), "x").unwrap();
    runner.write("gp-deliver-report/summary.md", b"x");
    symlink(secret.join("token"), runner.workspace().join("gp-deliver-report/token")).unwrap();
    symlink(&secret, runner.workspace().join("gp-deliver-report/sbom")).unwrap();
    assert_eq!(runner.collected(&[]), set(["gp-deliver-report/summary.md"]));
    // The report's folder itself, and one above it.
    symlink(&secret, runner.workspace().join("linked")).unwrap();
    assert_eq!(runner.collected(&[("REPORT_DIR", "linked")]), set([]));
    assert_eq!(runner.collected(&[("REPORT_DIR", "../credentials")]), set([]));
    symlink(runner.0.path(), runner.workspace().join("above")).unwrap();
    assert_eq!(runner.collected(&[("REPORT_DIR", "above/credentials")]), set([]));
    assert_eq!(runner.collected(&[("REPORT_DIR", ".")]), set([]));
}

#[test]
fn a_delivery_that_left_no_report_is_no_error() {
    assert_eq!(Runner::new().collected(&[]), set([]));
}

#[test]
fn a_report_folder_with_any_name_is_kept() {
    for folder in ["reports/api", "-rf", "a b", "$(id)"] {
        let runner = Runner::new();
        runner.write(&format!("{folder}/summary.md"), b"x");
        assert_eq!(runner.collected(&[("REPORT_DIR", folder)]), set([&format!("{folder}/summary.md")]), "{folder}");
    }
}

#[test]
fn artifacts_have_names_of_their_own_that_github_takes() {
    let runner = Runner::new();
    let deliveries = [
        [("ENVIRONMENT", "prod"), ("DESTINATION", "team/app"), ("IMAGE", ". ")],
        [("ENVIRONMENT", "prod"), ("DESTINATION", "team-app"), ("IMAGE", ". ")],
        [("ENVIRONMENT", "dev"), ("DESTINATION", "team/app"), ("IMAGE", ". ")],
        [("ENVIRONMENT", "prod"), ("DESTINATION", "team/app"), ("IMAGE", "services/api ")],
        [("ENVIRONMENT", "prod"), ("DESTINATION", ""), ("IMAGE", ". ")],
        [("ENVIRONMENT", "prod"), ("DESTINATION", "x\nfolder=/etc\nartifact=y"), ("IMAGE", "$(id) `id` \"';")],
        [("ENVIRONMENT", "grüße:?*|<>\\\r"), ("DESTINATION", "x"), ("IMAGE", ". ")],
        [("ENVIRONMENT", ""), ("DESTINATION", &"x".repeat(1000)), ("IMAGE", ". ")],
    ];
    let names: BTreeSet<_> = deliveries
        .iter()
        .map(|variables| {
            let outputs = runner.collect(variables);
            assert_eq!(outputs.keys().collect::<Vec<_>>(), ["artifact", "folder"], "{variables:?}");
            assert!(outputs["folder"].starts_with(runner.0.path().to_str().unwrap()), "{outputs:?}");
            outputs["artifact"].clone()
        })
        .collect();
    assert_eq!(names.len(), deliveries.len(), "{names:?}");
    for name in &names {
        assert!(name.len() < 250 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)), "{name}");
    }
    let again = runner.collect(&deliveries[0]);
    assert!(names.contains(&again["artifact"]), "a re-run takes the place of the run before");
}
