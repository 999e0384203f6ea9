//! The image in the repository that a cluster is brought to: which scalars of a file name it, how one is set, and how the branch
//! gets it.
//!
//! Not a byte changes but those of a value. A file is parsed with the place of each scalar, the value is put in at its place,
//! and what comes of that is parsed again: it has to be the tree of before in all but this one value, and a second reader has
//! to take the value for the text that was meant. Whatever has two readings, or none, is refused with its line.

mod edit;
mod error;
mod files;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod host;
mod message;
mod named;
mod places;
mod pull_request;
mod refusal;
mod scalar;
mod settings;
mod source_commit;
mod splice;
#[cfg(test)]
mod tests;
mod tree;
mod update;
mod wanted;
mod way;
mod work;

pub(crate) use error::Error;
pub(crate) use host::Host;
pub(crate) use message::{Course, Shipment};
pub(crate) use named::{Named, named};
pub(crate) use settings::{Home, Mode, Place, RepositoryName, Settings, Slug};
pub(crate) use source_commit::SourceCommit;
pub(crate) use update::update;
pub(crate) use wanted::Wanted;
pub(crate) use work::Outcome;
