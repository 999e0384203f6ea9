//! What the inputs about signatures are read as.

use std::path::PathBuf;
use std::str::FromStr;

use super::value::{Fault, Value, Word};

/// By what an image is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// By what there is, where the environment's gates block and nothing is published that is not public already.
    Auto,
    /// By a certificate for the run's OIDC token.
    Keyless,
    /// The same, by GitHub's own instance of Sigstore.
    GitHub,
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
            "off" => Ok(Self::Off),
            _ => Err(()),
        }
    }
}

impl Word for Sign {
    const EXPECTED: &'static str = "auto, keyless, github or off is expected";
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
