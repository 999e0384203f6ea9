//! Here-documents: which an instruction begins, as in BuildKit's `parser.go` (`heredocsFromLine`) and `shell/lex.go`.

use super::reader::is_separator;

/// The beginning of a here-document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heredoc {
    /// The line that ends it.
    pub(super) name: String,
    /// Whether tabs before that line count for nothing (`<<-`).
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
    rest.starts_with('[') && serde_json::from_str::<Vec<String>>(rest).is_ok()
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

/// The words of a line as a shell divides it, with their quotes and escapes or without; nothing where a quote has no end.
/// White space after `<<` does not end a word.
pub(super) fn words(line: &str, raw: bool) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\'' | '"' => {
                word.extend(raw.then_some(character));
                quoted(character, raw, &mut characters, &mut word)?;
                word.extend(raw.then_some(character));
            }
            '\\' => {
                word.extend(raw.then_some('\\'));
                word.extend(characters.next());
            }
            '<' => {
                word.push('<');
                if characters.next_if_eq(&'<').is_some() {
                    word.push('<');
                    while let Some(space) = characters.next_if(|space| matches!(space, ' ' | '\t' | '\r')) {
                        word.push(space);
                    }
                }
            }
            space if space.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            other => word.push(other),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    Some(words)
}

/// What stands up to the closing quote, which is taken too.
fn quoted(quote: char, raw: bool, characters: &mut std::iter::Peekable<std::str::Chars<'_>>, word: &mut String) -> Option<()> {
    loop {
        match characters.next()? {
            end if end == quote => return Some(()),
            '\\' if quote == '"' => {
                let escaped = characters.next_if(|next| matches!(next, '"' | '$' | '\\'));
                word.extend((raw || escaped.is_none()).then_some('\\'));
                word.extend(escaped);
            }
            other => word.push(other),
        }
    }
}
