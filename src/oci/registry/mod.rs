//! A registry, spoken to as the distribution specification says (opencontainers/distribution-spec 1.1).
//!
//! A registry is a stranger: what it names is fetched over HTTPS only (over plain HTTP within this machine), what it
//! serves is hashed, what it says is shortened, and only itself and its token server are shown who we are.
//!
//! Each file knows those above it alone: [`credentials`] and `challenge`, then `error`, `payload` and `request`, then the
//! `connection`, which sends a request and reads the answer; `authorization`, which says who we are; `transport`, which puts
//! the two together; and the `client`, whose calls are in `blob`, `manifest` and `tag_list`.

mod authorization;
mod blob;
mod challenge;
mod client;
mod connection;
pub(crate) mod credentials;
mod error;
mod manifest;
mod payload;
mod refusal;
mod request;
mod tag_list;
mod token;
mod transport;

pub(crate) use blob::Upload;
pub(crate) use client::Client;
pub(crate) use credentials::{Credentials, Store};
pub(crate) use error::{Answer, DigestMismatch, Error, Subject, UrlRole};
pub(crate) use manifest::{Manifest, Selector};
pub(crate) use payload::Progress;
