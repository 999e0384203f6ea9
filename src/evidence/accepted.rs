//! Whose word counts: who a certificate names, or who may use a key.

use crate::evidence::SignedStatement;
use crate::evidence::key_rule::KeyRule;
use crate::evidence::rule::Rule;
use crate::sigstore::SignedBy;

/// Someone whose word counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// Whom a certificate names.
    Identity(Box<Rule>),
    /// Who may use a key.
    Key(KeyRule),
}

impl Accepted {
    /// Looks whether a statement is by them, and one that their word counts for.
    ///
    /// # Errors
    /// Why not, in words.
    pub(crate) fn check(&self, signed: &SignedStatement) -> Result<(), String> {
        match (self, &signed.signer) {
            (Self::Identity(rule), SignedBy::Identity(identity)) => rule.check(identity).map_err(|mismatch| mismatch.to_string()),
            (Self::Identity(rule), SignedBy::Key(_)) => Err(format!("it is signed by a key, and {} is expected", rule.identity)),
            (Self::Key(rule), _) => rule.check(signed),
        }
    }
}

impl From<Rule> for Accepted {
    fn from(rule: Rule) -> Self {
        Self::Identity(Box::new(rule))
    }
}

impl From<KeyRule> for Accepted {
    fn from(rule: KeyRule) -> Self {
        Self::Key(rule)
    }
}
