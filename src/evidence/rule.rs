//! Whose word counts.

use serde::Deserialize;

use super::pattern::Pattern;
use crate::document::yaml;
use crate::sigstore::Identity;

/// Who GitHub's tokens are issued by.
const GITHUB: &str = "https://token.actions.githubusercontent.com";

/// What a certificate has to say of a signer. All that is said has to hold.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Rule {
    /// Who: for a job the workflow that it is of, with its ref.
    pub(crate) identity: Pattern,
    /// By whose word: the issuer of the token.
    #[serde(default = "github")]
    pub(crate) issuer: Pattern,
    /// The repository that the run was of, by address.
    #[serde(default, deserialize_with = "yaml::given")]
    pub(crate) repository: Option<Pattern>,
    /// Its number, which it keeps when it is renamed.
    #[serde(default, deserialize_with = "yaml::given")]
    pub(crate) repository_id: Option<Pattern>,
    /// The ref that the run was of.
    #[serde(default, rename = "ref", deserialize_with = "yaml::given")]
    pub(crate) reference: Option<Pattern>,
    /// The workflow that the run was of: the team's own, where `identity` is a reusable one.
    #[serde(default, deserialize_with = "yaml::given")]
    pub(crate) workflow: Option<Pattern>,
    /// What started the run.
    #[serde(default, deserialize_with = "yaml::given")]
    pub(crate) event: Option<Pattern>,
    /// The environment of GitHub that the job was of.
    #[serde(default, deserialize_with = "yaml::given")]
    pub(crate) environment: Option<Pattern>,
    /// Whose machine it ran on.
    #[serde(default, deserialize_with = "yaml::given")]
    pub(crate) runner: Option<Pattern>,
}

fn github() -> Pattern {
    Pattern::exactly(GITHUB)
}

/// The first thing about a signer that is not as a rule has it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its {what} is {}, and {wanted} is expected", .actual.as_deref().unwrap_or("not said"))]
pub(crate) struct Mismatch {
    /// What it is.
    pub(crate) what: &'static str,
    /// What was expected.
    pub(crate) wanted: String,
    /// What the certificate says; absent where it says nothing.
    pub(crate) actual: Option<String>,
}

impl Rule {
    /// A rule for a signer by name, of GitHub's.
    pub(crate) fn of(identity: Pattern) -> Self {
        Self {
            identity,
            issuer: github(),
            repository: None,
            repository_id: None,
            reference: None,
            workflow: None,
            event: None,
            environment: None,
            runner: None,
        }
    }

    /// Looks whether a signer is as the rule has it.
    ///
    /// # Errors
    /// What differs first.
    pub(crate) fn check(&self, signer: &Identity) -> Result<(), Mismatch> {
        let Identity { subject, issuer, repository, repository_id, reference, workflow, event, environment, runner, .. } = signer;
        let demands: [(&str, Option<&Pattern>, Option<&String>); 9] = [
            ("identity", Some(&self.identity), Some(subject)),
            ("issuer", Some(&self.issuer), Some(issuer)),
            ("repository", self.repository.as_ref(), repository.as_ref()),
            ("repository's number", self.repository_id.as_ref(), repository_id.as_ref()),
            ("ref", self.reference.as_ref(), reference.as_ref()),
            ("workflow", self.workflow.as_ref(), workflow.as_ref()),
            ("event", self.event.as_ref(), event.as_ref()),
            ("environment", self.environment.as_ref(), environment.as_ref()),
            ("runner", self.runner.as_ref(), runner.as_ref()),
        ];
        for (what, pattern, actual) in demands {
            let Some(pattern) = pattern else { continue };
            if !actual.is_some_and(|actual| pattern.matches(actual)) {
                return Err(Mismatch { what, wanted: pattern.to_string(), actual: actual.cloned() });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer() -> Identity {
        let some = |text: &str| Some(text.to_owned());
        Identity {
            subject: "https://github.com/org/gp-deliver/.github/workflows/_build-and-release.yml@refs/tags/v1".to_owned(),
            issuer: GITHUB.to_owned(),
            repository: some("https://github.com/team/app"),
            repository_id: some("1"),
            commit: some("a1b2c3d4e5f60718293a4b5c6d7e8f9012345678"),
            reference: some("refs/heads/main"),
            workflow: some("https://github.com/team/app/.github/workflows/delivery.yml@refs/heads/main"),
            workflow_commit: some("a1b2c3d4e5f60718293a4b5c6d7e8f9012345678"),
            event: some("push"),
            run: some("https://github.com/team/app/actions/runs/42/attempts/1"),
            environment: some("prod"),
            runner: some("github-hosted"),
        }
    }

    fn rule() -> Rule {
        Rule::of("https://github.com/org/gp-deliver/.github/workflows/_build-and-release.yml@refs/tags/v*".parse().unwrap())
    }

    #[test]
    fn a_signer_who_is_all_that_is_asked_for_passes() {
        let exactly = |text: &str| Some(Pattern::exactly(text));
        let all = Rule {
            repository: exactly("https://github.com/team/app"),
            repository_id: exactly("1"),
            reference: exactly("refs/heads/main"),
            event: exactly("push"),
            environment: exactly("prod"),
            runner: exactly("github-hosted"),
            workflow: Some("https://github.com/team/app/**@refs/heads/main".parse().unwrap()),
            ..rule()
        };
        assert_eq!(all.check(&signer()), Ok(()));
    }

    #[test]
    fn a_signer_who_is_not_is_refused_by_the_first_thing_that_differs() {
        let other = |change: fn(&mut Identity)| {
            let mut signer = signer();
            change(&mut signer);
            Rule { repository: Some(Pattern::exactly("https://github.com/team/app")), ..rule() }.check(&signer).unwrap_err().what
        };
        assert_eq!(other(|signer| signer.subject.push_str("-evil@x")), "identity");
        assert_eq!(other(|signer| signer.issuer.push('/')), "issuer");
        assert_eq!(other(|signer| signer.repository = Some("https://github.com/team/app2".to_owned())), "repository");
        assert_eq!(other(|signer| signer.repository = None), "repository");
    }
}
