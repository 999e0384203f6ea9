//! What tells whether a file is still the one that was looked at.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// A file's path, size and time, in eight bytes: two files have the same one by a chance that nobody meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Stamp(u64);

impl Stamp {
    /// The stamp of the file at `path`, with its size in bytes and the nanoseconds from 1970 to its last change.
    #[must_use]
    pub(crate) fn of(path: &[u8], size: i64, modified: i64) -> Self {
        let mut hasher = DefaultHasher::new();
        (path, size, modified).hash(&mut hasher);
        Self(hasher.finish())
    }

    /// The nanoseconds of a time that a system gives in two numbers.
    #[must_use]
    pub(crate) fn nanoseconds(seconds: i64, nanoseconds: i64) -> i64 {
        seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
    }
}
