//! The proxies that Docker's client gives to build steps (`proxies` in `config.json`;
//! <https://docs.docker.com/engine/cli/proxy/>).

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Deserializer};

use crate::secret::Secret;
use crate::variables;

/// The key of those for engines that have none of their own.
const DEFAULT: &str = "default";

/// The proxies of each engine, by its address.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Proxies(BTreeMap<String, Proxy>);

/// The proxies for one engine. An address may hold a password.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Proxy {
    #[serde(rename = "httpProxy", deserialize_with = "secret")]
    http: Option<Secret>,
    #[serde(rename = "httpsProxy", deserialize_with = "secret")]
    https: Option<Secret>,
    #[serde(rename = "noProxy", deserialize_with = "secret")]
    no: Option<Secret>,
    #[serde(rename = "ftpProxy", deserialize_with = "secret")]
    ftp: Option<Secret>,
    #[serde(rename = "allProxy", deserialize_with = "secret")]
    all: Option<Secret>,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.is_empty()).map(Secret::around))
}

impl Proxies {
    /// The build arguments for a build on `engine`: each in capitals and in lower case, but for those that are `given` in
    /// either, of which a builder would take one by chance.
    #[must_use]
    pub(crate) fn arguments(&self, engine: &str, given: &[(String, String)]) -> Vec<(String, String)> {
        let Some(proxy) = self.0.get(engine).or_else(|| self.0.get(DEFAULT)) else { return Vec::new() };
        let set = proxy.set().into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        let both =
            set.flat_map(|(name, value)| [name.to_owned(), name.to_lowercase()].map(|name| (name, value.expose().to_owned())));
        both.filter(|(name, _)| !given.iter().any(|(other, _)| other.eq_ignore_ascii_case(name))).collect()
    }

    /// What must not be shown of them: the credentials in their addresses, as they are written and as they are meant.
    #[must_use]
    pub(crate) fn credentials(&self) -> Vec<Secret> {
        let addresses = self.0.values().flat_map(Proxy::set).filter_map(|(_, value)| value.as_ref());
        let found: BTreeSet<String> = addresses.flat_map(|address| credentials(address.expose())).collect();
        found.into_iter().map(Secret::new).collect()
    }
}

impl Proxy {
    fn set(&self) -> [(&'static str, &Option<Secret>); 5] {
        [
            (variables::HTTP_PROXY, &self.http),
            (variables::HTTPS_PROXY, &self.https),
            (variables::NO_PROXY, &self.no),
            ("FTP_PROXY", &self.ftp),
            (variables::ALL_PROXY, &self.all),
        ]
    }
}

/// The user's name with the password, and the password, of `http://NAME:PASSWORD@HOST`.
fn credentials(address: &str) -> Vec<String> {
    let bare = address.split_once("://").map_or(address, |(_, rest)| rest);
    let authority = bare.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((user, _)) = authority.rsplit_once('@') else { return Vec::new() };
    let password = user.split_once(':').map_or(user, |(_, password)| password);
    let meant = percent_decode_str(password).decode_utf8_lossy().into_owned();
    [user.to_owned(), password.to_owned(), meant].into_iter().filter(|text| !text.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(json: &str) -> Proxies {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn an_engines_own_proxies_count_before_the_default_ones() {
        let proxies = proxies(r#"{"default":{"httpProxy":"http://a"},"tcp://h:1":{"httpsProxy":"http://b","noProxy":""}}"#);
        let names = |engine: &str, given: &[(String, String)]| {
            proxies.arguments(engine, given).into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
        };
        assert_eq!(names("unix:///var/run/docker.sock", &[]), ["HTTP_PROXY=http://a", "http_proxy=http://a"]);
        assert_eq!(names("tcp://h:1", &[]), ["HTTPS_PROXY=http://b", "https_proxy=http://b"]);
        let given = [("http_proxy".to_owned(), String::new())];
        assert!(names("x", &given).is_empty());
    }

    #[test]
    fn the_credentials_of_an_address_are_known_as_they_are_written_and_meant() {
        let proxies =
            proxies(r#"{"default":{"httpProxy":"http://ann:s%40cret%2F@p.example:3128/x","httpsProxy":"http://p.example"}}"#);
        let known: Vec<_> = proxies.credentials().iter().map(|secret| secret.expose().to_owned()).collect();
        assert_eq!(known, ["ann:s%40cret%2F", "s%40cret%2F", "s@cret/"]);
        assert!(!format!("{proxies:?}").contains("40cret"));
    }
}
