//! GitHub's REST API, as the run's own token may use it.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use backon::{ExponentialBuilder, Retryable as _};
use http::{HeaderMap, StatusCode};
use octocrab::Octocrab;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Access;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a call may take: an analysis of 10 MB goes up a slow line.
const TIMEOUT: Duration = Duration::from_mins(1);
/// How often a call is repeated that failed in a way that passes.
const REPEATS: usize = 4;
/// The wait before the first repeat; each further one is twice as long, and up to as much again is added by chance.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// Where GitHub wants to be left alone for longer than this, the call fails.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// The most characters of GitHub's words that are kept.
const WORDS: usize = 500;

/// A client of the API for one repository.
#[derive(Clone)]
pub struct Api {
    octocrab: Octocrab,
    repository: String,
}

/// What is asked of the API, as a person would say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Hands an analysis over.
    UploadAnalysis,
    /// Asks what became of it.
    FollowAnalysis,
    /// Looks for check runs.
    FindCheckRun,
    /// Creates one or adds to it.
    WriteCheckRun,
}

/// A call did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address of the API is none.
    #[error("{address}: {reason}")]
    Address {
        /// What was given.
        address: String,
        /// Why it is none.
        reason: String,
    },
    /// GitHub says no.
    #[error("{call}: {status}: {message}")]
    Refused {
        /// What was asked.
        call: Call,
        /// The status.
        status: StatusCode,
        /// GitHub's words, shortened.
        message: String,
        /// Whether too much was asked in too short a time.
        limited: bool,
        /// For how long GitHub wants to be left alone, where it says so.
        wait: Option<Duration>,
    },
    /// There is no answer.
    #[error("{call}: {reason}")]
    Unreachable {
        /// What was asked.
        call: Call,
        /// What happened to the connection.
        reason: String,
    },
    /// The answer is not what the API's description says.
    #[error("{call}: {reason}")]
    Malformed {
        /// What was asked.
        call: Call,
        /// What is wrong with it.
        reason: String,
    },
}

impl Api {
    /// A client; none without a token.
    ///
    /// # Errors
    /// [`Error::Address`].
    pub fn open(access: &Access) -> Result<Option<Self>, Error> {
        let Some(token) = &access.token else { return Ok(None) };
        let invalid = |reason: String| Error::Address { address: access.api.clone(), reason };
        let http = reqwest::Client::builder().connect_timeout(CONNECT).timeout(TIMEOUT);
        let http = http.build().map_err(|error| invalid(error.to_string()))?;
        let octocrab = Octocrab::builder()
            .base_uri(access.api.trim_end_matches('/'))
            .map_err(|error| invalid(chain(&error)))?
            .personal_token(token.expose().to_owned())
            .build_with_reqwest(http)
            .map_err(|error| invalid(chain(&error)))?;
        let segment = |name: &str| percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string();
        // The names that GitHub gives have nothing to encode but these.
        let segment = |name: &str| segment(name).replace("%2D", "-").replace("%2E", ".").replace("%5F", "_");
        let repository = format!("/repos/{}/{}", segment(&access.owner), segment(&access.repository));
        Ok(Some(Self { octocrab, repository }))
    }

    /// Asks for something below the repository.
    pub(super) async fn get<T: DeserializeOwned>(&self, call: Call, path: &str, query: &[(&str, &str)]) -> Result<T, Error> {
        let answer = self.octocrab.get(format!("{}{path}", self.repository), Some(query)).await;
        answer.map_err(|error| Error::of(call, error))
    }

    /// Creates something below the repository.
    pub(super) async fn post<T: DeserializeOwned>(&self, call: Call, path: &str, body: &impl Serialize) -> Result<T, Error> {
        let answer = self.octocrab.post(format!("{}{path}", self.repository), Some(body)).await;
        answer.map_err(|error| Error::of(call, error))
    }

    /// Changes something below the repository.
    pub(super) async fn patch<T: DeserializeOwned>(&self, call: Call, path: &str, body: &impl Serialize) -> Result<T, Error> {
        let answer = self.octocrab.patch(format!("{}{path}", self.repository), Some(body)).await;
        answer.map_err(|error| Error::of(call, error))
    }
}

/// Does again what failed in a way that passes, and honours the wait that GitHub asks for (GitHub docs, "Best practices for
/// using the REST API", "Handle rate limit errors appropriately"). All that goes through here can be done twice.
pub(super) async fn retry<T, F: Future<Output = Result<T, Error>>>(attempt: impl FnMut() -> F) -> Result<T, Error> {
    let waits = ExponentialBuilder::default().with_min_delay(FIRST_WAIT).with_jitter().with_max_times(REPEATS);
    attempt
        .retry(waits)
        .when(|error| error.is_temporary() && error.wait().is_none_or(|wait| wait <= LONGEST_WAIT))
        .adjust(|error, wait| wait.map(|wait| error.wait().unwrap_or(wait)))
        .notify(|error, wait| tracing::debug!(%error, ?wait, "the call is repeated"))
        .await
}

impl Error {
    fn of(call: Call, error: octocrab::Error) -> Self {
        match error {
            octocrab::Error::GitHub { source, .. } => {
                let headers = source.headers.unwrap_or_default();
                let message = words(&source.message);
                let forbidden = matches!(source.status_code.as_u16(), 403 | 429);
                let exhausted = headers.get("x-ratelimit-remaining").is_some_and(|left| left == "0");
                let limited = forbidden
                    && (exhausted || headers.contains_key("retry-after") || message.to_lowercase().contains("rate limit"));
                let wait = wait(&headers, exhausted);
                Self::Refused { call, status: source.status_code, message, limited, wait }
            }
            error @ (octocrab::Error::Json { .. } | octocrab::Error::Serde { .. } | octocrab::Error::InvalidUtf8 { .. }) => {
                Self::Malformed { call, reason: words(&chain(&error)) }
            }
            error => Self::Unreachable { call, reason: words(&chain(&error)) },
        }
    }

    /// The status that refused, if one did and it was not for asking too much.
    #[must_use]
    pub fn refusal(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, limited: false, .. } => Some(*status),
            _ => None,
        }
    }

    fn is_temporary(&self) -> bool {
        match self {
            // An answer that was cut short is no JSON.
            Self::Refused { limited: true, .. } | Self::Unreachable { .. } | Self::Malformed { .. } => true,
            Self::Refused { status, .. } => matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504),
            Self::Address { .. } => false,
        }
    }

    fn wait(&self) -> Option<Duration> {
        match self {
            Self::Refused { wait, .. } => *wait,
            _ => None,
        }
    }
}

/// How long GitHub wants to be left alone: `retry-after` in seconds, else until the limit is counted anew.
fn wait(headers: &HeaderMap, exhausted: bool) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let reset = || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
        number("x-ratelimit-reset").filter(|_| exhausted).map(|reset| reset.saturating_sub(now))
    };
    number("retry-after").or_else(reset).map(Duration::from_secs)
}

/// An error with what is beneath it, without the traces that octocrab's own words have.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let words: Vec<_> = causes.map(|cause| cause.to_string().lines().next().unwrap_or_default().to_owned()).collect();
    words.join(": ")
}

/// Somebody's words in one line; of a page, that it is one.
fn words(text: &str) -> String {
    if text.trim_start().starts_with('<') {
        return "a page of HTML".to_owned();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(WORDS).collect()
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UploadAnalysis => "upload of an analysis",
            Self::FollowAnalysis => "processing of an analysis",
            Self::FindCheckRun => "search for the check run",
            Self::WriteCheckRun => "check run",
        })
    }
}
