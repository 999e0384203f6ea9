//! A request to a registry.

use http::{HeaderMap, Method};
use url::Url;

use super::error::{Error, Subject};
use super::payload::Payload;
use crate::net::TransportError;

/// A request, without what shows who we are.
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) subject: Subject,
    pub(super) headers: HeaderMap,
    pub(super) body: Payload,
    /// What a token must allow: `repository:NAME:ACTION,…` (distribution, "Token Scope Documentation").
    pub(super) scopes: Vec<String>,
}

impl Request {
    pub(super) fn new(method: Method, url: Url, subject: Subject, scopes: Vec<String>) -> Self {
        Self { method, url, subject, headers: HeaderMap::new(), body: Payload::Empty, scopes }
    }

    pub(super) fn failed(&self, error: TransportError) -> Error {
        Error::Connection { host: host_of(&self.url), subject: self.subject.clone(), error }
    }
}

pub(super) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
