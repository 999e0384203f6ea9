//! The token by which a workflow run proves who it is (GitHub docs, "`OpenID` Connect reference", "Requesting the JWT using
//! environment variables").

mod claims;

use std::fmt;

use reqwest::StatusCode;
use serde::Deserialize;

pub(crate) use iam_policy::Claims;

use crate::document;
use crate::net::{self, Confidential, RetryPolicy, chain};
use crate::secret::Secret;
use crate::text::Line;
use crate::variables;

/// The most that is read of an answer, in bytes.
const MAX_ANSWER: usize = 64 << 10;

/// Where the tokens of this run come from.
#[derive(Clone)]
pub(crate) struct TokenSource {
    url: Confidential,
    bearer: Secret,
    http: reqwest::Client,
}

/// A token: a JSON Web Token for one audience, good for some five minutes.
#[derive(Clone, Debug)]
pub(crate) struct IdToken {
    /// The token.
    pub(crate) token: Secret,
    /// What it claims.
    pub(crate) claims: Claims,
}

/// There is no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The job may not ask for one: it has no `id-token: write`, or is the job of a fork's pull request.
    #[error("the variables ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN are not set")]
    NotGranted {
        /// Whether it is the job of a fork's pull request.
        fork: bool,
    },
    /// The runner's address for tokens is not valid.
    #[error("ACTIONS_ID_TOKEN_REQUEST_URL: {0}")]
    Address(String),
    /// The service refused.
    #[error("the token service answers {status}: {message}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// Its message, shortened; never the token.
        message: Line,
    },
    /// The service does not answer.
    #[error("the token service does not answer: {0}")]
    Unreachable(Line),
    /// The answer holds no token.
    #[error("the token service's answer holds no token")]
    Malformed,
}

#[derive(Deserialize)]
struct Answer {
    value: String,
}

impl TokenSource {
    /// The source that the runner names in `variable`s to a job with `id-token: write`; `fork` says whether the run is of a
    /// fork's pull request.
    ///
    /// # Errors
    /// The job may not ask for tokens, or the address is not valid.
    pub(crate) fn find(variable: impl Fn(&str) -> Option<String>, fork: bool) -> Result<Self, Error> {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        let (Some(url), Some(bearer)) =
            (set(variables::ACTIONS_ID_TOKEN_REQUEST_URL), set(variables::ACTIONS_ID_TOKEN_REQUEST_TOKEN))
        else {
            return Err(Error::NotGranted { fork });
        };
        let url = Confidential::parse(&url).map_err(|error| Error::Address(format!("{error}")))?;
        let http = url.client().timeout(RetryPolicy::TOKEN_SERVICE.request_timeout);
        let http = http.build().map_err(|error| Error::Unreachable(chain(&error)))?;
        Ok(Self { url, bearer: Secret::new(bearer), http })
    }

    /// Asks for a new token.
    ///
    /// # Errors
    /// The service refuses, or can't be reached.
    pub(crate) async fn token(&self, audience: &str) -> Result<IdToken, Error> {
        RetryPolicy::TOKEN_SERVICE.run(|| self.ask(audience)).await
    }

    async fn ask(&self, audience: &str) -> Result<IdToken, Error> {
        let mut url = self.url.url().clone();
        url.query_pairs_mut().append_pair("audience", audience);
        let request = self.http.get(url).bearer_auth(self.bearer.expose()).header("accept", "application/json");
        let unreachable = |error: reqwest::Error| Error::Unreachable(chain(&error.without_url()));
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER {
                return Err(Error::Malformed);
            }
        }
        if !status.is_success() {
            return Err(Error::Refused { status, message: document::refusal(&body) });
        }
        let token = document::read::<Answer>(&body).map_err(|_| Error::Malformed)?.value;
        let claims = claims::of_token(&token).ok_or(Error::Malformed)?;
        Ok(IdToken { token: Secret::new(token), claims })
    }
}

impl net::Failure for Error {
    fn is_temporary(&self) -> bool {
        match self {
            Self::Refused { status, .. } => net::is_temporary(*status),
            Self::Unreachable(_) => true,
            Self::NotGranted { .. } | Self::Address(_) | Self::Malformed => false,
        }
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource").field("host", &self.url.url().host_str()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_without_the_permission_has_no_source() {
        assert!(matches!(TokenSource::find(|_| None, false), Err(Error::NotGranted { fork: false })));
        assert!(matches!(TokenSource::find(|_| Some(String::new()), true), Err(Error::NotGranted { fork: true })));
    }

    #[test]
    fn a_source_does_not_show_its_bearer() {
        let source = TokenSource::find(
            |name| Some(if name.ends_with("URL") { "https://t.example/?a=b" } else { "hunter2" }.into()),
            false,
        );
        assert!(!format!("{:?}", source.unwrap()).contains("hunter2"));
    }
}
