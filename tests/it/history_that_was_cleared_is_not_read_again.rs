//! On a laptop a history in which nothing was found is not read again, and nothing that is kept of it hides a leak.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use serde_json::Value;

use crate::support::job::in_job;
use crate::support::{Delivery, Source, secret};

const CLEARED: &str = "none before in the history up to";

/// A source of two commits; the first is the second value.
fn source() -> (Source, String) {
    let source =
        Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY readme /\n"), ("readme", "1\n"), (".dockerignore", ".git\n")]);
    let first = source.commit("first");
    source.write("readme", "2\n");
    source.commit("second");
    (source, first)
}

fn at(source: &Source, environment: &str) -> Delivery {
    source.deliver().flag("--environment", environment).flag("--sbom-formats", "").flag("--reuse", "never")
}

fn folder(source: &Source) -> PathBuf {
    source.beside("home/.cache/gp-deliver/cleared-history")
}

/// The file that is kept of the source.
fn kept(source: &Source) -> PathBuf {
    fs::read_dir(folder(source)).unwrap().next().unwrap().unwrap().path()
}

fn leak(source: &Source, file: &str) {
    source.write(file, &format!("TOKEN={}\n", secret()));
    source.commit("leak");
    fs::remove_file(source.context().join(file)).unwrap();
    source.commit("gone");
}

#[test]
fn what_was_cleared_is_not_read_again_and_what_came_since_is_until_it_is_clear() {
    let (source, _) = source();
    let commits = source.git(&["rev-list", "--count", "HEAD"]);
    let commits = commits.trim();
    at(&source, "local").ends_with(0).says(&format!("0 leaks in the working tree and {commits} commits")).does_not_say(CLEARED);
    let head = source.git(&["rev-parse", "HEAD"]);
    let since = format!("0 leaks in the working tree and 0 commits; {CLEARED} {}", &head[..7]);
    at(&source, "local").ends_with(0).says(&since);
    leak(&source, "settings.env");
    for _ in 0..2 {
        let since = format!("1 leak in the working tree and 2 commits; {CLEARED} {}", &head[..7]);
        at(&source, "local").ends_with(0).says("settings.env").says(&since);
    }
    // A branch from before the leak is clear by what was kept before it.
    source.git(&["reset", "--hard", "--quiet", head.trim()]);
    source.write("readme", "3\n");
    source.commit("third");
    at(&source, "local").ends_with(0).says(&format!("and 1 commit; {CLEARED} {}", &head[..7]));
}

#[test]
fn all_is_read_where_a_leak_ends_a_delivery_in_a_workflow_and_where_that_is_asked_for() {
    let (source, _) = source();
    at(&source, "local").ends_with(0);
    assert!(kept(&source).exists());
    at(&source, "prod").ends_with(0).does_not_say(CLEARED);
    at(&source, "local").flag("--secrets-history", "full").ends_with(0).does_not_say(CLEARED);
    in_job(&source, vec![]).flag("--environment", "dev").flag("--sbom-formats", "").ends_with(0).does_not_say(CLEARED);
    at(&source, "local").ends_with(0).says(CLEARED);
}

#[test]
fn all_is_read_again_by_other_rules_with_a_tag_that_is_new_and_after_commits_were_replaced() {
    let (source, first) = source();
    at(&source, "local").ends_with(0);
    // A tag's message on a commit that was cleared.
    source.git(&["tag", "--annotate", "--message", &format!("TOKEN={}", secret()), "v1", &first]);
    at(&source, "local").ends_with(0).says("v1").does_not_say(CLEARED);
    source.git(&["tag", "--delete", "v1"]);
    at(&source, "local").ends_with(0).says(CLEARED);
    // A rule that finds what was clear by others.
    let rule = "[extend]\nuseDefault = true\n[[rules]]\nid = \"readme\"\nregex = '''\\d'''\npath = '''^readme$'''\n";
    source.write(".gitleaks.toml", rule);
    at(&source, "local").ends_with(0).says("1 leak in the working tree and 3 commits").does_not_say(CLEARED);
    fs::remove_file(source.context().join(".gitleaks.toml")).unwrap();
    at(&source, "local").ends_with(0).says(CLEARED);
    source.git(&["commit", "--quiet", "--amend", "--message", &format!("TOKEN={}", secret())]);
    at(&source, "local").ends_with(0).says("COMMIT_EDITMSG").does_not_say(CLEARED);
}

#[test]
fn what_the_project_lets_through_is_found_and_counted_each_time() {
    let (source, _) = source();
    source.write("example.env", &format!("TOKEN={} # gitleaks:allow\n", secret()));
    source.commit("example");
    for _ in 0..2 {
        at(&source, "local").ends_with(0).says("1 suppressed by the project").does_not_say(CLEARED);
    }
    assert!(!folder(&source).exists());
}

#[test]
fn what_is_kept_counts_for_nothing_where_others_may_write_it_or_it_names_what_is_not_the_sources_past() {
    let (source, _) = source();
    at(&source, "local").ends_with(0);
    let (path, text) = (kept(&source), fs::read_to_string(kept(&source)).unwrap());
    leak(&source, "settings.env");
    let leak_is_found = |why: &str| {
        let ended = at(&source, "local").ends_with(0);
        assert!(ended.stderr.contains("1 leak in the working tree and"), "{why}: {ended}");
        assert!(!ended.stderr.contains(CLEARED), "{why}: {ended}");
    };
    let naming = |commit: &str| {
        let mut said: Value = serde_json::from_str(&text).unwrap();
        said["commit"] = commit.into();
        said.to_string()
    };
    // A commit with the same files that is none of this one's past.
    let stranger = source.git(&["commit-tree", "-m", "stranger", "HEAD^{tree}"]);
    for commit in ["HEAD", "--all", "", "main", &"0".repeat(40), stranger.trim()] {
        fs::write(&path, naming(commit)).unwrap();
        leak_is_found(commit);
    }
    fs::write(&path, &text[..20]).unwrap();
    leak_is_found("cut off");
    fs::write(&path, text.replace("\"by\":\"sha256:", "\"by\":\"sha256:0").replace("0\"}", "\"}")).unwrap();
    leak_is_found("by something else");
    let aside = source.beside("aside");
    fs::write(&aside, &text).unwrap();
    fs::remove_file(&path).unwrap();
    symlink(&aside, &path).unwrap();
    leak_is_found("a link");
    fs::remove_file(&path).unwrap();
    fs::write(&path, &text).unwrap();
    fs::set_permissions(folder(&source), fs::Permissions::from_mode(0o777)).unwrap();
    leak_is_found("a folder that others may write to");
    fs::set_permissions(folder(&source), fs::Permissions::from_mode(0o700)).unwrap();
    at(&source, "local").ends_with(0).says("1 leak in the working tree and 2 commits").says(CLEARED);
}
