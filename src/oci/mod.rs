//! Images as the Open Container Initiative describes them: digests, references, manifests, layouts on disk, registries.
//! Knows nothing of AWS, GitHub, engines or scanners.

pub(crate) mod annotations;
pub(crate) mod archive;
pub(crate) mod bounds;
pub(crate) mod compression;
pub(crate) mod dated;
pub(crate) mod digest;
pub(crate) mod disk;
pub(crate) mod hashed;
pub(crate) mod image;
pub(crate) mod layer;
pub(crate) mod layout;
pub(crate) mod manifest;
pub(crate) mod platform;
pub(crate) mod reference;
pub(crate) mod registry;
#[cfg(test)]
pub(crate) mod sample;
pub(crate) mod tag;

pub(crate) use compression::Compression;
pub(crate) use digest::Digest;
pub(crate) use image::Image;
pub(crate) use layout::Layout;
pub(crate) use platform::Platform;
pub(crate) use reference::Reference;
pub(crate) use tag::Tag;
