//! A Dockerfile as text: which instruction stands on which lines, which stage is built from which, and which instruction
//! brought a layer of the image that came of it.
//!
//! What counts as a line, a comment, a directive or a here-document is BuildKit's reading
//! (`frontend/dockerfile/parser`, <https://docs.docker.com/reference/dockerfile/>). Instructions are not checked: whether
//! they make sense is for BuildKit to say.

mod base;
pub(crate) mod bounds;
mod error;
mod expand;
mod frontend;
mod heredoc;
mod images;
mod inputs;
mod instruction;
mod origin;
mod reader;
#[cfg(test)]
mod tests;
mod word;

pub(crate) use base::Base;
pub(crate) use error::Error;
pub(crate) use frontend::{Frontend, asks_for_checks};
pub(crate) use inputs::{Inputs, Made};
pub(crate) use instruction::Dockerfile;
