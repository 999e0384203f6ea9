//! An input, taken apart.

use std::borrow::Cow;
use std::fmt::Display;

use crate::text;

/// The line between the parts of an input that has several.
const MARK: &[u8] = b"\n~~~~\n";

/// The parts of an input.
pub(crate) fn all_parts(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let whole = rest?;
        let mark = whole.windows(MARK.len()).position(|window| window == MARK);
        rest = mark.map(|at| &whole[at + MARK.len()..]);
        Some(&whole[..mark.unwrap_or(whole.len())])
    })
}

/// The first parts of an input; those that it does not have are empty.
pub(crate) fn parts<const N: usize>(bytes: &[u8]) -> [&[u8]; N] {
    let mut all = all_parts(bytes);
    std::array::from_fn(|_| all.next().unwrap_or_default())
}

pub(crate) fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Asserts that a text can be shown: nothing in it moves the cursor or begins another line.
pub(crate) fn can_be_shown(words: &impl Display) {
    let words = words.to_string();
    assert!(!words.chars().any(char::is_control), "this can't be shown: {words:?}");
}

/// Asserts that a text shows, and hides nothing beside it.
pub(crate) fn is_plain(words: &str) {
    assert!(words.chars().all(text::is_plain), "this is not plain: {words:?}");
}
