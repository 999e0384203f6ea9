//! How the services are spoken to.

use std::sync::OnceLock;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use reqwest::Response;
use serde::de::DeserializeOwned;

use super::error::{Error, InvalidInstance};
use super::service_name::ServiceName;
use crate::document;
use crate::net::{Confidential, RetryPolicy, TransportError, retry_after};

/// The most that is read of an answer, in bytes: the log of Rekor 1 gives the statement's hash and its own proof, a timestamp
/// is some kilobytes.
const MAX_ANSWER: usize = 1 << 20;

/// One service of an instance.
#[derive(Clone, Debug)]
pub(super) struct Service {
    name: ServiceName,
    url: Confidential,
    /// Made for the first request: it reads the machine's certificates. All requests of a delivery share its connections.
    http: OnceLock<reqwest::Client>,
}

impl Service {
    /// The service at `url`.
    ///
    /// # Errors
    /// It is not an address, or others could listen on the way.
    pub(super) fn new(name: ServiceName, url: &str) -> Result<Self, InvalidInstance> {
        let url = Confidential::parse(url).map_err(|error| InvalidInstance::Address { service: name, error })?;
        Ok(Self { name, url, http: OnceLock::new() })
    }

    /// Its host, for people.
    pub(super) fn host(&self) -> String {
        self.url.url().host_str().unwrap_or_default().to_owned()
    }

    /// Sends JSON to `path` below the service's address, again where that failed in a way that passes, and reads the JSON of
    /// the answer.
    pub(super) async fn ask<A: DeserializeOwned>(&self, path: &str, question: &serde_json::Value) -> Result<A, Error> {
        let body = Bytes::from(question.to_string());
        let answer = self.post(path, ["application/json", "application/json"], &body).await?;
        document::read(&answer).map_err(|_| self.malformed("document of the form that is expected"))
    }

    /// Sends a body to `path` below the service's address, as one media type, for an answer of another.
    pub(super) async fn post(&self, path: &str, [sent, wanted]: [&str; 2], body: &Bytes) -> Result<Vec<u8>, Error> {
        let http = self.http()?;
        let mut url = self.url.url().clone();
        url.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
        RetryPolicy::SIGSTORE
            .run(|| async {
                let request = http.post(url.clone()).header(CONTENT_TYPE, sent).header(ACCEPT, wanted).body(body.clone());
                let response = request.send().await.map_err(|error| self.broken(error))?;
                self.answer(response).await
            })
            .await
    }

    fn http(&self) -> Result<&reqwest::Client, Error> {
        if let Some(http) = self.http.get() {
            return Ok(http);
        }
        let client = self.url.client().timeout(RetryPolicy::SIGSTORE.request_timeout).build();
        let client = client.map_err(|error| Error::Client(crate::net::chain(&error)))?;
        Ok(self.http.get_or_init(|| client))
    }

    async fn answer(&self, mut response: Response) -> Result<Vec<u8>, Error> {
        let (status, retry_after) = (response.status(), retry_after(response.headers()));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(error))? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER {
                return Err(self.malformed("end within what is read of it"));
            }
        }
        if status.is_success() {
            return Ok(body);
        }
        let message = document::refusal(&body);
        Err(Error::Refused { service: self.name, host: self.host(), status, message, retry_after })
    }

    /// The error for an answer that lacks something.
    pub(super) fn malformed(&self, missing: &'static str) -> Error {
        Error::Malformed { service: self.name, host: self.host(), missing }
    }

    fn broken(&self, error: reqwest::Error) -> Error {
        Error::Connection { service: self.name, host: self.host(), error: TransportError::from(error) }
    }
}
