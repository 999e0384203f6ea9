//! How the service says no: Twirp's errors (twitchtv.github.io/twirp/docs/errors.html), and those of Azure's blob store.

use hyper::Response;
use serde_json::{Value, json};

use crate::service::content::{Answer, full};

/// A request that is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// By the cache.
    Twirp(u16, &'static str, String),
    /// By the store of its contents.
    Azure(u16, &'static str),
}

impl Refusal {
    pub fn unauthenticated() -> Self {
        Self::Twirp(401, "unauthenticated", "invalid or expired token".to_owned())
    }

    pub fn read_only(scope: &str) -> Self {
        Self::Twirp(403, "permission_denied", format!("cache write denied: the token does not have write access to {scope}"))
    }

    pub fn exists() -> Self {
        let message = "cache entry with the same key, version, and scope already exists";
        Self::Twirp(409, "already_exists", message.to_owned())
    }

    pub fn invalid(message: &str) -> Self {
        Self::Twirp(400, "invalid_argument", message.to_owned())
    }

    pub fn not_found() -> Self {
        Self::Twirp(404, "not_found", "cache entry not found".to_owned())
    }

    pub fn haste() -> Self {
        Self::Twirp(429, "resource_exhausted", "rate limit exceeded".to_owned())
    }

    pub fn trouble(status: u16) -> Self {
        Self::Twirp(status, "internal", "an internal error occurred".to_owned())
    }

    pub fn answer(&self) -> Answer {
        match self {
            Self::Twirp(status, code, message) => {
                let body = json!({"code": code, "msg": message}).to_string();
                let answer = Response::builder().status(*status).header("content-type", "application/json");
                let answer = if *status == 429 { answer.header("retry-after", "1") } else { answer };
                answer.body(full(body)).unwrap()
            }
            Self::Azure(status, code) => {
                let body =
                    format!("<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>no</Message></Error>");
                let answer = Response::builder().status(*status).header("content-type", "application/xml");
                let answer = answer.header("x-ms-error-code", *code).header("x-ms-request-id", "0");
                answer.body(full(body)).unwrap()
            }
        }
    }
}

/// An answer of Twirp.
pub fn twirp(value: &Value) -> Answer {
    Response::builder().header("content-type", "application/json").body(full(value.to_string())).unwrap()
}
