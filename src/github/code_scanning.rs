//! Code scanning: analyses are uploaded, and their processing is awaited (GitHub docs, "REST API endpoints for code
//! scanning", "Upload an analysis as SARIF data").

use std::io::Write as _;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::api::{self, Api, Call};
use crate::net::RetryPolicy;
use crate::sink::{Body, Redacted};
use crate::text::Line;

/// The first wait before GitHub is asked whether an analysis is processed; each later one is half as long again.
const FIRST_LOOK: Duration = Duration::from_millis(500);
/// The longest wait between two looks.
const LONGEST_LOOK: Duration = Duration::from_secs(5);
/// How long processing is waited for: GitHub takes seconds, and minutes on a bad day.
const PATIENCE: Duration = Duration::from_mins(2);

/// What GitHub is to show.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Analysis<'a> {
    /// The SARIF file, as it is.
    pub(crate) sarif: &'a Redacted,
    /// The commit that was looked at.
    pub(crate) commit: &'a str,
    /// The full ref that the commit is of.
    pub(crate) reference: &'a str,
    /// When it began.
    pub(crate) started_at: Timestamp,
}

/// The state of an analysis that GitHub accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// It is shown.
    Processed,
    /// It is not processed yet.
    Pending,
}

/// GitHub does not show an analysis.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// There is no place for it: the repository has no code scanning, or the token may not write to it.
    #[error("{status}: {message}")]
    Unavailable {
        /// The status: 403 or 404.
        status: StatusCode,
        /// GitHub's words.
        message: Line,
        /// What is missing, as far as GitHub's message says.
        missing: Missing,
    },
    /// There is nothing to ask GitHub for: why.
    #[error("{0}")]
    Impossible(String),
    /// GitHub accepted it and could not process it.
    #[error("{}", .0.join("; "))]
    Rejected(Vec<String>),
    /// A call failed.
    #[error(transparent)]
    Api(#[from] api::Error),
}

/// What an upload lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// The repository has code scanning switched off.
    Feature,
    /// The token may not write security events.
    Permission,
    /// One of the two; GitHub does not say which.
    Either,
}

#[derive(Serialize)]
struct Upload<'a> {
    commit_sha: &'a str,
    #[serde(rename = "ref")]
    reference: &'a str,
    started_at: Timestamp,
}

#[derive(Deserialize)]
struct Receipt {
    id: String,
}

#[derive(Deserialize)]
struct Processing {
    processing_status: String,
    #[serde(default)]
    errors: Option<Vec<String>>,
}

/// Uploads an analysis, and waits until GitHub has processed it. Uploading twice is harmless: GitHub keeps the latest of a
/// category.
///
/// # Errors
/// See [`Error`].
pub(crate) async fn upload(api: &Api, analysis: &Analysis<'_>) -> Result<Accepted, Error> {
    let sarif = STANDARD.encode(compressed(analysis.sarif.bytes()));
    let Analysis { commit: commit_sha, reference, started_at, .. } = *analysis;
    let body = Body::of(&Upload { commit_sha, reference, started_at }).with_encoded("sarif", sarif);
    let receipt = RetryPolicy::GITHUB_API.run(|| api.post::<Receipt>(Call::UploadAnalysis, "/code-scanning/sarifs", &body)).await;
    let Receipt { id } = receipt.map_err(Error::of)?;
    follow(api, &id).await
}

async fn follow(api: &Api, id: &str) -> Result<Accepted, Error> {
    let path = format!("/code-scanning/sarifs/{}", percent_encoding::utf8_percent_encode(id, percent_encoding::CONTROLS));
    let look = || async {
        match RetryPolicy::GITHUB_API.run(|| api.get::<Processing>(Call::FollowAnalysis, &path, &[])).await {
            Ok(processing) => Ok(match &*processing.processing_status {
                "complete" => Some(Ok(Accepted::Processed)),
                "failed" => Some(Err(Error::Rejected(processing.errors.unwrap_or_default()))),
                _ => None,
            }),
            // A new analysis is not visible everywhere at once.
            Err(error) if error.refusal() == Some(StatusCode::NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    };
    let waits = ExponentialBuilder::default().with_min_delay(FIRST_LOOK).with_max_delay(LONGEST_LOOK).with_factor(1.5);
    let waits = waits.without_max_times().with_total_delay(Some(PATIENCE));
    // Pending is what a repeat is for.
    let ended = (|| async { look().await.map_err(Some)?.ok_or(None::<api::Error>) }).retry(waits).when(Option::is_none).await;
    match ended {
        Ok(ended) => ended,
        Err(None) => Ok(Accepted::Pending),
        Err(Some(error)) => Err(error.into()),
    }
}

fn compressed(sarif: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Into memory: it can't fail.
    let _ = encoder.write_all(sarif);
    encoder.finish().unwrap_or_default()
}

impl Error {
    /// Whether the repository has no code scanning, by GitHub's own words. A status alone does not say so: 404 is also what a
    /// token meets that may not see the repository.
    #[must_use]
    pub(crate) fn is_without_the_feature(&self) -> bool {
        matches!(self, Self::Unavailable { missing: Missing::Feature, .. })
    }

    fn of(error: api::Error) -> Self {
        match error {
            // The feature is there, and looks for a commit that is not: `commit not found`.
            api::Error::Refused { status: StatusCode::NOT_FOUND, ref message, .. } if message.contains("commit") => {
                Self::Api(error)
            }
            api::Error::Refused {
                status: status @ (StatusCode::FORBIDDEN | StatusCode::NOT_FOUND),
                message,
                limited: false,
                ..
            } => {
                let missing = Missing::of(status, &message);
                Self::Unavailable { status, message, missing }
            }
            error => Self::Api(error),
        }
    }
}

impl Missing {
    fn of(status: StatusCode, message: &str) -> Self {
        let message = message.to_lowercase();
        if message.contains("not accessible by") {
            Self::Permission
        } else if status == StatusCode::FORBIDDEN && message.contains("enabled") {
            Self::Feature
        } else {
            Self::Either
        }
    }
}
