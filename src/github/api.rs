//! GitHub's REST API, as the run's own token may use it, or a GitHub App.

mod installation;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, StatusCode};
use octocrab::Octocrab;
use serde::de::DeserializeOwned;

use self::installation::Installation;
use super::access::{Access, Credential};
use crate::net::{self, Confidential, RetryPolicy, chain};
use crate::secret::Secret;
use crate::sink::Body;
use crate::text::{self, Line};

/// A client of the API for one repository.
#[derive(Clone)]
pub(crate) struct Api {
    caller: Caller,
    repository: String,
    /// The repository's owner, where that is an organisation.
    owner: String,
    /// The repository's name, without its owner.
    name: String,
}

/// As whom it asks.
#[derive(Clone)]
enum Caller {
    /// As whoever has a token.
    Token(Octocrab),
    /// As a GitHub App.
    App(Arc<Installation>),
}

/// The way to the API's address.
struct Door {
    address: String,
    http: reqwest::Client,
}

/// A client that shows a token.
#[derive(Clone)]
struct Shown {
    octocrab: Octocrab,
    /// Which of a GitHub App's tokens it is.
    number: u64,
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
    /// Asks where a GitHub App is installed.
    FindInstallation,
    /// Asks for a token as a GitHub App.
    IssueToken,
    /// Ends that token.
    RevokeToken,
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
    /// The token is none: a line end is in it, say.
    #[error("no token has such characters")]
    Token,
    /// The GitHub App gets no token.
    #[error("{0}")]
    App(Box<Self>),
    /// The GitHub App's key does not sign.
    #[error("the GitHub App's key does not sign")]
    Unsigned,
    /// The GitHub App's token is refused before its time. The next request shows another one.
    #[error("{call}: the token is refused")]
    Outlived {
        /// What was asked.
        call: Call,
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
    /// Makes a client; `None` without a token and without a GitHub App, which is asked for a token when the first is needed.
    ///
    /// # Errors
    /// [`Error::Address`], [`Error::Token`].
    pub(crate) fn open(access: &Access) -> Result<Option<Self>, Error> {
        let Some(credential) = &access.credential else { return Ok(None) };
        let door = Door::to(&access.api)?;
        let segment = |name: &str| percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string();
        // The names that GitHub gives have nothing to encode but these.
        let segment = |name: &str| segment(name).replace("%2D", "-").replace("%2E", ".").replace("%5F", "_");
        let repository = format!("/repos/{}/{}", segment(&access.owner), segment(&access.repository));
        let owner = format!("/orgs/{}", segment(&access.owner));
        let name = access.repository.clone();
        let caller = match credential {
            Credential::Token(token) => Caller::Token(door.with(token)?),
            Credential::App(app) => Caller::App(Arc::new(Installation::new(app.clone(), door, &repository, &name))),
        };
        Ok(Some(Self { caller, repository, owner, name }))
    }

    /// Ends what a GitHub App was given for this client and its clones, once nothing more is asked. Where that fails, it ends by
    /// itself, within the hour.
    pub(crate) async fn leave(&self) {
        if let Caller::App(installation) = &self.caller {
            installation.leave().await;
        }
    }

    /// Asks for something below the repository.
    pub(super) async fn get<T: DeserializeOwned>(&self, call: Call, path: &str, query: &[(&str, &str)]) -> Result<T, Error> {
        let shown = self.caller.shown().await?;
        let answer = shown.octocrab.get(format!("{}{path}", self.repository), Some(query)).await;
        self.caller.heard(call, &shown, answer).await
    }

    /// Creates something below the repository.
    pub(super) async fn post<T: DeserializeOwned>(&self, call: Call, path: &str, body: &Body) -> Result<T, Error> {
        let shown = self.caller.shown().await?;
        let answer = shown.octocrab.post(format!("{}{path}", self.repository), Some(body)).await;
        self.caller.heard(call, &shown, answer).await
    }

    /// Creates something below the organisation that owns the repository.
    pub(super) async fn post_to_owner<T: DeserializeOwned>(&self, call: Call, path: &str, body: &Body) -> Result<T, Error> {
        let shown = self.caller.shown().await?;
        let answer = shown.octocrab.post(format!("{}{path}", self.owner), Some(body)).await;
        self.caller.heard(call, &shown, answer).await
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
        let shown = self.caller.shown().await?;
        let answer = shown.octocrab.patch(format!("{}{path}", self.repository), Some(body)).await;
        self.caller.heard(call, &shown, answer).await
    }
}

impl Caller {
    /// A client with a token that is good.
    async fn shown(&self) -> Result<Shown, Error> {
        match self {
            Self::Token(octocrab) => Ok(Shown { octocrab: octocrab.clone(), number: 0 }),
            Self::App(installation) => installation.shown().await,
        }
    }

    /// What an answer comes to.
    async fn heard<T>(&self, call: Call, shown: &Shown, answer: octocrab::Result<T>) -> Result<T, Error> {
        let error = match answer {
            Ok(content) => return Ok(content),
            Err(error) => Error::of(call, error),
        };
        if let Self::App(installation) = self
            && error.refusal() == Some(StatusCode::UNAUTHORIZED)
            && installation.is_replaced(shown.number).await
        {
            return Err(Error::Outlived { call });
        }
        Err(error)
    }
}

impl Door {
    fn to(address: &str) -> Result<Self, Error> {
        let invalid =
            |error: &(dyn std::error::Error + 'static)| Error::Address { address: address.to_owned(), reason: chain(error) };
        let confidential = Confidential::parse(address).map_err(|error| invalid(&error))?;
        // GitHub redirects what is asked of a repository that was renamed.
        let http = confidential.client().timeout(RetryPolicy::GITHUB_API.request_timeout).follow_redirects();
        let http = http.build().map_err(|error| invalid(&error))?;
        Ok(Self { address: address.trim_end_matches('/').to_owned(), http })
    }

    /// A client that shows a token.
    fn with(&self, token: &Secret) -> Result<Octocrab, Error> {
        // octocrab panics at what is no header.
        let is_token = !token.expose().is_empty() && token.expose().bytes().all(|byte| byte.is_ascii_graphic());
        if !is_token {
            return Err(Error::Token);
        }
        let invalid = |error: octocrab::Error| Error::Address { address: self.address.clone(), reason: chain(&error) };
        let builder = Octocrab::builder().base_uri(&*self.address).map_err(invalid)?;
        builder.personal_token(token.expose().to_owned()).build_with_reqwest(self.http.clone()).map_err(invalid)
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

    /// The status of a refusal that was not for a rate limit. What a GitHub App is refused before a call is none of that call.
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
            Self::Refused { limited: true, .. } | Self::Unreachable { .. } | Self::Malformed { .. } | Self::Outlived { .. } => {
                true
            }
            Self::Refused { status, .. } => net::is_temporary(*status),
            Self::App(error) => error.is_temporary(),
            Self::Address { .. } | Self::Token | Self::Unsigned => false,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { wait, .. } => *wait,
            Self::App(error) => error.retry_after(),
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
            Self::FindInstallation => "installation of the GitHub App",
            Self::IssueToken => "token of the GitHub App",
            Self::RevokeToken => "end of the GitHub App's token",
        })
    }
}
