//! What a project lets gitleaks pass over is honoured, named and counted.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use super::repository::{Repository, secret};
use crate::finding::{Standing, Suppression};
use crate::process::testing::{launcher, launcher_before};
use crate::scan::gitleaks::{self, History, Leaks, Lists, Request};
use crate::scanner::Tool;

const RULE: &str = "aws-access-token";

async fn scan(repository: &Repository, history: History) -> Leaks {
    let lists = Lists::of_change(repository.root(), None).await.unwrap();
    let request = repository.request(&history, &[], &lists);
    gitleaks::scan(&launcher(), &request).await.unwrap()
}

fn suppression(by: &str, count: u32) -> Suppression {
    Suppression {
        tool: Tool::GITLEAKS,
        by: by.to_owned(),
        id: RULE.to_owned(),
        reason: None,
        count,
        standing: Standing::Known,
        set_in: None,
        expires: None,
    }
}

fn files(leaks: &Leaks) -> Vec<&str> {
    leaks.findings.iter().map(|leak| leak.file.as_str()).collect()
}

#[tokio::test]
async fn a_line_that_is_marked_is_let_through_and_counted() {
    let repository = Repository::new();
    repository.write("a.txt", &format!("key = {} # gitleaks:allow\nkey = {}\n", secret(1), secret(2)));
    repository.commit();
    for history in [History::None, History::Full] {
        let leaks = scan(&repository, history).await;
        assert_eq!((files(&leaks), &*leaks.suppressions), (vec!["a.txt"], &[suppression("gitleaks:allow", 1)][..]));
    }
}

#[tokio::test]
async fn a_leak_that_is_listed_is_let_through_and_counted() {
    let repository = Repository::new();
    repository.write("a.txt", &format!("key = {}\n", secret(1)));
    repository.write("b.txt", &format!("key = {}\n", secret(2)));
    repository.write(".gitleaksignore", &format!("# known\na.txt:{RULE}:1\nnowhere.txt:{RULE}:1\n"));
    repository.commit();
    for history in [History::None, History::Full] {
        let leaks = scan(&repository, history).await;
        assert_eq!((files(&leaks), &*leaks.suppressions), (vec!["b.txt"], &[suppression(".gitleaksignore", 1)][..]));
    }
}

#[tokio::test]
async fn a_leak_that_is_listed_for_a_commit_is_let_through_in_that_commit_alone() {
    let repository = Repository::new();
    repository.write("a.txt", &format!("key = {}\n", secret(1)));
    let first = repository.commit();
    repository.write("a.txt", &format!("key = {}\n", secret(2)));
    let second = repository.commit();
    repository.remove("a.txt");
    repository.write(".gitleaksignore", &format!("{first}:a.txt:{RULE}:1\n"));
    repository.commit();
    let leaks = scan(&repository, History::Full).await;
    assert_eq!(leaks.findings.iter().map(|leak| leak.commit.as_deref()).collect::<Vec<_>>(), [Some(&*second)]);
    assert_eq!(leaks.suppressions, [suppression(".gitleaksignore", 1)]);
}

#[tokio::test]
async fn rules_that_allow_everything_are_shown_by_what_they_let_through() {
    let repository = Repository::new();
    repository.write("a.txt", &format!("key = {}\n", secret(1)));
    repository.commit();
    repository.write("b.txt", &format!("key = {}\n", secret(2)));
    for rules in [
        "[extend]\nuseDefault = true\n[[allowlists]]\npaths = ['''.*''']\n",
        "[extend]\nuseDefault = true\n[[allowlists]]\nregexes = ['''AKIA''']\n",
        "title = 'no rules at all'\n",
    ] {
        repository.write(".gitleaks.toml", rules);
        let leaks = scan(&repository, History::Full).await;
        assert_eq!((files(&leaks), &*leaks.suppressions), (vec![], &[suppression(".gitleaks.toml", 2)][..]), "{rules}");
    }
}

#[tokio::test]
async fn paths_in_rules_begin_at_the_root_of_the_source() {
    let repository = Repository::new();
    repository.write("docs/a.txt", &format!("key = {}\n", secret(1)));
    repository.write("src/docs/a.txt", &format!("key = {}\n", secret(2)));
    repository.write(".gitleaks.toml", "[extend]\nuseDefault = true\n[[allowlists]]\npaths = ['''^docs/''']\n");
    repository.commit();
    let leaks = scan(&repository, History::Full).await;
    assert_eq!((files(&leaks), &*leaks.suppressions), (vec!["src/docs/a.txt"], &[suppression(".gitleaks.toml", 1)][..]));
}

#[tokio::test]
async fn rules_of_the_projects_own_find_what_they_describe() {
    let repository = Repository::new();
    repository.write("a.txt", "ticket CORP-123456\n");
    repository.write(".gitleaks.toml", "[[rules]]\nid = 'corp'\ndescription = 'A ticket'\nregex = '''CORP-[0-9]{6}'''\n");
    repository.commit();
    let leaks = scan(&repository, History::Full).await;
    assert_eq!((leaks.findings[0].rule.as_str(), leaks.findings.len(), leaks.suppressions.len()), ("corp", 1, 0));
}

#[tokio::test]
async fn what_rules_let_through_in_a_commit_is_let_through_as_long_as_it_stays_and_nowhere_else() {
    let repository = Repository::new();
    repository.write("a.txt", &format!("one\nkey = {}\n", secret(1)));
    let first = repository.commit();
    repository.write("a.txt", &format!("zero\none\nkey = {}\n", secret(1)));
    repository.write("b.txt", &format!("one\nkey = {}\n", secret(1)));
    repository.commit();
    repository.git(&["rm", "--quiet", "a.txt", "b.txt"]);
    let rules = format!("[extend]\nuseDefault = true\n[[allowlists]]\ncommits = ['{first}']\n");
    repository.write(".gitleaks.toml", &rules);
    repository.commit();
    let leaks = scan(&repository, History::Full).await;
    assert_eq!((files(&leaks), &*leaks.suppressions), (vec!["b.txt"], &[suppression(".gitleaks.toml", 1)][..]));
}

#[tokio::test]
async fn a_path_that_rules_let_through_lets_the_same_content_through_nowhere_else() {
    let repository = Repository::new();
    for path in ["docs/a.txt", "src/a.txt", "src/docs/b.txt"] {
        repository.write(path, &format!("key = {}\n", secret(1)));
    }
    repository.commit();
    repository.git(&["rm", "--quiet", "-r", "."]);
    repository.write(".gitleaks.toml", "[extend]\nuseDefault = true\n[[allowlists]]\npaths = ['''^docs/''']\n");
    repository.commit();
    let leaks = scan(&repository, History::Full).await;
    assert_eq!(files(&leaks), ["src/a.txt", "src/docs/b.txt"]);
    assert_eq!(leaks.suppressions, [suppression(".gitleaks.toml", 1)]);
}

#[tokio::test]
async fn rules_that_do_not_count_hold_nothing_up_and_are_told_of_where_they_can_not_be_compared() {
    let repository = Repository::new();
    repository.write("a.txt", &format!("key = {}\n", secret(1)));
    repository.commit();
    let many = (0..1500).map(|number| format!("[[rules]]\nid = 'x{number}'\nregex = 'x{number}'\n"));
    let many = many.collect::<Vec<_>>().concat();
    let large = format!("[[rules]]\nid = 'x'\nregex = '{}'\n", "(?:a|b)".repeat(50_000));
    for rules in [many.as_str(), &large, "[[rules", "[extend]\npath = 'other'", "[[rules]]\nid = 'x'\nregex = '('"] {
        repository.write(".gitleaks.toml", rules);
        let lists = Lists::of_base(repository.root(), None).await.unwrap();
        let leaks = gitleaks::scan(&launcher(), &repository.request(&History::Full, &[], &lists)).await.unwrap();
        assert_eq!((files(&leaks), &*leaks.suppressions), (vec!["a.txt"], &[][..]));
        assert!(leaks.warnings.iter().any(|warning| warning.contains("could not be compared")), "{:?}", leaks.warnings);
    }
}

/// A gitleaks that never ends where the rules have a certain word in them.
const ENDLESS: &str = r#"for word; do grep -qs endless -- "$word" && sleep 1000; done"#;

#[tokio::test]
async fn a_run_by_rules_that_do_not_count_ends_when_its_time_is_over() {
    let (gitleaks, tools) = (launcher().find("gitleaks").unwrap(), tempfile::tempdir().unwrap());
    let path = tools.path().join("gitleaks");
    let text = format!("#!/bin/sh\nPATH=$PATH:/usr/bin:/bin\n{ENDLESS}\nexec {} \"$@\"\n", gitleaks.path().display());
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let repository = Repository::new();
    repository.write("a.txt", &format!("key = {}\n", secret(1)));
    repository.write(".gitleaks.toml", "[[rules]]\nid = 'endless'\nregex = 'x'\n");
    repository.commit();
    let lists = Lists::of_base(repository.root(), None).await.unwrap();
    let request = Request { deadline: Duration::from_mins(1), ..repository.request(&History::None, &[], &lists) };
    let leaks = gitleaks::scan(&launcher_before(tools.path()), &request).await.unwrap();
    assert_eq!(files(&leaks), ["a.txt"]);
    assert!(leaks.warnings.iter().any(|warning| warning.contains("did not end within")), "{:?}", leaks.warnings);
}
