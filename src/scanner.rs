//! The scanners: one table. Whoever goes through them goes through [`Tool::all`], so a row is all that it takes to be asked for
//! a version, looked for before a delivery, judged, counted, reported and missed.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::environment::{Gate, Requirements};
use crate::stage_name::StageName;

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Scanner {
    /// Its program. Reports, outputs, `record.json` and the SARIF file have this name too.
    pub(crate) program: &'static str,
    /// What the program is asked for its version with.
    pub(crate) version_argument: &'static str,
    /// The stage that runs it: a scan has happened where this stage ran to its end.
    pub(crate) stage: StageName,
    /// What nobody knows where it fails: `secrets in the source`.
    pub(crate) subject: &'static str,
    /// What it finds; absent where it judges nothing.
    pub(crate) finds: Option<Finds>,
}

/// What a scanner finds, and what follows.
#[derive(Debug)]
pub(crate) struct Finds {
    /// All that it looks for, in one word: `secrets`.
    pub(crate) all: &'static str,
    /// One finding, as reports count it: `leaked secret`.
    pub(crate) noun: &'static str,
    /// One finding, as the decision counts it: `leak`.
    pub(crate) short_noun: &'static str,
    /// The gate that a finding shuts.
    pub(crate) gate: fn(Requirements) -> Gate,
    /// The project's file that lets findings through.
    pub(crate) ignore_file: &'static str,
    /// Who it is in a SARIF file.
    pub(crate) driver: Driver,
}

/// The driver of a SARIF file (SARIF 2.1.0, section 3.18.2).
#[derive(Debug)]
pub(crate) struct Driver {
    /// The tool's name as it writes it itself.
    pub(crate) name: &'static str,
    /// Its home.
    pub(crate) information_uri: &'static str,
}

/// A scanner, by the row that describes it.
#[derive(Clone, Copy)]
pub(crate) struct Tool(&'static Scanner);

macro_rules! scanners {
    ($($(#[$doc:meta])+ $tool:ident = $row:expr;)+) => {
        impl Tool {
            $($(#[$doc])+ pub const $tool: Self = Self(&$row);)+
        }

        static TABLE: [Tool; [$(stringify!($tool)),+].len()] = [$(Tool::$tool),+];
    };
}

// In the order in which findings are counted and told.
scanners! {
    /// Secrets in the source.
    GITLEAKS = Scanner {
        program: "gitleaks",
        version_argument: "version",
        stage: StageName::Secrets,
        subject: "secrets in the source",
        finds: Some(Finds {
            all: "secrets",
            noun: "leaked secret",
            short_noun: "leak",
            gate: |requirements| requirements.secrets,
            ignore_file: ".gitleaksignore",
            driver: Driver { name: "gitleaks", information_uri: "https://github.com/gitleaks/gitleaks" },
        }),
    };
    /// Vulnerabilities in the image.
    TRIVY = Scanner {
        program: "trivy",
        version_argument: "--version",
        stage: StageName::Vulnerabilities,
        subject: "vulnerabilities in the image",
        finds: Some(Finds {
            all: "vulnerabilities",
            noun: "vulnerability",
            short_noun: "vulnerability",
            gate: |requirements| requirements.vulnerabilities,
            ignore_file: ".trivyignore.yaml",
            driver: Driver { name: "Trivy", information_uri: "https://github.com/aquasecurity/trivy" },
        }),
    };
    /// The packages in the image: it lists, and judges nothing.
    SYFT = Scanner {
        program: "syft",
        version_argument: "--version",
        stage: StageName::Sbom,
        subject: "the packages in the image",
        finds: None,
    };
}

impl Tool {
    /// All, in the order of the table.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let rows = TABLE.iter().copied();
        #[cfg(test)]
        let rows = rows.chain(made_up::row());
        rows
    }

    /// Those whose findings are judged.
    pub(crate) fn judging() -> impl Iterator<Item = Self> {
        Self::all().filter(|tool| tool.finds.is_some())
    }

    /// The name of its program.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        self.0.program
    }

    /// Whether its findings end a delivery that requires this.
    #[must_use]
    pub(crate) fn blocks(self, requirements: Requirements) -> bool {
        self.0.finds.as_ref().is_some_and(|finds| (finds.gate)(requirements) == Gate::Blocking)
    }

    /// One of its findings.
    #[must_use]
    pub(crate) fn noun(self) -> &'static str {
        self.0.finds.as_ref().map_or("finding", |finds| finds.noun)
    }

    /// One of its findings, where a line begins with it.
    #[must_use]
    pub(crate) fn heading(self) -> String {
        let (first, rest) = self.noun().split_at(1);
        format!("{}{rest}", first.to_uppercase())
    }
}

impl Deref for Tool {
    type Target = Scanner;

    fn deref(&self) -> &Scanner {
        self.0
    }
}

// A program has one row, and a pointer to a function is nothing to compare.
impl PartialEq for Tool {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Tool {}

impl PartialOrd for Tool {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Tool {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name().cmp(other.name())
    }
}

impl Hash for Tool {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tool({})", self.name())
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Tool {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Tool {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let tool = Self::judging().find(|tool| tool.name() == name);
        tool.ok_or_else(|| serde::de::Error::custom(format_args!("{name:?} is no scanner that finds anything")))
    }
}

#[cfg(test)]
pub(crate) mod made_up;
#[cfg(test)]
mod tests;
