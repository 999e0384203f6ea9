//! What somebody's key may speak for.

use crate::attestation::Predicate;
use crate::environment::Environment;
use crate::evidence::SignedStatement;
use crate::evidence::pattern::Pattern;
use crate::oci::Digest;
use crate::sigstore::SignedBy;
use crate::text;

/// A key whose word counts, and for what. A signature says nothing of the one who made it: of which repository, commit and
/// environment a verdict is, is the word of whoever may use the key. So the key is bound to environments, and whoever may
/// use that of one can't speak for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyRule {
    /// The key's fingerprint.
    pub(crate) key: Digest,
    /// The environments whose verdicts it may give; none for all.
    pub(crate) environments: Vec<Environment>,
    /// The repository that its verdicts have to be of, by address and by their own word.
    pub(crate) repository: Option<Pattern>,
}

impl KeyRule {
    /// Whether it may give verdicts for an environment.
    #[must_use]
    pub(crate) fn speaks_for(&self, environment: Environment) -> bool {
        self.environments.is_empty() || self.environments.contains(&environment)
    }

    /// Looks whether a statement is one that the key's word counts for.
    ///
    /// # Errors
    /// Why not, in words.
    pub(crate) fn check(&self, signed: &SignedStatement) -> Result<(), String> {
        if signed.signer != SignedBy::Key(self.key) {
            return Err(format!("it is signed by {}, and the key {} is expected", text::words(&signed.signer.name()), self.key));
        }
        let Predicate::Verdict(verdict) = &signed.statement.predicate else { return Ok(()) };
        if !self.speaks_for(verdict.environment) {
            let may = text::list(&self.environments.iter().map(ToString::to_string).collect::<Vec<_>>());
            return Err(format!("its key speaks for {may}, and its verdict is for {}", verdict.environment));
        }
        let repository = verdict.source.repository.as_deref();
        match &self.repository {
            Some(pattern) if !repository.is_some_and(|repository| pattern.matches(repository)) => {
                let actual = repository.map_or("not said".into(), text::words);
                Err(format!("its verdict's repository is {actual}, and {pattern} is expected"))
            }
            _ => Ok(()),
        }
    }
}
