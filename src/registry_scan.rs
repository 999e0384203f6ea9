//! What a registry's own scan found in an image, as data: that of Amazon ECR, beside trivy's.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::finding::Severity;
use crate::oci::{Digest, Platform};

/// What the registry's scan is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Demand {
    /// Nothing.
    #[default]
    Off,
    /// To be told, once the tags are there.
    Report,
    /// To be held against the environment's gate, before a tag is there.
    Gate,
}

impl FromStr for Demand {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self::Off),
            "report" => Ok(Self::Report),
            "gate" => Ok(Self::Gate),
            _ => Err(()),
        }
    }
}

/// How long a result is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience(Duration);

impl Patience {
    /// The longest: more than any scan takes, and less than a job may.
    const LONGEST: Duration = Duration::from_hours(5);
}

impl From<Patience> for Duration {
    fn from(Patience(duration): Patience) -> Self {
        duration
    }
}

/// `90s`, `10m` or `1h`.
impl FromStr for Patience {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unit = text.chars().next_back().ok_or(())?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            _ => return Err(()),
        };
        let number = text.strip_suffix(unit).filter(|number| number.bytes().all(|byte| byte.is_ascii_digit())).ok_or(())?;
        let duration = Duration::from_secs(u64::from(number.parse::<u32>().map_err(|_| ())?) * seconds);
        if duration.is_zero() || duration > Self::LONGEST { Err(()) } else { Ok(Self(duration)) }
    }
}

/// What the registry's scan of an image came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) struct RegistryScan {
    /// What it was asked for.
    pub(crate) demand: Demand,
    /// The image of each platform, and what its scan came to.
    pub(crate) images: Vec<ScannedImage>,
    /// What was found, on all platforms, the worst first. It is nothing where there is no result: that is no clean one.
    pub(crate) findings: Vec<RegistryFinding>,
    /// What trivy found in the images that have a result, and the registry's scan did not; absent where trivy did not look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) only_trivy: Option<Vec<Advisory>>,
}

/// The image of a platform, and what its scan came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ScannedImage {
    /// The platform; absent where the image is named without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) platform: Option<Platform>,
    /// The digest of its manifest: what was asked for by it is of no other image.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) digest: Digest,
    /// What the scan came to.
    #[serde(flatten)]
    pub(crate) result: ScanResult,
}

/// What a scan came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "result", rename_all = "lowercase")]
pub(crate) enum ScanResult {
    /// Amazon ECR's basic scan has looked at the distribution's packages.
    Basic {
        /// When it ended.
        #[cfg_attr(test, schemars(with = "String"))]
        at: Timestamp,
    },
    /// Amazon Inspector has looked (enhanced scanning).
    Enhanced {
        /// When it ended the last time.
        #[cfg_attr(test, schemars(with = "String"))]
        at: Timestamp,
    },
    /// There is no result.
    None {
        /// Why, in one line.
        why: String,
        /// Whether there never is one, since the registry can't scan such an image.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unsupported: bool,
        /// The reason that was given for going on without; absent where none was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        accepted: Option<String>,
    },
}

impl ScanResult {
    /// Why there is no result; nothing where there is one.
    #[must_use]
    pub(crate) fn missing(&self) -> Option<&str> {
        match self {
            Self::None { why, .. } => Some(why),
            Self::Basic { .. } | Self::Enhanced { .. } => None,
        }
    }

    /// Why that is accepted; nothing where it is not, or where there is a result.
    #[must_use]
    pub(crate) fn accepted(&self) -> Option<&str> {
        match self {
            Self::None { accepted, .. } => accepted.as_deref(),
            Self::Basic { .. } | Self::Enhanced { .. } => None,
        }
    }

    /// Whether the registry can't scan such an image.
    #[must_use]
    pub(crate) fn is_unsupported(&self) -> bool {
        matches!(self, Self::None { unsupported: true, .. })
    }
}

/// A package in which the registry's scan knows a vulnerability.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) struct RegistryFinding {
    /// The advisory: `CVE-2020-14343`.
    pub(crate) id: String,
    /// How bad it is, as the gate takes it.
    pub(crate) severity: Severity,
    /// The same in the registry's own word: `INFORMATIONAL`, `UNDEFINED`.
    pub(crate) rating: String,
    /// The advisory's title; may be empty.
    pub(crate) title: String,
    /// The package; empty where the registry names none.
    pub(crate) package: String,
    /// The version that is installed; may be empty.
    pub(crate) installed: String,
    /// The version that has the fix, where it is known.
    pub(crate) fixed: Option<String>,
    /// Whether there is a fix; absent where nobody says.
    pub(crate) fixable: Option<bool>,
    /// Where to read about it.
    pub(crate) url: Option<String>,
    /// The digest of the image that has it.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) image: Digest,
    /// The platform of that image; absent where the image is named without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) platform: Option<Platform>,
    /// Whether trivy has found it too; absent where trivy did not look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) by_trivy: Option<bool>,
    /// Whether it counts at the gate.
    pub(crate) counts: bool,
    /// What lets it through: a list of the project, or a rule of Amazon Inspector; absent where nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) let_through: Option<String>,
    /// How many tasks and pods run the image, where Amazon Inspector says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) in_use: Option<u64>,
    /// When one did last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) last_in_use_at: Option<Timestamp>,
}

/// An advisory, and the package that it is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Advisory {
    /// The advisory.
    pub(crate) id: String,
    /// The package.
    pub(crate) package: String,
}

impl RegistryScan {
    /// The images without a result, with the reason.
    pub(crate) fn missing(&self) -> impl Iterator<Item = (&ScannedImage, &str)> {
        self.images.iter().filter_map(|image| Some((image, image.result.missing()?)))
    }

    /// Those of which nobody has accepted that, with the reason why there is none.
    pub(crate) fn unaccepted(&self) -> impl Iterator<Item = (&ScannedImage, &str)> {
        self.missing().filter(|(image, _)| image.result.accepted().is_none())
    }

    /// Whether each image has a result.
    #[must_use]
    pub(crate) fn is_complete(&self) -> bool {
        self.missing().next().is_none()
    }

    /// What counts at the gate, each advisory of a package once, however many platforms have it.
    #[must_use]
    pub(crate) fn counting(&self) -> Vec<&RegistryFinding> {
        let mut counting: Vec<&RegistryFinding> = Vec::new();
        for finding in self.findings.iter().filter(|finding| finding.counts) {
            if !counting.iter().any(|known| known.is_the_same(finding)) {
                counting.push(finding);
            }
        }
        counting
    }
}

impl RegistryFinding {
    /// Whether it is the same advisory in the same package, of whichever platform.
    #[must_use]
    pub(crate) fn is_the_same(&self, other: &Self) -> bool {
        (&self.id, &self.package, &self.installed) == (&other.id, &other.package, &other.installed)
    }
}

impl fmt::Display for ScannedImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.platform {
            Some(platform) => platform.fmt(f),
            None => f.write_str(&self.digest.short()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_seconds_minutes_or_hours_and_has_an_end() {
        for (text, seconds) in [("1s", 1), ("90s", 90), ("10m", 600), ("5h", 18_000)] {
            assert_eq!(text.parse(), Ok(Patience(Duration::from_secs(seconds))), "{text}");
        }
        for text in ["", "s", "0s", "10", "-1m", "+1m", "1.5h", "6h", "99999999999s", "1d", "10 m", "1ü"] {
            assert_eq!(text.parse::<Patience>(), Err(()), "{text}");
        }
    }
}
