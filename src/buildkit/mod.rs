//! The build: a client of BuildKit's own protocol. It connects, serves the files of the context, solves, shows progress,
//! and brings the image out into a layout.

pub mod builder;
pub mod endpoint;
pub mod error;
pub mod export;
mod id;
pub mod progress;
pub mod session;
pub mod solve;

pub use error::Error;
