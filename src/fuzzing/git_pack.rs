//! What a git server sends.

use crate::git_server::fuzzing;

/// Reads a pack, whose sum is made right before.
pub fn git_pack(bytes: &[u8]) {
    fuzzing::read_pack(bytes);
}
