//! gp-deliver: scan, build, list, decide and publish a container image.

mod annotation;
#[cfg(test)]
mod architecture;
mod aws;
mod buildkit;
mod cli;
mod config;
mod diagnosis;
mod dockerfile;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod documentation;
mod environment;
mod error;
mod finding;
mod github;
mod inputs;
mod matrix;
mod net;
mod oci;
mod pipeline;
mod plan;
mod policy;
mod process;
mod provenance;
mod publish;
mod record;
mod report;
mod run;
mod scan;
mod secret;
mod setup;
mod source;
mod staging;
mod tags;
mod text;
mod variables;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;

/// The program, from its arguments to its exit code: all that this crate has for others.
///
/// # Errors
/// The program could not begin, so there is no delivery to report on.
pub fn main(arguments: impl IntoIterator<Item = OsString> + Clone) -> Result<ExitCode> {
    // First of all: this process may be a helper of another.
    match process::helper_main(arguments.clone()) {
        Some(code) => Ok(code),
        None => run::run(arguments).map(Into::into),
    }
}
