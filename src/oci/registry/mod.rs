//! A client of the distribution specification (opencontainers/distribution-spec 1.1).
//!
//! A registry is not trusted: what it names is fetched over HTTPS only (over plain HTTP within this machine), what it serves
//! is hashed, what it says is shortened, and credentials go only to it and to its token server.
//!
//! Each file knows those above it alone: [`credentials`], `artifact` and `challenge`, then `error`, `patience`, `payload` and `request`, then
//! the `connection`, which sends a request and reads the answer; `authorization`, which says who we are; `transport`, which
//! puts the two together; and the `client`, whose calls are in `blob`, `manifest`, `referrers` and `tag_list`.

mod artifact;
mod authorization;
mod blob;
mod challenge;
mod client;
mod connection;
pub(crate) mod credentials;
mod error;
mod manifest;
mod patience;
mod payload;
mod referrers;
mod refusal;
mod request;
#[cfg(test)]
mod slowness;
mod tag_list;
mod token;
mod transport;
#[cfg(test)]
mod with_parts;

pub(crate) use artifact::{Artifact, content};
pub(crate) use blob::Upload;
pub(crate) use client::Client;
pub(crate) use credentials::{Credentials, Store};
pub(crate) use error::{Answer, Error, Subject, UrlRole};
#[cfg(test)]
pub(crate) use manifest::MAX_MANIFEST;
pub(crate) use manifest::{Manifest, Selector};
#[cfg(test)]
pub(crate) use patience::Patience;
pub(crate) use payload::Progress;
pub(crate) use referrers::Referrers;
#[cfg(test)]
pub(crate) use tag_list::MAX_TAGS;
#[cfg(test)]
pub(crate) use transport::MAX_REDIRECTS;
