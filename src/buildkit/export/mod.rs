//! Exporting: from a builder's store into a layout, each blob checked as it is written.
//!
//! Every way ends in the same place: a configuration, and layers that are gzip or zstd. New layers leave the builder
//! uncompressed and are compressed here, on all processors; those of a base image keep the form that their registry has, so
//! that a push finds them there.

pub(crate) mod content;
pub(crate) mod docker_archive;
mod pipe;

use oci_spec::image::ImageConfiguration;
pub(crate) use pipe::pipe;

use super::Error;
use crate::document;
use crate::oci::image;
use crate::oci::{Digest, Platform};

/// The platform and the diff ids that the configuration of a builder's image states.
pub(super) fn described(config: &[u8]) -> Result<(Platform, Vec<Digest>), Error> {
    let protocol = |reason: String| Error::Protocol(format!("the builder's image configuration: {reason}"));
    let parsed: ImageConfiguration = document::read_shared(config).map_err(|error| protocol(error.to_string()))?;
    image::described(&parsed).map_err(protocol)
}
