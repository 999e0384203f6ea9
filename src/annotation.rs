//! A remark on lines of a file.

/// A remark on lines of a file, shown beside them wherever the file is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Annotation {
    /// The file, relative to the repository's root, with `/` between parts.
    pub(crate) file: String,
    /// The first line, counted from 1.
    pub(crate) line: u32,
    /// The last line.
    pub(crate) end_line: u32,
    /// How much it matters.
    pub(crate) level: Level,
    /// What it is, in a few words.
    pub(crate) title: String,
    /// The explanation, in one or more sentences.
    pub(crate) message: String,
}

/// How much an annotation matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// It held the delivery back.
    Failure,
    /// It is advice.
    Warning,
}
