//! The build: a client of BuildKit's own protocol. It connects, serves the files of the context, solves, shows progress,
//! and brings the image out into a layout.

pub mod builder;
pub mod endpoint;
pub mod error;
pub mod export;
pub mod progress;
pub mod session;
pub mod solve;

pub use error::Error;

/// A name that nobody else uses: 128 random bits in hexadecimal.
fn random_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}
