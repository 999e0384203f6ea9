//! What Docker's client is told by its configuration (`config.json` and the contexts beside it): which engine, by which
//! certificates, and which proxies steps have.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::proxies::Proxies;
use crate::document;
use crate::oci::Digest;

/// The name of the context that is none: the client goes by its variables, or to the usual socket.
const DEFAULT_CONTEXT: &str = "default";

/// The configuration of Docker's client.
#[derive(Debug, Default)]
pub(super) struct ClientConfig {
    folder: PathBuf,
    current_context: String,
    /// The proxies of build steps.
    pub(super) proxies: Proxies,
}

/// What is read of `config.json`.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Document {
    current_context: String,
    proxies: Proxies,
}

/// What is read of a context's `meta.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Meta {
    endpoints: BTreeMap<String, Endpoint>,
}

#[derive(Deserialize)]
#[serde(default, rename_all = "PascalCase")]
#[derive(Default)]
struct Endpoint {
    host: String,
    #[serde(rename = "SkipTLSVerify")]
    skip_tls_verify: bool,
}

/// Where a context leads.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ContextTarget {
    /// The engine's address as it is written there.
    pub(super) host: String,
    /// The folder with its certificates, if it has some.
    pub(super) certificates: Option<PathBuf>,
}

/// What is wrong with the configuration: the value, and what was expected.
pub(super) type Fault = (String, String);

impl ClientConfig {
    /// Reads the configuration in `folder`; what is not there says nothing.
    ///
    /// # Errors
    /// It is there and can't be read.
    pub(super) fn read(folder: PathBuf) -> Result<Self, Fault> {
        let path = folder.join("config.json");
        let Document { current_context, proxies } = match std::fs::read(&path) {
            Ok(bytes) => parse(&path, &bytes)?,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Document::default(),
            Err(error) => {
                return Err((path.display().to_string(), format!("the configuration of Docker's client can't be read: {error}")));
            }
        };
        Ok(Self { folder, current_context, proxies })
    }

    /// Where it is.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The context that counts, if one does: `chosen` by the environment, else the current one.
    pub(super) fn context(&self, chosen: Option<&str>) -> Option<String> {
        let name = chosen.filter(|name| !name.is_empty()).unwrap_or(&self.current_context);
        (!name.is_empty() && name != DEFAULT_CONTEXT).then(|| name.to_owned())
    }

    /// Where the context `name` leads (docker/cli, `cli/context/store`).
    ///
    /// # Errors
    /// There is none of that name, or it can't be followed.
    pub(super) fn target(&self, name: &str) -> Result<ContextTarget, Fault> {
        let fault = |expected: String| (name.to_owned(), expected);
        let id = Digest::of(name.as_bytes()).hex();
        let path = self.folder.join("contexts/meta").join(&id).join("meta.json");
        let bytes = std::fs::read(&path).map_err(|error| {
            fault(format!("this is the current Docker context, and it can't be read: {}: {error}", path.display()))
        })?;
        let mut meta: Meta = parse(&path, &bytes)?;
        let endpoint = meta.endpoints.remove("docker").filter(|endpoint| !endpoint.host.is_empty());
        let endpoint = endpoint.ok_or_else(|| fault("this is the current Docker context, and it names no engine".to_owned()))?;
        if endpoint.skip_tls_verify {
            let expected = "this is the current Docker context, and it turns off the check of the engine's certificate: \
                            gp-deliver speaks TLS to none but an engine that it can check; give the context its ca.pem";
            return Err(fault(expected.to_owned()));
        }
        let certificates = self.folder.join("contexts/tls").join(&id).join("docker");
        Ok(ContextTarget { host: endpoint.host, certificates: certificates.is_dir().then_some(certificates) })
    }
}

fn parse<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, Fault> {
    document::read(bytes).map_err(|error| {
        let expected = format!("the JSON that docker writes is expected (line {}, column {})", error.line, error.column);
        (path.display().to_string(), expected)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    fn meta(name: &str) -> String {
        format!("contexts/meta/{}/meta.json", Digest::of(name.as_bytes()).hex())
    }

    #[test]
    fn the_context_of_the_environment_counts_before_the_current_one() {
        let folder = folder(&[("config.json", r#"{"currentContext":"colima"}"#)]);
        let config = ClientConfig::read(folder.path().to_owned()).unwrap();
        assert_eq!(config.context(None).as_deref(), Some("colima"));
        assert_eq!(config.context(Some("")).as_deref(), Some("colima"));
        assert_eq!(config.context(Some("other")).as_deref(), Some("other"));
        assert_eq!(config.context(Some("default")), None);
        assert_eq!(ClientConfig::read("/nowhere".into()).unwrap().context(None), None);
    }

    #[test]
    fn a_context_leads_to_its_engine_with_its_certificates() {
        let tls = format!("contexts/tls/{}/docker/ca.pem", Digest::of(b"a").hex());
        let folder = folder(&[
            (&meta("a"), r#"{"Name":"a","Metadata":{},"Endpoints":{"docker":{"Host":"tcp://h:2376","SkipTLSVerify":false}}}"#),
            (&tls, "x"),
            (&meta("b"), r#"{"Name":"b","Endpoints":{"docker":{"Host":"unix:///b.sock"}}}"#),
            (&meta("c"), r#"{"Name":"c","Endpoints":{}}"#),
            (&meta("d"), r#"{"Name":"d","Endpoints":{"docker":{"Host":"tcp://h:2376","SkipTLSVerify":true}}}"#),
        ]);
        let config = ClientConfig::read(folder.path().to_owned()).unwrap();
        let a = config.target("a").unwrap();
        assert_eq!(
            (a.host.as_str(), a.certificates),
            ("tcp://h:2376", Some(folder.path().join(tls).parent().unwrap().to_owned()))
        );
        assert_eq!(config.target("b").unwrap(), ContextTarget { host: "unix:///b.sock".to_owned(), certificates: None });
        for name in ["c", "d", "missing", "../../a"] {
            assert_eq!(config.target(name).unwrap_err().0, name);
        }
    }

    #[test]
    fn an_unreadable_configuration_is_an_error_that_does_not_quote_it() {
        let folder = folder(&[("config.json", r#"{"auths": {"r": {"auth": "hunter2"}}, "proxies": "hunter2"}"#)]);
        let (value, expected) = ClientConfig::read(folder.path().to_owned()).unwrap_err();
        assert!(value.ends_with("config.json") && !expected.contains("hunter2"), "{value} {expected}");
    }
}
