//! Statements are signed by a key that somebody else keeps.

use bytes::Bytes;

use super::bundle::{self, Bundle, Material};
use super::envelope::{Envelope, signed_bytes};
use super::error::{Error, InvalidInstance};
use super::public_key::PublicKey;
use super::timestamp::stamp;
use super::timestamp_authority::TimestampAuthority;
use super::verifier::Verifier;
use crate::oci::Digest;

/// Puts bundles around signatures that are made elsewhere. Nothing is written into a log.
pub(crate) struct KeySigner {
    key: PublicKey,
    timestamps: Option<TimestampAuthority>,
    verifier: Verifier,
}

impl KeySigner {
    /// One for a key, with times by `timestamps`.
    ///
    /// # Errors
    /// The trusted root of the times is refused.
    pub(crate) fn new(key: PublicKey, timestamps: Option<TimestampAuthority>) -> Result<Self, InvalidInstance> {
        let verifier = Verifier::of_keys(vec![key.clone()], timestamps.as_ref().map(TimestampAuthority::root))?;
        Ok(Self { key, timestamps, verifier })
    }

    /// The SHA-256 that the key has to sign for a statement.
    #[must_use]
    pub(crate) fn digest(statement: &[u8]) -> [u8; 32] {
        Digest::of(&signed_bytes(statement)).bytes()
    }

    /// Makes a bundle of a statement about what has the digest `subject` and of the key's signature of it, in DER, and checks
    /// that as others will.
    ///
    /// # Errors
    /// There is no time for it, or it does not hold: the signature is another's.
    pub(crate) async fn bundle(&self, statement: &[u8], subject: &Digest, signature: &[u8]) -> Result<Bundle, Error> {
        let time = match &self.timestamps {
            Some(authority) => Some(stamp(&authority.service, signature).await?),
            None => None,
        };
        let material = Material::Key(self.key.clone());
        let envelope = Envelope::new(statement, signature);
        let bytes: Bytes = bundle::assemble(&envelope, &material, None, time.as_deref());
        self.verifier.sound(bytes, statement, subject)
    }
}
