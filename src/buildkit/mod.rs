//! The build: a client of BuildKit's own protocol. It connects, serves the files of the context, solves, shows progress, and
//! exports the image into a layout.

mod blob_folder;
pub(crate) mod builder;
mod by_environment;
pub(crate) mod cache;
pub(crate) mod cache_folder;
mod content_service;
pub(crate) mod contexts;
pub(crate) mod date;
pub(crate) mod endpoint;
mod engine;
pub(crate) mod error;
pub(crate) mod export;
pub(crate) mod fleet;
mod id;
mod materials;
pub(crate) mod namespace;
pub(crate) mod options;
pub(crate) mod progress;
pub(crate) mod session;
pub(crate) mod solve;
mod tls;

pub(crate) use error::Error;
