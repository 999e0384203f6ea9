//! What is asked of an image.

use jiff::SignedDuration;
use serde::Deserialize;

use super::amazon;
use super::today::{self, Today};
use crate::attestation::PredicateType;
use crate::document::yaml;
use crate::environment::Environment;
use crate::evidence::{Accepted, KeyRule, Pattern, Rule, SignedStatement};

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
    #[serde(default, deserialize_with = "yaml::given")]
    pub(crate) environment: Option<Environment>,
    /// How old that verdict may be, in hours.
    #[serde(default, deserialize_with = "yaml::given")]
    pub(crate) max_age_hours: Option<u32>,
    /// Whether there has to be a list of what is in it.
    #[serde(default)]
    pub(crate) sbom: bool,
    /// Whether it has to be said where it came from.
    #[serde(default)]
    pub(crate) provenance: bool,
    /// What is asked of it by what is known today, by its SBOM.
    #[serde(default, deserialize_with = "yaml::given")]
    pub(crate) today: Option<today::Asked>,
    /// What Amazon ECR has to say of it.
    #[serde(default, deserialize_with = "yaml::given")]
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
    #[serde(default, deserialize_with = "yaml::given")]
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
        let of = signed.statement.predicate.of_type();
        let is_of = |accepted: &Accepted| match (accepted, self.environment) {
            (Accepted::Key(rule), Some(environment)) => rule.speaks_for(environment) || says_besides(rule, of),
            _ => true,
        };
        any(self.signers.iter().filter(|accepted| is_of(accepted)), signed)
    }

    /// Whether a statement is by someone who speaks for the environment that is asked for: their word comes before that of
    /// others, whenever it was.
    pub(super) fn is_of_environment(&self, signed: &SignedStatement) -> bool {
        let speaks = |accepted: &Accepted| match (accepted, self.environment) {
            (Accepted::Key(rule), Some(environment)) => rule.speaks_for(environment),
            _ => true,
        };
        any(self.signers.iter().filter(|accepted| speaks(accepted)), signed).is_ok()
    }
}

/// Whether a statement is by someone whose word counts.
///
/// # Errors
/// Why not, in words.
pub(crate) fn check(accepted: &[Accepted], signed: &SignedStatement) -> Result<(), String> {
    any(accepted.iter(), signed)
}

/// Whether a key that speaks for other environments than the one that is asked for may say something of such a type. A verdict
/// says itself for which environment it is. A signature is a leave, and no leave for another. Anything else says of no
/// environment: where an image is promoted by its list, that is by the key of one whose gates block.
fn says_besides(rule: &KeyRule, of: Option<PredicateType>) -> bool {
    match of {
        Some(PredicateType::Verdict) => true,
        Some(PredicateType::Signature) => false,
        _ => rule.environments.iter().all(|environment| environment.is_blocking()),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attestation::{Predicate, Statement, Subject};
    use crate::oci::{Digest, layout};
    use crate::sigstore::SignedBy;

    #[test]
    fn what_is_asked_for_without_a_value_is_not_passed_over() {
        let read = |text: &str| yaml::read_yaml::<Policy>(text);
        let passed = |text: &str| read(text).is_ok_and(|read| (read.environment, read.max_age_hours).eq(&(None, None)));
        assert!(passed("signers: []\n"));
        for name in ["environment", "max-age-hours"] {
            for value in ["", " ~", " null"] {
                assert!(read(&format!("{name}:{value}\n")).is_err(), "{name}:{value}");
            }
        }
        for name in ["today", "ecr"] {
            let asked = |read: Policy| read.today.is_some() || read.ecr.is_some();
            assert!(read(&format!("{name}:\n")).map_or(true, asked), "{name}");
        }
        for name in ["repository", "ref", "event", "environment"] {
            assert!(read(&format!("signers:\n- identity: x\n  {name}:\n")).is_err(), "{name}");
        }
        assert!(read("signers:\n- key: x\n  repository:\n").is_err());
        assert!(read("today: { severity-threshold: }\n").is_err());
    }

    fn signed(by: Digest, predicate: Predicate) -> SignedStatement {
        let digest = Digest::of(b"image");
        let subjects = vec![Subject { name: None, digest }];
        let bundle = layout::descriptor(oci_spec::image::MediaType::ImageManifest, digest, 1);
        SignedStatement {
            statement: Statement { subjects, predicate },
            signer: SignedBy::Key(by),
            at: None,
            referrer: digest,
            bundle,
        }
    }

    fn list() -> Predicate {
        let sbom = &br#"{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT"}"#[..];
        Predicate::sbom(PredicateType::Spdx, sbom.into()).unwrap()
    }

    #[test]
    fn what_devs_key_says_of_an_image_counts_for_nothing_where_prod_is_asked_for() {
        let [dev, staging, prod] = ["dev", "staging", "prod"].map(|name| Digest::of(name.as_bytes()));
        let rule = |key, environment: &str| {
            Accepted::from(KeyRule { key, environments: vec![environment.parse().unwrap()], repository: None })
        };
        let signers = vec![rule(dev, "dev"), rule(staging, "staging"), rule(prod, "prod")];
        let wanted = Wanted { signers, environment: Some(Environment::Prod), ..Wanted::nothing() };
        for (key, of_list, leave, first) in [(dev, false, false, false), (staging, true, false, false), (prod, true, true, true)]
        {
            assert_eq!(wanted.check(&signed(key, list())).is_ok(), of_list);
            assert_eq!(wanted.check(&signed(key, Predicate::Signature)).is_ok(), leave);
            assert_eq!(wanted.is_of_environment(&signed(key, list())), first);
        }
        let of_any = Wanted { environment: None, ..wanted };
        assert!(of_any.check(&signed(dev, list())).is_ok());
    }
}
