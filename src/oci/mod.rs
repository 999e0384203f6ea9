//! Images as the Open Container Initiative describes them: digests, references, manifests, layouts on disk, registries.
//! Knows nothing of AWS, GitHub, engines or scanners.

pub mod compression;
pub mod digest;
pub mod image;
pub mod layout;
pub mod platform;
pub mod reference;
pub mod registry;
#[cfg(test)]
pub(crate) mod sample;
pub mod tag;

pub use compression::Compression;
pub use digest::Digest;
pub use image::Image;
pub use layout::Layout;
pub use platform::Platform;
pub use reference::Reference;
pub use tag::Tag;
