//! Documents that repeat what the binary prints, or each other, say the same. `GP_DELIVER_BLESS=1 cargo test docs` writes them
//! anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::document::holds;

#[test]
fn each_input_but_the_token_and_the_command_is_a_flag() {
    let help = |command: &str| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_gp-deliver")).args([command, "--help"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let (plan, show, promote, watch, assemble) = (help("plan"), help("show"), help("promote"), help("watch"), help("assemble"));
    let action = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("action.yml")).unwrap();
    let action: Value = serde_yaml::from_str(&action).unwrap();
    let inputs = action["inputs"].as_object().unwrap();
    assert!(inputs.len() > 10, "{inputs:?}");
    for name in inputs.keys() {
        let no_flag = ["github-token", "gitops-token", "gitops-app-private-key", "command"].contains(&name.as_str());
        let help = match name.as_str() {
            "job-result" => &show,
            "images" => &assemble,
            "from" | "identity" | "promote-by" => &promote,
            "environments" | "image" | "issues" => &watch,
            _ => &plan,
        };
        let is_flag = help.contains(&format!("--{name} <")) || help.contains(&format!("--{name} ["));
        assert_eq!(is_flag, !no_flag, "{name}");
    }
}

#[test]
fn the_workflow_in_the_readme_is_the_template() {
    let template = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/templates/workflows/delivery.yml"));
    let template = template.unwrap();
    let (_, workflow) = template.split_once('\n').unwrap();
    holds("README.md", "caller", &format!("```yaml\n{workflow}```\n"));
}

/// What `gp-deliver policy` prints for the example of the README.
fn policy(kind: &str) -> String {
    let source = tempfile::tempdir().unwrap();
    fs::write(source.path().join("Dockerfile"), "FROM scratch\n").unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_gp-deliver"))
        .args(["policy", kind, "--environment", "prod", "--ecr-repository", "team/app", "--aws-region", "eu-central-1"])
        .args(["--role-to-assume", "arn:aws:iam::012345678901:role/deliver"])
        .current_dir(source.path())
        .env_clear()
        .env("GITHUB_REPOSITORY", "acme/app")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_blocks_of_the_keyless_section_are_what_the_policy_command_prints() {
    for kind in ["environment", "repository"] {
        holds("README.md", kind, &format!("```sh\n{}\n```\n", policy(kind).trim_end()));
    }
    for kind in ["trust", "role"] {
        holds("README.md", kind, &format!("```json\n{}\n```\n", policy(kind).trim_end()));
    }
    let job = policy("workflow").trim_end().replace('\n', "\n    ");
    holds("README.md", "workflow", &format!("```yaml\njobs:\n  deliver:\n    environment: prod\n    {job}\n```\n"));
}

/// Runs a module of `tools/bench`, which is of Python's own parts alone.
fn bench(arguments: &[&str]) {
    let output = std::process::Command::new("python3")
        .args(["-B", "-m"])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("PYTHONPATH", "tools")
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The files below a folder that begin with `performance`, but the figures themselves, by their paths in it.
fn pages_of_performance(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let pictures = fs::read_dir(folder.join("performance")).into_iter().flatten().map(|entry| entry.unwrap().path());
    for path in std::iter::once(folder.join("performance.md")).chain(pictures) {
        found.insert(path.strip_prefix(folder).unwrap().to_owned(), fs::read_to_string(&path).unwrap());
    }
    found
}

#[test]
fn the_page_of_performance_and_its_pictures_are_made_of_the_figures() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    if std::env::var_os("GP_DELIVER_BLESS").is_some() {
        bench(&["bench", "render"]);
        return;
    }
    let made = tempfile::tempdir().unwrap();
    bench(&["bench", "render", "--to", &made.path().display().to_string()]);
    let (made, committed) = (pages_of_performance(made.path()), pages_of_performance(&docs));
    assert!(made.len() > 1, "{:?}", made.keys());
    assert!(made == committed, "docs/performance.md: run scripts/bench render");
}

#[test]
fn what_the_figures_are_made_into_holds_for_figures_that_are_made_up() {
    bench(&["unittest", "bench.tests"]);
}
