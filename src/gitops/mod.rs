//! The image in the repository that a cluster is brought to: which scalars of a file name it, and how one is set.
//!
//! Not a byte changes but those of a value. A file is parsed with the place of each scalar, the value is put in at its place,
//! and what comes of that is parsed again: it has to be the tree of before in all but this one value, and a second reader has
//! to take the value for the text that was meant. Whatever has two readings, or none, is refused with its line.

mod edit;
mod places;
mod refusal;
mod scalar;
mod splice;
#[cfg(test)]
mod tests;
mod tree;
mod wanted;
mod way;

pub(crate) use edit::{Edited, MAX_FILE, edit};
pub(crate) use refusal::{Reason, Refusal};
pub(crate) use wanted::Wanted;
pub(crate) use way::Way;
