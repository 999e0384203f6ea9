//! A stranger's text as one line that can be shown anywhere.

use std::borrow::{Borrow, Cow};
use std::fmt::{self, Write as _};
use std::ops::Deref;

use super::escape::{is_blank, plain, printable};
use crate::redaction;

/// The most characters of one line of a tool's output that are shown.
pub(crate) const LINE: usize = 2000;
/// The most characters of a stranger's words that a message of ours repeats.
pub(crate) const WORDS: usize = 600;

/// One line that can be printed to a terminal, a log or a runner, whoever wrote what is in it: no control character, none
/// that reorders or hides what is around it, no line break, and nothing that a runner takes for a command. There is no way
/// to one but through the functions of this room, so that what holds a `Line` holds nothing else.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Line(String);

/// `text` as one line of at most `limit` characters and a note of how many more there are.
///
/// Escape sequences (ECMA-48, section 5.4 and 5.6) and control characters are left out, line breaks become spaces,
/// characters that reorder or hide what is around them are written as their number, and what would begin a workflow
/// command is broken up (actions/runner, `ActionCommand.cs`: `::` first on a line, `##[` anywhere in it). Then the secrets
/// are taken out, which nothing hides any more, and what is left is cut: a secret at the end is not shown in part.
#[must_use]
pub(crate) fn line(text: &str, limit: usize) -> Line {
    let whole = safe(text, usize::MAX);
    let cut = |text: &str| if text.len() <= limit || text.chars().count() <= limit { None } else { Some(safe(text, limit)) };
    match redaction::redact(&whole) {
        // Of the text as it was, since a hidden character's number is shown whole or not at all.
        Cow::Borrowed(_) if whole.len() > limit => safe(text, limit),
        Cow::Borrowed(_) => whole,
        Cow::Owned(redacted) => cut(&redacted).unwrap_or(Line(redacted)),
    }
}

/// `text` as a line, with all that is secret in it.
fn safe(text: &str, limit: usize) -> Line {
    let mut shown = Shown::new(limit);
    printable(text).for_each(|character| shown.push(character));
    shown.finish()
}

/// A text as it is but for the secrets in it, which no escape sequence and no control character hides.
#[must_use]
pub(crate) fn redacted(text: &str) -> Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return redaction::redact(text);
    }
    // As it is read, and as it is: each of them may show what the other does not.
    match redaction::redact(&plain(text)) {
        Cow::Owned(redacted) => Cow::Owned(redaction::redact(&redacted).into_owned()),
        Cow::Borrowed(_) => redaction::redact(text),
    }
}

/// As [`redacted`], of a text of several lines that stay what they are: a secret that goes over several is taken out as a
/// whole, and what an escape sequence or a control character would hide in a line, in that line.
#[must_use]
pub(crate) fn redacted_lines(text: &str) -> Cow<'_, str> {
    let strange = |character: char| character.is_control() && character != '\n';
    let whole = redaction::redact(text);
    if !whole.contains(strange) {
        return whole;
    }
    let lines = whole.split('\n').map(|line| if line.contains(strange) { redacted(line) } else { Cow::Borrowed(line) });
    Cow::Owned(lines.collect::<Vec<_>>().join("\n"))
}

/// Whether a character shows, and changes nothing of how others do.
#[must_use]
pub(crate) fn is_plain(character: char) -> bool {
    !(character.is_control() || is_hidden(character) || is_blank(character))
}

/// A text that was cut at its end, without the secrets in it and without what one begins with there.
#[must_use]
pub(crate) fn redacted_cut(text: &str) -> String {
    let shown = if text.chars().any(char::is_control) { plain(text) } else { text.to_owned() };
    redaction::redact_cut(&shown).into_owned()
}

/// The lines of `text`, each as [`line()`] makes it.
pub(crate) fn lines(text: &str, limit: usize) -> impl Iterator<Item = Line> {
    text.lines().map(move |text| line(text, limit))
}

/// A stranger's words for a message of ours: one line of at most [`WORDS`] characters, however many lines and spaces there
/// were; of a page of HTML, that it is one.
#[must_use]
pub(crate) fn words(text: &str) -> Line {
    if is_page(text) {
        return "a page of HTML".into();
    }
    line(&plain(text).split_whitespace().collect::<Vec<_>>().join(" "), WORDS)
}

/// The last `number` lines of `text` that show something, each of at most `limit` characters.
#[must_use]
pub(crate) fn last_lines(text: &str, number: usize, limit: usize) -> Vec<Line> {
    let mut last: Vec<_> = lines(text, limit).filter(|line| !line.trim().is_empty()).collect();
    last.split_off(last.len().saturating_sub(number))
}

/// Whether a proxy or a login page answered in place of whoever was asked.
fn is_page(text: &str) -> bool {
    let text = text.trim_start().as_bytes();
    let begins = |mark: &&str| text.get(..mark.len()).is_some_and(|start| start.eq_ignore_ascii_case(mark.as_bytes()));
    ["<!doctype", "<html", "<head", "<?xml"].iter().any(begins)
}

/// Whether a character changes how others look and has no look of its own: bidirectional controls (UAX #9, section 2),
/// blanks without a width, and the tag characters. Joiners stay: whole scripts are written with them.
fn is_hidden(character: char) -> bool {
    matches!(character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
        | '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// A line while it is made.
struct Shown {
    text: String,
    /// How many characters still fit.
    room: usize,
    left_out: usize,
    beginning: Beginning,
}

/// What a line has begun with so far.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beginning {
    Blank,
    Colon,
    Other,
}

impl Shown {
    fn new(limit: usize) -> Self {
        Self { text: String::new(), room: limit, left_out: 0, beginning: Beginning::Blank }
    }

    fn push(&mut self, character: char) {
        let character = if is_blank(character) { ' ' } else { character };
        let number = is_hidden(character).then(|| format!("<U+{:04X}>", u32::from(character)));
        let parted = self.would_command(character);
        let length = number.as_ref().map_or(1, String::len) + usize::from(parted);
        if self.left_out > 0 || length > self.room {
            self.left_out += 1;
            return;
        }
        self.room -= length;
        self.text.extend(parted.then_some(' '));
        match number {
            Some(number) => self.text.push_str(&number),
            None => self.text.push(character),
        }
        self.beginning = match (self.beginning, character) {
            (Beginning::Blank, blank) if blank.is_whitespace() => Beginning::Blank,
            (Beginning::Blank, ':') => Beginning::Colon,
            _ => Beginning::Other,
        };
    }

    /// Whether `character` would complete what begins a workflow command.
    fn would_command(&self, character: char) -> bool {
        match character {
            ':' => self.beginning == Beginning::Colon,
            '[' => self.text.ends_with("##"),
            _ => false,
        }
    }

    fn finish(mut self) -> Line {
        if self.left_out > 0 {
            let _ = write!(self.text, "… ({} more characters)", self.left_out);
        }
        Line(self.text)
    }
}

/// Words of ours, which stand in the source.
impl From<&'static str> for Line {
    fn from(words: &'static str) -> Self {
        safe(words, usize::MAX)
    }
}

impl From<Line> for String {
    fn from(line: Line) -> Self {
        line.0
    }
}

impl From<&Line> for String {
    fn from(line: &Line) -> Self {
        line.0.clone()
    }
}

impl Deref for Line {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Line {
    fn as_ref(&self) -> &str {
        self
    }
}

impl Borrow<str> for Line {
    fn borrow(&self) -> &str {
        self
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl PartialEq<str> for Line {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl PartialEq<&str> for Line {
    fn eq(&self, other: &&str) -> bool {
        **self == **other
    }
}

impl PartialEq<String> for Line {
    fn eq(&self, other: &String) -> bool {
        **self == **other
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::escape::tests::SEQUENCES;
    use super::*;

    #[test]
    fn escape_sequences_are_left_out() {
        let own = [("\u{1b}[31mred\u{1b}[0m\u{7}\r", "red")];
        for (text, shown) in SEQUENCES.into_iter().chain(own) {
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
        // A character's number is shown whole or not at all.
        assert_eq!(line("abc\u{202e}d", 10), "abc… (2 more characters)");
    }

    #[test]
    fn a_strangers_words_are_one_short_line_that_can_not_steer_a_terminal() {
        assert_eq!(words(" a\x1b[31mb\r\n\n\t::add-mask::c\u{202e} "), "ab ::add-mask::c<U+202E>");
        assert_eq!(words("\n::add-mask::x"), ": :add-mask::x");
        assert_eq!(words(&"é".repeat(700)), format!("{}… (100 more characters)", "é".repeat(WORDS)));
    }

    #[test]
    fn of_a_page_it_is_said_that_it_is_one() {
        for page in ["<!DOCTYPE html>\n<html>", "  <html lang=\"en\">", "<?xml version=\"1.0\"?><Error>"] {
            assert_eq!(words(page), "a page of HTML", "{page}");
        }
        assert_eq!(words("<nil>"), "<nil>");
    }

    #[test]
    fn only_the_last_lines_that_show_something_are_kept() {
        let text = (0..100).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n\u{1b}[0m \n");
        assert_eq!(last_lines(&text, 2, 7), ["line 98", "line 99"]);
        assert!(last_lines("", 2, 7).is_empty());
    }

    /// Texts that are made of what is dangerous, and of anything.
    fn hostile() -> impl Strategy<Value = String> {
        let noise =
            "([\u{1b}\u{9b}:#\\[\\]\r\n ;a-c\u{202e}\u{2028}\u{200b}\u{feff}\u{e0041}]|[\u{0}-\u{1f}\u{7f}-\u{9f}]){0,40}";
        (noise, any::<String>(), noise).prop_map(|(before, text, after)| format!("{before}{text}{after}"))
    }

    /// As the runner reads a line (actions/runner, `ActionCommand.cs`).
    fn is_command(line: &str) -> bool {
        line.trim_start().starts_with("::") || line.contains("##[")
    }

    proptest! {
        #[test]
        fn no_text_prints_a_control_character_or_a_command(text in hostile(), limit in 0_usize..80) {
            for shown in [line(&text, limit), words(&text)] {
                prop_assert!(!shown.chars().any(|c| c.is_control() || is_hidden(c) || is_blank(c)), "{shown:?}");
                prop_assert!(!is_command(&shown), "{shown:?}");
            }
        }

        #[test]
        fn no_line_is_longer_than_asked(text in hostile(), limit in 0_usize..80) {
            for (shown, limit) in [(line(&text, limit), limit), (words(&text.repeat(20)), WORDS)] {
                let kept = shown.strip_suffix(" more characters)").and_then(|kept| kept.rsplit_once("… ("));
                let kept = kept.map_or(&*shown, |(kept, _)| kept);
                prop_assert!(kept.chars().count() <= limit, "{shown:?}");
            }
        }

        #[test]
        fn a_line_stays_as_it_is(text in hostile()) {
            let once = line(&text, usize::MAX);
            prop_assert_eq!(line(&once, usize::MAX), once);
        }

        #[test]
        fn harmless_text_stays_as_it_is(text in "[a-zA-Z0-9 .,/_@-]{0,60}") {
            prop_assert_eq!(line(&text, 60), text);
        }
    }
}
