use super::*;
use crate::report::fixture;
use crate::text::page;

fn whole(record: &Record) -> String {
    render(record, LIMIT)
}

/// The cells of every table row; a row whose text has left its cell has more of them, or fewer, than its head.
fn assert_tables_hold(markdown: &str) {
    let mut columns = None;
    for line in markdown.lines() {
        let cells = line.starts_with('|').then(|| line.matches('|').count());
        if let (Some(columns), Some(cells)) = (columns, cells) {
            assert_eq!(cells, columns, "{line}");
        }
        columns = cells;
    }
}

#[test]
fn each_ending_has_its_summary() {
    for (name, record) in [
        ("delivered", fixture::delivered()),
        ("signed", fixture::signed()),
        ("advised", fixture::advised()),
        ("blocked", fixture::blocked()),
        ("scanned", fixture::scanned()),
        ("undecided", fixture::undecided()),
        ("excused", fixture::excused()),
        ("failed", fixture::failed()),
        ("cancelled", fixture::cancelled()),
        ("skipped", fixture::skipped()),
    ] {
        let markdown = whole(&record);
        assert_tables_hold(&markdown);
        insta::assert_snapshot!(name, markdown);
    }
}

#[test]
fn hostile_words_mean_nothing_to_markdown_html_or_the_runner() {
    let markdown = whole(&fixture::hostile());
    assert_tables_hold(&markdown);
    let mut fence: Option<&str> = None;
    for line in markdown.lines() {
        let ticks = &line[..line.len() - line.trim_start_matches('`').len()];
        match fence {
            Some(open) if line == open => fence = None,
            Some(_) => {}
            None if ticks.len() >= 3 => fence = Some(ticks),
            None => {
                for meant in ["<script", "</td>", "](", "![", "@team", "@evil", "https://evil", "##[", "\u{1b}", "\u{202e}"] {
                    assert!(!line.contains(meant), "{meant:?} in {line}");
                }
            }
        }
        assert!(!line.trim_start().starts_with("::"), "{line}");
    }
    assert_eq!(fence, None, "a block is open at the end");
    insta::assert_snapshot!("hostile", markdown);
}

#[test]
fn hostile_words_make_no_element_and_no_link() {
    let elements = page::elements(&whole(&fixture::hostile()));
    let ours = [
        "", "br", "code", "details", "h2", "h3", "li", "ol", "p", "pre", "strong", "summary", "table", "tbody", "td", "th",
        "thead", "tr", "ul",
    ];
    assert_eq!(elements, ours.map(str::to_owned).into(), "the empty one is a comment");
}

#[test]
fn a_summary_over_the_limit_is_cut_at_a_row_and_says_how_many_are_missing() {
    let record = fixture::many(20_000);
    let markdown = whole(&record);
    assert!(markdown.len() <= LIMIT && markdown.len() > LIMIT / 2);
    assert_tables_hold(&markdown);
    let shown = markdown.lines().filter(|line| line.contains("CVE-2026-") && line.starts_with('|')).count();
    let told: usize =
        markdown.lines().filter_map(|line| line.strip_prefix('_')?.split_once(" rows left out")?.0.parse::<usize>().ok()).sum();
    assert_eq!(shown + told, 20_000);
}

#[test]
fn what_the_step_has_said_already_leaves_less_room() {
    let record = fixture::many(20_000);
    assert!(render(&record, 100_000).len() <= 100_000);
    assert!(render(&record, 0).is_empty());
}

#[test]
fn the_first_lines_say_the_result_and_what_to_do() {
    let markdown = whole(&fixture::blocked());
    let first: Vec<_> = markdown.lines().filter(|line| !line.is_empty()).take(3).collect();
    assert!(first[0].starts_with("## ⛔ Blocked for prod: 2 leaked secrets and 4 vulnerabilities"), "{}", first[0]);
    assert_eq!(first[1], "### What to do");
    assert!(first[2].starts_with("1. Revoke the secret in <code>config/prod.env</code> line 3"), "{}", first[2]);
}
