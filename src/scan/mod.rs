//! The scanners: gitleaks over the source, trivy and syft over the image, and the database that trivy judges by.
//!
//! A scanner is a program that is not trusted and not believed: it gets no credentials, and a scan that did not happen, or
//! not completely, is an error here whatever the scanner's exit code says.

pub(crate) mod base;
pub(crate) mod database;
mod database_age;
mod database_kind;
mod error;
pub(crate) mod gitleaks;
pub(crate) mod layers;
pub(crate) mod packages;
pub(crate) mod platform;
mod same_layers;
pub(crate) mod syft;
pub(crate) mod trivy;
mod version;

use std::time::Duration;

pub(crate) use error::Error;
pub(crate) use version::find_all;
pub(crate) use version::versions;

/// Scanners take seconds; one that takes this long hangs.
pub(crate) const DEADLINE: Duration = Duration::from_mins(15);
