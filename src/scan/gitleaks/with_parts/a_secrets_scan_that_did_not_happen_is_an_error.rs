//! gitleaks says "no leaks found" in many words when it did not look. None of them is taken for a clean source.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::repository::{Repository, secret};
use crate::diagnosis::Diagnosis;
use crate::process;
use crate::process::testing::{launcher, launcher_before, launcher_in};
use crate::scan::Error;
use crate::scan::gitleaks::{self, History, Leaks, Request};
use crate::scanner::Tool;

async fn scan_with(tools: &Path, repository: &Repository, history: History, seconds: u64) -> Result<Leaks, Error> {
    let deadline = std::time::Duration::from_secs(seconds);
    let request = Request { root: repository.root(), history: &history, exclude: &[], deadline };
    let result = gitleaks::scan(&launcher_before(tools), &request).await;
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
    fs::write(&path, format!("#!/bin/sh\nPATH=/usr/bin:/bin\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

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

/// A git that ends half-way, in silence, as one that the kernel kills: gitleaks takes what it got for all there is.
#[tokio::test]
async fn a_git_that_dies_half_way_for_gitleaks_alone_is_noticed() {
    let repository = with_a_leak();
    repository.write("b.txt", &format!("key = {}\n", secret(2)));
    repository.commit();
    let tools = tempfile::tempdir().unwrap();
    // gitleaks is the one that names the folder by -C.
    script(tools.path(), "git", r#"if [ "$1" = -C ]; then git "$@" | head -n 17; kill -KILL $$; fi; exec git "$@""#);
    let error = scan_with(tools.path(), &repository, History::Full, 300).await.unwrap_err();
    let Error::PartialHistory { scanned, expected, .. } = error else { panic!("{error:?}") };
    assert!(0 < scanned && scanned < expected, "{scanned} of {expected}");
}

/// Root may read everything, so the scanner is started as another user: through a gitleaks that is a script.
#[tokio::test]
async fn a_file_that_may_not_be_read_is_named() {
    let repository = with_a_leak();
    let (gitleaks, tools) = (launcher().find("gitleaks").unwrap(), tempfile::tempdir().unwrap());
    let words = "echo '1:23PM WRN skipping file: permission denied path=private/key.txt' >&2";
    script(tools.path(), "gitleaks", &format!("{words}; exec {} \"$@\"", gitleaks.path().display()));
    let error = scan_with(tools.path(), &repository, History::None, 300).await.unwrap_err();
    let Error::Unread(files) = error else { panic!("{error:?}") };
    assert_eq!(files, ["private/key.txt"]);
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
    let report = r#"while [ $# -gt 0 ]; do if [ "$1" = --report-path ]; then report=$2; fi; shift; done"#;
    for (text, expected) in [
        ("exit 0", "no report"),
        ("exit 1", "failed"),
        ("exit 126", "failed"),
        ("echo rubbish > $report; exit 0", "not understood"),
        ("echo '[]' > $report; echo '1:23PM ERR something' >&2; exit 0", "failed"),
        ("echo '[]' > $report; exit 3", "entries"),
        ("echo '[]' > $report; echo '1:23PM WRN leaks found: 1' >&2; exit 0", "entries"),
        ("rm $report; ln -s /etc/passwd $report; exit 0", "not a file"),
        ("kill -SEGV $$", "crash"),
        ("yes", "too much"),
    ] {
        script(tools.path(), "gitleaks", &format!("{report}\n{text}"));
        let error = scan_with(tools.path(), &repository, History::None, 300).await.unwrap_err();
        let as_expected = match &error {
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
        let deadline = std::time::Duration::from_mins(5);
        let request = Request { root: repository.root(), history: &History::Full, exclude: &[], deadline };
        let error = gitleaks::scan(&launcher_in(&path), &request).await.unwrap_err();
        let Error::Program(process::Error::Missing { program, .. }) = error else { panic!("{error:?}") };
        assert_eq!(program, missing);
    }
}
