//! Paths that someone else may have chosen, opened so that they lead nowhere but into one folder.
//!
//! Whoever commits a file commits links too, and whoever ran a step before this one may have left a pipe or a device under any
//! name. So what the source names is opened beneath a [`Root`], in one step that the kernel checks (`openat2(2)`), and what
//! was opened is looked at before it is read: it has to be a regular file of a size that its kind may have. Nothing is looked
//! at by its path first and opened by its path later.
//!
//! A link may lead around inside the root, also by an absolute path. What is mounted inside it is a part of it, unless a link
//! leads there. The kernel's own file systems (`/proc`, `/sys` and their like) are never a part of anything.

mod error;
mod file;
mod root;
mod steps;
#[cfg(test)]
mod tests;

pub(crate) use error::{Error, Kind};
pub(crate) use file::read;
pub(crate) use root::{Links, Root, folder_in, is_absent, link_in, names_in, stat_in};
