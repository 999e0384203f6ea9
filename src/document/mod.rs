//! Documents of others: JSON that has one reading.
//!
//! Readers differ where JSON leaves them room. Of two equal keys one takes the first, another the last; Go's `encoding/json`
//! takes `Manifests` for `manifests`; a byte that is no UTF-8 is an error to one and U+FFFD to another. So whoever writes a
//! document can have it scanned by one reading and run by another. What has two readings is refused here, with the key, and
//! nothing else in the crate reads JSON: `architecture` holds it to that.
//!
//! Refused are, at any depth: two equal keys; a key that is a known one but for its case (what is known follows from the type
//! that is read: the fields of a struct, but not the keys of a map); two keys of a struct that differ in their case alone,
//! known or not, since another reader may know them; integers that not every reader keeps exactly (RFC 8259, section 6); a
//! byte order mark, text that is not UTF-8, halves of surrogate pairs; what comes after the document; nesting beyond 128.

mod checked;
mod key;
#[cfg(test)]
mod tests;
pub(crate) mod yaml;

use std::cell::RefCell;
use std::fmt;
use std::io::BufRead;
use std::ops::Range;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Deserializer;

use crate::text::{self, Line};
use checked::{Checked, Place, Room};

/// What UTF-8 text may begin with and JSON may not (RFC 8259, section 8.1).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A document is refused. No value of it is in the words, only keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (line {line}, column {column})")]
pub(crate) struct Error {
    /// Why.
    pub(crate) reason: Reason,
    /// The line, from 1.
    pub(crate) line: usize,
    /// The byte of the line, from 1.
    pub(crate) column: usize,
}

/// Why a document is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It is not JSON, or not of the form that is expected: the parser's words.
    Form(Line),
    /// A key is there twice.
    Twice(Line),
    /// Two keys are one to readers that do not tell cases apart.
    Alike(Line, Line),
    /// A key is a known one to readers that do not tell cases apart.
    Spelled {
        /// The key.
        key: Line,
        /// The known one.
        known: &'static str,
    },
    /// An integer is beyond what all readers keep exactly.
    Number(Line),
    /// It begins with a byte order mark.
    ByteOrderMark,
    /// More lists and maps than this are open at once.
    Depth(usize),
    /// It comes to more than this many bytes.
    Length(usize),
}

/// Who reads a document besides this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readers {
    /// Engines, registries and whoever else takes images: what is passed over here may matter to them.
    Others,
    /// Nobody.
    Nobody,
}

/// What a service says to a request that it refuses, in one line: the `message` of its JSON, else what the body begins with.
pub(crate) fn refusal(body: &[u8]) -> Line {
    let message = read::<serde_json::Value>(body).ok();
    let message = message.and_then(|body| body.get("message")?.as_str().map(str::to_owned));
    text::words(&message.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned()))
}

/// Reads a document that is meant for this program: a report, an answer.
///
/// # Errors
/// It is refused.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    of_slice(bytes, Readers::Nobody)
}

/// Reads a document that others read too: a manifest, an index, the configuration of an image. What is passed over here is
/// checked as strictly as what is read.
///
/// # Errors
/// It is refused.
pub(crate) fn read_shared<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    of_slice(bytes, Readers::Others)
}

/// As [`read`], of a document of any size: no more of it is held than `T` keeps, and the keys of the objects that are open.
///
/// # Errors
/// It is refused, or `reader` fails.
pub(crate) fn stream<T: DeserializeOwned>(mut reader: impl BufRead) -> Result<T, Error> {
    if reader.fill_buf().is_ok_and(|start| start.starts_with(BYTE_ORDER_MARK)) {
        return Err(Error::byte_order_mark());
    }
    run(Deserializer::from_reader(reader), Readers::Nobody)
}

/// Whether bytes are JSON, whatever it says: what has two readings counts too.
#[must_use]
pub(crate) fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

/// The bytes of a member of the object that a document is, as they stand there; none where it has no such member. It is for a
/// document that was read: what has two readings is not noticed here.
#[must_use]
pub(crate) fn member<'a>(document: &'a [u8], name: &str) -> Option<&'a [u8]> {
    document.get(place_of(document, name)?)
}

/// The place of the same.
#[must_use]
pub(crate) fn place_of(document: &[u8], name: &str) -> Option<Range<usize>> {
    let mut at = after(document, 0, b'{')?;
    loop {
        let (key, end) = value::<String>(document, at)?;
        let from = space(document, after(document, end, b':')?);
        let (IgnoredAny, end) = value(document, from)?;
        if key == name {
            return Some(from..end);
        }
        at = after(document, end, b',')?;
    }
}

/// A value that begins at `at`, or behind the space there, and where it ends.
fn value<T: DeserializeOwned>(document: &[u8], at: usize) -> Option<(T, usize)> {
    let mut values = Deserializer::from_slice(document.get(at..)?).into_iter();
    let value = values.next()?.ok()?;
    Some((value, at + values.byte_offset()))
}

/// The place behind this sign, which comes next.
fn after(document: &[u8], at: usize, sign: u8) -> Option<usize> {
    let at = space(document, at);
    (document.get(at) == Some(&sign)).then_some(at + 1)
}

/// The next place with anything but space (RFC 8259, section 2).
fn space(document: &[u8], at: usize) -> usize {
    let blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    at + document.get(at..).unwrap_or_default().iter().take_while(blank).count()
}

fn of_slice<T: DeserializeOwned>(bytes: &[u8], readers: Readers) -> Result<T, Error> {
    if bytes.starts_with(BYTE_ORDER_MARK) {
        return Err(Error::byte_order_mark());
    }
    run(Deserializer::from_slice(bytes), readers)
}

fn run<'de, T: DeserializeOwned>(mut json: Deserializer<impl serde_json::de::Read<'de>>, readers: Readers) -> Result<T, Error> {
    // What is read is no more than what is written.
    let (reason, room) = (RefCell::new(None), Room::of(usize::MAX));
    let read = T::deserialize(Checked::new(&mut json, Place::whole(readers, &reason, &room)));
    read.and_then(|value| json.end().map(|()| value)).map_err(|error| Error {
        line: error.line(),
        column: error.column(),
        reason: reason.take().unwrap_or_else(|| Reason::Form(form(&error))),
    })
}

/// The parser's words without the place, which it adds at their end.
fn form(error: &serde_json::Error) -> Line {
    let words = error.to_string();
    text::words(words.rsplit_once(" at line ").map_or(&*words, |(words, _)| words))
}

impl Error {
    fn byte_order_mark() -> Self {
        Self { reason: Reason::ByteOrderMark, line: 1, column: 1 }
    }

    /// Whether it is a document to some readers, and so may have been made to deceive one.
    #[must_use]
    pub(crate) fn is_ambiguous(&self) -> bool {
        !matches!(self.reason, Reason::Form(_) | Reason::Depth(_) | Reason::Length(_))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(words) => write!(f, "{words}"),
            Self::Twice(key) => write!(f, "the key \"{key}\" is there twice"),
            Self::Alike(one, other) => write!(f, "the keys \"{one}\" and \"{other}\" are one to some readers and two to others"),
            Self::Spelled { key, known } => write!(f, "the key \"{key}\" is \"{known}\" to some readers and not to others"),
            Self::Number(number) => write!(f, "the number {number} is another to some readers"),
            Self::Depth(limit) => write!(f, "it nests more than {limit} lists or maps"),
            Self::Length(limit) => write!(f, "it comes to more than {limit} bytes with its aliases written out"),
            Self::ByteOrderMark => f.write_str("it begins with a byte order mark, which some readers pass over"),
        }
    }
}
