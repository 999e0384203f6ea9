//! Lifecycle policies of Amazon ECR: read as strictly as AWS reads them, and what they do to the images of a repository.
//!
//! Nothing here asks AWS. A policy is a value that AWS would take; [`evaluate`] says of each image which rule takes it and when,
//! or what keeps it (Amazon ECR User Guide, "Automate the cleanup of images by using lifecycle policies", its examples and
//! properties). Where the guide says nothing, the doc comment says so.

mod evaluation;
mod fault;
mod image;
mod policy;
mod preset;
mod reader;
mod tag_list;
#[cfg(test)]
mod tests;
mod warning;

pub(crate) use evaluation::{Fate, Referrers, Until, evaluate, evaluate_with};
pub(crate) use fault::Problem;
pub(crate) use image::{Image, Storage};
pub(crate) use policy::{Policy, Priority};
pub(crate) use preset::Preset;
pub(crate) use reader::read;
pub(crate) use warning::warnings;
