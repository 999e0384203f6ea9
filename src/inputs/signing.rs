//! What the inputs about signatures are read as.

use std::path::PathBuf;
use std::str::FromStr;

use super::value::{Fault, Value, Word};
use crate::aws::KeyArn;
use crate::environment::Environment;

/// By what an image is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// By what there is, where the environment's gates block and nothing is published that is not public already.
    Auto,
    /// By a certificate for the run's OIDC token.
    Keyless,
    /// The same, by GitHub's own instance of Sigstore.
    GitHub,
    /// By a key of AWS KMS.
    Kms,
    /// By nothing.
    Off,
}

impl FromStr for Sign {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "keyless" => Ok(Self::Keyless),
            "github" => Ok(Self::GitHub),
            "kms" => Ok(Self::Kms),
            "off" => Ok(Self::Off),
            _ => Err(()),
        }
    }
}

impl Word for Sign {
    const EXPECTED: &'static str = "auto, keyless, github, kms or off is expected";
}

impl Word for KeyArn {
    const EXPECTED: &'static str =
        "arn:aws:kms:REGION:ACCOUNT:key/ID or arn:aws:kms:REGION:ACCOUNT:alias/NAME is expected: a key of the kind ECC_NIST_P256";
}

/// Where a public key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// It is AWS KMS's to say.
    Arn(KeyArn),
    /// It is in a file, or it is this text.
    Text(String),
}

impl KeySource {
    /// Takes the name of a key.
    ///
    /// # Errors
    /// What begins like an ARN is none of a key.
    pub(crate) fn of(text: &str) -> Result<Self, &'static str> {
        if text.starts_with("arn:") {
            text.parse().map(Self::Arn).map_err(|_| KeyArn::EXPECTED)
        } else {
            Ok(Self::Text(text.to_owned()))
        }
    }
}

/// A key whose word counts, and the environment that it speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TrustedKey {
    /// The environment.
    pub(crate) environment: Environment,
    /// The key.
    pub(crate) source: KeySource,
}

impl Value for TrustedKey {
    fn read(text: &str) -> Result<Self, Vec<Fault>> {
        let expected = "ENVIRONMENT=KEY is expected, with the key as an ARN of AWS KMS, a file of PEM or its content";
        let (environment, key) = text.split_once('=').ok_or_else(|| Fault::new(text, expected))?;
        let environment = environment.trim().parse().map_err(|()| Fault::new(text, expected))?;
        match KeySource::of(key.trim()) {
            Ok(KeySource::Text(key)) if key.is_empty() => Err(Fault::new(text, expected)),
            Ok(source) => Ok(Self { environment, source }),
            Err(expected) => Err(Fault::new(text, expected)),
        }
    }
}

/// A document: its text, or where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Document {
    /// It is in the input, as JSON.
    Text(String),
    /// It is in a file.
    File(PathBuf),
}

impl Value for Option<Document> {
    fn read(text: &str) -> Result<Self, Vec<Fault>> {
        let text = text.trim();
        Ok(match text.starts_with('{') {
            _ if text.is_empty() => None,
            true => Some(Document::Text(text.to_owned())),
            false => Some(Document::File(text.into())),
        })
    }
}
