//! The way out of a builder: from its store into a layout, each blob checked as it is written.
//!
//! Every way ends in the same place: a configuration, and layers that are gzip or zstd. New layers leave the builder
//! uncompressed, and are compressed here, on all processors; those of a base image keep the form in which their registry
//! has them, so that pushing finds them there.

pub mod content;
pub mod docker_archive;
mod pipe;

pub use pipe::{Reader, Sender, pipe};
