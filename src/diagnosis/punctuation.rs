//! Checks every message of this room against `STYLE.md`, as far as a test can.

use super::literals::{self, Literal, Part};

/// Words that do not say who acts.
const PRONOUNS: [&str; 6] = ["we", "us", "our", "ours", "I", "my"];

/// Programs whose names are in lower case even at the start of a sentence.
const LOWER_CASE_NAMES: [&str; 4] = ["gitleaks", "trivy", "syft", "git"];

/// A text of at least so many words is a sentence, not a name or part of one.
const SENTENCE: usize = 4;

/// The rules that a literal breaks.
fn faults(literal: &Literal) -> Vec<&'static str> {
    let text = &*literal.text;
    let ends = text.ends_with(['.', '!', '?', ':']);
    let is_sentence = text.split_whitespace().count() >= SENTENCE;
    let strict = is_sentence && matches!(literal.part, Part::What | Part::Remedy);
    let faults = [
        (literal.part == Part::What && text.ends_with('.'), "what happened has no full stop: the cause comes behind it"),
        (
            literal.part == Part::Remedy && is_sentence && !ends && !ends_with_value(text),
            "a remedy is whole sentences, with full stops",
        ),
        (strict && !begins_well(text), "it begins with a capital letter, a value or a name"),
        (
            literal.part == Part::Other && is_sentence && begins_with_capital(text) && !ends && !ends_with_value(text),
            "a sentence ends with a full stop",
        ),
        (text.lines().any(|line| line.trim_start().contains("  ")), "one space is enough"),
        (text.contains(['“', '”', '‘', '’', '—', '–']), "quotes are straight, and a dash is a comma or a colon"),
        (text.contains("(s)") || text.contains("(ies)"), "one and several are two texts"),
        (has_word(text, &PRONOUNS), "it says who: gp-deliver, the registry, this run"),
        (other_contraction(text), "of the contractions only can't is used"),
    ];
    faults.into_iter().filter(|(is_wrong, _)| *is_wrong).map(|(_, rule)| rule).collect()
}

/// A value at the end brings its own full stop, or needs none.
fn ends_with_value(text: &str) -> bool {
    text.ends_with('}')
}

fn begins_with_capital(text: &str) -> bool {
    text.starts_with(char::is_uppercase)
}

fn begins_well(text: &str) -> bool {
    let word = text.split_whitespace().next().unwrap_or_default();
    begins_with_capital(text) || text.starts_with(['{', '`']) || word.ends_with(':') || LOWER_CASE_NAMES.contains(&word)
}

fn has_word(text: &str, words: &[&str]) -> bool {
    text.split(|character: char| !character.is_alphanumeric() && character != '\'').any(|word| words.contains(&word))
}

fn other_contraction(text: &str) -> bool {
    let has_other = text.replace("can't", "").contains("n't");
    has_other || has_word(text, &["cannot"]) || text.contains("can not")
}

#[test]
fn every_message_is_written_as_the_style_sheet_says() {
    let messages: Vec<Literal> = literals::all().into_iter().filter(is_message).collect();
    for part in [Part::What, Part::Why, Part::Remedy] {
        let number = messages.iter().filter(|literal| literal.part == part).count();
        assert!(number >= 50, "only {number} are found to be {part:?}: are diagnoses made in another way now?");
    }
    let faults: Vec<String> = messages
        .iter()
        .flat_map(|literal| faults(literal).into_iter().map(move |rule| (literal, rule)))
        .map(|(Literal { file, line, text, .. }, rule)| format!("src/{file}:{line}: {rule}: {text:?}"))
        .collect();
    assert!(faults.is_empty(), "STYLE.md:\n{}", faults.join("\n"));
}

/// Whether a literal is part of a message: in this room, or given to `Diagnosis::new` elsewhere.
fn is_message(literal: &Literal) -> bool {
    match literal.part {
        Part::What | Part::Why | Part::Remedy => true,
        Part::Other => literal.file.starts_with("diagnosis"),
        Part::Sought => false,
    }
}

#[test]
fn each_fault_is_seen() {
    let faults_of = |part: Part, text: &str| faults(&Literal { file: String::new(), line: 1, text: text.to_owned(), part }).len();
    for (part, text) in [
        (Part::What, "The disk is full."),
        (Part::What, "the disk is full today"),
        (Part::Remedy, "Make room on that disk"),
        (Part::Remedy, "make room on that disk."),
        (Part::Other, "Make room on that disk"),
        (Part::Why, "It  has two spaces."),
        (Part::Why, "It says ‘no’."),
        (Part::Why, "It has 2 file(s)."),
        (Part::Why, "The registry does not let us in."),
        (Part::Why, "It doesn't say."),
        (Part::Why, "It cannot say."),
    ] {
        assert_eq!(faults_of(part, text), 1, "{text}");
    }
    for (part, text) in [
        (Part::What, "{program} is missing"),
        (Part::What, "tags: no tag is left to publish under"),
        (Part::Remedy, "Name another folder by `report-dir`."),
        (Part::Remedy, "Leave it out: {line}"),
        (Part::Other, "no space left on device"),
        (Part::Why, "Its answer:\n  {value}"),
    ] {
        assert_eq!(faults_of(part, text), 0, "{text}");
    }
}
