//! GitHub's REST API, as the run's own token may use it.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, StatusCode};
use octocrab::Octocrab;
use serde::de::DeserializeOwned;

use super::access::Access;
use crate::net::{self, Confidential, RetryPolicy, chain};
use crate::sink::Body;
use crate::text::{self, Line};

/// A client of the API for one repository.
#[derive(Clone)]
pub(crate) struct Api {
    octocrab: Octocrab,
    repository: String,
    /// The repository's owner, where that is an organisation.
    owner: String,
    /// The repository's name, without its owner.
    name: String,
}

/// A kind of call, as messages name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// Hands an analysis over.
    UploadAnalysis,
    /// Asks what became of it.
    FollowAnalysis,
    /// Looks for check runs.
    FindCheckRun,
    /// Creates one or adds to it.
    WriteCheckRun,
    /// Asks which branches and tags may deploy to an environment.
    ReadEnvironment,
    /// Hands an attestation over.
    StoreAttestation,
    /// Notes where an image is kept.
    RecordStorage,
    /// Looks for an issue.
    FindIssue,
    /// Makes one, changes it or closes it.
    WriteIssue,
    /// Asks what a branch names.
    ReadBranch,
    /// Reads the files of a commit.
    ReadFiles,
    /// Reads the last commits of a file.
    ReadHistory,
    /// Asks which of two commits comes from the other.
    CompareCommits,
    /// Makes a commit that no branch names.
    WriteCommit,
    /// Has a branch name a commit.
    MoveBranch,
    /// Looks for a pull request, opens one, changes it or closes it.
    PullRequest,
}

/// A call failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The API's address is not valid.
    #[error("{address}: {reason}")]
    Address {
        /// What was given.
        address: String,
        /// Why it is none.
        reason: Line,
    },
    /// GitHub refused.
    #[error("{call}: {status}: {message}")]
    Refused {
        /// What was asked.
        call: Call,
        /// The status.
        status: StatusCode,
        /// GitHub's words, shortened.
        message: Line,
        /// Whether it was for a rate limit.
        limited: bool,
        /// How long GitHub asks to wait, if it says so.
        wait: Option<Duration>,
    },
    /// There is no answer.
    #[error("{call}: {reason}")]
    Unreachable {
        /// What was asked.
        call: Call,
        /// What happened to the connection.
        reason: Line,
    },
    /// The answer is not what the API's description says.
    #[error("{call}: {reason}")]
    Malformed {
        /// What was asked.
        call: Call,
        /// What is wrong with it.
        reason: Line,
    },
}

impl Api {
    /// Makes a client; `None` without a token.
    ///
    /// # Errors
    /// [`Error::Address`].
    pub(crate) fn open(access: &Access) -> Result<Option<Self>, Error> {
        let Some(token) = &access.token else { return Ok(None) };
        let invalid =
            |error: &(dyn std::error::Error + 'static)| Error::Address { address: access.api.clone(), reason: chain(error) };
        let address = Confidential::parse(&access.api).map_err(|error| invalid(&error))?;
        // GitHub redirects what is asked of a repository that was renamed.
        let http = address.client().timeout(RetryPolicy::GITHUB_API.request_timeout).follow_redirects();
        let http = http.build().map_err(|error| invalid(&error))?;
        let octocrab = Octocrab::builder()
            .base_uri(access.api.trim_end_matches('/'))
            .map_err(|error| invalid(&error))?
            .personal_token(token.expose().to_owned())
            .build_with_reqwest(http)
            .map_err(|error| invalid(&error))?;
        let segment = |name: &str| percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string();
        // The names that GitHub gives have nothing to encode but these.
        let segment = |name: &str| segment(name).replace("%2D", "-").replace("%2E", ".").replace("%5F", "_");
        let repository = format!("/repos/{}/{}", segment(&access.owner), segment(&access.repository));
        let owner = format!("/orgs/{}", segment(&access.owner));
        Ok(Some(Self { octocrab, repository, owner, name: access.repository.clone() }))
    }

    /// Asks for something below the repository.
    pub(super) async fn get<T: DeserializeOwned>(&self, call: Call, path: &str, query: &[(&str, &str)]) -> Result<T, Error> {
        let answer = self.octocrab.get(format!("{}{path}", self.repository), Some(query)).await;
        answer.map_err(|error| Error::of(call, error))
    }

    /// Creates something below the repository.
    pub(super) async fn post<T: DeserializeOwned>(&self, call: Call, path: &str, body: &Body) -> Result<T, Error> {
        let answer = self.octocrab.post(format!("{}{path}", self.repository), Some(body)).await;
        answer.map_err(|error| Error::of(call, error))
    }

    /// Creates something below the organisation that owns the repository.
    pub(super) async fn post_to_owner<T: DeserializeOwned>(&self, call: Call, path: &str, body: &Body) -> Result<T, Error> {
        let answer = self.octocrab.post(format!("{}{path}", self.owner), Some(body)).await;
        answer.map_err(|error| Error::of(call, error))
    }

    /// The name of the repository, without its owner.
    pub(super) fn repository_name(&self) -> &str {
        &self.name
    }

    /// The repository's owner.
    pub(super) fn owner_name(&self) -> &str {
        self.owner.trim_start_matches("/orgs/")
    }

    /// Changes something below the repository.
    pub(super) async fn patch<T: DeserializeOwned>(&self, call: Call, path: &str, body: &Body) -> Result<T, Error> {
        let answer = self.octocrab.patch(format!("{}{path}", self.repository), Some(body)).await;
        answer.map_err(|error| Error::of(call, error))
    }
}

impl Error {
    fn of(call: Call, error: octocrab::Error) -> Self {
        match error {
            octocrab::Error::GitHub { source, .. } => {
                let headers = source.headers.unwrap_or_default();
                let message = text::words(&source.message);
                let forbidden = matches!(source.status_code.as_u16(), 403 | 429);
                let exhausted = headers.get("x-ratelimit-remaining").is_some_and(|left| left == "0");
                let limited = forbidden
                    && (exhausted || headers.contains_key("retry-after") || message.to_lowercase().contains("rate limit"));
                let wait = wait(&headers, exhausted);
                Self::Refused { call, status: source.status_code, message, limited, wait }
            }
            error @ (octocrab::Error::Json { .. } | octocrab::Error::Serde { .. } | octocrab::Error::InvalidUtf8 { .. }) => {
                Self::Malformed { call, reason: chain(&error) }
            }
            error => Self::Unreachable { call, reason: chain(&error) },
        }
    }

    /// The status of a refusal that was not for a rate limit.
    #[must_use]
    pub(crate) fn refusal(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, limited: false, .. } => Some(*status),
            _ => None,
        }
    }
}

/// What GitHub's own advice says of waits is kept (GitHub docs, "Best practices for using the REST API", "Handle rate limit
/// errors appropriately").
impl net::Failure for Error {
    fn is_temporary(&self) -> bool {
        match self {
            // An answer that was cut short is no JSON.
            Self::Refused { limited: true, .. } | Self::Unreachable { .. } | Self::Malformed { .. } => true,
            Self::Refused { status, .. } => net::is_temporary(*status),
            Self::Address { .. } => false,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { wait, .. } => *wait,
            _ => None,
        }
    }
}

/// How long GitHub wants to be left alone: `retry-after`, else until the limit is counted anew.
fn wait(headers: &HeaderMap, exhausted: bool) -> Option<Duration> {
    let reset = || {
        let reset = headers.get("x-ratelimit-reset").filter(|_| exhausted)?.to_str().ok()?.trim().parse::<u64>().ok()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
        Some(Duration::from_secs(reset.saturating_sub(now)))
    };
    net::retry_after(headers).or_else(reset)
}

impl Call {
    /// Whether it is about the repository that a cluster is brought to.
    #[must_use]
    pub(crate) fn is_of_gitops(self) -> bool {
        matches!(
            self,
            Self::ReadBranch | Self::ReadFiles | Self::ReadHistory | Self::WriteCommit | Self::MoveBranch | Self::PullRequest
        )
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UploadAnalysis => "upload of an analysis",
            Self::FollowAnalysis => "processing of an analysis",
            Self::FindCheckRun => "search for the check run",
            Self::WriteCheckRun => "check run",
            Self::ReadEnvironment => "rules of the environment",
            Self::StoreAttestation => "attestation",
            Self::RecordStorage => "storage record",
            Self::FindIssue => "search for the issue",
            Self::WriteIssue => "issue",
            Self::ReadBranch => "branch",
            Self::ReadFiles => "files",
            Self::ReadHistory => "history of a file",
            Self::CompareCommits => "comparison of commits",
            Self::WriteCommit => "commit",
            Self::MoveBranch => "update of a branch",
            Self::PullRequest => "pull request",
        })
    }
}
