//! Who we show ourselves as: nobody, a name and password, or the bearer of a token.

use std::time::{Duration, Instant};

use base64::Engine as _;
use http::Method;
use http::header::HeaderValue;
use reqwest::Response;
use url::Url;

use super::Error;
use super::answer::MAX_SMALL_ANSWER;
use super::challenge::Challenge;
use super::credentials::{Password, Proof};
use super::error::{Subject, UrlRole};
use super::retry::retry;
use super::token::TokenAnswer;
use super::transport::{Ask, Transport};
use crate::secret::Secret;

impl Transport {
    /// The `Authorization` for what `scopes` name, if the registry wants one and we have it.
    pub(super) async fn authorization(&self, scopes: &[String]) -> Result<Option<HeaderValue>, Error> {
        let challenge = self.challenge.read().await.clone();
        let text = match (challenge, &self.credentials.proof) {
            (Challenge::Basic, Proof::Basic { username, password }) => basic(username, password),
            (Challenge::Basic, Proof::Issued(passwords)) => {
                let Password { username, password, .. } = passwords.current().await?;
                basic(&username, &password)
            }
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
        let basic = match &self.credentials.proof {
            Proof::Basic { username, password } => Some((username.clone(), password.clone())),
            Proof::Issued(passwords) => passwords.current().await.map(|issued| Some((issued.username, issued.password)))?,
            Proof::Anonymous | Proof::IdentityToken(_) => None,
        };
        let bytes = retry(|| async {
            let request = self.token_request(&ask.url, service.as_deref(), scopes, basic.as_ref());
            let response = self.deliver(request, &ask).await?;
            if !response.status().is_success() {
                return Err(self.refusal(&ask, response).await);
            }
            self.read(response, &ask, MAX_SMALL_ANSWER).await
        });
        let bytes = bytes.await?;
        let answer: TokenAnswer =
            serde_json::from_slice(&bytes).map_err(|_| self.malformed(&Subject::Token, "not the JSON of a token"))?;
        answer.usable().ok_or_else(|| self.malformed(&Subject::Token, "an answer without a token"))
    }

    fn token_request(
        &self,
        realm: &Url,
        service: Option<&str>,
        scopes: &[String],
        basic: Option<&(String, Secret)>,
    ) -> reqwest::RequestBuilder {
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
            _ => {
                let mut url = realm.clone();
                url.query_pairs_mut().extend_pairs(service).extend_pairs(scopes.iter().map(|scope| ("scope", scope)));
                let request = self.http.get(url);
                match basic {
                    Some((username, password)) => request.basic_auth(username, Some(password.expose())),
                    None => request,
                }
            }
        }
    }

    /// Whether it makes sense to show who we are once more after a 401: what was shown at `shown` has expired, or the
    /// registry wants something only now.
    pub(super) async fn renew(&self, ask: &Ask, response: &Response, shown: Instant) -> bool {
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
        self.give_up_password(shown).await || worthwhile
    }

    /// Gives up the password that was shown at `shown`; says whether there will be another.
    pub(super) async fn give_up_password(&self, shown: Instant) -> bool {
        let Proof::Issued(passwords) = &self.credentials.proof else { return false };
        passwords.give_up(shown).await;
        true
    }
}

fn basic(username: &str, password: &Secret) -> Secret {
    let pair = format!("{username}:{}", password.expose());
    Secret::new(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)))
}
