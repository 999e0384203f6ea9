//! Files that name an image.

use super::input::{can_be_shown, parts, text};
use crate::gitops::fuzzing::{is_unchanged, set};

/// Sets an image in a file. What is edited names it then, so that the same again changes nothing; what is not is refused with a
/// reason that can be shown. The parts are the file's name, its content, and perhaps the way to the value.
pub fn gitops_edit(bytes: &[u8]) {
    let [name, content, way] = parts(bytes);
    let (name, way) = (text(name), text(way));
    match set(&name, content, way.trim()) {
        Some(Ok(after)) => assert!(is_unchanged(&name, after.as_bytes(), way.trim()), "once more, and it changes: {after:?}"),
        Some(Err(refusal)) => can_be_shown(&refusal),
        None => {}
    }
}
