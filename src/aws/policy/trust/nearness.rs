//! How near a value of a policy comes to what a caller has: the faults that people make.

use crate::aws::policy::document::Version;
use crate::aws::policy::operator::Test;
use crate::aws::policy::pattern::Pattern;
use crate::aws::policy::subject::{Kind, Parts};

/// The cause of a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nearness {
    /// They differ in letter case alone, and AWS tells capital letters from small ones.
    OnlyLetterCase {
        /// The first character that differs, counted from 0 in the policy's value.
        position: usize,
    },
    /// They name the same repository, one of them with ids and the other without.
    OtherSubjectFormat {
        /// Whether the one with ids is the token's.
        token_has_ids: bool,
    },
    /// A `*` or `?` under an operator that takes it for itself. As a wildcard it would match.
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
    /// The token is for someone else.
    AudienceDiffers,
    /// The policy trusts the same provider in another account or partition. A role trusts those of its own account only.
    ProviderOfAnotherAccount,
    /// The policy trusts another provider.
    OtherProvider,
    /// The statement is for accounts, services or others who need no provider.
    NotFederated,
    /// The statement has no principal: it is none of a trust policy.
    NoPrincipal,
    /// The statement allows everyone. IAM wants the principals of a trust policy by name.
    WildcardPrincipal,
    /// The statement is about all but some. IAM does not take that in a trust policy.
    NotPrincipal,
    /// The statement does not allow to take on the role with a token.
    ActionMissing,
    /// AWS passes the key on, and this token has no such claim.
    MissingClaim,
    /// The token has such a claim, and AWS does not pass it on.
    ClaimNotPassed,
    /// The key begins with the name of another provider than the token's issuer, or with none.
    KeyOfAnotherProvider,
    /// The key is about the request, not the token.
    KeyOfRequest,
    /// The operator can't be judged here.
    UnknownOperator,
    /// The value has a policy variable, which can't be judged here.
    PolicyVariable,
    /// The statement leaves out just this value.
    Excluded,
    /// The statement denies, and is about this caller.
    DenyStatement,
    /// The document allows nothing at all.
    NothingAllowed,
    /// Nothing of the above.
    Other,
}

impl Nearness {
    /// How far off a statement is because of this: the larger, the less it was meant for the caller.
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
            Self::NotFederated | Self::NoPrincipal | Self::DenyStatement | Self::NothingAllowed => 20,
        }
    }
}

/// Says how near a value comes to a claim that it does not match under `test`.
pub(super) fn of_claim(claim: &str, value: &str, actual: &str, test: Test, version: Version) -> Nearness {
    let (Some(like), Some(exact)) = (Pattern::like(value, version), Pattern::exact(value, version)) else {
        return Nearness::PolicyVariable;
    };
    let lowercase = actual.to_ascii_lowercase();
    let compared = if test == Test::Like { &like } else { &exact };
    if compared.lowercase().matches(&lowercase) {
        return Nearness::OnlyLetterCase { position: compared.matching_prefix(actual) };
    }
    if test != Test::Like && like.lowercase().matches(&lowercase) {
        return Nearness::WildcardUnderStringEquals;
    }
    match claim {
        "sub" => of_subject(value, actual, version),
        "aud" => Nearness::AudienceDiffers,
        "ref" => Nearness::OtherRef,
        "environment" => Nearness::OtherEnvironment,
        "repository" | "repository_id" | "repository_owner_id" => Nearness::OtherRepository,
        _ => Nearness::Other,
    }
}

fn of_subject(value: &str, actual: &str, version: Version) -> Nearness {
    let (Some(wanted), Some(found)) = (Parts::of(value), Parts::of(actual)) else { return Nearness::Other };
    let matches = |pattern: &str, text: &str| {
        Pattern::like(pattern, version).is_some_and(|pattern| pattern.lowercase().matches(&text.to_ascii_lowercase()))
    };
    if !matches(&wanted.by_name(), &found.by_name()) {
        return Nearness::OtherRepository;
    }
    if !matches(&wanted.in_full(), &found.in_full()) {
        let token_has_ids = found.is_immutable();
        let same_format = token_has_ids == wanted.is_immutable();
        return if same_format { Nearness::OtherRepository } else { Nearness::OtherSubjectFormat { token_has_ids } };
    }
    match (wanted.kind(), found.kind()) {
        (Some(Kind::Ref), Some(Kind::Ref)) => Nearness::OtherRef,
        (Some(Kind::Environment), Some(Kind::Environment)) => Nearness::OtherEnvironment,
        (Some(Kind::Ref | Kind::PullRequest), Some(Kind::Environment)) => Nearness::EnvironmentInsteadOfRef,
        (Some(Kind::Environment), Some(Kind::Ref | Kind::PullRequest)) => Nearness::RefInsteadOfEnvironment,
        (Some(Kind::Ref), Some(Kind::PullRequest)) => Nearness::PullRequestInsteadOfRef,
        (Some(Kind::PullRequest), Some(Kind::Ref)) => Nearness::RefInsteadOfPullRequest,
        _ => Nearness::Other,
    }
}

/// Says how near a provider comes to the one that is wanted, which it is not. Both are ARNs, as a rule.
pub(super) fn of_provider(trusted: &str, wanted: &str) -> Nearness {
    let lowercase = (trusted.to_ascii_lowercase(), wanted.to_ascii_lowercase());
    if lowercase.0 == lowercase.1 {
        let position = trusted.chars().zip(wanted.chars()).take_while(|(a, b)| a == b).count();
        return Nearness::OnlyLetterCase { position };
    }
    let host = |arn: &str| arn.split_once(":oidc-provider/").map(|(_, host)| host.to_owned());
    if host(&lowercase.0).is_some() && host(&lowercase.0) == host(&lowercase.1) {
        return Nearness::ProviderOfAnotherAccount;
    }
    Nearness::OtherProvider
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
        for (value, actual, nearness) in [
            ("repo:Octo-Org/octo-repo:ref:refs/heads/main", MAIN, Nearness::OnlyLetterCase { position: 5 }),
            (MAIN, IMMUTABLE, Nearness::OtherSubjectFormat { token_has_ids: true }),
            (IMMUTABLE, MAIN, Nearness::OtherSubjectFormat { token_has_ids: false }),
            ("repo:Octo-Org/octo-repo:environment:prod", IMMUTABLE, Nearness::OtherSubjectFormat { token_has_ids: true }),
            ("repo:octo-org/octo-repo:*", MAIN, Nearness::WildcardUnderStringEquals),
            ("repo:octo-org/*", "repo:octo-org@1/octo-repo@2:pull_request", Nearness::OtherSubjectFormat { token_has_ids: true }),
            (MAIN, PROD, Nearness::EnvironmentInsteadOfRef),
            (PULL, PROD, Nearness::EnvironmentInsteadOfRef),
            (PROD, MAIN, Nearness::RefInsteadOfEnvironment),
            (PROD, PULL, Nearness::RefInsteadOfEnvironment),
            (MAIN, PULL, Nearness::PullRequestInsteadOfRef),
            (PULL, MAIN, Nearness::RefInsteadOfPullRequest),
            (MAIN, "repo:octo-org/octo-repo:ref:refs/heads/next", Nearness::OtherRef),
            (PROD, "repo:octo-org/octo-repo:environment:dev", Nearness::OtherEnvironment),
            (MAIN, "repo:octo-org/other:ref:refs/heads/main", Nearness::OtherRepository),
            (IMMUTABLE, "repo:octo-org@1/octo-repo@3:ref:refs/heads/main", Nearness::OtherRepository),
            ("repo:octo-org/octo-repo", MAIN, Nearness::Other),
            (MAIN, "repository_owner:octo-org", Nearness::Other),
            ("repo:${aws:username}/octo-repo:*", MAIN, Nearness::PolicyVariable),
        ] {
            assert_eq!(of_claim("sub", value, actual, Test::Equals, Version::V2012), nearness, "{value} and {actual}");
        }
    }

    #[test]
    fn under_string_like_a_wildcard_is_no_fault() {
        let of = |value, actual| of_claim("sub", value, actual, Test::Like, Version::V2012);
        assert_eq!(of("repo:octo-org/octo-repo:ref:refs/heads/*", PROD), Nearness::EnvironmentInsteadOfRef);
        assert_eq!(of("repo:Octo-org/*", MAIN), Nearness::OnlyLetterCase { position: 5 });
        assert_eq!(of("repo:octo-org*/octo-repo*:environment:*", IMMUTABLE), Nearness::RefInsteadOfEnvironment);
    }

    #[test]
    fn each_way_to_miss_a_provider_has_its_name() {
        let wanted = "arn:aws:iam::012345678901:oidc-provider/token.actions.githubusercontent.com";
        for (trusted, nearness) in [
            (
                "arn:aws:iam::012345678901:oidc-provider/Token.actions.githubusercontent.com",
                Nearness::OnlyLetterCase { position: 40 },
            ),
            ("arn:aws:iam::999999999999:oidc-provider/token.actions.githubusercontent.com", Nearness::ProviderOfAnotherAccount),
            ("arn:aws:iam::012345678901:oidc-provider/gitlab.com", Nearness::OtherProvider),
            ("token.actions.githubusercontent.com", Nearness::OtherProvider),
        ] {
            assert_eq!(of_provider(trusted, wanted), nearness, "{trusted}");
        }
    }
}
