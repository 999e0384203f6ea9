//! A remark on lines of a file.

/// A remark on lines of a file, as a page that shows the file has it beside them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// The file, relative to the repository's root, with `/` between parts.
    pub file: String,
    /// The first line, counted from 1.
    pub line: u32,
    /// The last line.
    pub end_line: u32,
    /// How much it matters.
    pub level: Level,
    /// What it is, in a few words.
    pub title: String,
    /// What is to be known of it.
    pub message: String,
}

/// How much an annotation matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It held the delivery back.
    Failure,
    /// It is advice.
    Warning,
}
