//! One request to a registry: where it may go, who it shows itself as, how long it may stand still.

use std::time::{Duration, Instant};

use http::header::{AUTHORIZATION, HeaderMap, LOCATION};
use http::{Method, StatusCode};
use reqwest::Response;
use tokio::sync::{OnceCell, RwLock};
use url::Url;

use super::Error;
use super::challenge::Challenge;
use super::credentials::{Credentials, Origin};
use super::error::{DigestMismatch, Subject, UrlRole, clean};
use super::fault::Fault;
use super::retry::{retry, retry_when};
use super::token::Tokens;
use super::upload::Payload;
use crate::oci::Digest;
use crate::oci::reference::Repository;

/// How long a connection may take to come about.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a transfer may stand still. There is no limit on the whole: layers are large and lines are slow.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_mins(1);
/// How many redirects are followed.
const MAX_REDIRECTS: usize = 5;
/// The way to one repository.
pub(super) struct Transport {
    pub(super) repository: Repository,
    pub(super) http: reqwest::Client,
    pub(super) credentials: Credentials,
    base: OnceCell<Url>,
    pub(super) challenge: RwLock<Challenge>,
    pub(super) tokens: Tokens,
}

/// A request.
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) subject: Subject,
    pub(super) headers: HeaderMap,
    pub(super) body: Payload,
    /// What a token must allow: `repository:NAME:ACTION,…` (distribution, "Token Scope Documentation").
    pub(super) scopes: Vec<String>,
}

impl Transport {
    pub(super) fn new(repository: Repository, credentials: Credentials) -> Result<Self, Error> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("gp-deliver/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            // Each redirect is looked at here, since what may be shown there differs.
            .redirect(reqwest::redirect::Policy::none());
        if repository.is_loopback() {
            // A proxy's loopback is another machine's.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| Error::Connection {
            host: repository.registry().to_owned(),
            subject: Subject::Api,
            fault: error.into(),
        })?;
        let challenge = RwLock::new(Challenge::None);
        Ok(Self { repository, http, credentials, base: OnceCell::new(), challenge, tokens: Tokens::default() })
    }

    /// Where the credentials came from.
    pub(super) fn origin(&self) -> &Origin {
        &self.credentials.origin
    }

    /// The address of something of the repository; the registry is asked how it wants to be spoken to before the first.
    pub(super) async fn url(&self, rest: &str) -> Result<Url, Error> {
        let base = self.base().await?;
        self.parse(&format!("{base}{}/{rest}", self.repository.name()))
    }

    /// `SCHEME://HOST[:PORT]/v2/`.
    pub(super) async fn base(&self) -> Result<&Url, Error> {
        self.base.get_or_try_init(|| self.ping()).await
    }

    /// Asks for the scheme and the challenge (distribution-spec, "Determining Support").
    async fn ping(&self) -> Result<Url, Error> {
        // Docker Hub's name is not its address.
        let host = match self.repository.registry() {
            "docker.io" | "index.docker.io" => "registry-1.docker.io",
            other => other,
        };
        let secure = self.parse(&format!("https://{host}/v2/"))?;
        if !self.repository.is_loopback() {
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
        let ask = Ask::new(Method::GET, url.clone(), Subject::Api, Vec::new());
        // Where nobody listens at the very start, waiting is no help to the one who mistyped the address.
        let response = retry_when(|| self.first_answer(&ask), |error| error.is_temporary() && !error.is_refused()).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            match Challenge::from_headers(response.headers()) {
                Ok(Some(challenge)) => *self.challenge.write().await = challenge,
                Ok(None) => return Err(self.refusal(&ask, response).await),
                Err(challenge) => {
                    return Err(Error::UnknownChallenge { host: host_of(&url), challenge: clean(&challenge) });
                }
            }
        }
        Ok(url)
    }

    async fn first_answer(&self, ask: &Ask) -> Result<Response, Error> {
        let response = self.deliver(self.http.get(ask.url.clone()), ask).await?;
        match response.status() {
            StatusCode::OK | StatusCode::UNAUTHORIZED => Ok(response),
            _ => Err(self.refusal(ask, response).await),
        }
    }

    /// Sends a request, again where that may help, until the answer has one of the statuses `wanted`.
    pub(super) async fn send(&self, ask: &Ask, wanted: &[StatusCode]) -> Result<Response, Error> {
        retry(|| self.send_once(ask, wanted)).await
    }

    /// Sends a request; any other status than `wanted` is an error.
    pub(super) async fn send_once(&self, ask: &Ask, wanted: &[StatusCode]) -> Result<Response, Error> {
        let shown = Instant::now();
        let mut response = self.follow(ask).await?;
        if response.status() == StatusCode::UNAUTHORIZED && self.renew(ask, &response, shown).await {
            response = self.follow(ask).await?;
        }
        if wanted.contains(&response.status()) {
            return Ok(response);
        }
        let error = self.refusal(ask, response).await;
        if !(error.is_expired() && self.give_up_password(shown).await) {
            return Err(error);
        }
        let response = self.follow(ask).await?;
        if wanted.contains(&response.status()) { Ok(response) } else { Err(self.refusal(ask, response).await) }
    }

    async fn follow(&self, ask: &Ask) -> Result<Response, Error> {
        let mut url = ask.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let mut request = self.http.request(ask.method.clone(), url.clone()).headers(ask.headers.clone());
            // A stranger is shown nothing: what it serves is signed in its URL, or free.
            if self.is_registry(&url)
                && let Some(value) = self.authorization(&ask.scopes).await?
            {
                request = request.header(AUTHORIZATION, value);
            }
            let response = self.deliver(request, ask).await?;
            if !(response.status().is_redirection() && matches!(ask.method, Method::GET | Method::HEAD)) {
                return Ok(response);
            }
            url = self
                .location(&response, UrlRole::Redirect)?
                .ok_or_else(|| self.malformed(&ask.subject, "a redirect to nowhere"))?;
        }
        let host = self.repository.registry().to_owned();
        Err(Error::TooManyRedirects { host, subject: ask.subject.clone(), limit: MAX_REDIRECTS })
    }

    /// Sends the one request, and gives up when nothing moves.
    pub(super) async fn deliver(&self, request: reqwest::RequestBuilder, ask: &Ask) -> Result<Response, Error> {
        let failed = |fault: Fault| ask.failed(fault);
        let (request, stalled) =
            ask.body.attach(request).await.map_err(|source| Error::Local { subject: ask.subject.clone(), path: None, source })?;
        tokio::select! {
            answer = request.send() => answer.map_err(|error| failed(error.into())),
            after = stalled => Err(failed(Fault::Stalled(after))),
        }
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
        let loopback = match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        let allowed = url.scheme() == "https" || url.scheme() == "http" && loopback && self.repository.is_loopback();
        if allowed { Ok(url) } else { Err(self.forbidden(text, role)) }
    }

    fn forbidden(&self, url: &str, role: UrlRole) -> Error {
        let url = clean(url.split(['?', '#']).next().unwrap_or_default());
        Error::ForbiddenUrl { registry: self.repository.registry().to_owned(), role, url }
    }

    pub(super) fn is_registry(&self, url: &Url) -> bool {
        self.base.get().is_some_and(|base| base.origin() == url.origin())
    }

    fn parse(&self, url: &str) -> Result<Url, Error> {
        url.parse().map_err(|_| self.malformed(&Subject::Api, "its name makes no web address"))
    }

    pub(super) fn malformed(&self, subject: &Subject, reason: impl Into<String>) -> Error {
        let host = self.repository.registry().to_owned();
        Error::Malformed { host, subject: subject.clone(), reason: reason.into() }
    }

    pub(super) fn mismatch(&self, subject: &Subject, expected: Digest, actual: Digest) -> Error {
        let host = self.repository.registry().to_owned();
        Error::DigestMismatch(Box::new(DigestMismatch { host, subject: subject.clone(), expected, actual }))
    }
}

impl Ask {
    pub(super) fn new(method: Method, url: Url, subject: Subject, scopes: Vec<String>) -> Self {
        Self { method, url, subject, headers: HeaderMap::new(), body: Payload::Empty, scopes }
    }

    pub(super) fn failed(&self, fault: Fault) -> Error {
        Error::Connection { host: host_of(&self.url), subject: self.subject.clone(), fault }
    }
}

pub(super) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_sent_over_plain_http_beyond_this_machine() {
        let allowed = |registry: &str, url: &str| {
            let repository = format!("{registry}/a").parse().unwrap();
            Transport::new(repository, Credentials::anonymous()).unwrap().allowed(url, UrlRole::Realm).is_ok()
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
