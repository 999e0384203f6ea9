//! git, which reads the repository of the source: found here, and without its own configuration.
//!
//! Whoever commits files can make a folder look like a repository: a bare one is a few files under plain names, and one of
//! them, `config`, names programs that git starts. So git never looks for a repository. [`Enclosing`] finds the ones that a
//! folder is in by the entry `.git`, which git takes into no commit, and git is shown a [`Repository`]: a folder of ours with
//! links to the objects, the refs and the index, and with a configuration of ours. No filter, hook, monitor, driver or helper
//! is in it, no other file is included, and no object is fetched. What of the repository's own configuration is a plain fact
//! (its hash, how it ends lines) is read as text and copied.
//!
//! The environment of the user's shell does not reach git either: `GIT_DIR` and its like change nothing.

mod blame;
mod error;
mod place;
mod repository;
mod settings;
mod view;

pub(crate) use blame::Brought;
pub(crate) use error::Error;
pub(crate) use place::{Enclosing, Place, checkout_around, checkouts_around};
pub(crate) use repository::{Entry, Repository, Status};
