//! `scripts/release-tree`: a release names its image by digest and its action by commit, or there is no release.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const DIGEST: &str = "sha256:6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d";
const COMMIT: &str = "0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c";
const WORKFLOW: &str = ".github/workflows/_build-and-release.yml";
const CALLER: &str = "docs/templates/workflows/delivery.yml";
const MONOREPO: &str = "docs/templates/workflows/monorepo.yml";

/// A repository with this one's files that a release changes.
fn repository() -> TempDir {
    let repository = tempfile::tempdir().unwrap();
    for file in ["scripts/release-tree", "action.yml", "README.md", WORKFLOW, CALLER, MONOREPO] {
        let to = repository.path().join(file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(file), to).unwrap();
    }
    for arguments in [["init", "--quiet"].as_slice(), &["add", "--all"]] {
        let git = Command::new("git").arg("-C").arg(repository.path()).args(arguments).status().unwrap();
        assert!(git.success());
    }
    repository
}

fn release(repository: &Path, arguments: &[&str]) -> Output {
    let tree = repository.join("target/release-tree");
    Command::new(repository.join("scripts/release-tree")).arg(tree).args(arguments).output().unwrap()
}

fn released(repository: &Path, file: &str) -> String {
    fs::read_to_string(repository.join("target/release-tree").join(file)).unwrap()
}

/// The lines in which two texts differ, each pair once.
fn changes(repository: &Path, file: &str) -> Vec<(String, String)> {
    let (before, after) = (fs::read_to_string(repository.join(file)).unwrap(), released(repository, file));
    assert_eq!(before.lines().count(), after.lines().count(), "{file}");
    let pairs = before.lines().zip(after.lines()).filter(|(before, after)| before != after);
    pairs.map(|(before, after)| (before.trim().to_owned(), after.trim().to_owned())).collect()
}

fn pair(before: &str, after: &str) -> (String, String) {
    (before.to_owned(), after.to_owned())
}

#[test]
fn the_first_commit_names_the_image_by_its_digest_and_changes_nothing_else() {
    let repository = repository();
    let image = format!("ghcr.io/acme/gp-deliver@{DIGEST}");
    let output = release(repository.path(), &[&image]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(changes(repository.path(), "action.yml"), [pair("image: Dockerfile", &format!("image: docker://{image}"))]);
    for file in ["scripts/release-tree", "README.md", WORKFLOW, CALLER, MONOREPO] {
        assert_eq!(changes(repository.path(), file), [], "{file}");
    }
}

#[test]
fn the_second_commit_names_the_action_by_the_first_and_the_callers_name_the_repository() {
    let repository = repository();
    let (image, action) = (format!("ghcr.io/acme/gp-deliver@{DIGEST}"), format!("Acme/gp-deliver@{COMMIT}"));
    let output = release(repository.path(), &[&image, &action]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(changes(repository.path(), "action.yml"), [pair("image: Dockerfile", &format!("image: docker://{image}"))]);
    let step = pair("uses: org/gp-deliver@v1", &format!("uses: {action}"));
    let call = pair(&format!("uses: org/gp-deliver/{WORKFLOW}@v1"), &format!("uses: Acme/gp-deliver/{WORKFLOW}@v1"));
    assert_eq!(changes(repository.path(), WORKFLOW), std::slice::from_ref(&step));
    assert_eq!(changes(repository.path(), CALLER), std::slice::from_ref(&call));
    assert_eq!(changes(repository.path(), MONOREPO), [step, call]);
    assert!(!released(repository.path(), "README.md").contains("org/gp-deliver@"));
}

#[test]
fn a_place_that_is_not_there_as_often_as_expected_ends_the_release() {
    let image = format!("ghcr.io/acme/gp-deliver@{DIGEST}");
    let action = format!("acme/gp-deliver@{COMMIT}");
    let append = |text: String, line: &str| text + line;
    type Change<'a> = &'a dyn Fn(String) -> String;
    let cases: [(&str, Change<'_>); 5] = [
        ("action.yml", &|text| text.replace("image: Dockerfile", "image: docker://elsewhere")),
        ("action.yml", &|text| append(text, "\n  image: Dockerfile\n")),
        (WORKFLOW, &|text| text.replace("uses: org/gp-deliver@v1", "uses: org/gp-deliver@v2")),
        (MONOREPO, &|text| append(text, "      - uses: org/gp-deliver@v1\n")),
        (CALLER, &|text| append(text, "# see org/gp-deliver\n")),
    ];
    for (number, (file, change)) in cases.into_iter().enumerate() {
        let repository = repository();
        let path = repository.path().join(file);
        fs::write(&path, change(fs::read_to_string(&path).unwrap())).unwrap();
        let output = release(repository.path(), &[&image, &action]);
        assert_eq!(output.status.code(), Some(1), "case {number} of {file}");
        assert!(String::from_utf8_lossy(&output.stderr).starts_with("scripts/release-tree: "), "case {number}: {output:?}");
    }
}

#[test]
fn what_names_no_digest_or_no_commit_is_refused() {
    let repository = repository();
    let image = format!("ghcr.io/acme/gp-deliver@{DIGEST}");
    for arguments in [
        ["ghcr.io/acme/gp-deliver:v1.2.3"].as_slice(),
        &["ghcr.io/acme/gp-deliver@sha256:6105"],
        &[&format!("ghcr.io/acme/gp-deliver:v1@{DIGEST}#\\n  args: [x]")],
        &[&image, "acme/gp-deliver@v1"],
        &[&image, &format!("gp-deliver@{COMMIT}")],
    ] {
        assert_eq!(release(repository.path(), arguments).status.code(), Some(1), "{arguments:?}");
        assert!(!repository.path().join("target").exists(), "{arguments:?}: nothing is written");
    }
    assert_eq!(release(repository.path(), &[]).status.code(), Some(2));
}
