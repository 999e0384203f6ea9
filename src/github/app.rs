//! A GitHub App, and the assertion by which it proves who it is (GitHub docs, "Generating a JSON Web Token (JWT) for a GitHub
//! App").

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use zeroize::Zeroize as _;

use crate::secret::Secret;

/// How far GitHub's clock may be behind, in seconds: an assertion of its future is refused.
const SKEW: u64 = 60;
/// How long an assertion is good, in seconds. GitHub takes ten minutes at most, by its own clock.
const LIFETIME: u64 = 540;

/// What GitHub knows an App by: its client ID, or its App ID, which is a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AppId(String);

/// The number of an App's installation with an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InstallationId(u64);

/// An App that may ask for tokens.
#[derive(Clone)]
pub(crate) struct App {
    id: AppId,
    key: Arc<RsaKeyPair>,
    /// Its installation with the repository's owner; absent where GitHub is asked.
    pub(super) installation: Option<InstallationId>,
}

/// It is no private key of an App.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an RSA key in PEM is expected, as GitHub gives it")]
pub(crate) struct InvalidKey;

/// The key does not sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key does not sign")]
pub(super) struct Unsigned;

impl App {
    /// An App by its key: PEM, as GitHub gives it (PKCS#1) or as other programs write it (PKCS#8).
    ///
    /// # Errors
    /// There is no such key in it, or there is another one beside it.
    pub(crate) fn new(id: AppId, key: &Secret, installation: Option<InstallationId>) -> Result<Self, InvalidKey> {
        let mut keys = PrivateKeyDer::pem_slice_iter(key.expose().as_bytes());
        let (Some(Ok(mut der)), None) = (keys.next(), keys.next()) else { return Err(InvalidKey) };
        let pair = match &der {
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()).ok(),
            PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).ok(),
            _ => None,
        };
        der.zeroize();
        Ok(Self { id, key: Arc::new(pair.ok_or(InvalidKey)?), installation })
    }

    /// A new assertion: a JSON Web Token by `RS256` (RFC 7518, section 3.3). It is good for a few minutes, and whoever has it is
    /// the App.
    pub(super) fn assertion(&self) -> Result<Secret, Unsigned> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let claims = json!({"iat": now.saturating_sub(SKEW), "exp": now + LIFETIME, "iss": self.id.claim()});
        let parts = [json!({"alg": "RS256", "typ": "JWT"}), claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = parts.join(".");
        let mut signature = vec![0; self.key.public_modulus_len()];
        let random = SystemRandom::new();
        self.key.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).map_err(|_| Unsigned)?;
        Ok(Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}

impl AppId {
    /// As GitHub takes it for the issuer: older servers know a number alone.
    fn claim(&self) -> Value {
        self.0.parse::<u64>().map_or_else(|_| Value::from(&*self.0), Value::from)
    }
}

impl FromStr for AppId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_one = (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
        if is_one { Ok(Self(text.to_owned())) } else { Err(()) }
    }
}

impl FromStr for InstallationId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| is_number).map(Self).ok_or(())
    }
}

impl From<u64> for InstallationId {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for InstallationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("id", &self.id).finish_non_exhaustive()
    }
}
