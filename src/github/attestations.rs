//! Attestations: GitHub keeps what is signed too, for `gh attestation verify` and for the repository's own page of them (GitHub
//! docs, "REST API endpoints for repository attestations", "Create an attestation").

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{self, Api, Call};
use crate::document;
use crate::net::RetryPolicy;
use crate::sink::Body;
use crate::text::{self, Line};

/// The largest bundle that is sent, in bytes: GitHub says nothing of a limit, and takes bodies of this size elsewhere.
pub(crate) const LARGEST: usize = 10_000_000;

/// GitHub does not keep it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// There is no place for it, or the token may not write there.
    #[error("{status}: {message}")]
    Unavailable {
        /// The status: 403 or 404.
        status: StatusCode,
        /// GitHub's words.
        message: Line,
    },
    /// There is nobody to ask: why.
    #[error("{0}")]
    Impossible(&'static str),
    /// A secret is in it.
    #[error("a secret is in it")]
    Secret,
    /// A call failed.
    #[error(transparent)]
    Api(#[from] api::Error),
}

#[derive(Deserialize)]
struct Receipt {
    id: u64,
}

/// Hands a bundle over, and returns the number under which GitHub keeps it. Twice is harmless: it is kept twice.
///
/// # Errors
/// See [`Error`].
pub(crate) async fn store(api: &Api, bundle: &[u8]) -> Result<u64, Error> {
    let malformed = |error: &dyn std::fmt::Display| api::Error::Malformed {
        call: Call::StoreAttestation,
        reason: text::words(&error.to_string()),
    };
    let bundle: Value = document::read(bundle).map_err(|error| malformed(&error))?;
    let payload = bundle["dsseEnvelope"]["payload"].as_str().unwrap_or_default();
    let payload = STANDARD.decode(payload).map_err(|error| malformed(&error))?;
    let body = Body::signed(&json!({ "bundle": bundle }), &String::from_utf8_lossy(&payload)).ok_or(Error::Secret)?;
    let receipt = RetryPolicy::GITHUB_API.run(|| api.post::<Receipt>(Call::StoreAttestation, "/attestations", &body)).await;
    Ok(receipt.map_err(Error::of)?.id)
}

impl Error {
    fn of(error: api::Error) -> Self {
        match error {
            api::Error::Refused {
                status: status @ (StatusCode::FORBIDDEN | StatusCode::NOT_FOUND),
                message,
                limited: false,
                ..
            } => Self::Unavailable { status, message },
            error => Self::Api(error),
        }
    }
}
