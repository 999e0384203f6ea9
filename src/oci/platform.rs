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
        // A dash would make two platforms one file name: see `slug`.
        let is_part = |part: &&str| {
            let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'.';
            // A dot first would hide the files that are called after it, from whoever keeps a report too.
            !part.is_empty() && !part.starts_with('.') && (part.bytes().all(allowed) || *part == "x86-64")
        };
        let parts: Vec<&str> = text.split('/').collect();
        match parts.as_slice() {
            [os, architecture] if parts.iter().all(is_part) => Ok(Self::normal(os, architecture, "")),
            [os, architecture, variant] if parts.iter().all(is_part) => Ok(Self::normal(os, architecture, variant)),
            _ => Err(InvalidPlatform(text.to_owned())),
        }
    }
}

impl Platform {
    /// What a builder builds for that is on this machine and is told of no platform.
    pub(crate) fn of_this_machine() -> Option<Self> {
        format!("linux/{}", std::env::consts::ARCH).parse().ok()
    }

    /// The one spelling of a platform, as Docker and containerd have it (containerd, `platforms.Normalize`); an empty variant
    /// is none.
    fn normal(os: &str, architecture: &str, variant: &str) -> Self {
        let os = if os == "macos" { "darwin" } else { os };
        let (architecture, variant) = match (architecture, variant) {
            ("i386", _) => ("386", ""),
            ("x86_64" | "x86-64" | "amd64", "v1") => ("amd64", ""),
            ("x86_64" | "x86-64", variant) => ("amd64", variant),
            ("aarch64" | "arm64", "8" | "v8") => ("arm64", ""),
            ("aarch64", variant) => ("arm64", variant),
            ("armhf", _) | ("arm", "" | "7") => ("arm", "v7"),
            ("armel", _) | ("arm", "6") => ("arm", "v6"),
            ("arm", "5") => ("arm", "v5"),
            ("arm", "8") => ("arm", "v8"),
            unchanged => unchanged,
        };
        let variant = Some(variant.to_owned()).filter(|variant| !variant.is_empty());
        Self { os: os.to_owned(), architecture: architecture.to_owned(), variant }
    }

    /// Whether an index that lists an image for `named` speaks of this platform. Variants are not compared: an older image has
    /// one in its index alone.
    #[must_use]
    pub(crate) fn is_of(&self, named: &oci_spec::image::Platform) -> bool {
        let named = Self::normal(&named.os().to_string(), &named.architecture().to_string(), "");
        (&named.os, &named.architecture) == (&self.os, &self.architecture)
    }

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
        for text in ["linux/amd64", "linux/amd64/v2", "linux/arm64", "linux/arm/v6", "linux/arm/v7", "windows/amd64"] {
            assert_eq!(text.parse::<Platform>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_names_of_an_architecture_mean_the_same_platform() {
        for (one, several) in [
            ("linux/amd64", &["linux/x86_64", "linux/x86-64", "linux/amd64/v1", "linux/x86_64/v1"][..]),
            ("linux/arm64", &["linux/aarch64", "linux/arm64/v8", "linux/arm64/8", "linux/aarch64/v8"]),
            ("linux/arm/v7", &["linux/arm", "linux/armhf", "linux/arm/7"]),
            ("linux/arm/v6", &["linux/armel", "linux/arm/6"]),
            ("linux/386", &["linux/i386"]),
            ("darwin/arm64", &["macos/arm64"]),
        ] {
            for other in several {
                assert_eq!(other.parse::<Platform>().unwrap().to_string(), one, "{other}");
            }
        }
    }

    #[test]
    fn two_platforms_have_two_file_names() {
        let all =
            ["linux/arm/v7", "linux/arm/v6", "linux/arm64", "linux/amd64", "linux/amd64/v2", "linux/arm.v7", "linux/arm_v7"];
        let slugs: std::collections::BTreeSet<_> = all.map(|text| text.parse::<Platform>().unwrap().slug()).into();
        assert_eq!(slugs.len(), all.len());
        assert!("linux-arm/v7".parse::<Platform>().is_err(), "its files would be those of linux/arm/v7");
    }

    #[test]
    fn what_is_not_a_platform_is_refused() {
        for text in ["", "linux", "linux/", "/amd64", "linux/arm/v7/x", "Linux/amd64", "linux/amd 64", ".linux/amd64", "../a"] {
            assert!(text.parse::<Platform>().is_err(), "{text}");
        }
    }
}
