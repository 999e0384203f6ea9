//! How the services are spoken to.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use reqwest::Response;
use serde::de::DeserializeOwned;

use super::error::{Error, InvalidInstance};
use super::service_name::ServiceName;
use crate::document;
use crate::net::{Confidential, RetryPolicy, TransportError, retry_after};
use crate::text;

/// The most that is read of an answer, in bytes: the log of Rekor 1 gives the statement's hash and its own proof, a timestamp
/// is some kilobytes.
const MAX_ANSWER: usize = 1 << 20;

/// One service of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Service {
    name: ServiceName,
    url: Confidential,
}

impl Service {
    /// The service at `url`.
    ///
    /// # Errors
    /// It is not an address, or others could listen on the way.
    pub(super) fn new(name: ServiceName, url: &str) -> Result<Self, InvalidInstance> {
        let url = Confidential::parse(url).map_err(|error| InvalidInstance::Address { service: name, error })?;
        Ok(Self { name, url })
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
        let client = self.url.client().timeout(RetryPolicy::SIGSTORE.request_timeout).build();
        let http = client.map_err(|error| Error::Client(crate::net::chain(&error)))?;
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
        let message = text::words(&words(&body));
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

/// A refusal in its own words: the `message` of its JSON, else what it begins with.
fn words(body: &[u8]) -> String {
    let message = document::read::<serde_json::Value>(body).ok();
    let message = message.and_then(|body| body.get("message")?.as_str().map(str::to_owned));
    message.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned())
}
