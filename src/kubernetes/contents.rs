//! Logins to registries, as a Secret of the type `kubernetes.io/dockerconfigjson` has them (Kubernetes documentation, "Pull an
//! Image from a Private Registry").

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::document;
use crate::secret::Secret;
use crate::text::{self, Line};

/// The type of a Secret that a kubelet takes logins from.
pub(crate) const TYPE: &str = "kubernetes.io/dockerconfigjson";
/// The label that tells whose a Secret is, and its value (Kubernetes documentation, "Recommended Labels").
pub(crate) const MANAGED_BY: [&str; 2] = ["app.kubernetes.io/managed-by", "gp-deliver"];
/// The annotation for people: until when the logins are good.
const EXPIRES: &str = "gp-deliver.dev/expires";
/// Its key in the Secret.
pub(super) const KEY: &str = ".dockerconfigjson";

/// What a Secret is to hold.
#[derive(Clone, Debug)]
pub(crate) struct Contents {
    document: Secret,
    hosts: BTreeSet<String>,
    expires: Option<Timestamp>,
}

/// A client's configuration of Docker's, as far as it names registries.
#[derive(Deserialize)]
struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, Value>,
}

impl Contents {
    /// The logins to hosts, each with a name and a password, which are good until `expires`.
    #[must_use]
    pub(crate) fn new<'a>(logins: impl IntoIterator<Item = (&'a str, &'a str, &'a Secret)>, expires: Option<Timestamp>) -> Self {
        let mut auths = BTreeMap::new();
        for (host, name, password) in logins {
            // Known to be secret in the form in which the document has it, too.
            let auth = Secret::new(STANDARD.encode(format!("{name}:{}", password.expose())));
            auths.insert(host.to_owned(), json!({ "auth": auth.expose() }));
        }
        let hosts = auths.keys().cloned().collect();
        Self { document: Secret::around(json!({ "auths": auths }).to_string()), hosts, expires }
    }

    /// What is sent to change a Secret to this, or to create it: all of `metadata` that is given, and what this says.
    pub(super) fn object(&self, metadata: &Value) -> String {
        let [label, value] = MANAGED_BY;
        let mut object = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata,
            "type": TYPE,
            "data": { KEY: STANDARD.encode(self.document.expose()) },
        });
        object["metadata"]["labels"] = json!({ label: value });
        // Null takes away what another has written there (RFC 7396).
        object["metadata"]["annotations"] =
            json!({ EXPIRES: self.expires.map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()) });
        object.to_string()
    }

    /// Whether a Secret's value is this, byte by byte.
    pub(super) fn is(&self, value: &str) -> bool {
        STANDARD.decode(value).is_ok_and(|bytes| bytes == self.document.expose().as_bytes())
    }

    /// What this would take away: the registries that a Secret's value has logins to and this has not.
    pub(super) fn lost(&self, value: &str) -> Vec<Line> {
        let config = STANDARD.decode(value).ok().and_then(|bytes| document::read::<DockerConfig>(&bytes).ok());
        let Some(config) = config else { return vec![text::words("what gp-deliver can't read")] };
        let lost = config.auths.into_keys().filter(|host| !self.hosts.contains(host));
        lost.map(|host| text::words(&host)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents() -> Contents {
        let password = Secret::new("a-password-of-ecr");
        Contents::new([("r.example", "AWS", &password)], Some("2026-11-28T21:05:00Z".parse().unwrap()))
    }

    #[test]
    fn a_kubelet_reads_the_login_that_was_written() {
        let object: Value = serde_json::from_str(&contents().object(&json!({ "resourceVersion": "7" }))).unwrap();
        assert_eq!(object["metadata"]["resourceVersion"], "7");
        assert_eq!(object["metadata"]["annotations"][EXPIRES], "2026-11-28T21:05:00Z");
        let value = object["data"][KEY].as_str().unwrap();
        assert!(contents().is(value) && contents().lost(value).is_empty());
        let config: Value = serde_json::from_slice(&STANDARD.decode(value).unwrap()).unwrap();
        let auth = STANDARD.decode(config["auths"]["r.example"]["auth"].as_str().unwrap()).unwrap();
        assert_eq!(auth, b"AWS:a-password-of-ecr");
    }

    #[test]
    fn what_would_be_lost_is_named() {
        let lost = |config: &str| contents().lost(&STANDARD.encode(config));
        assert_eq!(lost(r#"{"auths":{"r.example":{"auth":"eDp5"},"docker.io":{"auth":"eDp5"}}}"#), [text::words("docker.io")]);
        assert!(lost("{}").is_empty() && lost(r#"{"auths":{"r.example":{}}}"#).is_empty());
        assert_eq!(lost(r#"{"auths":[]}"#).len(), 1);
        assert_eq!(contents().lost("no base64").len(), 1);
    }
}
