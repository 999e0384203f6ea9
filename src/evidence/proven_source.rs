//! Of which commit an image is, by a verdict about it.

use super::gather::SignedStatement;
use crate::attestation::{Origin, Predicate, Verdict};
use crate::sigstore::Identity;
use crate::text::Line;

/// What a verdict says of the source, where that counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProvenSource<'a> {
    /// The verdict.
    pub(crate) verdict: &'a Verdict,
    /// The commit.
    pub(crate) commit: &'a str,
    /// The address of its repository.
    pub(crate) repository: &'a str,
}

impl<'a> ProvenSource<'a> {
    /// What a statement proves, if it is a verdict that does. Whose word counts is another question.
    ///
    /// The certificate has the commit of the run, of its workflow's file and the repository, by GitHub's word; the verdict has
    /// them by the program's own.
    ///
    /// # Errors
    /// Why it proves nothing.
    pub(crate) fn of(signed: &'a SignedStatement) -> Result<Self, Line> {
        let Predicate::Verdict(verdict) = &signed.statement.predicate else { return Err("it is no verdict".into()) };
        let source = &verdict.source;
        if source.dirty {
            return Err("its source had changes that are in no commit".into());
        }
        if verdict.origin == Origin::Claimed {
            return Err("its delivery took the image's own word for it, which whoever may push can have written".into());
        }
        let (Some(commit), Some(repository)) = (source.commit.as_deref(), source.repository.as_deref()) else {
            return Err("it does not say of which commit and repository the image is".into());
        };
        // Whoever may use a key says it by their own word alone: that is what the key's word counts for.
        let is_of_run = |by: &Identity| by.ran_at(commit) && by.repository.as_deref() == Some(repository);
        if !signed.signer.identity().is_none_or(is_of_run) {
            return Err("its commit or repository is not that of the run which signed it".into());
        }
        Ok(Self { verdict, commit, repository })
    }
}
