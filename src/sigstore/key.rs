//! A key for one delivery. It is never written down.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use sigstore_verify::types::DerPublicKey;

use super::error::Error;

/// An ECDSA key on the curve P-256, as every reader of Sigstore's bundles knows it.
pub(super) struct Key(EcdsaKeyPair);

impl Key {
    /// A new one.
    pub(super) fn generate() -> Result<Self, Error> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING);
        key.map(Self).map_err(|_| Error::Key("the machine makes none"))
    }

    /// Its public half, as `SubjectPublicKeyInfo` (RFC 5280).
    pub(super) fn public(&self) -> Result<DerPublicKey, Error> {
        let der = self.0.public_key().as_der().map_err(|_| Error::Key("its public half can't be written"))?;
        Ok(DerPublicKey::from_bytes(der.as_ref()))
    }

    /// A signature of the SHA-256 of `message`, in DER. No two are the same.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let signature = self.0.sign(&SystemRandom::new(), message);
        signature.map(|signature| signature.as_ref().to_vec()).map_err(|_| Error::Key("it does not sign"))
    }
}
