//! YAML of others: as JSON, and bounded in what comes of it.
//!
//! A few lines of YAML can stand for more than any machine holds: an anchor is written once and counts wherever an alias
//! names it. So what is read is counted as it is read. Brackets, and lists in each other on one line, are counted before: a
//! parser keeps all of them, and takes a time that grows with the square of the brackets.

use std::cell::RefCell;

use serde::de::{Deserialize, DeserializeOwned, Deserializer};
pub(crate) use serde_yaml::Value;

use super::checked::{Checked, Place, Room};
use super::{Error, Readers, Reason};
use crate::text;

/// How many lists and maps may be open at once, in brackets or on one line.
pub(crate) const MAX_DEPTH: usize = 100;

/// The most bytes of a document with all its aliases written out, each value counting for one more.
pub(crate) const MAX_WRITTEN_OUT: usize = 4 << 20;

/// Reads a document that is meant for this program.
///
/// # Errors
/// It is refused.
pub(crate) fn read_yaml<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    if let Some(line) = too_deep(text) {
        return Err(Error { reason: Reason::Depth(MAX_DEPTH), line, column: 1 });
    }
    let (reason, room) = (RefCell::new(None), Room::of(MAX_WRITTEN_OUT));
    let place = Place::whole(Readers::Nobody, &reason, &room);
    T::deserialize(Checked::new(serde_yaml::Deserializer::from_str(text), place)).map_err(|error| refused(&error, &reason))
}

/// Reads all documents of a file, whatever they say.
///
/// # Errors
/// One is refused.
pub(crate) fn read_documents(text: &str) -> Result<Vec<Value>, Error> {
    if let Some(line) = too_deep(text) {
        return Err(Error { reason: Reason::Depth(MAX_DEPTH), line, column: 1 });
    }
    let (reason, room) = (RefCell::new(None), Room::of(MAX_WRITTEN_OUT));
    let place = Place::whole(Readers::Nobody, &reason, &room);
    let read = |document| Value::deserialize(Checked::new(document, place)).map_err(|error| refused(&error, &reason));
    serde_yaml::Deserializer::from_str(text).map(read).collect()
}

fn refused(error: &serde_yaml::Error, reason: &RefCell<Option<Reason>>) -> Error {
    let (line, column) = error.location().map_or((1, 1), |place| (place.line(), place.column()));
    let words = error.to_string();
    let form = || Reason::Form(text::words(words.rsplit_once(" at line ").map_or(&*words, |(words, _)| words)));
    Error { reason: reason.take().unwrap_or_else(form), line, column }
}

/// Reads a member that may be left out. One that is there and has no value, as a template leaves it that has none for it, is not
/// the same: whoever wrote it has asked for something.
///
/// # Errors
/// It is refused.
pub(crate) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// The first line with more open than there may be.
fn too_deep(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    let mut lines = text.lines().zip(1..);
    lines.find_map(|(line, number)| {
        let in_brackets = line.bytes().any(|byte| {
            match byte {
                b'[' | b'{' => open += 1,
                b']' | b'}' => open = open.saturating_sub(1),
                _ => {}
            }
            open > MAX_DEPTH
        });
        let marks = line.split([' ', '\t']).take_while(|word| matches!(*word, "" | "-" | "?" | ":"));
        let in_each_other = marks.filter(|word| !word.is_empty()).nth(MAX_DEPTH).is_some();
        (in_brackets || in_each_other).then_some(number)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    type Any = BTreeMap<String, serde_json::Value>;

    #[derive(Debug, serde::Deserialize)]
    struct Nothing {}

    fn reason(text: &str) -> Reason {
        read_yaml::<Any>(text).unwrap_err().reason
    }

    #[test]
    fn what_is_deep_is_refused_before_it_is_parsed() {
        for text in [
            "[".repeat(1 << 20),
            "{".repeat(1 << 20),
            "- ".repeat(1 << 19),
            "? ".repeat(1 << 19),
            format!("a:\n  {}x", "- ? ".repeat(60)),
        ] {
            assert_eq!(reason(&text), Reason::Depth(MAX_DEPTH), "{text:.20}");
        }
        let error = read_yaml::<Any>(&format!("a: 1\nb: {}", "[".repeat(101))).unwrap_err();
        assert_eq!((error.line, error.to_string().contains("more than 100")), (2, true), "{error}");
        // One under the other they are bounded by the parser.
        let nested: Vec<_> = (0..300).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
        assert!(matches!(reason(&nested.concat()), Reason::Form(_)));
    }

    #[test]
    fn what_aliases_come_to_is_bounded() {
        let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..10 {
            let alias = format!("*a{},", n - 1).repeat(10);
            laughs = format!("{laughs}a{n}: &a{n} [{alias}]\n");
        }
        // The parser has a limit of its own, by the number of aliases.
        assert!(matches!(reason(&laughs), Reason::Form(_) | Reason::Length(_)), "{:?}", reason(&laughs));
        let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 16), "*a,".repeat(1000));
        assert_eq!(reason(&long), Reason::Length(MAX_WRITTEN_OUT));
        // Nor where nobody asks for what they come to.
        assert_eq!(read_yaml::<Nothing>(&long).unwrap_err().reason, Reason::Length(MAX_WRITTEN_OUT));
        let itself = reason("a: &a [*a]\n");
        assert!(matches!(itself, Reason::Form(_) | Reason::Length(_)), "{itself:?}");
        assert_eq!(read_yaml::<Any>("a: &a [1]\nb: [*a, *a]\n").unwrap()["b"], serde_json::json!([[1], [1]]));
    }

    #[test]
    fn a_key_that_is_there_twice_is_refused() {
        assert!(matches!(reason("a: 1\na: 2\n"), Reason::Twice(_) | Reason::Form(_)));
    }
}
