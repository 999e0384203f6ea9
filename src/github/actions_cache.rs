//! The cache of GitHub Actions, as the runner names it to a job.

use crate::net::Confidential;
use crate::secret::Secret;
use crate::variables;

/// The service, and the run's token for it: it reads what runs of this ref and of the default branch have left there, and writes
/// for this ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ActionsCache {
    /// Its address.
    pub(crate) url: String,
    /// The token.
    pub(crate) token: Secret,
}

impl ActionsCache {
    /// The one that the runner names in `variable`s. A token goes to no address that others can listen to on the way.
    pub(crate) fn find(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        let (url, token) = (set(variables::ACTIONS_RESULTS_URL)?, set(variables::ACTIONS_RUNTIME_TOKEN)?);
        Confidential::parse(&url).is_ok().then(|| Self { url, token: Secret::new(token) })
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
        assert_eq!(find(url, "a-token").unwrap().url, url);
        assert_eq!((find(url, ""), find("", "a-token"), find("http://results.example/", "a-token")), (None, None, None));
    }
}
