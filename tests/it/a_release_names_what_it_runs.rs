//! `scripts/release-tree` and `scripts/release`: a release names its image by digest and its action by commit, or there is
//! none.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const DIGEST: &str = "sha256:6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d";
const COMMIT: &str = "0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c";
const WORKFLOW: &str = ".github/workflows/_build-and-release.yml";
const CALLER: &str = "docs/templates/workflows/delivery.yml";
const MONOREPO: &str = "docs/templates/workflows/monorepo.yml";
const WATCH: &str = "docs/templates/workflows/watch.yml";
const PROMOTE: &str = "docs/templates/workflows/promote.yml";

const SCRIPT: &str = "scripts/ecr-build-push.sh";

/// What a file is made into.
type Change<'a> = &'a dyn Fn(String) -> String;

/// A repository with this one's files that a release changes.
fn repository() -> TempDir {
    let repository = tempfile::tempdir().unwrap();
    let files = [
        "scripts/release",
        "scripts/release-tree",
        SCRIPT,
        "action.yml",
        "SECURITY.md",
        WORKFLOW,
        CALLER,
        MONOREPO,
        WATCH,
        PROMOTE,
    ];
    for file in files {
        let to = repository.path().join(file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(file), to).unwrap();
    }
    fs::write(repository.path().join(".gitignore"), "target\n").unwrap();
    git(repository.path(), &["init", "--quiet", "--initial-branch=main"]);
    prepare(repository.path(), "1.2.3");
    repository
}

/// Commits what a release of a version needs: its number in Cargo.toml, and its section in the changelog.
fn prepare(repository: &Path, version: &str) {
    let package = format!("[package]\nname = \"x\"\nversion = \"{version}\"\n\n[dependencies]\nversion = \"9.9.9\"\n");
    fs::write(repository.join("Cargo.toml"), package).unwrap();
    let changelog = format!(
        "# Changelog\n\n## Unreleased\n\n- Next.\n\n## {version} - 2026-11-02\n\n### Added\n- This.\n\n## 0.9.0\n- Old.\n"
    );
    fs::write(repository.join("CHANGELOG.md"), changelog).unwrap();
    git(repository, &["add", "--all"]);
    git(repository, &["commit", "--quiet", "--message", version]);
}

fn git(repository: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=Test", "-c", "user.email=test@example.com", "-C"])
        .arg(repository)
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// Runs `scripts/release` and gives what it prints, or its complaint.
fn run(repository: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(repository.join("scripts/release")).args(arguments).env("GIT_CONFIG_GLOBAL", "/dev/null").output();
    let output = output.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
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
    let image = pair("IMAGE=${GP_DELIVER_IMAGE:-}", &format!("IMAGE=${{GP_DELIVER_IMAGE:-{image}}}"));
    assert_eq!(changes(repository.path(), SCRIPT), [image]);
    for file in ["scripts/release-tree", "SECURITY.md", WORKFLOW, CALLER, MONOREPO, WATCH, PROMOTE] {
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
    let steps = [step.clone(), step.clone(), step.clone()];
    assert_eq!(changes(repository.path(), WORKFLOW), steps, "what delivers or judges, and what shows all or a platform");
    for caller in [CALLER, PROMOTE] {
        assert_eq!(changes(repository.path(), caller), std::slice::from_ref(&call), "{caller}");
    }
    assert_eq!(changes(repository.path(), MONOREPO), [step.clone(), call]);
    let signer = |owner: &str| format!("identity: https://github.com/{owner}/gp-deliver/{WORKFLOW}@refs/tags/v1*");
    assert_eq!(changes(repository.path(), WATCH), [step, pair(&signer("org"), &signer("Acme"))]);
    assert!(!released(repository.path(), "SECURITY.md").contains("org/gp-deliver"));
    assert!(released(repository.path(), "SECURITY.md").contains(&format!("uses: Acme/gp-deliver/{WORKFLOW}@COMMIT")));
}

#[test]
fn a_place_that_is_not_there_as_often_as_expected_ends_the_release() {
    let image = format!("ghcr.io/acme/gp-deliver@{DIGEST}");
    let action = format!("acme/gp-deliver@{COMMIT}");
    let append = |text: String, line: &str| text + line;
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

#[test]
fn the_tags_are_on_a_commit_whose_workflow_names_the_commit_whose_action_names_the_image() {
    let repository = repository();
    let path = repository.path();
    let image = format!("ghcr.io/acme/gp-deliver@{DIGEST}");
    let refs = run(path, &["tag", "1.2.3", &image, "Acme/gp-deliver"]).unwrap();
    assert_eq!(refs.lines().collect::<Vec<_>>(), ["refs/tags/v1.2.3", "+refs/tags/v1.2", "+refs/tags/v1"]);
    let second = git(path, &["rev-parse", "v1.2.3"]);
    assert_eq!([git(path, &["rev-parse", "v1.2"]), git(path, &["rev-parse", "v1"])], [second.clone(), second]);
    let first = git(path, &["rev-parse", "v1.2.3~"]);
    assert_eq!(git(path, &["rev-parse", "v1.2.3~2"]), git(path, &["rev-parse", "main"]), "nothing else comes between");
    let has = |object: &str, line: String| git(path, &["show", object]).lines().any(|found| found.trim() == line);
    assert!(has(&format!("v1.2.3:{WORKFLOW}"), format!("uses: Acme/gp-deliver@{first}")));
    assert!(has(&format!("{first}:action.yml"), format!("image: docker://{image}")));
    assert_eq!(git(path, &["diff", "--name-only", "main", &first]), format!("action.yml\n{SCRIPT}"));
    assert_eq!(git(path, &["status", "--porcelain"]), "", "the checkout is as it was");
}

#[test]
fn a_tag_of_several_versions_moves_to_the_newest_only() {
    let repository = repository();
    let path = repository.path();
    for (version, moved) in [
        ("1.10.0", ["refs/tags/v1.10.0", "+refs/tags/v1.10", "+refs/tags/v1"].as_slice()),
        ("1.9.1", &["refs/tags/v1.9.1", "+refs/tags/v1.9"]),
        ("2.0.0", &["refs/tags/v2.0.0", "+refs/tags/v2.0", "+refs/tags/v2"]),
        ("1.10.1", &["refs/tags/v1.10.1", "+refs/tags/v1.10", "+refs/tags/v1"]),
        ("1.10.0", &[]),
    ] {
        prepare(path, version);
        let refs = run(path, &["tag", version, &format!("ghcr.io/acme/gp-deliver@{DIGEST}"), "acme/gp-deliver"]);
        if moved.is_empty() {
            assert!(refs.unwrap_err().contains("there is a tag v1.10.0 already"));
        } else {
            assert_eq!(refs.unwrap().lines().collect::<Vec<_>>(), moved, "{version}");
        }
    }
    assert_eq!(git(path, &["rev-parse", "v1"]), git(path, &["rev-parse", "v1.10.1"]));
}

#[test]
fn the_notes_of_a_release_are_its_section_of_the_changelog() {
    let repository = repository();
    assert_eq!(run(repository.path(), &["notes", "1.2.3"]).unwrap(), "### Added\n- This.\n");
    assert!(run(repository.path(), &["notes", "1.2.4"]).unwrap_err().contains("no section '## 1.2.4'"));
}

#[test]
fn a_version_that_is_not_the_packages_or_no_version_is_not_released() {
    let repository = repository();
    assert_eq!(run(repository.path(), &["check", "1.2.3"]).unwrap(), "");
    assert!(run(repository.path(), &["check", "0.9.0"]).unwrap_err().contains("Cargo.toml has version 1.2.3"));
    for version in ["v1.2.3", "1.2", "01.2.3", "1.2.3-rc.1", "1.2.3; id", "$(id)", "1.2.3\n1.2.3", ""] {
        assert!(run(repository.path(), &["check", version]).unwrap_err().contains("1.2.3 is expected"), "{version:?}");
    }
}
