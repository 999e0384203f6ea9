//! The platform an image runs on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Operating system, architecture and, where it matters, variant: `linux/amd64`, `linux/arm/v7`
/// (image-spec, `image-index.md`, "platform").
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Platform {
    /// `linux`, `windows`, … as in Go's GOOS.
    pub(crate) os: String,
    /// `amd64`, `arm64`, … as in Go's GOARCH.
    pub(crate) architecture: String,
    /// `v7`, `v8`, …; absent where the architecture has none.
    pub(crate) variant: Option<String>,
}

/// The text is not a platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a platform such as linux/amd64 or linux/arm/v7")]
pub(crate) struct InvalidPlatform(pub(crate) String);

impl FromStr for Platform {
    type Err = InvalidPlatform;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let part = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'.')
        };
        let parts: Vec<&str> = text.split('/').collect();
        match parts.as_slice() {
            [os, architecture] if part(os) && part(architecture) => {
                Ok(Self { os: (*os).to_owned(), architecture: normal(architecture), variant: None })
            }
            [os, architecture, variant] if part(os) && part(architecture) && part(variant) => {
                let architecture = normal(architecture);
                // arm64's only variant is its default (containerd `platforms.Normalize`): two spellings, one platform.
                let variant = Some((*variant).to_owned()).filter(|variant| !(architecture == "arm64" && variant == "v8"));
                Ok(Self { os: (*os).to_owned(), architecture, variant })
            }
            _ => Err(InvalidPlatform(text.to_owned())),
        }
    }
}

/// The names that people use for an architecture, as containerd normalises them.
fn normal(architecture: &str) -> String {
    match architecture {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
    .to_owned()
}

impl Platform {
    /// A file name for what belongs to this platform: `linux-arm-v7`.
    #[must_use]
    pub(crate) fn slug(&self) -> String {
        self.to_string().replace('/', "-")
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.iter().try_for_each(|variant| write!(f, "/{variant}"))
    }
}

impl TryFrom<String> for Platform {
    type Error = InvalidPlatform;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Platform> for String {
    fn from(platform: Platform) -> Self {
        platform.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_reads_back_as_it_was_written() {
        for text in ["linux/amd64", "linux/arm64", "linux/arm/v7", "windows/amd64"] {
            assert_eq!(text.parse::<Platform>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_names_of_an_architecture_mean_the_same_platform() {
        assert_eq!("linux/x86_64".parse::<Platform>(), "linux/amd64".parse());
        assert_eq!("linux/arm64/v8".parse::<Platform>(), "linux/arm64".parse());
    }

    #[test]
    fn what_is_not_a_platform_is_refused() {
        for text in ["", "linux", "linux/", "/amd64", "linux/arm/v7/x", "Linux/amd64", "linux/amd 64"] {
            assert!(text.parse::<Platform>().is_err(), "{text}");
        }
    }
}
