//! AWS KMS: keys that sign. Permissions are checked here, as for ECR; moto checks the signature of the request. The keys are
//! our own, for moto takes a digest for a message.

use aws_lc_rs::digest::{Digest, SHA256};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::http::request::Parts;
use serde_json::{Value, json};

use super::content::{Answer, collected, forward, full};
use super::refusal::{answer, of_ecr, request_id};
use super::server::{Asked, Server};

/// A key. All of them are for `SIGN_VERIFY` and `ECC_NIST_P256`, unless they say that they are not.
pub struct Key {
    /// What it is called in its account and region, beside its ID: `alias/NAME`.
    pub alias: Option<String>,
    pub usage: String,
    pub spec: String,
    pub enabled: bool,
    pair: EcdsaKeyPair,
}

impl Key {
    /// A new one.
    pub fn new(alias: Option<&str>) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let [usage, spec] = ["SIGN_VERIFY", "ECC_NIST_P256"].map(str::to_owned);
        Self { alias: alias.map(str::to_owned), usage, spec, enabled: true, pair }
    }

    /// An ID as keys have one.
    pub fn id() -> String {
        request_id()
    }

    /// Its public half, as `SubjectPublicKeyInfo` in DER.
    pub fn public(&self) -> Vec<u8> {
        self.pair.public_key().as_der().unwrap().as_ref().to_vec()
    }

    /// A signature of a SHA-256.
    pub fn sign(&self, digest: &[u8]) -> Option<Vec<u8>> {
        let digest = Digest::import_less_safe(digest, &SHA256).ok()?;
        Some(self.pair.sign_digest(&digest).ok()?.as_ref().to_vec())
    }
}

impl Server {
    /// Answers a call.
    pub async fn kms(&self, head: Parts, document: &[u8]) -> std::io::Result<Answer> {
        let Asked { session, operation, parameters } = match self.asked(&head, document) {
            Ok(asked) => asked,
            Err(refusal) => return Ok(refusal),
        };
        let checked = forward(self.moto.address, hyper::Request::from_parts(head, full(document.to_vec()))).await?;
        if matches!(checked.status().as_u16(), 401 | 403) {
            collected(checked.into_body()).await?;
            return Ok(of_ecr(400, "InvalidSignatureException", "The request signature we calculated does not match."));
        }
        let named = parameters["KeyId"].as_str().unwrap_or_default();
        let arn = self.key_arn(named);
        // KMS does not tell who may not ask whether there is such a key.
        let allowed = self.account.authorize(&session, &format!("kms:{operation}"), arn.as_deref().unwrap_or(named));
        Ok(match (allowed, arn) {
            (Err(sentence), _) => of_ecr(400, "AccessDeniedException", &sentence),
            (Ok(()), None) => of_ecr(400, "NotFoundException", &format!("Key '{named}' does not exist")),
            (Ok(()), Some(arn)) => self.of_key(&operation, &arn, &parameters),
        })
    }

    fn of_key(&self, operation: &str, arn: &str, parameters: &Value) -> Answer {
        let content = self.account.content();
        let key = &content.keys[arn];
        if !key.enabled {
            return of_ecr(400, "DisabledException", &format!("{arn} is disabled."));
        }
        let said = match operation {
            "GetPublicKey" => json!({
                "KeyId": arn, "PublicKey": STANDARD.encode(key.public()), "KeyUsage": key.usage, "KeySpec": key.spec,
                "CustomerMasterKeySpec": key.spec, "SigningAlgorithms": ["ECDSA_SHA_256"],
            }),
            "Sign" if parameters["SigningAlgorithm"] != "ECDSA_SHA_256" || key.usage != "SIGN_VERIFY" => {
                return of_ecr(400, "InvalidKeyUsageException", &format!("{arn} key usage is {}", key.usage));
            }
            "Sign" => {
                let message = STANDARD.decode(parameters["Message"].as_str().unwrap_or_default()).unwrap_or_default();
                let signature = (parameters["MessageType"] == "DIGEST").then(|| key.sign(&message)).flatten();
                let Some(signature) = signature else {
                    return of_ecr(400, "ValidationException", "Digest is invalid length for algorithm ECDSA_SHA_256.");
                };
                // All else is looked at first (AWS KMS API reference, "Sign").
                if parameters["DryRun"] == true {
                    let words = "The request would have succeeded, but the DryRun option is set.";
                    return of_ecr(412, "DryRunOperationException", words);
                }
                json!({"KeyId": arn, "Signature": STANDARD.encode(signature), "SigningAlgorithm": "ECDSA_SHA_256"})
            }
            _ => return of_ecr(400, "UnknownOperationException", ""),
        };
        answer(200, "application/x-amz-json-1.1", said.to_string())
    }

    /// The ARN of a key that is named by its ARN or by that of its alias.
    fn key_arn(&self, named: &str) -> Option<String> {
        let content = self.account.content();
        let is_named =
            |arn: &str, key: &Key| arn == named || key.alias.as_ref().is_some_and(|alias| self.account.kms_arn(alias) == named);
        content.keys.iter().find(|(arn, key)| is_named(arn, key)).map(|(arn, _)| arn.clone())
    }
}
