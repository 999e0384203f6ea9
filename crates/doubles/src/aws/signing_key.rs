//! The keys that issuers sign tokens with.

use std::path::Path;
use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// A key.
pub struct SigningKey {
    /// The name under which it is published.
    pub id: String,
    pair: RsaKeyPair,
}

impl SigningKey {
    /// A new key.
    fn new(id: &str) -> Self {
        Self { id: id.to_owned(), pair: RsaKeyPair::generate(KeySize::Rsa2048).unwrap() }
    }

    /// The key of a private Sigstore's issuer: that of `scripts/test-parts`, say.
    pub fn of_sigstore(folder: &Path) -> Self {
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let published: Value = serde_json::from_str(&read("jwks.json")).unwrap();
        let key = read("issuer.key");
        let content: String = key.lines().filter(|line| !line.starts_with("-----")).collect();
        let pair = RsaKeyPair::from_pkcs8(&STANDARD.decode(content).unwrap()).unwrap();
        Self { id: published["keys"][0]["kid"].as_str().unwrap().to_owned(), pair }
    }

    /// Those of GitHub: one that signs, one that is published beside it, and one that nobody published. All worlds of a process
    /// share them, since making one takes long.
    pub fn of_github() -> &'static [Self; 3] {
        static KEYS: OnceLock<[SigningKey; 3]> = OnceLock::new();
        KEYS.get_or_init(|| {
            ["cc413527-173f-5a05-976e-9c52b1d7b431", "38826b17-6a30-5f9b-b169-8beb8202f723", "forged"].map(SigningKey::new)
        })
    }

    /// A signature by `RS256` (RFC 7518, section 3.3).
    pub fn sign(&self, message: &str) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
        signature
    }

    /// What is published of it (RFC 7517).
    pub fn published(&self) -> Value {
        let public = self.pair.public_key();
        json!({
            "kty": "RSA", "alg": "RS256", "use": "sig", "kid": self.id,
            "n": URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero()),
            "e": URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero()),
        })
    }
}
