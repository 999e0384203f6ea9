//! How the API server is spoken to.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use url::Url;
use zeroize::Zeroizing;

use super::error::{Error, Verb};
use super::name::Place;
use super::service_account::ServiceAccount;
use crate::document;
use crate::net::{ClientBuilder, RetryPolicy, TransportError, chain, retry_after};
use crate::secret::Secret;
use crate::variables;

/// The most that is read of an answer, in bytes: a Secret has at most 1 MiB, before base64 (Kubernetes documentation,
/// "Secrets").
const MAX_ANSWER: usize = 4 << 20;

/// A merge patch (RFC 7396): what it does not name stays as it is.
const PATCH: &str = "application/merge-patch+json";
const JSON: &str = "application/json";

/// The API server of a cluster, as one of its pods knows it: over https alone, past any proxy, believed by the cluster's own
/// authority and no other, and never followed elsewhere.
pub(crate) struct Server {
    url: Url,
    http: reqwest::Client,
    account: ServiceAccount,
}

impl Server {
    /// The one that `variable`s name to each pod (Kubernetes documentation, "Accessing the Kubernetes API from a Pod").
    ///
    /// # Errors
    /// This is not a pod, or it has no service account's files.
    pub(crate) fn of_this_pod(variable: impl Fn(&str) -> Option<String>, account: ServiceAccount) -> Result<Self, Error> {
        let set = |name| variable(name).filter(|value| !value.is_empty()).ok_or(Error::NoCluster(name));
        let url = address(&set(variables::KUBERNETES_SERVICE_HOST)?, &set(variables::KUBERNETES_SERVICE_PORT)?)?;
        let authorities = account.authorities()?;
        let client = ClientBuilder::new().no_proxy().timeout(RetryPolicy::KUBERNETES.request_timeout);
        let client = client.trust_only(authorities.as_bytes()).ok_or_else(|| account.unfit("ca.crt", "a certificate"))?;
        let http = client.build().map_err(|error| Error::Client(chain(&error)))?;
        Ok(Self { url, http, account })
    }

    /// Asks for something about a Secret, again where that failed in a way that passes, and gives the answer.
    ///
    /// # Errors
    /// The API server refuses, can't be reached, or answers without end.
    pub(super) async fn ask(&self, verb: Verb, place: &Place, object: Option<&Secret>) -> Result<Zeroizing<Vec<u8>>, Error> {
        RetryPolicy::KUBERNETES
            .run(|| async {
                let token = self.account.token()?;
                let answer = self.send(verb, place, object, &token).await;
                match answer {
                    // The kubelet may have written another meanwhile.
                    Err(error) if error.is_of_identity() => {
                        let newer = self.account.token()?;
                        if newer == token { Err(error) } else { self.send(verb, place, object, &newer).await }
                    }
                    answer => answer,
                }
            })
            .await
    }

    async fn send(
        &self,
        verb: Verb,
        place: &Place,
        object: Option<&Secret>,
        token: &Secret,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let url = self.address_of(verb, place);
        let (request, sent) = match verb {
            Verb::Get => (self.http.get(url), JSON),
            Verb::Patch => (self.http.patch(url), PATCH),
            Verb::Create => (self.http.post(url), JSON),
        };
        let request = request.bearer_auth(token.expose()).header(ACCEPT, JSON);
        let request = match object {
            Some(object) => request.header(CONTENT_TYPE, sent).body(Bytes::copy_from_slice(object.expose().as_bytes())),
            None => request,
        };
        let mut response = request.send().await.map_err(|error| self.broken(error))?;
        let (status, retry_after) = (response.status(), retry_after(response.headers()));
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(error))? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER {
                return Err(Error::Malformed { verb, place: place.clone() });
            }
        }
        if status.is_success() {
            return Ok(body);
        }
        Err(Error::Refused { verb, place: place.clone(), status, message: document::refusal(&body), retry_after })
    }

    /// Where a request goes. What the API server does not know of an object is an error to it, not passed over.
    fn address_of(&self, verb: Verb, place: &Place) -> Url {
        let name = if verb == Verb::Create { String::new() } else { format!("/{}", place.name.as_str()) };
        let mut url = self.url.clone();
        // Nothing in a name means anything in a path.
        url.set_path(&format!("/api/v1/namespaces/{}/secrets{name}", place.namespace.as_str()));
        if verb != Verb::Get {
            url.set_query(Some("fieldManager=gp-deliver&fieldValidation=Strict"));
        }
        url
    }

    fn broken(&self, error: reqwest::Error) -> Error {
        let host = self.url.host_str().unwrap_or_default();
        let host = self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        Error::Connection { host, error: TransportError::from(error) }
    }
}

/// An address of https, of these two and of nothing else that may be written in them.
fn address(host: &str, port: &str) -> Result<Url, Error> {
    let invalid = || Error::Address(format!("{host}:{port}"));
    let number: u16 = port.parse().map_err(|_| invalid())?;
    let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
    let url: Url = format!("https://{host}:{number}/").parse().map_err(|_| invalid())?;
    let is_whole = url.host_str() == Some(&*host) && url.path() == "/" && url.username().is_empty() && url.password().is_none();
    let ends = url.query().is_none() && url.fragment().is_none();
    if is_whole && ends && url.port_or_known_default() == Some(number) { Ok(url) } else { Err(invalid()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variables_name_a_host_and_a_port_and_nothing_else() {
        for (host, port, url) in [
            ("10.96.0.1", "443", "https://10.96.0.1/"),
            ("10.96.0.1", "6443", "https://10.96.0.1:6443/"),
            ("fd00::1", "443", "https://[fd00::1]/"),
            ("[fd00::1]", "443", "https://[fd00::1]/"),
            ("kubernetes.default.svc", "443", "https://kubernetes.default.svc/"),
        ] {
            assert_eq!(address(host, port).unwrap().as_str(), url);
        }
        for (host, port) in [
            ("h.example/x", "443"),
            ("me@h.example", "443"),
            ("h.example#", "443"),
            ("h.example?", "443"),
            ("h.example", "443/x"),
            ("h.example", ""),
            ("h.example", "70000"),
            ("http://h.example", "80"),
            (" ", "443"),
        ] {
            assert!(address(host, port).is_err(), "{host} {port}");
        }
    }
}
