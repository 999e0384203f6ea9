//! The findings that count, as remarks on the lines that they come from.

use std::collections::BTreeMap;

use super::advice;
use super::catalogue::{self, Catalogue, Merged};
use crate::annotation::{Annotation, Level};
use crate::build_check::BuildCheck;
use crate::finding::{Instruction, Leak, Severity};
use crate::record::Record;
use crate::scanner::Tool;
use crate::text;
use crate::text::markdown::LIMIT;

/// The most advisories that one annotation names.
const NAMES: usize = 20;

/// The most annotations that are made; GitHub takes fifty at a time.
pub(crate) const MOST: usize = 500;

/// The annotations of a record: one a leak, one a package and instruction of the Dockerfile, the worst first, and one a build
/// check.
#[must_use]
pub(crate) fn of(record: &Record) -> Vec<Annotation> {
    let catalogue = Catalogue::of(record);
    let level = |tool| if catalogue::is_blocking(record, tool) { Level::Failure } else { Level::Warning };
    let mut annotations: Vec<_> = catalogue.leaks.iter().map(|leak| of_leak(leak, level(leak.tool))).collect();
    annotations.dedup();
    let mut packages: Vec<(&Instruction, &str, Vec<&Merged<'_>>)> = Vec::new();
    let mut places: BTreeMap<(&Instruction, &str, Tool), usize> = BTreeMap::new();
    for merged in catalogue.fixable.iter().chain(&catalogue.unfixable) {
        let Some(instruction) = &merged.vulnerability.instruction else { continue };
        let package = merged.vulnerability.package.as_str();
        let place = *places.entry((instruction, package, merged.vulnerability.tool)).or_insert_with(|| {
            packages.push((instruction, package, Vec::new()));
            packages.len() - 1
        });
        packages[place].2.push(merged);
    }
    annotations.extend(packages.into_iter().map(|(instruction, package, merged)| {
        let tool = merged[0].vulnerability.tool;
        of_package(instruction, package, &merged, tool, level(tool))
    }));
    annotations.extend(record.build_checks.iter().filter(|check| check.line > 0).map(of_check));
    cut(annotations)
}

fn of_check(check: &BuildCheck) -> Annotation {
    let level = if check.fails { Level::Failure } else { Level::Warning };
    let title = format!("build check: {}", check.rule.as_deref().unwrap_or("Dockerfile"));
    let lines = std::iter::once(&check.message).chain(&check.url).map(|text| text::line(text, LIMIT).to_string());
    Annotation {
        file: check.file.clone(),
        line: check.line,
        end_line: check.end_line.max(check.line),
        level,
        title: text::line(&title, LIMIT).into(),
        message: lines.collect::<Vec<_>>().join("\n"),
    }
}

/// The first of them, with a word on the last that there are more.
fn cut(mut annotations: Vec<Annotation>) -> Vec<Annotation> {
    let more = annotations.len().saturating_sub(MOST);
    annotations.truncate(MOST);
    if more > 0
        && let Some(last) = annotations.last_mut()
    {
        last.message = format!("{}\n{} more: see the summary", last.message, text::count(more, "remark"));
    }
    annotations
}

fn of_leak(leak: &Leak, level: Level) -> Annotation {
    Annotation {
        file: leak.file.clone(),
        line: leak.line.max(1),
        end_line: leak.line.max(1),
        level,
        title: text::line(&format!("{}: {}", leak.tool.heading(), leak.rule), LIMIT).into(),
        message: advice::revoke(leak).to_plain(),
    }
}

fn of_package(instruction: &Instruction, package: &str, merged: &[&Merged<'_>], tool: Tool, level: Level) -> Annotation {
    let vulnerabilities = || merged.iter().map(|merged| merged.vulnerability);
    let worst = vulnerabilities().map(|vulnerability| vulnerability.severity).max();
    let worst = worst.map(Severity::name).unwrap_or_default();
    let number = text::count(merged.len(), tool.noun());
    let installed = advice::distinct(vulnerabilities().map(|vulnerability| vulnerability.installed.as_str()));
    let named = vulnerabilities().take(NAMES).map(|vulnerability| {
        let fixed = vulnerability.fixed.as_deref().map_or("no fix exists".to_owned(), |fixed| format!("fixed in {fixed}"));
        let named = format!("{} ({}, {fixed}): {}", vulnerability.id, vulnerability.severity, vulnerability.title);
        text::line(&named, LIMIT)
    });
    let mut message: Vec<String> = named.map(String::from).collect();
    message.extend(merged.len().checked_sub(NAMES).filter(|more| *more > 0).map(|more| format!("and {more} more")));
    Annotation {
        file: instruction.file.clone(),
        line: instruction.line.max(1),
        end_line: instruction.end_line.max(instruction.line).max(1),
        level,
        title: text::line(&format!("{package} {}: {number}, the worst {worst}", installed.join(", ")), LIMIT).into(),
        message: message.join("\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Finding;
    use crate::report::fixture;

    #[test]
    fn what_counts_is_annotated_once_a_package_and_a_leak() {
        let annotations = of(&fixture::blocked());
        let shown = annotations.iter().map(|a| format!("{}:{}-{} {:?} {}", a.file, a.line, a.end_line, a.level, a.title));
        insta::assert_snapshot!(shown.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn a_build_check_is_a_remark_on_its_line_and_one_that_fails_the_build_is_a_failure() {
        let check =
            BuildCheck { file: "app/Dockerfile".to_owned(), ..BuildCheck::read("Rule: words (line 3)", (3, 4), "https://x") };
        let failing = BuildCheck { fails: true, ..check.clone() };
        let nowhere = BuildCheck { line: 0, ..check.clone() };
        let mut record = fixture::delivered();
        let before = of(&record).len();
        record.build_checks = vec![check, failing, nowhere];
        let annotations = of(&record).split_off(before);
        let shown: Vec<_> = annotations.iter().map(|a| (&*a.file, a.line, a.end_line, a.level, &*a.title, &*a.message)).collect();
        let told = |level| ("app/Dockerfile", 3, 4, level, "build check: Rule", "words\nhttps://x");
        assert_eq!(shown, [told(Level::Warning), told(Level::Failure)]);
    }

    #[test]
    fn of_too_many_the_first_are_made_and_the_last_says_so() {
        let mut record = fixture::blocked();
        let leak = record.findings.iter().find_map(|finding| match finding {
            Finding::Leak(leak) => Some(leak.clone()),
            Finding::Vulnerability(_) => None,
        });
        let leak = leak.unwrap();
        let leaks = (0..2000).map(|line| Finding::Leak(Leak { line: line + 1, ..leak.clone() }));
        record.findings = leaks.collect();
        let annotations = of(&record);
        assert_eq!(annotations.len(), MOST);
        assert!(annotations[MOST - 1].message.ends_with("1500 remarks more: see the summary"), "{:?}", annotations[MOST - 1]);
    }

    #[test]
    fn where_the_gate_only_advises_nothing_is_a_failure() {
        assert!(of(&fixture::advised()).iter().all(|annotation| annotation.level == Level::Warning));
        assert!(of(&fixture::blocked()).iter().all(|annotation| annotation.level == Level::Failure));
    }

    #[test]
    fn hostile_words_stay_on_their_lines() {
        for annotation in of(&fixture::hostile()) {
            assert!(!annotation.title.contains(['\n', '\r', '\u{1b}']), "{annotation:?}");
            for line in annotation.message.lines() {
                assert!(!line.trim_start().starts_with("::") && !line.contains('\u{1b}'), "{annotation:?}");
            }
        }
    }
}
