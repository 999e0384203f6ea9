//! Text from outside, made fit to print on one line of a log or a terminal.
//!
//! File names, package names, build output, a registry's words: anyone may have written them. Printed as they are they
//! could move the cursor, hide each other, or give orders to the runner that reads our output.

use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::Chars;

/// The most characters of one line of a tool's output that are shown.
pub const LINE: usize = 2000;

/// `text` as one line of at most `limit` characters and a note of how many more there are.
///
/// Escape sequences (ECMA-48, section 5.4 and 5.6) and control characters are left out, line breaks become spaces,
/// characters that reorder or hide what is around them are written as their number, and what would begin a workflow
/// command is broken up (actions/runner, `ActionCommand.cs`: `::` first on a line, `##[` anywhere in it).
#[must_use]
pub fn line(text: &str, limit: usize) -> String {
    let mut shown = String::new();
    let mut left_out = 0_usize;
    let mut length = 0_usize;
    let printable = Printable { rest: text.trim_end_matches(['\r', '\n']).chars().peekable() };
    for character in printable {
        if length < limit {
            length += 1;
            push(&mut shown, character);
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        let _ = write!(shown, "… ({left_out} more characters)");
    }
    without_commands(shown)
}

/// The lines of `text`, each as [`line()`] makes it.
pub fn lines(text: &str, limit: usize) -> impl Iterator<Item = String> {
    text.lines().map(move |text| line(text, limit))
}

fn push(shown: &mut String, character: char) {
    match character {
        '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => shown.push(' '),
        hidden if is_hidden(hidden) => {
            let _ = write!(shown, "<U+{:04X}>", u32::from(hidden));
        }
        other => shown.push(other),
    }
}

/// Whether a character changes how others look and has no look of its own: bidirectional controls (UAX #9, section 2),
/// blanks without a width, and the tag characters. Joiners stay: whole scripts are written with them.
fn is_hidden(character: char) -> bool {
    matches!(character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        | '\u{ad}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

fn without_commands(text: String) -> String {
    let text = if text.contains("##[") { text.replace("##[", "## [") } else { text };
    let indent = text.len() - text.trim_start().len();
    if text[indent..].starts_with("::") { format!("{}: {}", &text[..indent], &text[indent + 1..]) } else { text }
}

/// The characters of a text outside its escape sequences, without control characters.
struct Printable<'a> {
    rest: Peekable<Chars<'a>>,
}

impl Iterator for Printable<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        loop {
            match self.rest.next()? {
                '\u{1b}' => self.skip_escape(),
                '\u{9b}' => self.skip_control_sequence(),
                '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => self.skip_string(),
                '\r' if self.rest.peek() == Some(&'\n') => {}
                blank @ ('\t' | '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}') => return Some(blank),
                control if control.is_control() => {}
                other => return Some(other),
            }
        }
    }
}

impl Printable<'_> {
    fn skip_escape(&mut self) {
        match self.rest.peek() {
            Some('[') => {
                self.rest.next();
                self.skip_control_sequence();
            }
            Some(']' | 'P' | 'X' | '^' | '_') => {
                self.rest.next();
                self.skip_string();
            }
            _ => {
                self.skip_while(|character| matches!(character, ' '..='/'));
                self.rest.next_if(|character| matches!(character, '0'..='~'));
            }
        }
    }

    fn skip_control_sequence(&mut self) {
        self.skip_while(|character| matches!(character, '0'..='?'));
        self.skip_while(|character| matches!(character, ' '..='/'));
        self.rest.next_if(|character| matches!(character, '@'..='~'));
    }

    /// Skips a string that ends with BEL or ST. One without an end loses its introducer only: it must not hide the rest.
    fn skip_string(&mut self) {
        let mut ahead = self.rest.clone();
        while let Some(character) = ahead.next() {
            match character {
                '\u{7}' | '\u{9c}' => return self.rest = ahead,
                '\u{1b}' if ahead.next_if_eq(&'\\').is_some() => return self.rest = ahead,
                '\u{1b}' | '\n' => return,
                _ => {}
            }
        }
    }

    fn skip_while(&mut self, wanted: impl Fn(char) -> bool) {
        while self.rest.next_if(|character| wanted(*character)).is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escape_sequences_are_left_out() {
        for (text, shown) in [
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}[2J\u{1b}[Hcleared", "cleared"),
            ("\u{1b}]0;title\u{7}after", "after"),
            ("\u{1b}]8;;https://evil.example\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{9b}1mbold", "bold"),
            ("\u{1b}(Bplain", "plain"),
            ("\u{1b}]no end: the rest stays", "no end: the rest stays"),
            ("\u{1b}", ""),
        ] {
            assert_eq!(line(text, 100), shown, "{text:?}");
        }
    }

    #[test]
    fn a_carriage_return_hides_nothing() {
        assert_eq!(line("bad\rgood", 100), "bad good");
        assert_eq!(line("one\r\ntwo\nthree\r\n", 100), "one two three");
    }

    #[test]
    fn characters_that_reorder_or_hide_are_written_as_their_number() {
        assert_eq!(line("a\u{202e}b\u{200b}c", 100), "a<U+202E>b<U+200B>c");
    }

    #[test]
    fn a_workflow_command_is_broken_up() {
        for (text, shown) in [
            ("::error::x", ": :error::x"),
            ("  \u{a0}::stop-commands::x", "  \u{a0}: :stop-commands::x"),
            ("a ##[group]b", "a ## [group]b"),
            ("#\u{1b}[0m#[error]", "## [error]"),
            ("std::env", "std::env"),
        ] {
            assert_eq!(line(text, 100), shown, "{text:?}");
        }
    }

    #[test]
    fn what_is_too_long_is_cut_and_counted() {
        assert_eq!(line(&"é".repeat(12), 10), format!("{}… (2 more characters)", "é".repeat(10)));
    }

    proptest! {
        #[test]
        fn no_text_prints_a_control_character_or_a_command(text in any::<String>(), noise in "[\u{1b}\u{9b}:#\\[\\]\r\n ;a-c\u{202e}]{0,40}") {
            for text in [&text, &noise, &format!("{noise}{text}")] {
                let shown = line(text, 60);
                prop_assert!(!shown.chars().any(|c| c.is_control() || is_hidden(c)), "{shown:?}");
                prop_assert!(!shown.trim_start().starts_with("::"), "{shown:?}");
                prop_assert!(!shown.contains("##["), "{shown:?}");
                prop_assert!(shown.chars().count() < 60 * 10 + 40);
            }
        }

        #[test]
        fn harmless_text_stays_as_it_is(text in "[a-zA-Z0-9 .,/_@-]{0,60}") {
            prop_assert_eq!(line(&text, 60), text);
        }
    }
}
