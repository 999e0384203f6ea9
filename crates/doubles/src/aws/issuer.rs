//! The issuer of id tokens, as GitHub's.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::content::Answer;
use super::job::Job;
use super::refusal::{answer, of_github};
use super::secrets::{Secrets, random_text};

/// The address that GitHub's tokens carry.
pub const GITHUB: &str = "https://token.actions.githubusercontent.com";
/// The key that signs, one that is published beside it, and one that nobody published.
const KEYS: [&str; 3] = ["cc413527-173f-5a05-976e-9c52b1d7b431", "38826b17-6a30-5f9b-b169-8beb8202f723", "forged"];

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
    /// What its service wants to be shown.
    pub request_token: String,
}

impl Issuer {
    /// Its address without scheme, as AWS names it.
    pub fn provider(&self) -> &str {
        self.address.trim_start_matches("https://")
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
            "/.well-known/jwks" => answer(200, "application/json", jwks().to_string()),
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
        let key = if self.forged { 2 } else { 0 };
        // A forger names a key that is known.
        let header = json!({"typ": "JWT", "alg": "RS256", "kid": KEYS[0], "x5t": random_text(20)});
        let parts = [header, Value::Object(claims)].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = parts.join(".");
        let key = &keys()[key];
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The published keys (RFC 7517).
pub fn jwks() -> Value {
    let keys = keys().iter().zip(KEYS).take(2).map(|(key, id)| {
        let public = key.public_key();
        json!({
            "kty": "RSA", "alg": "RS256", "use": "sig", "kid": id,
            "n": URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero()),
            "e": URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero()),
        })
    });
    json!({"keys": keys.collect::<Vec<_>>()})
}

/// All worlds of a process share them: making one takes long.
fn keys() -> &'static [RsaKeyPair; 3] {
    static KEYS: OnceLock<[RsaKeyPair; 3]> = OnceLock::new();
    KEYS.get_or_init(|| std::array::from_fn(|_| RsaKeyPair::generate(KeySize::Rsa2048).unwrap()))
}
