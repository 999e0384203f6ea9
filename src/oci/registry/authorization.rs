//! Authorization: anonymous, by name and password, or by a bearer token.

use std::time::Duration;

use base64::Engine as _;
use http::Method;
use http::header::{HeaderMap, HeaderValue};
use tokio::sync::RwLock;
use tokio::time::Instant;
use url::Url;

use super::challenge::Challenge;
use super::connection::{Connection, MAX_SMALL_ANSWER};
use super::credentials::{Auth, Password};
use super::error::{Error, Subject, UrlRole};
use super::request::Request;
use super::token::{TokenAnswer, Tokens};
use crate::document;
use crate::net::RetryPolicy;
use crate::secret::Secret;

/// What is shown to the registry, and what it wants to be shown.
pub(super) struct Authorization {
    auth: Auth,
    challenge: RwLock<Challenge>,
    tokens: Tokens,
}

impl Authorization {
    pub(super) fn new(auth: Auth) -> Self {
        Self { auth, challenge: RwLock::new(Challenge::None), tokens: Tokens::default() }
    }

    /// The credentials.
    pub(super) fn auth(&self) -> &Auth {
        &self.auth
    }

    /// Takes note of what the registry wants to be shown.
    pub(super) async fn learn(&self, challenge: Challenge) {
        *self.challenge.write().await = challenge;
    }

    /// The `Authorization` for `scopes`, if the registry wants one and there are credentials.
    pub(super) async fn header(&self, connection: &Connection, scopes: &[String]) -> Result<Option<HeaderValue>, Error> {
        let challenge = self.challenge.read().await.clone();
        let text = match (challenge, &self.auth) {
            (Challenge::Basic, Auth::Basic { username, password }) => basic(username, password),
            (Challenge::Basic, Auth::Issued(passwords)) => {
                let Password { username, password, .. } = passwords.current().await?;
                basic(&username, &password)
            }
            (Challenge::None | Challenge::Basic, _) => return Ok(None),
            (Challenge::Bearer { realm, service }, _) => {
                let realm = connection.allowed(&realm, UrlRole::Realm)?;
                let token = self.tokens.get_or_fetch(scopes, self.fetch_token(connection, realm, service, scopes)).await?;
                Secret::around(format!("Bearer {}", token.expose()))
            }
        };
        let mut value = HeaderValue::from_str(text.expose())
            .map_err(|_| connection.malformed(&Subject::Token, "a token that no header can hold"))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    async fn fetch_token(
        &self,
        connection: &Connection,
        realm: Url,
        service: Option<String>,
        scopes: &[String],
    ) -> Result<(Secret, Duration), Error> {
        let request = Request::new(Method::GET, realm, Subject::Token, Vec::new());
        let basic = match &self.auth {
            Auth::Basic { username, password } => Some((username.clone(), password.clone())),
            Auth::Issued(passwords) => passwords.current().await.map(|issued| Some((issued.username, issued.password)))?,
            Auth::Anonymous | Auth::IdentityToken(_) => None,
        };
        let bytes = RetryPolicy::REGISTRY.run(|| async {
            let builder = self.token_request(&connection.http, &request.url, service.as_deref(), scopes, basic.as_ref());
            let response = connection.deliver(builder, &request).await?;
            if !response.status().is_success() {
                return Err(connection.refusal(&request, response).await);
            }
            connection.read(response, &request, MAX_SMALL_ANSWER).await
        });
        let bytes = bytes.await?;
        let answer: TokenAnswer =
            document::read(&bytes).map_err(|_| connection.malformed(&Subject::Token, "not the JSON of a token"))?;
        answer.usable().ok_or_else(|| connection.malformed(&Subject::Token, "an answer without a token"))
    }

    fn token_request(
        &self,
        http: &reqwest::Client,
        realm: &Url,
        service: Option<&str>,
        scopes: &[String],
        basic: Option<&(String, Secret)>,
    ) -> reqwest::RequestBuilder {
        let service = service.map(|service| ("service", service));
        match &self.auth {
            Auth::IdentityToken(token) => {
                let scope = scopes.join(" ");
                let fields = [("grant_type", "refresh_token"), ("client_id", "gp-deliver"), ("refresh_token", token.expose())];
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                form.extend_pairs(fields).extend_pairs(service).append_pair("scope", &scope);
                let builder = http.post(realm.clone()).header("content-type", "application/x-www-form-urlencoded");
                builder.body(form.finish())
            }
            _ => {
                let mut url = realm.clone();
                url.query_pairs_mut().extend_pairs(service).extend_pairs(scopes.iter().map(|scope| ("scope", scope)));
                let builder = http.get(url);
                match basic {
                    Some((username, password)) => builder.basic_auth(username, Some(password.expose())),
                    None => builder,
                }
            }
        }
    }

    /// Whether it makes sense to send credentials once more after the registry's 401 with these `headers`: what was shown at
    /// `shown` has expired, or the registry wants something only now.
    pub(super) async fn renew(&self, headers: &HeaderMap, scopes: &[String], shown: Instant) -> bool {
        let Ok(Some(challenge)) = Challenge::from_headers(headers) else { return false };
        let mut current = self.challenge.write().await;
        let worthwhile = *current != challenge || matches!(challenge, Challenge::Bearer { .. });
        *current = challenge;
        drop(current);
        self.tokens.forget(scopes).await;
        self.give_up_password(shown).await || worthwhile
    }

    /// Discards the password that was shown at `shown`; returns whether there can be another.
    pub(super) async fn give_up_password(&self, shown: Instant) -> bool {
        let Auth::Issued(passwords) = &self.auth else { return false };
        passwords.give_up(shown).await;
        true
    }
}

fn basic(username: &str, password: &Secret) -> Secret {
    let pair = format!("{username}:{}", password.expose());
    Secret::around(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)))
}
