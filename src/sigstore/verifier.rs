//! Bundles of others are checked.

use jiff::Timestamp;
use sigstore_verify::types::{Artifact, Bundle as Parsed, Sha256Hash, SignatureContent};
use sigstore_verify::{VerificationPolicy, VerificationResult};

use super::bundle::MEDIA_TYPE;
use super::envelope::PAYLOAD_TYPE;
use super::error::{Error, InvalidInstance};
use super::identity::Identity;
use super::root::Root;
use crate::document;
use crate::oci::Digest;
use crate::text;

/// The most that a bundle has beside its statement, in bytes: a certificate, an entry of a log and a time have some ten
/// thousand.
const MAX_BESIDE: usize = 256 << 10;
/// The most entries of logs and times that are checked of one: each takes its time.
const MAX_CHECKS: usize = 8;

/// Checks bundles by the keys of one instance.
pub(crate) struct Verifier {
    verifier: sigstore_verify::Verifier,
    policy: VerificationPolicy,
}

/// A statement that somebody has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attested {
    /// The statement's bytes.
    pub(crate) statement: Vec<u8>,
    /// Who it was.
    pub(crate) by: SignedBy,
    /// When, by somebody else's word: the earliest.
    pub(crate) at: Option<Timestamp>,
}

/// Who has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SignedBy {
    /// Whom a certificate names.
    Identity(Box<Identity>),
}

impl Verifier {
    /// One for an instance, by its trusted root. What that has keys for is demanded: an entry in a log, the certificate's entry in
    /// another.
    ///
    /// # Errors
    /// A key of its trusted root is refused.
    pub(crate) fn new(Root(root): &Root) -> Result<Self, InvalidInstance> {
        let refused = |error: sigstore_verify::Error| InvalidInstance::Root(text::words(&error.to_string()));
        let verifier = sigstore_verify::Verifier::new(root).map_err(refused)?;
        let mut policy = VerificationPolicy::any_identity();
        if root.tlogs.is_empty() {
            policy = policy.skip_tlog_unsafe();
        }
        if root.ctlogs.is_empty() {
            policy = policy.skip_sct();
        }
        Ok(Self { verifier, policy })
    }

    /// Checks a bundle with a statement about what has this digest: the signature, that the certificate was good when it was
    /// made, the log, and that `subject` is among the subjects. What the statement says, and who may say it, is the caller's to
    /// look at.
    ///
    /// # Errors
    /// It does not hold, or is not of the form that is made here.
    pub(crate) fn verify(&self, bundle: &[u8], subject: &Digest) -> Result<Attested, Error> {
        let rejected = |error: &dyn std::fmt::Display| Error::Rejected(text::words(&error.to_string()));
        // Who reads it holds many times what small values have as text.
        let payload = document::member(bundle, "dsseEnvelope").and_then(|envelope| document::member(envelope, "payload"));
        if bundle.len() - payload.map_or(0, <[u8]>::len) > MAX_BESIDE {
            return Err(rejected(&"there is more beside the statement than a signature takes"));
        }
        // One reading first: the library's own takes what it does not know for nothing.
        let value: serde_json::Value = document::read(bundle).map_err(|error| rejected(&error))?;
        if value.get("mediaType").and_then(serde_json::Value::as_str) != Some(MEDIA_TYPE) {
            return Err(rejected(&format!("it is not of the type {MEDIA_TYPE}")));
        }
        drop(value);
        let text = std::str::from_utf8(bundle).map_err(|error| rejected(&error))?;
        let parsed = Parsed::from_json(text).map_err(|error| rejected(&error))?;
        let SignatureContent::DsseEnvelope(envelope) = &parsed.content else {
            return Err(rejected(&"it holds no statement"));
        };
        let material = &parsed.verification_material;
        let checks = material.tlog_entries.len() + material.timestamp_verification_data.rfc3161_timestamps.len();
        if checks > MAX_CHECKS {
            return Err(rejected(&format!("it names more than {MAX_CHECKS} entries and times")));
        }
        if envelope.payload_type != PAYLOAD_TYPE {
            return Err(rejected(&format!("what it holds is not of the type {PAYLOAD_TYPE}")));
        }
        let hash = Sha256Hash::try_from(&subject.bytes()[..]).map_err(|error| rejected(&error))?;
        let result = self.verifier.verify(Artifact::from_digest(hash), &parsed, &self.policy);
        let result = result.map_err(|error| rejected(&error))?;
        let by = signer(&result).ok_or_else(|| rejected(&"its certificate names nobody"))?;
        let at = result.verified_timestamps().iter().min().copied();
        Ok(Attested { statement: envelope.payload.as_bytes().to_vec(), by, at })
    }
}

fn signer(result: &VerificationResult) -> Option<SignedBy> {
    let certificate = result.certificate().filter(|_| result.certificate_verified())?;
    Identity::of(certificate).map(|identity| SignedBy::Identity(Box::new(identity)))
}
