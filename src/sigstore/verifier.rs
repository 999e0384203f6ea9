//! Bundles of others are checked.

use bytes::Bytes;
use jiff::Timestamp;
use sigstore_verify::types::{Artifact, Bundle as Parsed, Sha256Hash, SignatureContent, VerificationMaterialContent};
use sigstore_verify::{PublicKeyVerificationPolicy, VerificationPolicy, VerificationResult};

use super::bundle::{Bundle, MEDIA_TYPE};
use super::envelope::{PAYLOAD_TYPE, signed_bytes};
use super::error::{Error, InvalidInstance};
use super::identity::Identity;
use super::public_key::PublicKey;
use super::root::Root;
use super::signed_by::SignedBy;
use crate::document;
use crate::oci::Digest;
use crate::text;

/// The most that a bundle has beside its statement, in bytes: a certificate, an entry of a log and a time have some ten
/// thousand.
const MAX_BESIDE: usize = 256 << 10;
/// The most entries of logs and times that are checked of one: each takes its time.
const MAX_CHECKS: usize = 8;

/// What a bundle has one of, where its form leaves a choice (`oneof` of Sigstore's protobuf specifications): with two of them,
/// each reader would take its own.
const ONE_OF: [(&str, &[&str]); 2] = [
    ("content", &["/dsseEnvelope", "/messageSignature"]),
    (
        "key",
        &["/verificationMaterial/publicKey", "/verificationMaterial/certificate", "/verificationMaterial/x509CertificateChain"],
    ),
];

/// Checks bundles by the keys of one instance, and by keys that are known by themselves.
pub(crate) struct Verifier {
    bundles: sigstore_verify::Verifier,
    /// What is demanded of a certificate; `None` where none counts.
    policy: Option<VerificationPolicy>,
    /// The keys.
    keys: Vec<PublicKey>,
    /// Whether a signature by a key has to have a time by somebody else.
    demands_time: bool,
}

/// A statement that somebody has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attested {
    /// The statement's bytes.
    pub(crate) statement: Vec<u8>,
    /// Who it was.
    pub(crate) by: SignedBy,
    /// When, by somebody else's word: the earliest. None for a signature by a key that nobody has said a time of, where that is
    /// not demanded.
    pub(crate) at: Option<Timestamp>,
}

impl Verifier {
    /// One for an instance, by its trusted root. What that has keys for is demanded: an entry in a log, the certificate's entry in
    /// another.
    ///
    /// # Errors
    /// A key of its trusted root is refused.
    pub(crate) fn new(Root(root): &Root) -> Result<Self, InvalidInstance> {
        let bundles = sigstore_verify::Verifier::new(root).map_err(|error| refused(&error))?;
        let mut policy = VerificationPolicy::any_identity();
        if root.tlogs.is_empty() {
            policy = policy.skip_tlog_unsafe();
        }
        if root.ctlogs.is_empty() {
            policy = policy.skip_sct();
        }
        Ok(Self { bundles, policy: Some(policy), keys: Vec::new(), demands_time: false })
    }

    /// One for keys, for which no certificate counts. Where a trusted root is given, each signature has to have a time by an
    /// authority that it names.
    ///
    /// # Errors
    /// A key of the trusted root is refused.
    pub(crate) fn of_keys(keys: Vec<PublicKey>, timestamps: Option<&Root>) -> Result<Self, InvalidInstance> {
        let Root(root) = timestamps.cloned().map_or_else(Root::nobody, Ok)?;
        let bundles = sigstore_verify::Verifier::new(&root).map_err(|error| refused(&error))?;
        Ok(Self { bundles, policy: None, keys, demands_time: timestamps.is_some() })
    }

    /// The same, for which these keys count too.
    #[must_use]
    pub(crate) fn with_keys(self, keys: Vec<PublicKey>, demands_time: bool) -> Self {
        Self { keys, demands_time, ..self }
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
        for (what, ways) in ONE_OF {
            let there = ways.iter().filter(|way| value.pointer(way).is_some()).count();
            if there != 1 {
                return Err(rejected(&format!("it has {there} kinds of {what}, and one is expected")));
            }
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
        let (at, by) = match &material.content {
            VerificationMaterialContent::PublicKey(named) => {
                let key = self.keys.iter().find(|key| key.hint() == named.hint);
                let key = key.ok_or_else(|| rejected(&format!("the key {:?} is not one that counts", named.hint)))?;
                let by = SignedBy::Key(key.fingerprint());
                if checks == 0 {
                    let statement = envelope.payload.as_bytes();
                    by_key_alone(key, statement, envelope.signature.sig.as_bytes(), subject).map_err(|why| rejected(&why))?;
                    (None, by)
                } else {
                    // Nobody's log is asked for; an entry that is there has to agree.
                    let policy = PublicKeyVerificationPolicy::new(key.der()).skip_tlog_unsafe();
                    let result = self.bundles.verify(Artifact::from_digest(hash), &parsed, &policy);
                    (earliest(&result.map_err(|error| rejected(&error))?), by)
                }
            }
            _ => {
                let policy =
                    self.policy.as_ref().ok_or_else(|| rejected(&"a key's signature is expected, and it is another's"))?;
                let result = self.bundles.verify(Artifact::from_digest(hash), &parsed, policy);
                let result = result.map_err(|error| rejected(&error))?;
                let by = certified(&result).ok_or_else(|| rejected(&"its certificate names nobody"))?;
                (earliest(&result), by)
            }
        };
        if at.is_none() && self.demands_time {
            return Err(rejected(&"it has no time by a timestamp authority"));
        }
        Ok(Attested { statement: envelope.payload.as_bytes().to_vec(), by, at })
    }

    /// What was made here, if it holds for whoever checks it: a statement about what has the digest `subject`.
    ///
    /// # Errors
    /// It does not.
    pub(super) fn sound(&self, bytes: Bytes, statement: &[u8], subject: &Digest) -> Result<Bundle, Error> {
        match self.verify(&bytes, subject) {
            Ok(attested) if attested.statement == statement => Ok(Bundle { bytes, by: attested.by }),
            Ok(_) => Err(Error::Unsound(text::words("it holds another statement"))),
            Err(Error::Rejected(words)) => Err(Error::Unsound(words)),
            Err(error) => Err(error),
        }
    }
}

/// Checks a signature by a key that has neither a time nor an entry in a log, which the library takes for no bundle: that it is
/// the key's, and that the statement is about what has this digest.
fn by_key_alone(key: &PublicKey, statement: &[u8], signature: &[u8], subject: &Digest) -> Result<(), String> {
    if !key.has_signed(&signed_bytes(statement), signature) {
        return Err("the signature is not the key's".to_owned());
    }
    let read: serde_json::Value = document::read(statement).map_err(|error| error.to_string())?;
    let hex = subject.hex();
    let subjects = read.get("subject").and_then(serde_json::Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let is_it = |one: &serde_json::Value| one.pointer("/digest/sha256").and_then(serde_json::Value::as_str) == Some(&*hex);
    if subjects.iter().any(is_it) { Ok(()) } else { Err("the statement is about something else".to_owned()) }
}

fn earliest(result: &VerificationResult) -> Option<Timestamp> {
    result.verified_timestamps().iter().min().copied()
}

fn refused(error: &sigstore_verify::Error) -> InvalidInstance {
    InvalidInstance::Root(text::words(&error.to_string()))
}

fn certified(result: &VerificationResult) -> Option<SignedBy> {
    let certificate = result.certificate().filter(|_| result.certificate_verified())?;
    Identity::of(certificate).map(|identity| SignedBy::Identity(Box::new(identity)))
}
