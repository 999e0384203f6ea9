//! The cache of GitHub Actions, as the runner names it to a job.

use std::fmt;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;

use crate::net::{Confidential, chain};
use crate::secret::Secret;
use crate::text::{self, Line};
use crate::variables;

/// How long it may take to say anything.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is asked of it (`actions/toolkit`, `packages/cache/src/generated/results/api/v1/cache.twirp-client.ts`).
const LOOK_UP: &str = "twirp/github.actions.results.api.v1.CacheService/GetCacheEntryDownloadURL";

/// The service, and the run's token for it: it reads what runs of this ref and of the default branch have left there, and writes
/// for this ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ActionsCache {
    /// Its address.
    pub(crate) url: Confidential,
    /// The token.
    pub(crate) token: Secret,
}

impl ActionsCache {
    /// The one that the runner names in `variable`s. A token goes to no address that others can listen to on the way.
    pub(crate) fn find(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        let (url, token) = (set(variables::ACTIONS_RESULTS_URL)?, set(variables::ACTIONS_RUNTIME_TOKEN)?);
        Confidential::parse(&url).ok().map(|url| Self { url, token: Secret::new(token) })
    }

    /// Asks for an entry that nobody has, to see whether it answers. A builder waits for one that does not for many minutes, and
    /// can't be made to stop.
    ///
    /// # Errors
    /// It does not serve this run.
    pub(crate) async fn look(&self) -> Result<(), Unserved> {
        let url = self.url.url().join(LOOK_UP).map_err(|_| Unserved::Address)?;
        let silent = |error: reqwest::Error| {
            if error.is_timeout() { Unserved::Silent } else { Unserved::Unreachable(chain(&error.without_url())) }
        };
        let http = self.url.client().timeout(Some(PATIENCE)).build().map_err(silent)?;
        let asked = json!({"key": "gp-deliver", "restore_keys": [], "version": "0"}).to_string();
        let request = http.post(url).bearer_auth(self.token.expose()).header("content-type", "application/json").body(asked);
        let status = request.send().await.map_err(silent)?.status();
        // Where too much is asked at once it is at work all the same. An entry that is not there is no error.
        let is_served = status.is_success() || status == StatusCode::TOO_MANY_REQUESTS;
        if is_served { Ok(()) } else { Err(Unserved::Refused(status)) }
    }
}

/// Why it does not serve this run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unserved {
    /// Its address is none.
    Address,
    /// It says nothing.
    Silent,
    /// Nobody is there.
    Unreachable(Line),
    /// It says no.
    Refused(StatusCode),
}

impl fmt::Display for Unserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => f.write_str("its address is not valid"),
            Self::Silent => write!(f, "it said nothing for {}", text::span(PATIENCE)),
            Self::Unreachable(why) => write!(f, "it can't be reached: {why}"),
            Self::Refused(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => f.write_str("it does not take the run's token"),
            Self::Refused(status) => write!(f, "it answers {status}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_for_an_address_that_nobody_listens_to_and_for_no_other() {
        let find = |url: &str, token: &str| {
            let (url, token) = (url.to_owned(), token.to_owned());
            ActionsCache::find(move |name| Some(if name == "ACTIONS_RESULTS_URL" { &url } else { &token }.clone()))
        };
        let url = "https://results-receiver.actions.githubusercontent.com/";
        assert_eq!(find(url, "a-token").unwrap().url.url().as_str(), url);
        assert_eq!((find(url, ""), find("", "a-token"), find("http://results.example/", "a-token")), (None, None, None));
    }
}
