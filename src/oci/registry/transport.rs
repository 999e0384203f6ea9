//! One request to a registry: where it may go, who it shows itself as, how long it may stand still.

use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use http::{Method, StatusCode};
use reqwest::Response;
use serde::Deserialize;
use tokio::sync::{OnceCell, RwLock};
use url::Url;

use super::Error;
use super::challenge::Challenge;
use super::credentials::{Credentials, Origin, Proof};
use super::error::{Answer, Fault, Subject, UrlRole, clean};
use super::retry::{retry, retry_when};
use super::token::{TokenAnswer, Tokens};
use super::upload::Payload;
use crate::oci::reference::Repository;
use crate::secret::Secret;

/// How long a connection may take to come about.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a transfer may stand still. There is no limit on the whole: layers are large and lines are slow.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_mins(1);
/// How many redirects are followed.
const MAX_REDIRECTS: usize = 5;
/// The most that is read of a refusal or of a token, in bytes.
const MAX_SMALL_ANSWER: u64 = 64 << 10;

/// The way to one repository.
pub(super) struct Transport {
    pub(super) repository: Repository,
    http: reqwest::Client,
    credentials: Credentials,
    base: OnceCell<Url>,
    challenge: RwLock<Challenge>,
    tokens: Tokens,
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

#[derive(Deserialize)]
struct Refusals {
    errors: Vec<Refusal>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    code: Option<String>,
    message: Option<String>,
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
            method: Method::GET,
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
            Err(error) if error.status() == Some(StatusCode::BAD_REQUEST) => self.ping_at(secure).await.map_err(|_| error),
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
        let mut response = self.follow(ask).await?;
        if response.status() == StatusCode::UNAUTHORIZED && self.renew(ask, &response).await {
            response = self.follow(ask).await?;
        }
        if wanted.contains(&response.status()) { Ok(response) } else { Err(self.refusal(ask, response).await) }
    }

    /// Whether it makes sense to show who we are once more: the token has expired, or the registry wants one only now.
    async fn renew(&self, ask: &Ask, response: &Response) -> bool {
        let Ok(Some(challenge)) = Challenge::from_headers(response.headers()) else { return false };
        // Only the registry decides how it is spoken to, not a place that it redirects to.
        if !self.is_registry(response.url()) {
            return false;
        }
        let mut current = self.challenge.write().await;
        let worthwhile = *current != challenge || matches!(challenge, Challenge::Bearer { .. });
        *current = challenge;
        drop(current);
        self.tokens.forget(&ask.scopes).await;
        worthwhile
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
    async fn deliver(&self, request: reqwest::RequestBuilder, ask: &Ask) -> Result<Response, Error> {
        let failed = |fault: Fault| self.failed(ask, fault);
        let (request, stalled) = ask.body.attach(request).await.map_err(|source| self.local(&ask.subject, source))?;
        tokio::select! {
            answer = request.send() => answer.map_err(|error| failed(error.into())),
            after = stalled => Err(failed(Fault::Stalled(after))),
        }
    }

    async fn authorization(&self, scopes: &[String]) -> Result<Option<HeaderValue>, Error> {
        let challenge = self.challenge.read().await.clone();
        let text = match (challenge, &self.credentials.proof) {
            (Challenge::Basic, Proof::Basic { username, password }) => basic(username, password),
            (Challenge::None | Challenge::Basic, _) => return Ok(None),
            (Challenge::Bearer { realm, service }, _) => {
                let realm = self.allowed(&realm, UrlRole::Realm)?;
                let token = self.tokens.get_or_fetch(scopes, self.fetch_token(realm, service, scopes)).await?;
                Secret::new(format!("Bearer {}", token.expose()))
            }
        };
        let mut value = HeaderValue::from_str(text.expose())
            .map_err(|_| self.malformed(&Subject::Token, "a token that no header can hold"))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    async fn fetch_token(&self, realm: Url, service: Option<String>, scopes: &[String]) -> Result<(Secret, Duration), Error> {
        let ask = Ask::new(Method::GET, realm, Subject::Token, Vec::new());
        let response = retry(|| async {
            let response = self.deliver(self.token_request(&ask.url, service.as_deref(), scopes), &ask).await?;
            if response.status().is_success() { Ok(response) } else { Err(self.refusal(&ask, response).await) }
        });
        let bytes = self.read(response.await?, &ask, MAX_SMALL_ANSWER).await?;
        let answer: TokenAnswer =
            serde_json::from_slice(&bytes).map_err(|_| self.malformed(&Subject::Token, "not the JSON of a token"))?;
        answer.usable().ok_or_else(|| self.malformed(&Subject::Token, "an answer without a token"))
    }

    fn token_request(&self, realm: &Url, service: Option<&str>, scopes: &[String]) -> reqwest::RequestBuilder {
        let service = service.map(|service| ("service", service));
        match &self.credentials.proof {
            Proof::IdentityToken(token) => {
                let scope = scopes.join(" ");
                let fields = [("grant_type", "refresh_token"), ("client_id", "gp-deliver"), ("refresh_token", token.expose())];
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                form.extend_pairs(fields).extend_pairs(service).append_pair("scope", &scope);
                let request = self.http.post(realm.clone()).header("content-type", "application/x-www-form-urlencoded");
                request.body(form.finish())
            }
            proof => {
                let mut url = realm.clone();
                url.query_pairs_mut().extend_pairs(service).extend_pairs(scopes.iter().map(|scope| ("scope", scope)));
                let request = self.http.get(url);
                match proof {
                    Proof::Basic { username, password } => request.basic_auth(username, Some(password.expose())),
                    _ => request,
                }
            }
        }
    }

    /// Where an answer points; relative to what was asked.
    pub(super) fn location(&self, response: &Response, role: UrlRole) -> Result<Option<Url>, Error> {
        let Some(value) = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()) else { return Ok(None) };
        let url = response.url().join(value).map_err(|_| self.forbidden(value, role))?;
        self.allowed(url.as_str(), role).map(Some)
    }

    /// A URL that the registry names, if anything may be sent there: HTTPS, or within this machine if the registry is.
    fn allowed(&self, text: &str, role: UrlRole) -> Result<Url, Error> {
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

    fn is_registry(&self, url: &Url) -> bool {
        self.base.get().is_some_and(|base| base.origin() == url.origin())
    }

    fn parse(&self, url: &str) -> Result<Url, Error> {
        url.parse().map_err(|_| self.malformed(&Subject::Api, "its name makes no web address"))
    }

    /// Reads an answer of at most `limit` bytes.
    pub(super) async fn read(&self, mut response: Response, ask: &Ask, limit: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk(&mut response, ask).await? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() as u64 > limit {
                return Err(Error::TooLarge { host: host_of(response.url()), subject: ask.subject.clone(), limit });
            }
        }
        Ok(bytes)
    }

    /// The next bytes of an answer.
    pub(super) async fn chunk(&self, response: &mut Response, ask: &Ask) -> Result<Option<Bytes>, Error> {
        match tokio::time::timeout(IDLE_TIMEOUT, response.chunk()).await {
            Ok(chunk) => chunk.map_err(|error| self.failed(ask, error.into())),
            Err(_) => Err(self.failed(ask, Fault::Stalled(IDLE_TIMEOUT))),
        }
    }

    /// What a refusal says.
    pub(super) async fn refusal(&self, ask: &Ask, response: Response) -> Error {
        let (status, host) = (response.status(), host_of(response.url()));
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| wait(value.to_str().ok()?));
        // A refusal that can't be read is still a refusal.
        let body = self.read(response, ask, MAX_SMALL_ANSWER).await.unwrap_or_default();
        let first = serde_json::from_slice::<Refusals>(&body).ok().and_then(|refusals| refusals.errors.into_iter().next());
        let said = |text: Option<String>| text.map(|text| clean(&text)).filter(|text| !text.is_empty());
        let Refusal { code, message } = first.unwrap_or_default();
        Error::Answer(Box::new(Answer {
            host,
            repository: self.repository.to_string(),
            method: ask.method.clone(),
            subject: ask.subject.clone(),
            status,
            code: said(code),
            message: said(message),
            retry_after,
            credentials: self.credentials.origin.clone(),
        }))
    }

    pub(super) fn malformed(&self, subject: &Subject, reason: impl Into<String>) -> Error {
        let host = self.repository.registry().to_owned();
        Error::Malformed { host, subject: subject.clone(), reason: reason.into() }
    }

    fn local(&self, subject: &Subject, source: std::io::Error) -> Error {
        Error::Local { subject: subject.clone(), path: None, source }
    }

    fn failed(&self, ask: &Ask, fault: Fault) -> Error {
        Error::Connection { host: host_of(&ask.url), method: ask.method.clone(), subject: ask.subject.clone(), fault }
    }
}

impl Ask {
    pub(super) fn new(method: Method, url: Url, subject: Subject, scopes: Vec<String>) -> Self {
        Self { method, url, subject, headers: HeaderMap::new(), body: Payload::Empty, scopes }
    }
}

fn basic(username: &str, password: &Secret) -> Secret {
    let pair = format!("{username}:{}", password.expose());
    Secret::new(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)))
}

fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Seconds, or a date (RFC 9110, section 10.2.3).
fn wait(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(value).ok()?;
    Some(Duration::try_from(date.timestamp().duration_since(jiff::Timestamp::now())).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_says_in_seconds_or_by_a_date_when_to_come_back() {
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert!(wait("Wed, 21 Oct 2099 07:28:00 GMT").unwrap() > Duration::from_hours(24));
        assert_eq!(wait("soon"), None);
    }

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
