//! The issuer of id tokens, as GitHub's.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::content::Answer;
use super::job::Job;
use super::refusal::{answer, of_github};
use super::secrets::{Secrets, random_text};
use super::signing_key::SigningKey;

/// The address that GitHub's tokens carry.
pub const GITHUB: &str = "https://token.actions.githubusercontent.com";

/// An issuer.
pub struct Issuer {
    /// Its address, which tokens carry as `iss`.
    pub address: String,
    pub job: Job,
    /// How many seconds its clock is ahead.
    pub ahead: i64,
    /// How many seconds a token is valid.
    pub lifetime: i64,
    /// Whether a key signs that nobody published.
    pub forged: bool,
    /// The key of a private Sigstore's issuer, where it is that one.
    pub sigstore: Option<Arc<SigningKey>>,
    /// What its service wants to be shown.
    pub request_token: String,
}

impl Issuer {
    /// Its address without scheme, as AWS names it.
    pub fn provider(&self) -> &str {
        without_scheme(&self.address)
    }

    /// What its job finds in its environment, where the service has this address: `HOST:PORT`.
    pub fn variables(&self, address: &str) -> Vec<(String, String)> {
        let job = &self.job;
        let pairs = [
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_REPOSITORY", job.full_name()),
            ("GITHUB_REPOSITORY_ID", job.repository_id.clone()),
            ("GITHUB_REPOSITORY_OWNER", job.owner.clone()),
            ("GITHUB_REPOSITORY_OWNER_ID", job.owner_id.clone()),
            ("GITHUB_REF", job.reference.clone()),
            ("GITHUB_EVENT_NAME", job.event.clone()),
            ("GITHUB_RUN_ID", "1602018110".to_owned()),
            ("GITHUB_SERVER_URL", "https://github.com".to_owned()),
            ("ACTIONS_ID_TOKEN_REQUEST_URL", format!("http://{address}/id-token?api-version=2.0")),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", self.request_token.clone()),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }

    /// The key that signs.
    fn key(&self) -> &SigningKey {
        let [github, _, forged] = SigningKey::of_github();
        if self.forged { forged } else { self.sigstore.as_deref().unwrap_or(github) }
    }

    /// The published keys (RFC 7517).
    pub fn jwks(&self) -> Value {
        let [github, beside, _] = SigningKey::of_github();
        let keys = match &self.sigstore {
            Some(key) => vec![key.published()],
            None => vec![github.published(), beside.published()],
        };
        json!({"keys": keys})
    }

    /// Answers `GET /id-token?audience=…`.
    pub fn id_token(&self, head: &hyper::http::request::Parts, secrets: &Secrets) -> Answer {
        let shown = head.headers.get("authorization").and_then(|value| value.to_str().ok());
        if shown != Some(&format!("Bearer {}", self.request_token)) {
            return of_github(401, "The token is not valid for this job.");
        }
        if head.method != "GET" {
            return of_github(405, "The requested resource does not support this method.");
        }
        let query = head.uri.query().unwrap_or_default();
        let parameter = |name: &str| {
            let found = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name);
            found.map(|(_, value)| value.into_owned()).filter(|value| !value.is_empty())
        };
        if parameter("api-version").is_none() {
            return of_github(400, "No api-version was supplied for the GET request.");
        }
        let audience = parameter("audience").unwrap_or_else(|| format!("https://github.com/{}", self.job.owner));
        let token = secrets.keep(self.token(&audience));
        let body = json!({"count": 1, "value": token}).to_string();
        answer(200, "application/json; charset=utf-8; api-version=2.0", body)
    }

    /// Answers what verifiers fetch (`OpenID` Connect Discovery 1.0).
    pub fn discovery(&self, path: &str, host: &str) -> Answer {
        match path {
            "/.well-known/openid-configuration" => {
                let configuration = json!({
                    "issuer": self.address,
                    "jwks_uri": format!("http://{host}/.well-known/jwks"),
                    "subject_types_supported": ["public", "pairwise"],
                    "response_types_supported": ["id_token"],
                    "claims_supported": self.job.claims().keys().collect::<Vec<_>>(),
                    "id_token_signing_alg_values_supported": ["RS256"],
                    "scopes_supported": ["openid"],
                });
                answer(200, "application/json", configuration.to_string())
            }
            "/.well-known/jwks" => answer(200, "application/json", self.jwks().to_string()),
            _ => of_github(404, "Not found."),
        }
    }

    /// A token for someone.
    pub fn token(&self, audience: &str) -> String {
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap() + self.ahead;
        let mut claims = self.job.claims();
        let own = json!({
            "iss": self.address, "aud": audience, "jti": super::refusal::request_id(),
            "iat": now, "nbf": now - 600, "exp": now + self.lifetime,
        });
        for (name, value) in own.as_object().unwrap() {
            claims.entry(name).or_insert(value.clone());
        }
        // A forger names a key that is known.
        let header = json!({"typ": "JWT", "alg": "RS256", "kid": self.jwks()["keys"][0]["kid"], "x5t": random_text(20)});
        let parts = [header, Value::Object(claims)].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = parts.join(".");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(self.key().sign(&signed)))
    }
}

/// An issuer as AWS names it.
pub fn without_scheme(issuer: &str) -> &str {
    issuer.split_once("://").map_or(issuer, |(_, rest)| rest)
}
