//! AWS KMS: a key that never leaves it, which signs for whoever may use it (AWS KMS API reference).

mod permissions;

use aws_sdk_kms::error::SdkError;
use aws_sdk_kms::operation::sign::builders::SignFluentBuilder;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{KeySpec, KeyUsageType, MessageType, SigningAlgorithmSpec};

pub(crate) use permissions::Permissions;

use super::{Call, Error, KeyArn, Session, confidential};
use crate::text;

/// A key that signs: ECDSA on the curve P-256. Clones share connections.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    kms: aws_sdk_kms::Client,
    /// The key's own ARN, where AWS says it: an alias may name another key at any time.
    pub(crate) arn: KeyArn,
    /// Its public half, as `SubjectPublicKeyInfo` in DER.
    pub(crate) public: Vec<u8>,
}

impl Key {
    /// Finds out which key it is (`GetPublicKey`).
    ///
    /// # Errors
    /// There is no such key, it is of another kind, or the session may not read it.
    pub(crate) async fn find(session: &Session, named: &KeyArn) -> Result<Self, Error> {
        let (call, kms) = (Call::GetPublicKey, confidential::kms(&session.config, named.region()));
        let answer = kms.get_public_key().key_id(named.to_string()).send().await;
        let answer = answer.map_err(|error| of_key(named, call.failed(&error)))?;
        let signs = answer.key_usage == Some(KeyUsageType::SignVerify);
        // It took the place of `CustomerMasterKeySpec`, which some still answer with.
        let spec = answer.key_spec.as_ref().map(KeySpec::as_str);
        #[allow(deprecated, reason = "it is read where the other is not there")]
        let spec = spec.or(answer.customer_master_key_spec.as_ref().map(aws_sdk_kms::types::CustomerMasterKeySpec::as_str));
        if !signs || spec != Some(KeySpec::EccNistP256.as_str()) {
            return Err(Error::UnfitKey {
                key: Box::new(named.clone()),
                usage: text::words(answer.key_usage.as_ref().map_or("?", KeyUsageType::as_str)),
                spec: text::words(spec.unwrap_or("?")),
            });
        }
        let public = answer.public_key.ok_or(Error::Malformed { call, missing: "a public key" })?.into_inner();
        let arn = answer.key_id.and_then(|id| id.parse().ok()).unwrap_or_else(|| named.clone());
        Ok(Self { kms, arn, public })
    }

    /// Whether the session may have it sign: KMS checks that and all that it checks of a signature, and makes none (AWS KMS
    /// Developer Guide, "Testing your permissions"). What stands in for a statement is none.
    ///
    /// # Errors
    /// As [`Key::sign`].
    pub(crate) async fn may_sign(&self) -> Result<(), Error> {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"may this be signed?");
        let request = self.signature(Blob::new(digest.as_ref())).dry_run(true);
        match request.send().await {
            Err(SdkError::ServiceError(refused)) if refused.err().is_dry_run_operation_exception() => Ok(()),
            Err(error) => Err(of_key(&self.arn, Call::Sign.failed(&error))),
            // One that knows no dry run has signed.
            Ok(_) => Ok(()),
        }
    }

    /// Has it sign a SHA-256 (`Sign`). The signature is in DER (RFC 3279, section 2.2.3).
    ///
    /// # Errors
    /// KMS refuses, or can't be reached.
    pub(crate) async fn sign(&self, digest: [u8; 32]) -> Result<Vec<u8>, Error> {
        let call = Call::Sign;
        let answer = self.signature(Blob::new(digest)).send().await.map_err(|error| of_key(&self.arn, call.failed(&error)))?;
        Ok(answer.signature.ok_or(Error::Malformed { call, missing: "a signature" })?.into_inner())
    }

    fn signature(&self, digest: Blob) -> SignFluentBuilder {
        let request = self.kms.sign().key_id(self.arn.to_string()).message(digest);
        request.message_type(MessageType::Digest).signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
    }
}

/// The same error, with the key that it is about.
fn of_key(key: &KeyArn, error: Error) -> Error {
    match error {
        Error::Call(failure) => Error::Key { key: Box::new(key.clone()), failure },
        error => error,
    }
}
