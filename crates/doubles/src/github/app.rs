//! A GitHub App: its keys, its installation in a repository, and the tokens that it is given for that.

use std::fmt::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hyper::http::request::Parts;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use rand::distr::{Alphanumeric, SampleString as _};
use serde_json::{Map, Value, json};

use super::checks::Base;
use super::content::{Answer, full};
use super::issue::user;
use super::refusal::{Refusal, answer};
use super::repository::Repository;

/// So many bytes of PKCS#8 stand before the key itself, of one of 2048 bits (RFC 5208, RFC 8017).
const BEFORE_THE_KEY: usize = 26;

/// An App, and how it is installed in the repository that it is given to.
#[derive(Clone, Debug)]
pub struct App {
    number: u64,
    permissions: Vec<String>,
    installed: bool,
    suspended: bool,
    has_keys: bool,
    /// How many seconds GitHub's clock is ahead.
    ahead: i64,
    /// How many seconds a token lives.
    lifetime: i64,
}

/// A token that an App was given.
#[derive(Clone, Debug)]
pub struct AppToken {
    /// The token.
    pub text: String,
    /// The names of the repositories that it is for; none where it is for all of the installation.
    pub repositories: Option<Vec<String>>,
    /// What it permits: `contents: write`.
    pub permissions: Vec<String>,
    /// Whether somebody has ended it.
    pub revoked: bool,
    /// When it ends by itself, by GitHub's clock.
    until: i64,
}

impl Default for App {
    fn default() -> Self {
        Self::new()
    }
}

impl App {
    /// One that is installed, and may write files and pull requests, and more.
    pub fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        Self {
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
            permissions: ["contents: write", "pull-requests: write", "issues: write", "metadata: read"]
                .map(str::to_owned)
                .to_vec(),
            installed: true,
            suspended: false,
            has_keys: true,
            ahead: 0,
            lifetime: 3600,
        }
    }

    /// What the owner of the repository has granted.
    pub fn permissions(mut self, permissions: &[&str]) -> Self {
        self.permissions = permissions.iter().map(|&permission| permission.to_owned()).collect();
        self
    }

    /// It is installed elsewhere.
    pub fn elsewhere(mut self) -> Self {
        self.installed = false;
        self
    }

    /// The owner of the repository has suspended it.
    pub fn suspended(mut self) -> Self {
        self.suspended = true;
        self
    }

    /// All its keys are deleted.
    pub fn without_keys(mut self) -> Self {
        self.has_keys = false;
        self
    }

    /// GitHub's clock is so many seconds ahead.
    pub fn ahead(mut self, seconds: i64) -> Self {
        self.ahead = seconds;
        self
    }

    /// Its tokens live so many seconds.
    pub fn lifetime(mut self, seconds: i64) -> Self {
        self.lifetime = seconds;
        self
    }

    /// Its App ID.
    pub fn id(&self) -> String {
        (290_000 + self.number).to_string()
    }

    /// Its client ID.
    pub fn client_id(&self) -> String {
        format!("Iv23liAbCdEfGhIjK{:03}", self.number)
    }

    /// The number of its installation.
    pub fn installation(&self) -> u64 {
        27_000_000 + self.number
    }

    /// Its private key, as GitHub gives it.
    pub fn key(&self) -> String {
        pem("RSA PRIVATE KEY", &pkcs8(0)[BEFORE_THE_KEY..])
    }

    /// The same as other programs write it.
    pub fn pkcs8_key(&self) -> String {
        pem("PRIVATE KEY", &pkcs8(0))
    }

    /// A key of another App.
    pub fn wrong_key(&self) -> String {
        pem("RSA PRIVATE KEY", &pkcs8(1)[BEFORE_THE_KEY..])
    }

    /// An assertion with these claims, signed by its key.
    pub fn signed(&self, claims: &Value) -> String {
        let parts = [&json!({"alg": "RS256", "typ": "JWT"}), claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = parts.join(".");
        let [pair, _] = keys();
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn now(&self) -> i64 {
        i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap() + self.ahead
    }

    fn grants(&self, name: &str, level: &str) -> bool {
        let given = |level: &str| self.permissions.iter().any(|given| *given == format!("{name}: {level}"));
        given(level) || (level == "read" && given("write"))
    }

    /// That an assertion is this App's, now.
    fn admit(&self, head: &Parts) -> Result<(), Refusal> {
        let no_token = || Refusal::new(401, "A JSON web token could not be decoded");
        let authorization = head.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (scheme, token) = authorization.split_once(' ').unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(no_token());
        }
        let claimed: Map<String, Value> = jsonwebtoken::dangerous::insecure_decode_claims(token).map_err(|_| no_token())?;
        let issuer = match claimed.get("iss") {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => return Err(Refusal::new(401, "Missing 'issuer' claim ('iss') in assertion")),
        };
        if issuer != self.id() && issuer != self.client_id() {
            return Err(Refusal::new(404, "Integration not found"));
        }
        if !self.has_keys {
            return Err(Refusal::new(401, "Integration must generate a public key"));
        }
        let mut validation = Validation::new(Algorithm::RS256);
        validation.required_spec_claims.clear();
        (validation.validate_exp, validation.validate_aud) = (false, false);
        let claims = decode::<Map<String, Value>>(token, &public_key(), &validation).map_err(|_| no_token())?.claims;
        self.in_time(&claims)
    }

    fn in_time(&self, claims: &Map<String, Value>) -> Result<(), Refusal> {
        let (now, time) = (self.now(), |name: &str| claims.get(name).and_then(Value::as_i64));
        if time("exp").is_none_or(|end| end <= now) {
            return Err(Refusal::new(
                401,
                "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
            ));
        }
        if time("exp").is_some_and(|end| end > now + 600) {
            return Err(Refusal::new(401, "'Expiration time' claim ('exp') is too far in the future"));
        }
        if time("iat").is_none_or(|issued| issued > now) {
            return Err(Refusal::new(
                401,
                "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
            ));
        }
        Ok(())
    }

    fn document(&self, repository: &Repository, base: &Base) -> Value {
        let owner = repository.slug.split('/').next().unwrap();
        let id = self.installation();
        json!({
            "id": id, "app_id": self.id().parse::<u64>().unwrap(), "app_slug": "octo-app", "client_id": self.client_id(),
            "target_id": 9_919, "target_type": "Organization", "account": user(owner, base), "repository_selection": "selected",
            "access_tokens_url": format!("{}/app/installations/{id}/access_tokens", base.api),
            "repositories_url": format!("{}/installation/repositories", base.api),
            "html_url": format!("{}/organizations/{owner}/settings/installations/{id}", base.server),
            "permissions": permissions(&self.permissions), "events": [], "single_file_name": null,
            "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
            "suspended_at": self.suspended.then_some("2026-02-01T00:00:00Z"), "suspended_by": null,
        })
    }
}

impl AppToken {
    /// Whether it is good for a repository.
    fn is_good(&self, repository: &Repository, app: &App) -> bool {
        let is_for = |all: &Vec<String>| all.iter().any(|name| repository.slug.ends_with(&format!("/{name}")));
        !self.revoked && app.now() < self.until && self.repositories.as_ref().is_none_or(is_for)
    }
}

/// What a token of the repository's App permits; none where it is not one.
pub fn permits(repository: &Repository, token: &str) -> Option<Vec<String>> {
    let app = repository.options.app.as_ref()?;
    let tokens = repository.app_tokens.lock().unwrap();
    let known = tokens.iter().find(|known| known.text == token && known.is_good(repository, app))?;
    Some(known.permissions.clone())
}

/// Get a repository installation for the authenticated app.
pub fn installation(repository: &Repository, head: &Parts, base: &Base) -> Result<Answer, Refusal> {
    let app = app(repository)?;
    app.admit(head)?;
    if !app.installed {
        return Err(Refusal::new(404, "Not Found"));
    }
    Ok(answer(200, &app.document(repository, base)))
}

/// Create an installation access token for an app.
pub fn create_token(repository: &Repository, head: &Parts, document: &Value) -> Result<Answer, Refusal> {
    let app = app(repository)?;
    app.admit(head)?;
    if !app.installed {
        return Err(Refusal::new(404, "Not Found"));
    }
    if app.suspended {
        return Err(Refusal::new(403, "This installation has been suspended"));
    }
    let repositories = document["repositories"]
        .as_array()
        .map(|all| all.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>());
    let (_, name) = repository.slug.split_once('/').unwrap();
    if repositories.iter().flatten().any(|one| one != name) {
        let message = "There is at least one repository that does not exist or is not accessible to the parent installation.";
        return Err(Refusal::new(422, message));
    }
    let permissions: Vec<(String, &str)> = match document["permissions"].as_object() {
        Some(asked) => asked.iter().map(|(name, level)| (name.replace('_', "-"), level.as_str().unwrap_or_default())).collect(),
        None => vec![],
    };
    if permissions.iter().any(|(name, level)| !app.grants(name, level)) {
        return Err(Refusal::new(422, "The permissions requested are not granted to this installation."));
    }
    let permissions: Vec<_> = permissions.iter().map(|(name, level)| format!("{name}: {level}")).collect();
    let permissions = if permissions.is_empty() { app.permissions.clone() } else { permissions };
    let text = format!("ghs_{}", Alphanumeric.sample_string(&mut rand::rng(), 36));
    let until = app.now() + app.lifetime;
    let token = AppToken { text: text.clone(), repositories, permissions: permissions.clone(), revoked: false, until };
    let selection = if token.repositories.is_some() { "selected" } else { "all" };
    repository.app_tokens.lock().unwrap().push(token);
    let expires_at = jiff::Timestamp::from_second(until).unwrap().to_string();
    Ok(answer(
        201,
        &json!({"token": text, "expires_at": expires_at, "permissions": self::permissions(&permissions), "repository_selection": selection}),
    ))
}

/// Revoke an installation access token: the one that asks.
pub fn revoke(repository: &Repository, head: &Parts) -> Result<Answer, Refusal> {
    let authorization = head.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (_, text) = authorization.split_once(' ').unwrap_or_default();
    if permits(repository, text).is_none() {
        return Err(Refusal::new(401, "Bad credentials"));
    }
    let mut tokens = repository.app_tokens.lock().unwrap();
    tokens.iter_mut().filter(|token| token.text == text).for_each(|token| token.revoked = true);
    let mut answer = answer(204, &Value::Null);
    *answer.body_mut() = full("");
    answer.headers_mut().remove("content-type");
    Ok(answer)
}

fn app(repository: &Repository) -> Result<&App, Refusal> {
    repository.options.app.as_ref().ok_or_else(|| Refusal::new(404, "Integration not found"))
}

fn permissions(given: &[String]) -> Value {
    let pairs = given.iter().filter_map(|given| given.split_once(": "));
    pairs.map(|(name, level)| (name.replace('-', "_"), Value::from(level))).collect::<Map<_, _>>().into()
}

/// The key of all Apps of this process, and another: making one takes long.
fn keys() -> &'static [RsaKeyPair; 2] {
    static KEYS: OnceLock<[RsaKeyPair; 2]> = OnceLock::new();
    KEYS.get_or_init(|| [(), ()].map(|()| RsaKeyPair::generate(KeySize::Rsa2048).unwrap()))
}

fn pkcs8(which: usize) -> Vec<u8> {
    let der: Pkcs8V1Der<'_> = keys()[which].as_der().unwrap();
    der.as_ref().to_vec()
}

fn public_key() -> DecodingKey {
    let public = keys()[0].public_key();
    let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let modulus = number(public.modulus().big_endian_without_leading_zero());
    DecodingKey::from_rsa_components(&modulus, &number(public.exponent().big_endian_without_leading_zero())).unwrap()
}

/// PEM (RFC 7468): 64 digits a line.
fn pem(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in STANDARD.encode(der).as_bytes().chunks(64) {
        writeln!(text, "{}", String::from_utf8_lossy(line)).unwrap();
    }
    text + "-----END " + label + "-----\n"
}
