//! The way to one repository: how the registry is spoken to, what it is shown, how its redirects are followed.

use http::header::AUTHORIZATION;
use http::{Method, StatusCode};
use reqwest::Response;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use url::Url;

use super::authorization::Authorization;
use super::challenge::Challenge;
use super::connection::Connection;
use super::credentials::Credentials;
use super::error::{Error, Subject, UrlRole};
use super::patience::Patience;
use super::request::{Request, host_of};
use crate::net::{Failure as _, RetryPolicy};
use crate::oci::reference::Repository;
use crate::text;

/// How many redirects are followed.
pub(crate) const MAX_REDIRECTS: usize = 5;

/// The way to one repository.
pub(super) struct Transport {
    pub(super) connection: Connection,
    authorization: Authorization,
    base: OnceCell<Url>,
}

impl Transport {
    pub(super) fn new(repository: Repository, credentials: Credentials, patience: Patience) -> Result<Self, Error> {
        let Credentials { auth, origin } = credentials;
        let connection = Connection::new(repository, origin, patience)?;
        Ok(Self { connection, authorization: Authorization::new(auth), base: OnceCell::new() })
    }

    /// What the registry is shown.
    pub(super) fn credentials(&self) -> Credentials {
        Credentials { auth: self.authorization.auth().clone(), origin: self.connection.origin.clone() }
    }

    #[cfg(test)]
    pub(super) fn over(
        repository: Repository,
        credentials: Credentials,
        http: reqwest::Client,
        carrier: std::sync::Arc<dyn crate::net::Carrier>,
    ) -> Self {
        let Credentials { auth, origin } = credentials;
        let connection = Connection { repository, http, carrier, origin, patience: Patience::USUAL };
        Self { connection, authorization: Authorization::new(auth), base: OnceCell::new() }
    }

    /// The address of something of the repository; the registry is asked how it wants to be spoken to before the first.
    pub(super) async fn url(&self, rest: &str) -> Result<Url, Error> {
        let base = self.base().await?;
        self.parse(&format!("{base}{}/{rest}", self.connection.repository.name()))
    }

    /// `SCHEME://HOST[:PORT]/v2/`.
    pub(super) async fn base(&self) -> Result<&Url, Error> {
        self.base.get_or_try_init(|| self.ping()).await
    }

    /// Asks for the scheme and the challenge (distribution-spec, "Determining Support").
    async fn ping(&self) -> Result<Url, Error> {
        // Docker Hub's name is not its address.
        let host = match self.connection.repository.registry() {
            "docker.io" | "index.docker.io" => "registry-1.docker.io",
            other => other,
        };
        let secure = self.parse(&format!("https://{host}/v2/"))?;
        if !self.connection.repository.is_loopback() {
            return self.ping_at(secure).await;
        }
        match self.ping_at(self.parse(&format!("http://{host}/v2/"))?).await {
            // What servers answer to plain HTTP where they speak TLS: nothing, or Go's 400.
            Err(error) if error.status() == Some(StatusCode::BAD_REQUEST) => {
                let answer = self.ping_at(secure).await;
                // A certificate that is not known says more than the 400; a registry that speaks no TLS at all, less.
                answer.map_err(|second| if second.is_untrusted() { second } else { error })
            }
            other => other,
        }
    }

    async fn ping_at(&self, url: Url) -> Result<Url, Error> {
        let request = Request::new(Method::GET, url.clone(), Subject::Api, Vec::new());
        // Where nobody listens at the very start, waiting is no help to the one who mistyped the address.
        let temporary = |error: &Error| error.is_temporary() && !error.is_refused();
        let response = RetryPolicy::REGISTRY.run_when(|| self.first_answer(&request), temporary).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            match Challenge::from_headers(response.headers()) {
                Ok(Some(challenge)) => self.authorization.learn(challenge).await,
                Ok(None) => return Err(self.connection.refusal(&request, response).await),
                Err(challenge) => {
                    return Err(Error::UnknownChallenge { host: host_of(&url), challenge: text::words(&challenge) });
                }
            }
        }
        Ok(url)
    }

    async fn first_answer(&self, request: &Request) -> Result<Response, Error> {
        let response = self.connection.deliver(self.connection.http.get(request.url.clone()), request).await?;
        match response.status() {
            StatusCode::OK | StatusCode::UNAUTHORIZED => Ok(response),
            _ => Err(self.connection.refusal(request, response).await),
        }
    }

    /// Sends a request, repeating temporary failures, until the answer has one of the statuses `wanted`.
    pub(super) async fn send(&self, request: &Request, wanted: &[StatusCode]) -> Result<Response, Error> {
        RetryPolicy::REGISTRY.run(|| self.send_once(request, wanted)).await
    }

    /// Sends a request; any other status than `wanted` is an error.
    pub(super) async fn send_once(&self, request: &Request, wanted: &[StatusCode]) -> Result<Response, Error> {
        let shown = Instant::now();
        let mut response = self.follow(request).await?;
        // Only the registry itself may ask for credentials, not a host that it redirects to.
        if response.status() == StatusCode::UNAUTHORIZED
            && self.is_registry(response.url())
            && self.authorization.renew(response.headers(), &request.scopes, shown).await
        {
            response = self.follow(request).await?;
        }
        if wanted.contains(&response.status()) {
            return Ok(response);
        }
        let error = self.connection.refusal(request, response).await;
        if !(error.is_expired() && self.authorization.give_up_password(shown).await) {
            return Err(error);
        }
        let response = self.follow(request).await?;
        if wanted.contains(&response.status()) { Ok(response) } else { Err(self.connection.refusal(request, response).await) }
    }

    /// The answer to a request, or to what it is redirected to. Redirects buy no time; what it takes to know who we are has a
    /// limit of its own.
    async fn follow(&self, request: &Request) -> Result<Response, Error> {
        let (mut url, mut left) = (request.url.clone(), self.connection.patience.answer);
        for _ in 0..=MAX_REDIRECTS {
            let mut builder = self.connection.http.request(request.method.clone(), url.clone()).headers(request.headers.clone());
            // Another host gets no credentials: what it serves is signed in its URL, or free.
            if self.is_registry(&url)
                && let Some(value) = self.authorization.header(&self.connection, &request.scopes).await?
            {
                builder = builder.header(AUTHORIZATION, value);
            }
            let asked = Instant::now();
            let response = self.connection.deliver_within(builder, request, left).await?;
            if !(response.status().is_redirection() && matches!(request.method, Method::GET | Method::HEAD)) {
                return Ok(response);
            }
            left = left.saturating_sub(asked.elapsed());
            let next = self.connection.location(&response, UrlRole::Redirect)?;
            url = next.ok_or_else(|| self.connection.malformed(&request.subject, "a redirect to nowhere"))?;
        }
        let host = self.connection.repository.registry().to_owned();
        Err(Error::TooManyRedirects { host, subject: request.subject.clone(), limit: MAX_REDIRECTS })
    }

    fn is_registry(&self, url: &Url) -> bool {
        self.base.get().is_some_and(|base| base.origin() == url.origin())
    }

    fn parse(&self, url: &str) -> Result<Url, Error> {
        url.parse().map_err(|_| self.connection.malformed(&Subject::Api, "its name does not make a web address"))
    }
}
