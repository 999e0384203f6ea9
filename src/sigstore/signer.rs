//! Statements are signed.

use bytes::Bytes;

use super::bundle::{self, Bundle, Material};
use super::certificate::certify;
use super::envelope::{Envelope, signed_bytes};
use super::error::Error;
use super::instance::Instance;
use super::key::Key;
use super::log::Entry;
use super::timestamp::stamp;
use super::verifier::Verifier;
use crate::net::RetryPolicy;
use crate::oci::Digest;
use crate::secret::Secret;

/// Signs the statements of one delivery: one key, and one certificate for all of them, which is good for ten minutes.
pub(crate) struct Signer {
    instance: Instance,
    verifier: Verifier,
    key: Key,
    material: Material,
}

impl Signer {
    /// A signer who is what `token` says: a JSON Web Token for the audience that the instance knows, about `subject`.
    ///
    /// # Errors
    /// There is no certificate for it.
    pub(crate) async fn keyless(instance: Instance, verifier: Verifier, token: &Secret, subject: &str) -> Result<Self, Error> {
        if subject.is_empty() {
            return Err(Error::NoSubject);
        }
        let key = Key::generate()?;
        let certificate = certify(&instance.authority, &key, token, subject).await?;
        Ok(Self { instance, verifier, key, material: Material::Certificate(certificate) })
    }

    /// Signs a statement about what has the digest `subject`, and checks what comes of it as others will.
    ///
    /// # Errors
    /// A service fails or refuses; or what it gave does not hold.
    pub(crate) async fn sign(&self, statement: &[u8], subject: &Digest) -> Result<Bundle, Error> {
        // Another signature by the same key is another entry.
        let bytes = RetryPolicy::SIGSTORE.run_when(|| self.bundle(statement), Error::is_of_the_entry).await?;
        self.verifier.sound(bytes, statement, subject)
    }

    async fn bundle(&self, statement: &[u8]) -> Result<Bytes, Error> {
        let signed = signed_bytes(statement);
        let signature = self.key.sign(&signed)?;
        let envelope = Envelope::new(statement, &signature);
        let entry = async {
            let Some(log) = &self.instance.log else { return Ok(None) };
            let entry = Entry { envelope: &envelope, signed: &signed, signature: &signature, material: &self.material };
            log.write(&entry).await.map(Some)
        };
        let time = async {
            let Some(authority) = &self.instance.timestamps else { return Ok(None) };
            stamp(authority, &signature).await.map(Some)
        };
        let (entry, time) = tokio::try_join!(entry, time)?;
        Ok(bundle::assemble(&envelope, &self.material, entry, time.as_deref()))
    }
}
