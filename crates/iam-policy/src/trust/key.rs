//! Condition keys of a trust policy.

/// What a condition's key is about. Letter case does not matter in keys.
pub(super) enum ConditionKey {
    /// A claim of the token.
    Claim(String),
    /// A claim of another provider's tokens.
    AnotherProvider,
    /// The request: where it comes from, what the session is to be called, …
    Request,
}

impl ConditionKey {
    /// Reads a key, where the token is one of `provider`.
    pub(super) fn of(key: &str, provider: &str) -> Self {
        let service = key.split_once(':').map(|(service, _)| service.to_ascii_lowercase());
        match key.rsplit_once(':') {
            Some((prefix, claim)) if prefix.eq_ignore_ascii_case(provider) => Self::Claim(claim.to_ascii_lowercase()),
            _ if matches!(service.as_deref(), Some("aws" | "sts" | "iam")) => Self::Request,
            _ => Self::AnotherProvider,
        }
    }
}

/// Whether AWS makes a condition key of a claim (IAM User Guide, "IAM and AWS STS condition context keys", "Available keys for
/// AWS OIDC federation"): some of everyone's, and for GitHub's hosts those that were added in January 2026. A GitHub
/// Enterprise Server's are not among them.
pub(super) fn is_passed_on(claim: &str, provider: &str) -> bool {
    const OF_EVERYONE: [&str; 5] = ["amr", "aud", "email", "oaud", "sub"];
    const OF_GITHUB: [&str; 10] = [
        "actor",
        "actor_id",
        "enterprise_id",
        "environment",
        "job_workflow_ref",
        "ref",
        "repository",
        "repository_id",
        "repository_owner_id",
        "workflow",
    ];
    let host = provider.split('/').next().unwrap_or_default().to_ascii_lowercase();
    let is_github =
        host == "token.actions.githubusercontent.com" || (host.starts_with("token.actions.") && host.ends_with(".ghe.com"));
    OF_EVERYONE.contains(&claim) || (is_github && OF_GITHUB.contains(&claim))
}
