//! One finding, whichever tool made it.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::oci::{Digest, Platform};
use crate::scanner::Tool;

/// How bad a vulnerability is, as trivy reports it, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Severity {
    /// The source of the advisory gives none.
    Unknown,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
}

impl Severity {
    /// All, worst first.
    pub(crate) const ALL: [Self; 5] = [Self::Critical, Self::High, Self::Medium, Self::Low, Self::Unknown];

    /// The name in capitals, as scanners write it.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Severity {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|severity| severity.name().eq_ignore_ascii_case(text)).ok_or(())
    }
}

/// What a scanner found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Finding {
    /// A secret in the source.
    Leak(Leak),
    /// A package with an advisory.
    Vulnerability(Vulnerability),
}

/// A secret in a file or in a commit. The secret itself is not here, in whole or in part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Leak {
    /// The rule that matched: `aws-access-token`.
    pub(crate) rule: String,
    /// What the rule looks for, in words.
    pub(crate) description: String,
    /// The file, relative to the scanned folder, or to the root of the layer that has it, with `/` between parts.
    pub(crate) file: String,
    /// The layer of the image, by the digest of its blob, where the file was found there and not in the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) layer: Option<Digest>,
    /// The first line, counted from 1.
    pub(crate) line: u32,
    /// A commit that has it, also when the working tree has it too; absent when only the working tree has it.
    pub(crate) commit: Option<String>,
    /// What `.gitleaksignore` names it by: `[commit:]file:rule:line`.
    pub(crate) fingerprint: String,
    /// The scanner that found it; absent where that is gitleaks.
    #[serde(default = "gitleaks", skip_serializing_if = "is_gitleaks")]
    pub(crate) tool: Tool,
}

/// A package in the image with a known vulnerability.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Vulnerability {
    /// The advisory: `CVE-2020-14343`.
    pub(crate) id: String,
    /// How bad it is.
    pub(crate) severity: Severity,
    /// The advisory's title; may be empty.
    pub(crate) title: String,
    /// The package.
    pub(crate) package: String,
    /// The version that is installed.
    pub(crate) installed: String,
    /// The version or versions that have the fix; absent where there is none.
    pub(crate) fixed: Option<String>,
    /// Where the package is, as the scanner names it: a file in the image, or the distribution (`debian 12.5`).
    pub(crate) target: String,
    /// Where to read about it.
    pub(crate) url: Option<String>,
    /// The platform of the image that has it.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) platform: Platform,
    /// The diff id of the layer that brought it, where the scanner says.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) layer: Option<Digest>,
    /// The Dockerfile instruction whose layer brought it; the base image's belong to its `FROM`.
    pub(crate) instruction: Option<Instruction>,
    /// The scanner that found it; absent where that is trivy.
    #[serde(default = "trivy", skip_serializing_if = "is_trivy")]
    pub(crate) tool: Tool,
}

#[cfg(test)]
impl Vulnerability {
    /// One that trivy has found in an image for linux/amd64, and that has no fix.
    pub(crate) fn example(id: &str, package: &str, installed: &str, severity: Severity) -> Self {
        Self {
            id: id.to_owned(),
            severity,
            title: String::new(),
            package: package.to_owned(),
            installed: installed.to_owned(),
            fixed: None,
            target: String::new(),
            url: None,
            platform: "linux/amd64".parse().unwrap(),
            layer: None,
            instruction: None,
            tool: Tool::TRIVY,
        }
    }
}

fn gitleaks() -> Tool {
    Tool::GITLEAKS
}

fn trivy() -> Tool {
    Tool::TRIVY
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_gitleaks(tool: &Tool) -> bool {
    *tool == Tool::GITLEAKS
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_trivy(tool: &Tool) -> bool {
    *tool == Tool::TRIVY
}

/// A place in a Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Instruction {
    /// The Dockerfile, relative to the source's root where it is inside, with `/` between parts.
    pub(crate) file: String,
    /// The first line, counted from 1.
    pub(crate) line: u32,
    /// The last line.
    pub(crate) end_line: u32,
    /// The instruction as it is written, its first line.
    pub(crate) text: String,
}

impl Finding {
    /// The tool that made it.
    #[must_use]
    pub(crate) fn tool(&self) -> Tool {
        match self {
            Self::Leak(leak) => leak.tool,
            Self::Vulnerability(vulnerability) => vulnerability.tool,
        }
    }
}

/// Findings that a file or a mark of the project let through: named and counted, never silent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Suppression {
    /// The tool whose findings they are.
    pub(crate) tool: Tool,
    /// What suppressed them: `.trivyignore`, `.gitleaksignore`, `gitleaks:allow`, `.gitleaks.toml`.
    pub(crate) by: String,
    /// The ID of the advisory or of the rule.
    pub(crate) id: String,
    /// The reason that the project gives, where it gives one.
    pub(crate) reason: Option<String>,
    /// The number of findings.
    pub(crate) count: u32,
    /// Whether it came with the change, and whether it counts.
    #[serde(default, skip_serializing_if = "Standing::is_known")]
    pub(crate) standing: Standing,
    /// The commit that brought the entry as it is, whose author is who set it; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) set_in: Option<String>,
    /// Until when it lets anything through; absent where it has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(crate) expires: Option<Timestamp>,
}

/// Whether a suppression came with the change that it lets through, and whether it counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Standing {
    /// It was there before, or nothing is known of before.
    #[default]
    Known,
    /// It came with the change, and counts.
    New,
    /// It came with the change, and does not count: the findings stay.
    Refused,
}

impl Standing {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    fn is_known(&self) -> bool {
        *self == Self::Known
    }
}
