//! The words of a line, as in BuildKit's `parser.go` and `shell/lex.go`.

/// What separates the keyword from its arguments.
pub(super) fn is_separator(character: char) -> bool {
    matches!(character, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ')
}

/// The words of a line as a shell divides it, with their quotes and escapes or without; `None` if a quote is not closed.
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
