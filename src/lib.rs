//! gp-deliver: scan, build, list, decide and publish a container image.

pub mod diagnosis;
pub mod environment;
pub mod finding;
pub mod oci;
pub mod policy;
pub mod process;
pub mod publish;
pub mod record;
pub mod scan;
pub mod secret;
pub mod tags;
