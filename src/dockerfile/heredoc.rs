//! Here-documents: which an instruction begins, as in BuildKit's `parser.go` (`heredocsFromLine`) and `shell/lex.go`.

use super::word::{is_separator, words};
use crate::document;

/// The beginning of a here-document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heredoc {
    /// The line that ends it.
    pub(super) name: String,
    /// Whether tabs before that line are ignored (`<<-`).
    pub(super) chomp: bool,
}

/// The here-documents that an instruction begins, in their order.
pub(super) fn in_instruction(keyword: &str, text: &str) -> Vec<Heredoc> {
    let after = |text: &str| text.trim_start().split_once(is_separator).map_or(String::new(), |(_, rest)| rest.trim().to_owned());
    let (mut keyword, mut rest) = (keyword.to_owned(), after(text));
    if keyword == "ONBUILD" {
        keyword = rest.split(is_separator).next().unwrap_or_default().to_uppercase();
        rest = after(&rest);
    }
    if !["ADD", "COPY", "RUN"].contains(&keyword.as_str()) || !text.contains("<<") || is_json(&rest) {
        return Vec::new();
    }
    words(text, true).unwrap_or_default().iter().filter_map(|word| heredoc(word)).collect()
}

/// Whether what follows the flags is the list form.
fn is_json(arguments: &str) -> bool {
    let mut rest = arguments;
    while rest.starts_with("--") {
        rest = rest.split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim_start());
    }
    rest.starts_with('[') && document::read::<Vec<String>>(rest.as_bytes()).is_ok()
}

/// A word such as `<<EOF`, `3<<-"EOF"` or `<< EOF`.
fn heredoc(word: &str) -> Option<Heredoc> {
    let rest = word.trim_start_matches(|character: char| character.is_ascii_digit()).strip_prefix("<<")?;
    let (chomp, rest) = rest.strip_prefix('-').map_or((false, rest), |rest| (true, rest));
    if rest.contains('<') {
        return None;
    }
    match words(rest.trim_start(), false)?.as_slice() {
        [name] => Some(Heredoc { name: name.clone(), chomp }),
        _ => None,
    }
}
