//! Why a file is left as it is.

use std::fmt;

use crate::text::Line;

/// A file that is not edited. No value of it is in the words, only keys and lines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub(crate) struct Refusal {
    /// The line, from 1.
    pub(crate) line: usize,
    /// Why.
    pub(crate) reason: Reason,
}

/// What is in the way of an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The file has more bytes than this.
    Length(usize),
    /// More lists and maps than this are open at once.
    Depth(usize),
    /// It is not UTF-8.
    Encoding,
    /// It is no YAML to one of the readers: its words.
    Syntax(Line),
    /// The value is written elsewhere, under an anchor.
    Alias,
    /// The value comes, or may come, from elsewhere by a merge key.
    Merge,
    /// The key is there twice: which one counts differs from reader to reader.
    Twice(Line),
    /// The value is a block of text.
    Block,
    /// The value is a list or a map.
    NoScalar,
    /// There is no such key.
    Missing(Line),
    /// The key is missing, and is put into no map that is written in braces, or is empty.
    NoPlace(Line),
    /// The value has a type of its own, by its tag.
    Tagged,
    /// The image is named at these lines, not everywhere as the same one.
    Several(Vec<usize>),
    /// It would take so many changes to a file of its size.
    Changes(usize),
    /// It is named without a tag and a digest, or with two.
    NoPin,
    /// After the edit the readers do not see what was meant: nothing is changed.
    Unproven,
}

impl Refusal {
    pub(super) fn new(line: usize, reason: Reason) -> Self {
        Self { line, reason }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(limit) => write!(f, "the file has more than {limit} bytes"),
            Self::Depth(limit) => write!(f, "it nests more than {limit} lists or maps"),
            Self::Encoding => f.write_str("the file is not UTF-8"),
            Self::Syntax(words) => write!(f, "this can't be read: {words}"),
            Self::Alias => f.write_str("the value is an alias of what is written elsewhere"),
            Self::Merge => f.write_str("the value comes from elsewhere by a merge key (<<)"),
            Self::Twice(key) => write!(f, "the key \"{key}\" is there twice"),
            Self::Block => f.write_str("the value is a block of text (| or >)"),
            Self::NoScalar => f.write_str("there is a list or a map in place of a text"),
            Self::Missing(key) => write!(f, "there is no \"{key}\" here"),
            Self::NoPlace(key) => write!(f, "the key \"{key}\" is missing, and can't be added to this map"),
            Self::Tagged => f.write_str("the value has a type of its own, by its tag"),
            Self::Several(lines) => {
                let lines: Vec<_> = lines.iter().map(usize::to_string).collect();
                write!(f, "the image is named at lines {}, and not everywhere as the same one", lines.join(", "))
            }
            Self::Changes(count) => write!(f, "the image is named {count} times, in a file of this size"),
            Self::NoPin => f.write_str("the image is named by no one tag or digest"),
            Self::Unproven => f.write_str("after the edit the file would not read as it is meant"),
        }
    }
}
