//! The connection to one registry: a request goes out, an answer comes back within bounds. Nothing here knows who we are.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::LOCATION;
use reqwest::{RequestBuilder, Response};
use url::Url;

use super::credentials::Origin;
use super::error::{Answer, DigestMismatch, Error, Subject, UrlRole};
use super::patience::Patience;
use super::refusal::Refusal;
use super::request::{Request, host_of};
use crate::net::{self, Carrier, ClientBuilder, RetryPolicy, Watch};
use crate::oci::Digest;
use crate::oci::reference::Repository;
use crate::text;

/// The most that is read of a refusal or of a token, in bytes.
pub(super) const MAX_SMALL_ANSWER: u64 = 64 << 10;

/// The connection to the registry of one repository.
pub(super) struct Connection {
    pub(super) repository: Repository,
    /// Makes the requests.
    pub(super) http: reqwest::Client,
    /// Sends them.
    pub(super) carrier: Arc<dyn Carrier>,
    /// Where the credentials came from, for the words of a refusal.
    pub(super) origin: Origin,
    /// How long it is waited for.
    pub(super) patience: Patience,
}

impl Connection {
    pub(super) fn new(repository: Repository, origin: Origin, patience: Patience) -> Result<Self, Error> {
        let builder = ClientBuilder::new().timeout(RetryPolicy::REGISTRY.request_timeout);
        let builder = if repository.is_loopback() { builder.no_proxy() } else { builder };
        let http = builder.build().map_err(|error| Error::Connection {
            host: repository.registry().to_owned(),
            subject: Subject::Api,
            error: error.into(),
        })?;
        Ok(Self { repository, carrier: Arc::new(http.clone()), http, origin, patience })
    }

    /// Sends the one request, and gives up when too little moves.
    pub(super) async fn deliver(&self, builder: RequestBuilder, request: &Request) -> Result<Response, Error> {
        let answer = if request.subject == Subject::Token { self.patience.token } else { self.patience.answer };
        self.deliver_within(builder, request, answer).await
    }

    /// As [`Connection::deliver`], where there is so long for the answer to a request that has nothing to send.
    pub(super) async fn deliver_within(
        &self,
        builder: RequestBuilder,
        request: &Request,
        answer: Duration,
    ) -> Result<Response, Error> {
        let local = |source| Error::Local { subject: request.subject.clone(), path: None, source };
        let (builder, given_up) = request.body.attach(builder, &self.patience, answer).await.map_err(local)?;
        let made = builder.build().map_err(|error| request.failed(error.into()))?;
        tokio::select! {
            answer = self.carrier.carry(made) => answer.map_err(|error| request.failed(error)),
            error = given_up => Err(request.failed(error)),
        }
    }

    /// Reads an answer of at most `limit` bytes.
    pub(super) async fn read(&self, mut response: Response, request: &Request, limit: u64) -> Result<Vec<u8>, Error> {
        let (mut bytes, mut watch) = (Vec::new(), self.patience.pace.watch(limit));
        while let Some(chunk) = self.chunk(&mut response, request, &mut watch).await? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() as u64 > limit {
                return Err(Error::TooLarge { host: host_of(response.url()), subject: request.subject.clone(), limit });
            }
        }
        Ok(bytes)
    }

    /// The next bytes of an answer.
    pub(super) async fn chunk(
        &self,
        response: &mut Response,
        request: &Request,
        watch: &mut Watch,
    ) -> Result<Option<Bytes>, Error> {
        let size =
            |chunk: &Result<Option<Bytes>, _>| chunk.as_ref().map_or(0, |chunk| chunk.as_ref().map_or(0, Bytes::len)) as u64;
        match watch.next(response.chunk(), size).await {
            Ok(chunk) => chunk.map_err(|error| request.failed(error.into())),
            Err(error) => Err(request.failed(error)),
        }
    }

    /// What a refusal says.
    pub(super) async fn refusal(&self, request: &Request, response: Response) -> Error {
        let (status, host) = (response.status(), host_of(response.url()));
        let retry_after = net::retry_after(response.headers());
        // A refusal that can't be read is still a refusal.
        let body = tokio::time::timeout(self.patience.refusal, self.read(response, request, MAX_SMALL_ANSWER)).await;
        let body = body.unwrap_or(Ok(Vec::new())).unwrap_or_default();
        let (code, message) = Refusal::first(&body).shown();
        Error::Answer(Box::new(Answer {
            host,
            repository: self.repository.to_string(),
            method: request.method.clone(),
            subject: request.subject.clone(),
            status,
            code,
            message,
            retry_after,
            credentials: self.origin.clone(),
        }))
    }

    /// Where an answer points; relative to what was asked.
    pub(super) fn location(&self, response: &Response, role: UrlRole) -> Result<Option<Url>, Error> {
        let Some(value) = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()) else { return Ok(None) };
        let url = response.url().join(value).map_err(|_| self.forbidden(value, role))?;
        self.allowed(url.as_str(), role).map(Some)
    }

    /// A URL that the registry names, if anything may be sent there: HTTPS, or within this machine if the registry is.
    pub(super) fn allowed(&self, text: &str, role: UrlRole) -> Result<Url, Error> {
        let url: Url = text.parse().map_err(|_| self.forbidden(text, role))?;
        let allowed = net::is_confidential(&url) && (url.scheme() == "https" || self.repository.is_loopback());
        if allowed { Ok(url) } else { Err(self.forbidden(text, role)) }
    }

    fn forbidden(&self, url: &str, role: UrlRole) -> Error {
        let url = text::words(url.split(['?', '#']).next().unwrap_or_default());
        Error::ForbiddenUrl { registry: self.repository.registry().to_owned(), role, url }
    }

    pub(super) fn malformed(&self, subject: &Subject, reason: &str) -> Error {
        let host = self.repository.registry().to_owned();
        Error::Malformed { host, subject: subject.clone(), reason: reason.to_owned() }
    }

    pub(super) fn mismatch(&self, subject: &Subject, expected: Digest, actual: Digest) -> Error {
        let host = self.repository.registry().to_owned();
        Error::DigestMismatch(Box::new(DigestMismatch { host, subject: subject.clone(), expected, actual }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_sent_over_plain_http_beyond_this_machine() {
        let allowed = |registry: &str, url: &str| {
            let repository = format!("{registry}/a").parse().unwrap();
            Connection::new(repository, Origin::Nowhere(None), Patience::USUAL).unwrap().allowed(url, UrlRole::Realm).is_ok()
        };
        for (registry, url, expected) in [
            ("r.example", "https://auth.example/token", true),
            ("r.example", "http://auth.example/token", false),
            ("r.example", "http://r.example/token", false),
            ("r.example", "http://127.0.0.1/token", false),
            ("r.example", "file:///etc/passwd", false),
            ("127.0.0.1:5000", "http://127.0.0.1:5001/token", true),
            ("127.0.0.1:5000", "http://[::1]:5001/token", true),
            ("127.0.0.1:5000", "http://auth.example/token", false),
            ("127.0.0.1:5000", "http://127.0.0.1.example/token", false),
        ] {
            assert_eq!(allowed(registry, url), expected, "{registry} {url}");
        }
    }
}
