//! The public half of a key that somebody keeps.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sigstore_verify::types::DerPublicKey;

use crate::oci::Digest;

/// What an ECDSA key on the curve P-256 begins with as `SubjectPublicKeyInfo`, up to its point, which is not compressed (RFC
/// 5480, section 2). It has one form here, so that it has one fingerprint.
const HEAD: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03,
    0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];
/// How long the whole of it is, in bytes.
const LENGTH: usize = HEAD.len() + 64;
/// Between what a key stands as PEM (RFC 7468, section 13).
const PEM: (&str, &str) = ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----");

/// An ECDSA key on the curve P-256, as bundles are checked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicKey(Vec<u8>);

/// It is no key of that kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the public half of an ECDSA key on the curve P-256 is expected: PEM, or its content on one line")]
pub(crate) struct InvalidKey;

impl PublicKey {
    /// Takes a `SubjectPublicKeyInfo`, in DER.
    ///
    /// # Errors
    /// It is of another kind, or written in another way.
    pub(crate) fn of_der(der: &[u8]) -> Result<Self, InvalidKey> {
        (der.len() == LENGTH && der.starts_with(&HEAD)).then(|| Self(der.to_vec())).ok_or(InvalidKey)
    }

    /// Reads PEM, or the base64 that is in it. There is one key in it and nothing else.
    ///
    /// # Errors
    /// It is of another kind, or something is beside it.
    pub(crate) fn read(text: &str) -> Result<Self, InvalidKey> {
        let text = text.trim();
        let content = match text.strip_prefix(PEM.0) {
            Some(rest) => rest.strip_suffix(PEM.1).ok_or(InvalidKey)?,
            None => text,
        };
        let content: String = content.split_ascii_whitespace().collect();
        Self::of_der(&STANDARD.decode(content).map_err(|_| InvalidKey)?)
    }

    /// The SHA-256 of the key, by which it is told from others.
    #[must_use]
    pub(crate) fn fingerprint(&self) -> Digest {
        Digest::of(&self.0)
    }

    /// The name that a bundle has for it, as cosign writes it.
    pub(super) fn hint(&self) -> String {
        STANDARD.encode(self.fingerprint().bytes())
    }

    /// Whether a signature, in DER, is the key's, of the SHA-256 of `message`.
    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let point = &self.0[HEAD.len() - 1..];
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature).is_ok()
    }

    pub(super) fn der(&self) -> DerPublicKey {
        DerPublicKey::new(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key that openssl has made, as PEM.
    const KEY: &str = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEHJUwhB6gFKZ0jO6GM1FrKKSyTtuY\n6dle84xEo4XaZnZ7Lw+EkVb0AD42s5KiB430CucE0o+zH7HnpzvulpNbRw==\n-----END PUBLIC KEY-----\n";

    #[test]
    fn a_key_is_read_as_pem_and_on_one_line_and_is_the_same() {
        let line: String = KEY.lines().filter(|line| !line.starts_with('-')).collect();
        let key = PublicKey::read(KEY).unwrap();
        assert_eq!(PublicKey::read(&line), Ok(key.clone()));
        assert_eq!(key.der().to_pem().replace("\r\n", "\n"), KEY);
        assert_eq!(STANDARD.decode(key.hint()).unwrap(), key.fingerprint().bytes());
    }

    #[test]
    fn what_is_no_key_or_more_than_one_is_refused() {
        let twice = format!("{KEY}{KEY}");
        let private = KEY.replace("PUBLIC", "PRIVATE");
        let without_end = KEY.replace("-----END PUBLIC KEY-----", "");
        let compressed = "MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgADHJUwhB6gFKZ0jO6GM1FrKKSyTtuY6dle84xEo4XaZnY=";
        for text in ["", "x", &twice, &private, &without_end, compressed, &format!("{KEY}x"), &format!("x{KEY}")] {
            assert_eq!(PublicKey::read(text), Err(InvalidKey), "{text}");
        }
    }
}
