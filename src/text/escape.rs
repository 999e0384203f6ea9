//! Control characters and escape sequences (ECMA-48), taken out of a text.

use std::iter::Peekable;
use std::str::Chars;

/// A text without escape sequences and control characters; line breaks and tabs become spaces. It may still be long,
/// reorder what is around it, and mean something to a runner or to Markdown: it is for keeping, and a [`super::Line`] for
/// showing.
#[must_use]
pub(crate) fn plain(text: &str) -> String {
    printable(text).map(|character| if is_blank(character) { ' ' } else { character }).collect()
}

/// The characters of a text outside its escape sequences, without control characters other than blanks, and without the
/// line breaks at its end.
pub(super) fn printable(text: &str) -> impl Iterator<Item = char> {
    Printable { rest: text.trim_end_matches(['\r', '\n']).chars().peekable() }
}

/// Whether a character is a tab or breaks a line, for a terminal or for Unicode (UAX #14, class BK).
pub(super) fn is_blank(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

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
                blank if is_blank(blank) => return Some(blank),
                control if control.is_control() => {}
                other => return Some(other),
            }
        }
    }
}

/// ECMA-48, section 5.4 (control sequences) and 5.6 (control strings).
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
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Text with escape sequences, and what is shown of it.
    pub(crate) const SEQUENCES: [(&str, &str); 8] = [
        ("\u{1b}[31mred\u{1b}[0m", "red"),
        ("\u{1b}[2J\u{1b}[Hcleared", "cleared"),
        ("\u{1b}]0;title\u{7}after", "after"),
        ("\u{1b}]8;;https://evil.example\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
        ("\u{9b}1mbold", "bold"),
        ("\u{1b}(Bplain", "plain"),
        ("\u{1b}]no end: the rest stays", "no end: the rest stays"),
        ("\u{1b}", ""),
    ];

    #[test]
    fn escape_sequences_are_left_out() {
        for (text, shown) in SEQUENCES {
            assert_eq!(plain(text), shown, "{text:?}");
        }
    }

    #[test]
    fn a_carriage_return_hides_nothing() {
        assert_eq!(plain("bad\rgood"), "bad good");
        assert_eq!(plain("one\r\ntwo\nthree\r\n"), "one two three");
    }

    proptest! {
        #[test]
        fn no_kept_text_has_a_control_character(text in any::<String>(), noise in "([\u{1b}\u{9b}\u{90};\\[\\]P0-9a-c\r\n\t]|[\u{0}-\u{1f}\u{7f}-\u{9f}]){0,40}") {
            for text in [&text, &noise, &format!("{noise}{text}")] {
                let kept = plain(text);
                prop_assert!(!kept.chars().any(|character| character.is_control() || is_blank(character)), "{kept:?}");
                prop_assert_eq!(plain(&kept), kept);
            }
        }
    }
}
