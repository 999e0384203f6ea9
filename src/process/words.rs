//! What a program says, made fit to be shown.

/// How many of a program's last lines an error carries, and how many characters of each.
const LAST_LINES: usize = 12;
const LAST_LINE_LENGTH: usize = 400;

/// The last lines of a program's words, without what could steer a terminal.
pub(super) fn last_lines(text: &str) -> Vec<String> {
    let lines: Vec<_> = text.lines().map(readable).filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].to_vec()
}

/// A line of a program's words, fit to be shown: [`plain`], and not endless.
#[must_use]
pub fn readable(line: &str) -> String {
    let clean = plain(line);
    if clean.chars().count() <= LAST_LINE_LENGTH {
        return clean;
    }
    clean.chars().take(LAST_LINE_LENGTH).chain(['…']).collect()
}

/// A text without control characters and escape sequences.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut clean = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            // ECMA-48, "Control sequences": ESC [ parameters, up to a final byte.
            '\u{1b}' => drop(characters.by_ref().find(char::is_ascii_alphabetic)),
            '\t' => clean.push(' '),
            c if c.is_control() => {}
            c => clean.push(c),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_do_not_reach_a_reader() {
        assert_eq!(readable("\u{1b}[31mred\u{1b}[0m\u{7}\r"), "red");
        assert_eq!(readable(&"x".repeat(1000)).chars().count(), LAST_LINE_LENGTH + 1);
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let text = (0..100).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n\n");
        let lines = last_lines(&text);
        assert_eq!((lines.len(), lines.last().map(String::as_str)), (LAST_LINES, Some("line 99")));
    }
}
