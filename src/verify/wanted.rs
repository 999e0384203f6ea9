//! What is asked of an image.

use jiff::SignedDuration;
use serde::Deserialize;

use super::amazon;
use super::today::{self, Today};
use crate::environment::Environment;
use crate::evidence::Rule;
use crate::sigstore::Identity;

/// What is asked of an image, and by whose word.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Whose word counts: one rule has to hold.
    pub(crate) signers: Vec<Rule>,
    /// The environment whose gates it has to have passed.
    pub(crate) environment: Option<Environment>,
    /// How old that verdict may be.
    pub(crate) max_age: Option<SignedDuration>,
    /// The commit that it has to be of.
    pub(crate) commit: Option<String>,
    /// Whether there has to be a list of what is in it.
    pub(crate) sbom: bool,
    /// Whether it has to be said where it came from.
    pub(crate) provenance: bool,
    /// What is asked of it by what is known today; absent where that is not looked at.
    pub(crate) today: Option<Today>,
    /// What Amazon ECR has to say of it; absent where it need not answer.
    pub(crate) ecr: Option<amazon::Asked>,
}

impl From<Policy> for Wanted {
    fn from(policy: Policy) -> Self {
        let Policy { signers, environment, max_age_hours, sbom, provenance, today, ecr } = policy;
        let max_age = max_age_hours.map(|hours| SignedDuration::from_hours(hours.into()));
        let today = today.map(Today::from);
        Self { signers, environment, max_age, commit: None, sbom, provenance, today, ecr }
    }
}

/// A file that says so: YAML or JSON.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Policy {
    /// Whose word counts.
    #[serde(default)]
    pub(crate) signers: Vec<Rule>,
    /// The environment whose gates it has to have passed.
    pub(crate) environment: Option<Environment>,
    /// How old that verdict may be, in hours.
    pub(crate) max_age_hours: Option<u32>,
    /// Whether there has to be a list of what is in it.
    #[serde(default)]
    pub(crate) sbom: bool,
    /// Whether it has to be said where it came from.
    #[serde(default)]
    pub(crate) provenance: bool,
    /// What is asked of it by what is known today, by its SBOM.
    pub(crate) today: Option<today::Asked>,
    /// What Amazon ECR has to say of it.
    pub(crate) ecr: Option<amazon::Asked>,
}

impl Wanted {
    /// Nothing, by nobody's word.
    pub(super) fn nothing() -> Self {
        Self {
            signers: Vec::new(),
            environment: None,
            max_age: None,
            commit: None,
            sbom: false,
            provenance: false,
            today: None,
            ecr: None,
        }
    }

    /// Whether a signer's word counts.
    ///
    /// # Errors
    /// Why not, in words.
    pub(super) fn check(&self, signer: &Identity) -> Result<(), String> {
        check(&self.signers, signer)
    }
}

/// Whether a signer's word counts, by one of some rules.
///
/// # Errors
/// Why not, in words.
pub(crate) fn check(rules: &[Rule], signer: &Identity) -> Result<(), String> {
    let mut reasons = Vec::new();
    for rule in rules {
        match rule.check(signer) {
            Ok(()) => return Ok(()),
            Err(mismatch) => reasons.push(mismatch.to_string()),
        }
    }
    Err(reasons.join("; "))
}
