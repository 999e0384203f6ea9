//! gitleaks says "no leaks found" in many words when it did not look. None of them is taken for a clean source.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::repository::{Repository, secret};
use crate::diagnosis::Diagnosis;
use crate::process;
use crate::process::testing::{launcher, launcher_before, launcher_in};
use crate::scan::Error;
use crate::scan::gitleaks::{self, History, Leaks, Lists, Request};
use crate::scanner::Tool;

async fn scan_with(tools: &Path, repository: &Repository, history: History, seconds: u64) -> Result<Leaks, Error> {
    let deadline = std::time::Duration::from_secs(seconds);
    let result = async {
        let lists = Lists::of_change(repository.root(), None).await?;
        let exclude = [".git".into()];
        let request = Request { deadline, ..repository.request(&history, &exclude, &lists) };
        gitleaks::scan(&launcher_before(tools), &request).await
    }
    .await;
    if let Err(error) = &result {
        let Diagnosis { what, why, remedy, .. } = error.into();
        assert!([&what, &why, &remedy].iter().all(|text| !text.is_empty() && !text.contains("Error")), "{what} {why} {remedy}");
    }
    result
}

async fn scan(repository: &Repository, history: History) -> Result<Leaks, Error> {
    scan_with(Path::new("/nowhere"), repository, history, 300).await
}

fn script(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\nGIT=$PATH/git\nPATH=/usr/bin:/bin\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

const REPORT: &str = r#"for word; do if [ "$before" = --report-path ]; then report=$word; fi; before=$word; done"#;

fn with_a_leak() -> Repository {
    let repository = Repository::new();
    repository.write("a.txt", &format!("key = {}\n", secret(1)));
    repository.commit();
    repository
}

#[tokio::test]
async fn a_history_whose_objects_are_gone_is_not_clean() {
    let repository = with_a_leak();
    let blob = repository.git(&["rev-parse", "HEAD:a.txt"]);
    fs::remove_file(repository.path(format!(".git/objects/{}/{}", &blob[..2], &blob[2..]))).unwrap();
    repository.remove("a.txt");
    let error = scan(&repository, History::Full).await.unwrap_err();
    // gitleaks or git says so, whichever comes upon it first.
    assert!(matches!(error, Error::Failed { .. } | Error::Git { .. }), "{error:?}");
}

#[tokio::test]
async fn a_source_without_a_repository_has_no_history_to_call_clean() {
    let repository = with_a_leak();
    fs::remove_dir_all(repository.path(".git")).unwrap();
    let error = scan(&repository, History::Full).await.unwrap_err();
    assert!(matches!(error, Error::Git { .. }), "{error:?}");
    assert_eq!(scan(&repository, History::None).await.unwrap().findings.len(), 1);
}

#[tokio::test]
async fn a_commit_that_is_not_there_is_an_error() {
    let repository = with_a_leak();
    let range = format!("{}..{}", "1".repeat(40), repository.git(&["rev-parse", "HEAD"]));
    let error = scan(&repository, History::Commits(range.parse().unwrap())).await.unwrap_err();
    assert!(matches!(error, Error::Git { .. }), "{error:?}");
}

/// A git that ends half-way, in silence: dead, within what it tells, and between two things.
#[tokio::test]
async fn a_git_that_says_half_of_it_is_noticed() {
    let repository = with_a_leak();
    repository.write("b.txt", &format!("key = {}\n", secret(2)));
    repository.commit();
    let tools = tempfile::tempdir().unwrap();
    for (command, ending, named) in [
        ("diff-tree", "head -c 60; kill -KILL $$", "signal"),
        ("diff-tree", "head -c 60", "commits"),
        ("diff-tree", "head -c -2", "commits"),
        ("diff-tree", "head -c 0", "commits"),
        ("cat-file", "head -c -1", "objects"),
        ("cat-file", "head -c 300", "objects"),
        ("rev-list", "head -c 41", "commits"),
    ] {
        let text = format!(r#"if [ "$1" = {command} ]; then git "$@" | {ending}; exit 0; fi; exec git "$@""#);
        script(tools.path(), "git", &text);
        let error = scan_with(tools.path(), &repository, History::Full, 300).await.unwrap_err();
        let as_expected = match &error {
            Error::Program(process::Error::Signal { .. }) => named == "signal",
            Error::GitAnswer { reason } => reason.contains(named),
            _ => false,
        };
        assert!(as_expected, "{command} {ending}: {error:?}");
    }
}

#[tokio::test]
async fn a_git_that_complains_about_a_file_of_any_name_is_not_believed() {
    let repository = with_a_leak();
    let tools = tempfile::tempdir().unwrap();
    for command in ["diff-tree", "cat-file"] {
        let text = format!(r#"[ "$1" = {command} ] && echo "warning: unable to access 'rename.txt'" >&2; exec git "$@""#);
        script(tools.path(), "git", &text);
        let error = scan_with(tools.path(), &repository, History::Full, 300).await.unwrap_err();
        assert!(matches!(error, Error::Git { .. }), "{error:?}");
    }
}

/// A gitleaks that reads all there is, and says how much that was.
const READS: &str = r#"for last; do :; done
N=$("$GIT" -C "$last" log -p -U0 --said-by-gp-deliver | grep '^+' | grep -v '^+++ ' | wc -c)
N=$((N - 1))
scanned() { echo "1:23PM INF scanned ~$1 bytes (x) in 1s" >&2; }"#;

#[tokio::test]
async fn a_gitleaks_that_saw_less_than_there_is_is_noticed() {
    let repository = with_a_leak();
    let tools = tempfile::tempdir().unwrap();
    for text in ["scanned $((N - 1))", "scanned 0", "scanned $((N + 1))", ""] {
        script(tools.path(), "gitleaks", &format!("{READS}\n{text}\nexit 0"));
        let error = scan_with(tools.path(), &repository, History::None, 300).await.unwrap_err();
        assert!(matches!(error, Error::PartialTree { expected: Some(27), .. }), "{text}: {error:?}");
    }
    // Of the files it says that it read all.
    script(tools.path(), "gitleaks", &format!("{READS}\n{REPORT}\nscanned $N; echo '[]' > $report; exit 0"));
    assert!(scan_with(tools.path(), &repository, History::None, 300).await.unwrap().findings.is_empty());
}

#[tokio::test]
async fn a_gitleaks_that_names_what_it_was_not_given_is_not_believed() {
    let repository = with_a_leak();
    let tools = tempfile::tempdir().unwrap();
    let found = r#"[{"RuleID":"x","Description":"x","File":"b.txt","StartLine":1,"EndLine":1,"StartColumn":1,"EndColumn":1,"Commit":"c"}]"#;
    let reads = READS.replace("| wc -c", "| sed 's/^+//' | wc -c").replace("N - 1", "N");
    let text = format!("{reads}\n{REPORT}\nscanned $N; echo '1:23PM WRN leaks found: 1' >&2; echo '{found}' > $report; exit 3");
    script(tools.path(), "gitleaks", &text);
    let error = scan_with(tools.path(), &repository, History::Full, 300).await.unwrap_err();
    assert!(matches!(&error, Error::InvalidOutput { reason, .. } if reason.contains("not given")), "{error:?}");
}

/// Root may read everything, so a folder stands for a file that can't be read.
#[tokio::test]
async fn what_can_not_be_read_is_named_whatever_it_is_called() {
    let (gitleaks, tools) = (launcher().find("gitleaks").unwrap(), tempfile::tempdir().unwrap());
    let repository = with_a_leak();
    for words in ["skipping file: permission denied path=rename.txt", "skipping: no such file or directory", "issue reading file"]
    {
        script(tools.path(), "gitleaks", &format!("echo '1:23PM WRN {words}' >&2; exec {} \"$@\"", gitleaks.path().display()));
        let error = scan_with(tools.path(), &repository, History::None, 300).await.unwrap_err();
        assert!(matches!(error, Error::Failed { .. } | Error::PartialTree { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn rules_that_gitleaks_can_not_use_are_an_error_that_says_so() {
    let repository = with_a_leak();
    for rules in [
        "[[rules",
        "[[rules]]\nid = 'x'\nregex = '''('''",
        "[extend]\npath = 'other.toml'",
        "[[allowlists]]\ndescription = 'empty'",
    ] {
        repository.write(".gitleaks.toml", rules);
        let error = scan(&repository, History::Full).await.unwrap_err();
        assert!(matches!(error, Error::LeakRules { .. }), "{rules}: {error:?}");
    }
}

#[tokio::test]
async fn a_gitleaks_that_is_broken_is_never_a_clean_scan() {
    let repository = with_a_leak();
    let tools = tempfile::tempdir().unwrap();
    let all = "scanned $N";
    for (text, expected) in [
        ("exit 0", "partial"),
        ("exit 1", "failed"),
        ("exit 126", "failed"),
        ("echo '[]' > $report; exit 0", "partial"),
        (&format!("{all}; exit 0"), "no report"),
        (&format!("{all}; echo rubbish > $report; exit 0"), "not understood"),
        (&format!("{all}; echo '[]' > $report; echo '1:23PM ERR something' >&2; exit 0"), "failed"),
        (&format!("{all}; echo '[]' > $report; exit 3"), "entries"),
        (&format!("{all}; echo '[]' > $report; echo '1:23PM WRN leaks found: 1' >&2; exit 0"), "entries"),
        (&format!("{all}; ln -s /etc/passwd $report; exit 0"), "not a file"),
        ("kill -SEGV $$", "crash"),
        ("yes", "too much"),
    ] {
        script(tools.path(), "gitleaks", &format!("{REPORT}\n{READS}\n{text}"));
        let error = scan_with(tools.path(), &repository, History::None, 300).await.unwrap_err();
        let as_expected = match &error {
            Error::PartialTree { .. } => expected == "partial",
            Error::Failed { tool, .. } if *tool == Tool::GITLEAKS => expected == "failed",
            Error::InvalidOutput { tool, reason, .. } if *tool == Tool::GITLEAKS => {
                reason.contains(expected) || expected == "no report"
            }
            Error::Program(process::Error::Signal { .. }) => expected == "crash",
            Error::Program(process::Error::OutputTooLarge { .. }) => expected == "too much",
            _ => false,
        };
        assert!(as_expected, "{text}: {error:?}");
    }
}

#[tokio::test]
async fn a_gitleaks_that_hangs_is_an_error_at_its_deadline() {
    let (repository, tools) = (with_a_leak(), tempfile::tempdir().unwrap());
    script(tools.path(), "gitleaks", "sleep 1000");
    let error = scan_with(tools.path(), &repository, History::None, 1).await.unwrap_err();
    assert!(matches!(error, Error::Program(process::Error::Deadline { .. })), "{error:?}");
}

#[tokio::test]
async fn a_gitleaks_or_a_git_that_is_missing_is_named() {
    let repository = with_a_leak();
    let gitleaks = launcher().find("gitleaks").unwrap();
    for (path, missing) in [("/nowhere".into(), "gitleaks"), (gitleaks.path().parent().unwrap().as_os_str().to_owned(), "git")] {
        let lists = Lists::of_change(repository.root(), None).await.unwrap();
        let request = repository.request(&History::Full, &[], &lists);
        let error = gitleaks::scan(&launcher_in(&path), &request).await.unwrap_err();
        let Error::Program(process::Error::Missing { program, .. }) = error else { panic!("{error:?}") };
        assert_eq!(program, missing);
    }
}
