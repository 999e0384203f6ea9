//! Why a value of a policy does not match what a caller has: the mistakes that people make.

use crate::Version;
use crate::github::{ContextKind, SubjectParts};
use crate::operator::Comparison;
use crate::pattern::Pattern;

/// The cause of a difference, as far as it can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MismatchReason {
    /// They differ only in letter case, and AWS tells capital letters from small ones.
    OnlyLetterCase {
        /// The first character that differs, counted from 0 in the policy's value.
        position: usize,
    },
    /// They name the same repository, one of them with ids and the other without.
    OtherSubjectFormat {
        /// Whether the one with ids is the token's.
        token_has_ids: bool,
    },
    /// The policy has a `*` or `?` under an operator that takes it literally. As a wildcard it would match.
    WildcardUnderStringEquals,
    /// The token names an environment where the policy wants a ref or a pull request.
    EnvironmentInsteadOfRef,
    /// The token names a ref or a pull request where the policy wants an environment.
    RefInsteadOfEnvironment,
    /// The token names a pull request where the policy wants a ref.
    PullRequestInsteadOfRef,
    /// The token names a ref where the policy wants a pull request.
    RefInsteadOfPullRequest,
    /// Another branch or tag of the same repository.
    OtherRef,
    /// Another environment of the same repository.
    OtherEnvironment,
    /// Another repository, or one of the same name with another id.
    OtherRepository,
    /// The token is meant for another service.
    AudienceDiffers,
    /// The policy trusts the same provider in another account or partition. A role trusts those of its own account only.
    ProviderOfAnotherAccount,
    /// The policy trusts another provider.
    OtherProvider,
    /// The statement is for accounts, services or others that need no provider.
    NotFederated,
    /// The statement has no principal, so it does not belong to a trust policy.
    NoPrincipal,
    /// The statement allows everyone. IAM wants the principals of a trust policy by name.
    WildcardPrincipal,
    /// The statement is for all but some principals. IAM does not take that in a trust policy.
    NotPrincipal,
    /// The statement does not allow assuming the role with a token.
    ActionMissing,
    /// AWS makes a condition key of the claim, and this token has no such claim.
    MissingClaim,
    /// The token has such a claim, and AWS makes no condition key of it.
    ClaimNotPassed,
    /// The key begins with the name of another provider than the token's issuer, or with none.
    KeyOfAnotherProvider,
    /// The key is about the request, not the token.
    KeyOfRequest,
    /// The operator is not evaluated here.
    UnknownOperator,
    /// The value has a policy variable, which is not evaluated here.
    PolicyVariable,
    /// The statement excludes this very value.
    Excluded,
    /// The statement denies, and applies to this caller.
    ExplicitDeny,
    /// The document allows nothing at all.
    NothingAllowed,
    /// None of the above.
    Other,
}

impl MismatchReason {
    /// How far off a statement is because of this: the larger, the less likely it was meant for the caller.
    pub(super) fn distance(&self) -> u32 {
        match self {
            Self::KeyOfRequest | Self::UnknownOperator | Self::PolicyVariable => 0,
            Self::OnlyLetterCase { .. } | Self::OtherSubjectFormat { .. } | Self::WildcardUnderStringEquals => 1,
            Self::EnvironmentInsteadOfRef
            | Self::RefInsteadOfEnvironment
            | Self::PullRequestInsteadOfRef
            | Self::RefInsteadOfPullRequest
            | Self::AudienceDiffers
            | Self::ProviderOfAnotherAccount
            | Self::WildcardPrincipal => 2,
            Self::OtherRef
            | Self::OtherEnvironment
            | Self::ActionMissing
            | Self::MissingClaim
            | Self::ClaimNotPassed
            | Self::KeyOfAnotherProvider
            | Self::Excluded => 3,
            Self::OtherProvider | Self::NotPrincipal | Self::Other => 5,
            Self::OtherRepository => 8,
            Self::NotFederated | Self::NoPrincipal | Self::ExplicitDeny | Self::NothingAllowed => 20,
        }
    }
}

/// Says why a value does not match a claim.
pub(super) fn of_claim(claim: &str, value: &str, actual: &str, comparison: Comparison, version: Version) -> MismatchReason {
    let (Some(like), Some(exact)) = (Pattern::like(value, version), Pattern::exact(value, version)) else {
        return MismatchReason::PolicyVariable;
    };
    let lowercase = actual.to_ascii_lowercase();
    let compared = if comparison == Comparison::Like { &like } else { &exact };
    if compared.lowercase().matches(&lowercase) {
        return MismatchReason::OnlyLetterCase { position: compared.matching_prefix(actual) };
    }
    if comparison != Comparison::Like && like.lowercase().matches(&lowercase) {
        return MismatchReason::WildcardUnderStringEquals;
    }
    match claim {
        "sub" => of_subject(value, actual, version),
        "aud" => MismatchReason::AudienceDiffers,
        "ref" => MismatchReason::OtherRef,
        "environment" => MismatchReason::OtherEnvironment,
        "repository" | "repository_id" | "repository_owner_id" => MismatchReason::OtherRepository,
        _ => MismatchReason::Other,
    }
}

fn of_subject(value: &str, actual: &str, version: Version) -> MismatchReason {
    let (Some(wanted), Some(found)) = (SubjectParts::of(value), SubjectParts::of(actual)) else { return MismatchReason::Other };
    let matches = |pattern: &str, text: &str| {
        Pattern::like(pattern, version).is_some_and(|pattern| pattern.lowercase().matches(&text.to_ascii_lowercase()))
    };
    if !matches(&wanted.by_name(), &found.by_name()) {
        return MismatchReason::OtherRepository;
    }
    if !matches(&wanted.in_full(), &found.in_full()) {
        let token_has_ids = found.is_immutable();
        let same_format = token_has_ids == wanted.is_immutable();
        return if same_format { MismatchReason::OtherRepository } else { MismatchReason::OtherSubjectFormat { token_has_ids } };
    }
    match (wanted.kind(), found.kind()) {
        (Some(ContextKind::Ref), Some(ContextKind::Ref)) => MismatchReason::OtherRef,
        (Some(ContextKind::Environment), Some(ContextKind::Environment)) => MismatchReason::OtherEnvironment,
        (Some(ContextKind::Ref | ContextKind::PullRequest), Some(ContextKind::Environment)) => {
            MismatchReason::EnvironmentInsteadOfRef
        }
        (Some(ContextKind::Environment), Some(ContextKind::Ref | ContextKind::PullRequest)) => {
            MismatchReason::RefInsteadOfEnvironment
        }
        (Some(ContextKind::Ref), Some(ContextKind::PullRequest)) => MismatchReason::PullRequestInsteadOfRef,
        (Some(ContextKind::PullRequest), Some(ContextKind::Ref)) => MismatchReason::RefInsteadOfPullRequest,
        _ => MismatchReason::Other,
    }
}

/// Says why a provider is not the one that is wanted. Both are ARNs, as a rule.
pub(super) fn of_provider(trusted: &str, wanted: &str) -> MismatchReason {
    let lowercase = (trusted.to_ascii_lowercase(), wanted.to_ascii_lowercase());
    if lowercase.0 == lowercase.1 {
        let position = trusted.chars().zip(wanted.chars()).take_while(|(a, b)| a == b).count();
        return MismatchReason::OnlyLetterCase { position };
    }
    let host = |arn: &str| arn.split_once(":oidc-provider/").map(|(_, host)| host.to_owned());
    if host(&lowercase.0).is_some() && host(&lowercase.0) == host(&lowercase.1) {
        return MismatchReason::ProviderOfAnotherAccount;
    }
    MismatchReason::OtherProvider
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIN: &str = "repo:octo-org/octo-repo:ref:refs/heads/main";
    const IMMUTABLE: &str = "repo:octo-org@1/octo-repo@2:ref:refs/heads/main";
    const PROD: &str = "repo:octo-org/octo-repo:environment:prod";
    const PULL: &str = "repo:octo-org/octo-repo:pull_request";

    #[test]
    fn each_way_to_miss_a_subject_has_its_name() {
        for (value, actual, reason) in [
            ("repo:Octo-Org/octo-repo:ref:refs/heads/main", MAIN, MismatchReason::OnlyLetterCase { position: 5 }),
            (MAIN, IMMUTABLE, MismatchReason::OtherSubjectFormat { token_has_ids: true }),
            (IMMUTABLE, MAIN, MismatchReason::OtherSubjectFormat { token_has_ids: false }),
            ("repo:Octo-Org/octo-repo:environment:prod", IMMUTABLE, MismatchReason::OtherSubjectFormat { token_has_ids: true }),
            ("repo:octo-org/octo-repo:*", MAIN, MismatchReason::WildcardUnderStringEquals),
            (
                "repo:octo-org/*",
                "repo:octo-org@1/octo-repo@2:pull_request",
                MismatchReason::OtherSubjectFormat { token_has_ids: true },
            ),
            (MAIN, PROD, MismatchReason::EnvironmentInsteadOfRef),
            (PULL, PROD, MismatchReason::EnvironmentInsteadOfRef),
            (PROD, MAIN, MismatchReason::RefInsteadOfEnvironment),
            (PROD, PULL, MismatchReason::RefInsteadOfEnvironment),
            (MAIN, PULL, MismatchReason::PullRequestInsteadOfRef),
            (PULL, MAIN, MismatchReason::RefInsteadOfPullRequest),
            (MAIN, "repo:octo-org/octo-repo:ref:refs/heads/next", MismatchReason::OtherRef),
            (PROD, "repo:octo-org/octo-repo:environment:dev", MismatchReason::OtherEnvironment),
            (MAIN, "repo:octo-org/other:ref:refs/heads/main", MismatchReason::OtherRepository),
            (IMMUTABLE, "repo:octo-org@1/octo-repo@3:ref:refs/heads/main", MismatchReason::OtherRepository),
            ("repo:octo-org/octo-repo", MAIN, MismatchReason::Other),
            (MAIN, "repository_owner:octo-org", MismatchReason::Other),
            ("repo:${aws:username}/octo-repo:*", MAIN, MismatchReason::PolicyVariable),
        ] {
            assert_eq!(of_claim("sub", value, actual, Comparison::Equals, Version::V2012), reason, "{value} and {actual}");
        }
    }

    #[test]
    fn under_string_like_a_wildcard_is_no_fault() {
        let of = |value, actual| of_claim("sub", value, actual, Comparison::Like, Version::V2012);
        assert_eq!(of("repo:octo-org/octo-repo:ref:refs/heads/*", PROD), MismatchReason::EnvironmentInsteadOfRef);
        assert_eq!(of("repo:Octo-org/*", MAIN), MismatchReason::OnlyLetterCase { position: 5 });
        assert_eq!(of("repo:octo-org*/octo-repo*:environment:*", IMMUTABLE), MismatchReason::RefInsteadOfEnvironment);
    }

    #[test]
    fn each_way_to_miss_a_provider_has_its_name() {
        let wanted = "arn:aws:iam::012345678901:oidc-provider/token.actions.githubusercontent.com";
        for (trusted, reason) in [
            (
                "arn:aws:iam::012345678901:oidc-provider/Token.actions.githubusercontent.com",
                MismatchReason::OnlyLetterCase { position: 40 },
            ),
            (
                "arn:aws:iam::999999999999:oidc-provider/token.actions.githubusercontent.com",
                MismatchReason::ProviderOfAnotherAccount,
            ),
            ("arn:aws:iam::012345678901:oidc-provider/gitlab.com", MismatchReason::OtherProvider),
            ("token.actions.githubusercontent.com", MismatchReason::OtherProvider),
        ] {
            assert_eq!(of_provider(trusted, wanted), reason, "{trusted}");
        }
    }
}
