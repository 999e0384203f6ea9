//! The proxies that the usual variables name, as curl and all others read them. They may hold a password, so the libraries are
//! given them: they are not in the environment of this process.

use crate::variables;

/// The proxies, and who is spoken to without one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Proxies {
    http: Option<String>,
    https: Option<String>,
    without: String,
}

impl Proxies {
    /// Those that the environment names.
    pub(crate) fn from_environment() -> Self {
        Self::find(variables::text)
    }

    /// Those that `variable`s name, in capitals or in small letters. What is set to nothing is no proxy.
    fn find(variable: impl Fn(&str) -> Option<String>) -> Self {
        let either = |name: &str| variable(name).or_else(|| variable(&name.to_lowercase()));
        let address = |name: &str| either(name).filter(|address| !address.is_empty()).map(with_scheme);
        let all = address(variables::ALL_PROXY);
        Self {
            http: address(variables::HTTP_PROXY).or_else(|| all.clone()),
            https: address(variables::HTTPS_PROXY).or(all),
            without: either(variables::NO_PROXY).unwrap_or_default(),
        }
    }

    /// The proxy for `https` addresses.
    pub(crate) fn https(&self) -> Option<&str> {
        self.https.as_deref()
    }

    /// The hosts that are spoken to without one, as `NO_PROXY` has them.
    pub(crate) fn without(&self) -> &str {
        &self.without
    }

    /// All of them for reqwest. An address that is none is left out.
    pub(super) fn of_reqwest(&self) -> impl Iterator<Item = reqwest::Proxy> {
        let http = self.http.as_ref().and_then(|address| reqwest::Proxy::http(address).ok());
        let https = self.https.as_ref().and_then(|address| reqwest::Proxy::https(address).ok());
        let without = reqwest::NoProxy::from_string(&self.without);
        http.into_iter().chain(https).map(move |proxy| proxy.no_proxy(without.clone()))
    }
}

/// An address without a scheme is one of HTTP.
fn with_scheme(address: String) -> String {
    if address.contains("://") { address } else { format!("http://{address}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> Proxies {
        let value = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Proxies::find(value)
    }

    #[test]
    fn the_usual_variables_name_the_proxies() {
        for (variables, http, https) in [
            (&[][..], None, None),
            (&[("HTTPS_PROXY", "http://p:1")], None, Some("http://p:1")),
            (&[("https_proxy", "p:1")], None, Some("http://p:1")),
            (&[("HTTPS_PROXY", "http://p:1"), ("https_proxy", "http://q:1")], None, Some("http://p:1")),
            (&[("ALL_PROXY", "http://u:w@p:1")], Some("http://u:w@p:1"), Some("http://u:w@p:1")),
            (&[("ALL_PROXY", "http://p:1"), ("HTTP_PROXY", "http://q:1")], Some("http://q:1"), Some("http://p:1")),
            (&[("HTTPS_PROXY", "")], None, None),
        ] {
            let found = found(variables);
            assert_eq!((found.http.as_deref(), found.https.as_deref()), (http, https), "{variables:?}");
        }
        assert_eq!(found(&[("no_proxy", "a,b")]).without(), "a,b");
    }

    #[test]
    fn an_address_that_is_none_is_left_out() {
        assert_eq!(found(&[("ALL_PROXY", "http://p:1")]).of_reqwest().count(), 2);
        assert_eq!(found(&[("ALL_PROXY", "http://")]).of_reqwest().count(), 0);
    }
}
