//! The file that `docker login` writes.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use serde::Deserialize;

use super::auth::{Auth, Credentials, Origin};
use super::error::Error;
use super::helper;
use crate::document;
use crate::process::{Demand, Launcher};
use crate::secret::Secret;
use crate::variables;

/// The key of Docker Hub, which is not its host (Docker's `registry.IndexServer`).
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// Where credentials are looked for.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    config: Option<PathBuf>,
    /// Starts the helpers.
    launcher: Launcher,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Config {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

impl Store {
    /// The configuration file of Docker's client, as it finds it: in `DOCKER_CONFIG`, or in `.docker` at home.
    #[must_use]
    pub(crate) fn from_env() -> Self {
        let set = |name| variables::filled(name).map(PathBuf::from);
        let folder = set(variables::DOCKER_CONFIG).or_else(|| set(variables::HOME).map(|home| home.join(".docker")));
        Self { config: folder.map(|folder| folder.join("config.json")), launcher: Launcher::of_this_process(Demand::Auto) }
    }

    /// The configuration file `config`.
    #[must_use]
    #[cfg(test)]
    pub(crate) fn at(config: impl Into<PathBuf>) -> Self {
        Self { config: Some(config.into()), launcher: Launcher::of_this_process(Demand::Auto) }
    }

    /// Starts helpers by another launcher.
    #[must_use]
    #[cfg(test)]
    pub(crate) fn with_launcher(self, launcher: Launcher) -> Self {
        Self { launcher, ..self }
    }

    /// The credentials for `registry` (`HOST[:PORT]`); a helper is asked before the file's own entries.
    ///
    /// # Errors
    /// The file is there and can't be read, or its helper fails. A file that is not there holds no credentials.
    pub(crate) async fn find(&self, registry: &str) -> Result<Credentials, Error> {
        let Some(path) = &self.config else { return Ok(Credentials::anonymous()) };
        let Some(config) = read(path)? else {
            return Ok(Credentials { auth: Auth::Anonymous, origin: Origin::Nowhere(Some(path.clone())) });
        };
        let key = if is_docker_hub(registry) { DOCKER_HUB } else { registry };
        let own = config.cred_helpers.iter().find(|(host, _)| same_host(host, registry)).map(|(_, name)| name);
        if let Some(name) = own.or(config.creds_store.as_ref()).filter(|name| !name.is_empty())
            && let Some(auth) = helper::ask(&self.launcher, name, key, path).await?
        {
            let origin = Origin::Helper { program: helper::program(name), config: path.clone() };
            return Ok(Credentials { auth, origin });
        }
        let entry = config.auths.iter().find(|(host, _)| same_host(host, registry)).map(|(_, entry)| entry);
        match entry.map(|entry| entry.auth(path)).transpose()?.flatten() {
            Some(auth) => Ok(Credentials { auth, origin: Origin::File(path.clone()) }),
            None => Ok(Credentials { auth: Auth::Anonymous, origin: Origin::Nowhere(Some(path.clone())) }),
        }
    }
}

impl Entry {
    fn auth(&self, path: &Path) -> Result<Option<Auth>, Error> {
        let present = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if let Some(token) = present(&self.identitytoken) {
            return Ok(Some(Auth::IdentityToken(Secret::new(token))));
        }
        if let Some(auth) = present(&self.auth) {
            let invalid =
                || Error::Invalid { path: path.to_owned(), reason: "an \"auth\" is not base64 of NAME:PASSWORD".into() };
            let bytes = base64::engine::general_purpose::STANDARD.decode(auth.trim()).map_err(|_| invalid())?;
            let text = String::from_utf8(bytes).map_err(|_| invalid())?;
            let (username, password) = text.split_once(':').ok_or_else(invalid)?;
            let password = Secret::new(password.trim_end_matches('\0'));
            return Ok(Some(Auth::Basic { username: username.to_owned(), password }));
        }
        let basic = present(&self.username).zip(present(&self.password));
        Ok(basic.map(|(username, password)| Auth::Basic { username, password: Secret::new(password) }))
    }
}

fn read(path: &Path) -> Result<Option<Config>, Error> {
    match std::fs::read(path) {
        // The parser's own message would quote what it read.
        Ok(bytes) => document::read(&bytes).map(Some).map_err(|error| Error::Invalid {
            path: path.to_owned(),
            reason: format!("not the JSON that docker writes (line {}, column {})", error.line, error.column),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Unreadable { path: path.to_owned(), source }),
    }
}

fn is_docker_hub(host: &str) -> bool {
    matches!(host, "docker.io" | "index.docker.io" | "registry-1.docker.io")
}

/// Whether a key of the file, which may be a whole URL, means `registry`.
fn same_host(key: &str, registry: &str) -> bool {
    let bare = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let host = bare.split('/').next().unwrap_or(bare);
    host.eq_ignore_ascii_case(registry) || is_docker_hub(host) && is_docker_hub(registry)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn find(config: &str, registry: &str) -> Result<Credentials, Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        std::fs::write(&path, config).unwrap();
        Store::at(path).find(registry).await
    }

    #[tokio::test]
    async fn an_entry_is_found_by_its_host_in_all_the_ways_docker_writes_it() {
        let auth = base64::engine::general_purpose::STANDARD.encode("ann:a:b");
        for key in ["r.example:5000", "https://r.example:5000", "https://r.example:5000/v1/", "http://R.example:5000/v2"] {
            let found = find(&format!(r#"{{"auths":{{"{key}":{{"auth":"{auth}"}}}}}}"#), "r.example:5000").await.unwrap();
            let Auth::Basic { username, password } = found.auth else { panic!("{key}: {:?}", found.auth) };
            assert_eq!((username.as_str(), password.expose()), ("ann", "a:b"));
        }
    }

    #[tokio::test]
    async fn another_hosts_entry_is_not_used() {
        for key in ["r.example", "r.example:5001", "x.r.example:5000", "https://evil/r.example:5000"] {
            let found = find(&format!(r#"{{"auths":{{"{key}":{{"auth":"YTpi"}}}}}}"#), "r.example:5000").await.unwrap();
            assert!(matches!(found.auth, Auth::Anonymous), "{key}");
        }
    }

    #[tokio::test]
    async fn docker_hub_is_found_under_its_old_address() {
        let found = find(r#"{"auths":{"https://index.docker.io/v1/":{"identitytoken":"t"}}}"#, "docker.io").await.unwrap();
        assert!(matches!(found.auth, Auth::IdentityToken(token) if token.expose() == "t"));
    }

    #[tokio::test]
    async fn an_invalid_file_is_an_error_that_does_not_quote_it() {
        for config in [r#"{"auths":{"r.example":{"auth":"hunter2-not-base64"}}}"#, r#"{"auths":"hunter2"}"#] {
            let error = find(config, "r.example").await.unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_helper_name_is_never_a_path() {
        let error = find(r#"{"credsStore":"../../bin/sh"}"#, "r.example").await.unwrap_err();
        assert!(matches!(error, Error::Helper { .. }));
    }

    #[tokio::test]
    async fn a_missing_file_means_no_credentials() {
        let found = Store::at("/nowhere/config.json").find("r.example").await.unwrap();
        assert!(matches!(found.auth, Auth::Anonymous));
    }
}
