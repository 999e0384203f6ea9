//! What is asked of an image.

use jiff::SignedDuration;
use serde::Deserialize;

use super::amazon;
use super::today::{self, Today};
use crate::attestation::PredicateType;
use crate::environment::Environment;
use crate::evidence::{Accepted, Pattern, Rule, SignedStatement};

/// What is asked of an image, and by whose word.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Whose word counts: one rule has to hold.
    pub(crate) signers: Vec<Accepted>,
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

impl From<&Policy> for Wanted {
    fn from(policy: &Policy) -> Self {
        let &Policy { ref signers, environment, max_age_hours, sbom, provenance, today, ecr } = policy;
        let identity = |signer: &Signer| match signer {
            Signer::Identity(rule) => Some(Accepted::Identity(rule.clone())),
            Signer::Key(_) => None,
        };
        let signers = signers.iter().filter_map(identity).collect();
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
    pub(crate) signers: Vec<Signer>,
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

/// Someone whose word counts, as a policy names them.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "a signer has an identity, or a key, and what is known beside that")]
pub(crate) enum Signer {
    /// Whom a certificate names.
    Identity(Box<Rule>),
    /// Whoever may use a key.
    Key(NamedKey),
}

/// A key, as a policy or the command line names it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct NamedKey {
    /// An ARN of AWS KMS, a file of PEM, or the content of one.
    pub(crate) key: String,
    /// The environments whose verdicts it may give; none for all.
    #[serde(default)]
    pub(crate) environments: Vec<Environment>,
    /// The repository that its verdicts have to be of, by their own word.
    pub(crate) repository: Option<Pattern>,
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

    /// Whether a statement is by someone whose word counts.
    ///
    /// # Errors
    /// Why not, in words.
    pub(super) fn check(&self, signed: &SignedStatement) -> Result<(), String> {
        // What the key of one environment has signed is no leave for another.
        let leave = signed.statement.predicate.of_type() == Some(PredicateType::Signature);
        let is_of = |accepted: &Accepted| match (accepted, self.environment) {
            (Accepted::Key(rule), Some(environment)) => !leave || rule.speaks_for(environment),
            _ => true,
        };
        any(self.signers.iter().filter(|accepted| is_of(accepted)), signed)
    }
}

/// Whether a statement is by someone whose word counts.
///
/// # Errors
/// Why not, in words.
pub(crate) fn check(accepted: &[Accepted], signed: &SignedStatement) -> Result<(), String> {
    any(accepted.iter(), signed)
}

fn any<'a>(accepted: impl Iterator<Item = &'a Accepted>, signed: &SignedStatement) -> Result<(), String> {
    let mut reasons = Vec::new();
    for one in accepted {
        match one.check(signed) {
            Ok(()) => return Ok(()),
            Err(why) => reasons.push(why),
        }
    }
    if reasons.is_empty() {
        reasons.push("nobody speaks for the environment that is asked for".to_owned());
    }
    Err(reasons.join("; "))
}
