//! gp-deliver: scan, build, list, decide and publish a container image.

pub mod buildkit;
pub mod diagnosis;
pub mod dockerfile;
pub mod environment;
pub mod finding;
pub mod oci;
pub mod policy;
pub mod record;
pub mod secret;
