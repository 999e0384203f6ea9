//! What a project lets gitleaks pass over is honoured, named and counted.

use super::repository::{Repository, secret};
use crate::finding::{Standing, Suppression};
use crate::process::testing::launcher;
use crate::scan::gitleaks::{self, History, Leaks, Lists};
use crate::scanner::Tool;

const RULE: &str = "aws-access-token";

async fn scan(repository: &Repository, history: History) -> Leaks {
    let lists = Lists::of_change(repository.root(), None).await.unwrap();
    let request = repository.request(&history, &[], &lists);
    gitleaks::scan(&launcher(), &request).await.unwrap()
}

fn suppression(by: &str, count: u32) -> Suppression {
    Suppression { tool: Tool::GITLEAKS, by: by.to_owned(), id: RULE.to_owned(), reason: None, count, standing: Standing::Known }
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
