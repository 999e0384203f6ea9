//! `docs/faults.md` has a row for each file that makes a call to the outside, and each row accounts for every fault.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;

use regex::Regex;

const PAGE: &str = "docs/faults.md";
/// What a call to the outside looks like: a request that is sent, a connection, a program.
const CALLS: &str = r"\.carry\(|\.execute\(request|\.send\(\)\s*\.await|\w+Stream::connect\(|\.connect\(name|http1::handshake\(|process::(\{[^}]*\b)?Command\b|octocrab::";

fn text(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The cells of the lines of a table that has so many columns, its heading left out.
fn rows(page: &str, columns: usize) -> Vec<Vec<String>> {
    let lines = page.lines().filter(|line| line.starts_with('|') && !line.starts_with("|--"));
    let cells = lines.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>());
    cells.filter(|cells| cells.len() == columns).skip(1).collect()
}

fn listed(cell: &str) -> Vec<String> {
    cell.split(',').map(|word| word.trim().trim_matches('`').to_owned()).filter(|word| !word.is_empty()).collect()
}

/// The files of the product that make calls.
fn callers() -> BTreeSet<String> {
    let (calls, comments) = (Regex::new(CALLS).unwrap(), Regex::new("//.*").unwrap());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = walkdir::WalkDir::new(root.join("src")).into_iter().map(|entry| entry.unwrap().into_path());
    let files = files.map(|path| path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
    let of_tests = |path: &str| {
        ["tests", "with_parts", "testing", "faults", "architecture", "documentation"]
            .iter()
            .any(|part| path.split(['/', '.']).any(|one| one == *part))
    };
    let product = files.filter(|path| Path::new(path).extension().is_some_and(|extension| extension == "rs") && !of_tests(path));
    let calling = product.filter(|path| {
        let text = text(path);
        let before_tests = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        calls.is_match(&comments.replace_all(before_tests, ""))
    });
    calling.collect()
}

#[test]
fn each_file_that_makes_a_call_to_the_outside_has_a_row() {
    let named: Vec<_> = rows(&text(PAGE), 6).iter().flat_map(|row| listed(&row[0])).collect();
    let (callers, rows) = (callers(), named.iter().cloned().collect::<BTreeSet<_>>());
    assert_eq!(named.len(), rows.len(), "{PAGE} has a file twice: {named:?}");
    assert!(callers.len() > 8, "{callers:?}");
    let missing: Vec<_> = callers.difference(&rows).collect();
    assert!(missing.is_empty(), "these make calls to the outside and have no row in {PAGE}: {missing:?}");
    let gone: Vec<_> = rows.difference(&callers).collect();
    assert!(gone.is_empty(), "{PAGE} has rows for these, which make no call: {gone:?}");
}

#[test]
fn each_row_accounts_for_every_fault_and_names_tests_that_are_there() {
    let page = text(PAGE);
    let faults: BTreeSet<_> = rows(&page, 2).into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(faults.len(), 13, "{faults:?}");
    let test = Regex::new("`([a-z_]+)::([a-z_:]+)`").unwrap();
    let (mut tried_in_all, mut open_in_all) = (0, 0);
    for row in rows(&page, 6) {
        let [tried, open, other] = [2, 4, 5].map(|cell| listed(&row[cell]));
        let all: Vec<_> = tried.iter().chain(&open).chain(&other).cloned().collect();
        assert_eq!(all.iter().cloned().collect::<BTreeSet<_>>(), faults, "{}: every fault once", row[1]);
        assert_eq!(all.len(), faults.len(), "{}: a fault is there twice", row[1]);
        let named: Vec<_> = test.captures_iter(&row[3]).collect();
        assert_eq!(named.is_empty(), tried.is_empty(), "{}: what is tried is shown by a test", row[1]);
        for name in named {
            let function = format!("fn {}()", name[2].rsplit("::").next().unwrap());
            let file = name[2].rsplit_once("::").map(|(inner, _)| format!("/{}", inner.replace("::", "/"))).unwrap_or_default();
            let module = format!("tests/it/{}{file}.rs", &name[1]);
            let is_there = if Path::new(env!("CARGO_MANIFEST_DIR")).join(&module).exists() {
                text(&module).contains(&function)
            } else {
                units().contains(&function)
            };
            assert!(is_there, "{PAGE} names {}, which is not there", &name[0]);
        }
        tried_in_all += tried.len();
        open_in_all += open.len();
    }
    // Past the harness, which keeps what a test that passes says.
    let counts = format!("{PAGE}: {tried_in_all} faults of calls are tried by a test, {open_in_all} are not\n");
    std::io::stderr().write_all(counts.as_bytes()).unwrap();
}

fn units() -> String {
    let files = walkdir::WalkDir::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).into_iter().map(Result::unwrap);
    let files = files.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "rs"));
    files.map(|entry| std::fs::read_to_string(entry.path()).unwrap()).collect()
}
