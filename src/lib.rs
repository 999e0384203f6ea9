//! gp-deliver: scan, build, list, decide and publish a container image.

pub mod annotation;
pub mod aws;
pub mod buildkit;
pub mod cli;
pub mod config;
pub mod diagnosis;
pub mod dockerfile;
#[cfg(test)]
mod docs;
pub mod environment;
pub mod error;
pub mod finding;
pub mod github;
pub mod inputs;
pub mod matrix;
pub mod oci;
pub mod pipeline;
pub mod plan;
pub mod policies;
pub mod policy;
pub mod process;
pub mod provenance;
pub mod publish;
pub mod record;
pub mod report;
pub mod run;
pub mod scan;
pub mod secret;
pub mod source;
pub mod staging;
pub mod tags;
