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

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::{Value, json};

    use super::*;
    use crate::sigstore::SignedBy;
    use crate::sigstore::key::Key;

    fn image() -> Digest {
        Digest::of(b"an image")
    }

    fn statement() -> Vec<u8> {
        let subject = json!([{ "name": "registry.example/team/app", "digest": { "sha256": image().hex() } }]);
        json!({ "_type": "https://in-toto.io/Statement/v1", "subject": subject, "predicateType": "x", "predicate": {} })
            .to_string()
            .into_bytes()
    }

    fn public(key: &Key) -> PublicKey {
        PublicKey::of_der(key.public().unwrap().as_bytes()).unwrap()
    }

    async fn bundle(key: &Key) -> Value {
        let signer = KeySigner::new(public(key), None).unwrap();
        let signature = key.sign(&signed_bytes(&statement())).unwrap();
        let bundle = signer.bundle(&statement(), &image(), &signature).await.unwrap();
        assert_eq!(bundle.by, SignedBy::Key(public(key).fingerprint()));
        serde_json::from_slice(&bundle.bytes).unwrap()
    }

    #[tokio::test]
    async fn a_bundle_that_is_spoilt_in_any_part_is_not_the_keys() {
        let (key, stranger) = (Key::generate().unwrap(), Key::generate().unwrap());
        let (whole, other) = (bundle(&key).await, bundle(&stranger).await);
        let verifier = Verifier::of_keys(vec![public(&key)], None).unwrap();
        let verify = |bundle: &Value| verifier.verify(bundle.to_string().as_bytes(), &image());
        assert_eq!(verify(&whole).unwrap().at, None);
        let with = |change: &dyn Fn(&mut Value)| {
            let mut bundle = whole.clone();
            change(&mut bundle);
            bundle
        };
        let of_other = statement_about(&Digest::of(b"another image"));
        for (what, bundle) in [
            ("a stranger's", other.clone()),
            ("a stranger's, in the key's name", {
                let mut bundle = other.clone();
                bundle["verificationMaterial"]["publicKey"] = whole["verificationMaterial"]["publicKey"].clone();
                bundle
            }),
            ("no name", with(&|b| b["verificationMaterial"]["publicKey"] = json!({}))),
            ("another payload", with(&|b| b["dsseEnvelope"]["payload"] = json!(STANDARD.encode(&of_other)))),
            ("another payload type", with(&|b| b["dsseEnvelope"]["payloadType"] = json!("application/json"))),
            ("another's signature", with(&|b| b["dsseEnvelope"]["signatures"] = other["dsseEnvelope"]["signatures"].clone())),
            ("no signature", with(&|b| b["dsseEnvelope"]["signatures"] = json!([]))),
            (
                "two signatures",
                with(&|b| {
                    let second = other["dsseEnvelope"]["signatures"][0].clone();
                    b["dsseEnvelope"]["signatures"].as_array_mut().unwrap().push(second);
                }),
            ),
            (
                "a time of nobody's",
                with(&|b| {
                    b["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"] =
                        json!([{ "signedTimestamp": "MAA=" }]);
                }),
            ),
            ("an entry of no log", with(&|b| b["verificationMaterial"]["tlogEntries"] = json!([{}]))),
            ("an older form", with(&|b| b["mediaType"] = json!("application/vnd.dev.sigstore.bundle+json;version=0.2"))),
            ("nothing", json!({})),
        ] {
            assert!(matches!(verify(&bundle), Err(Error::Rejected(_))), "{what}");
        }
        assert!(matches!(verifier.verify(whole.to_string().as_bytes(), &Digest::of(b"another image")), Err(Error::Rejected(_))));
        let nobody = Verifier::of_keys(Vec::new(), None).unwrap();
        assert!(matches!(nobody.verify(whole.to_string().as_bytes(), &image()), Err(Error::Rejected(_))));
    }

    fn statement_about(image: &Digest) -> Vec<u8> {
        String::from_utf8(statement()).unwrap().replace(&super::tests::image().hex(), &image.hex()).into_bytes()
    }

    #[tokio::test]
    async fn what_another_key_has_signed_or_what_is_about_another_image_is_found_out_before_anybody_sees_it() {
        let (key, stranger) = (Key::generate().unwrap(), Key::generate().unwrap());
        let signer = KeySigner::new(public(&key), None).unwrap();
        let theirs = stranger.sign(&signed_bytes(&statement())).unwrap();
        assert!(matches!(signer.bundle(&statement(), &image(), &theirs).await, Err(Error::Unsound(_))));
        let about_other = statement_about(&Digest::of(b"another image"));
        let ours = key.sign(&signed_bytes(&about_other)).unwrap();
        assert!(matches!(signer.bundle(&about_other, &image(), &ours).await, Err(Error::Unsound(_))));
    }

    #[tokio::test]
    async fn where_times_are_demanded_a_signature_without_one_does_not_hold() {
        let key = Key::generate().unwrap();
        let verifier = Verifier::of_keys(vec![public(&key)], None).unwrap().with_keys(vec![public(&key)], true);
        let refused = verifier.verify(bundle(&key).await.to_string().as_bytes(), &image());
        assert!(matches!(refused, Err(Error::Rejected(_))), "{refused:?}");
    }
}
