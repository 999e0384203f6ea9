//! OIDC identity providers, as IAM names them.

use crate::RoleArn;

/// The ARN of the identity provider of an issuer (`https://token.actions.githubusercontent.com`) in a role's account. A role
/// can trust the providers of its own account only.
#[must_use]
pub fn provider_arn(role: &RoleArn, issuer: &str) -> String {
    format!("arn:{}:iam::{}:oidc-provider/{}", role.partition(), role.account(), provider_name(issuer))
}

/// An issuer as IAM names its provider: without the scheme (IAM API Reference, `CreateOpenIDConnectProvider`).
pub(super) fn provider_name(issuer: &str) -> &str {
    issuer.strip_prefix("https://").unwrap_or(issuer)
}
