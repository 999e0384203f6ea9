//! Who has signed, as the certificate says.

use serde::{Deserialize, Serialize};
use sigstore_verify::SubjectAltName;
use sigstore_verify::crypto::CertificateInfo;

/// Whom a certificate authority has certified: a job of a workflow, if it has seen a token of one (Fulcio, `oid-info.md`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Identity {
    /// Who it is: for a job the workflow that it is of, with its ref (`https://github.com/OWNER/NAME/PATH@REF`). For the job of
    /// a reusable workflow it is that workflow.
    pub(crate) subject: String,
    /// Who has said so, by address.
    pub(crate) issuer: String,
    /// The repository that the run is of, by address.
    pub(crate) repository: Option<String>,
    /// The number of that repository, which it keeps when it is renamed.
    pub(crate) repository_id: Option<String>,
    /// The commit that the run is of.
    pub(crate) commit: Option<String>,
    /// The ref that the run is of.
    pub(crate) reference: Option<String>,
    /// The workflow that the run is of, with its ref: the team's own, where `subject` is a reusable one.
    pub(crate) workflow: Option<String>,
    /// The commit that the workflow's file is of.
    pub(crate) workflow_commit: Option<String>,
    /// What started the run.
    pub(crate) event: Option<String>,
    /// The run, by address.
    pub(crate) run: Option<String>,
    /// The environment of GitHub that the job is of.
    pub(crate) environment: Option<String>,
    /// Whose machine it ran on: `github-hosted` or `self-hosted`.
    pub(crate) runner: Option<String>,
}

impl Identity {
    /// Whether the run was of this commit, and its workflow's file too, by the word of whoever issued the token. Whoever may run
    /// a workflow of their own writing, on a branch of their own, has another commit.
    #[must_use]
    pub(crate) fn ran_at(&self, commit: &str) -> bool {
        [&self.commit, &self.workflow_commit].map(Option::as_deref) == [Some(commit); 2]
    }

    /// What a certificate says; `None` if it names nobody.
    pub(super) fn of(certificate: &CertificateInfo) -> Option<Self> {
        let claims = certificate.ci_claims.clone();
        let subject = certificate.identity.as_ref().map(SubjectAltName::as_str)?.to_owned();
        Some(Self {
            subject,
            issuer: certificate.issuer.clone()?,
            repository: claims.source_repository_uri,
            repository_id: claims.source_repository_identifier,
            commit: claims.source_repository_digest,
            reference: claims.source_repository_ref,
            workflow: claims.build_config_uri,
            workflow_commit: claims.build_config_digest,
            event: claims.build_trigger,
            run: claims.run_invocation_uri,
            environment: claims.deployment_environment,
            runner: claims.runner_environment,
        })
    }
}
