//! Checks `docs/troubleshooting.md` against the messages that it quotes, so that a search for a printed sentence finds it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::literals::{self, Part};

/// Every line of a block quotation is a message, with `…` where a value stands: the line's number, and the message.
fn quotations() -> Vec<(usize, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/troubleshooting.md");
    let text = fs::read_to_string(path).unwrap();
    let lines =
        text.lines().enumerate().filter_map(|(index, line)| Some((index + 1, line.strip_prefix("> ")?.trim().to_owned())));
    lines.collect()
}

/// A literal as it is quoted: `…` in the place of a placeholder, or of several in a row.
fn quoted(literal: &str) -> String {
    let mut quoted = String::new();
    let mut rest = literal.trim().chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '{' | '}' if rest.next_if_eq(&character).is_some() => quoted.push(character),
            '{' => {
                rest.by_ref().find(|next| *next == '}');
                if !quoted.ends_with('…') {
                    quoted.push('…');
                }
            }
            other => quoted.push(other),
        }
    }
    quoted
}

/// Whether a quotation is a text, or its first sentences. A value may be quoted before or after it: the code may add one there.
fn is_of(quotation: &str, text: &str) -> bool {
    let without_value = [quotation.strip_prefix("… "), quotation.strip_suffix(" …")].into_iter().flatten();
    [quotation].into_iter().chain(without_value).any(|quotation| match text.strip_prefix(quotation) {
        Some("") => true,
        Some(rest) => quotation.ends_with('.') && rest.starts_with([' ', '\n']),
        None => false,
    })
}

#[test]
fn every_message_that_is_quoted_is_one_that_is_printed() {
    let printed: Vec<_> = literals::all().iter().map(|literal| quoted(&literal.text)).collect();
    let quotations = quotations();
    assert!(quotations.len() >= 50, "{} quotations are found", quotations.len());
    let unknown = quotations
        .iter()
        .filter(|(_, quotation)| !quotation.contains(char::is_alphabetic) || !printed.iter().any(|text| is_of(quotation, text)));
    let unknown: Vec<_> = unknown.map(|(line, quotation)| format!("docs/troubleshooting.md:{line}: {quotation}")).collect();
    assert!(unknown.is_empty(), "printed nowhere in src/:\n{}", unknown.join("\n"));
}

#[test]
fn each_kind_of_failure_is_in_the_document() {
    let quotations = quotations();
    let (mut kinds, mut missing) = (BTreeSet::new(), BTreeSet::new());
    for literal in literals::all().iter().filter(|literal| literal.part == Part::What && literal.text.contains(' ')) {
        let text = quoted(&literal.text);
        if quotations.iter().any(|(_, quotation)| is_of(quotation, &text)) {
            kinds.insert(literal.file.clone());
        } else {
            missing.insert(literal.file.clone());
        }
    }
    let missing: Vec<_> = missing.difference(&kinds).collect();
    assert!(!kinds.is_empty() && missing.is_empty(), "docs/troubleshooting.md says nothing of the failures in {missing:?}");
}

#[test]
fn a_quotation_is_whole_sentences_and_no_part_of_one() {
    let text = quoted("The tag {} of {repository}{port} names another image. It is left as it is.");
    assert_eq!(text, "The tag … of … names another image. It is left as it is.");
    for whole in ["The tag … of … names another image. It is left as it is.", "The tag … of … names another image."] {
        assert!(is_of(whole, &text), "{whole}");
    }
    for part in ["The tag … of …", "The tag … of … names another", "… names another image.", "It is left as it is."] {
        assert!(!is_of(part, &text), "{part}");
    }
    assert!(is_of("… leaves out the claim", "leaves out the claim") && is_of("Revoke the secret in …", "Revoke the secret in"));
    assert_eq!(quoted("set it to ${{{{ x }}}}"), "set it to ${{ x }}");
}
