//! What a statement does wrong, and what to do about it.

use iam_policy::Effect;
use iam_policy::trust::{ACTION, Difference, Element, MismatchReason};

use super::LENGTH;
use crate::text;

/// What a statement does wrong: the sentences after its name.
pub(super) fn predicate(difference: &Difference) -> String {
    let what = what(&difference.element);
    match &difference.reason {
        MismatchReason::OnlyLetterCase { .. } => format!(
            "has the {what} in another letter case, and AWS tells capital letters from small ones. Write it exactly as \
             shown first."
        ),
        MismatchReason::AudienceDiffers => "wants a token for another audience. Put this one's into the policy, and among the \
                                      audiences of the identity provider in IAM."
            .to_owned(),
        MismatchReason::ActionMissing => format!(
            "does not allow {ACTION}, which a token needs; sts:AssumeRole is for users and other roles. Set its \
             Action to the one needed."
        ),
        MismatchReason::ExplicitDeny => {
            "denies this caller, whatever other statements allow. Make an exception for it there, if it \
                                    may have the role."
                .to_owned()
        }
        MismatchReason::NothingAllowed => "has no statement that allows anything. Add one for this caller.".to_owned(),
        MismatchReason::Excluded => {
            format!(
                "excludes exactly the {what} that the token has. Remove it from the condition, if this run may have the role."
            )
        }
        MismatchReason::Other => format!("wants another {what}. Put the token's into the policy, if it may have the role."),
        reason => of_principal(reason)
            .or_else(|| of_subject(reason))
            .map(str::to_owned)
            .or_else(|| of_key(reason, &difference.element))
            .unwrap_or_else(|| format!("{}{}", of_doubt(reason, &difference.element), consequence(difference))),
    }
}

fn of_subject(reason: &MismatchReason) -> Option<&'static str> {
    Some(match reason {
        MismatchReason::OtherSubjectFormat { token_has_ids: true } => {
            "names the repository without ids, and the token has them: GitHub adds them for repositories that were created, \
             renamed or transferred after 2026-07-15, and where it is turned on. Put the token's sub into the policy."
        }
        MismatchReason::OtherSubjectFormat { token_has_ids: false } => {
            "names the repository with ids, and the token has none. Put the token's sub into the policy, or turn on immutable \
             subject claims in the repository's settings for OIDC."
        }
        MismatchReason::WildcardUnderStringEquals => {
            "has a * or ? under an operator without wildcards. Move the value to StringLike, where they are wildcards."
        }
        MismatchReason::EnvironmentInsteadOfRef => {
            "wants a branch, tag or pull request, and the job names an environment, which takes their place in the token. Put \
             the token's sub into the policy, or remove `environment:` from the job."
        }
        MismatchReason::RefInsteadOfEnvironment => {
            "wants an environment, and the job names none. Name it with `environment:` in the job, or put the token's sub into \
             the policy."
        }
        MismatchReason::PullRequestInsteadOfRef => {
            "wants a branch or tag, and the run is for a pull request. Deliver on a push instead: nobody has reviewed \
             what a pull request brings."
        }
        MismatchReason::RefInsteadOfPullRequest => {
            "is for pull requests, and the run is for a branch or tag. Put the token's sub into the policy."
        }
        MismatchReason::OtherRef => {
            "is for another branch or tag. Deliver from there, or put the token's value into the policy, if it may have \
             the role."
        }
        MismatchReason::OtherEnvironment => {
            "is for another environment. Name that one in the job, or put the token's value into the policy, if it may \
             have the role."
        }
        MismatchReason::OtherRepository => {
            "is for another repository, or one of the same name with another id. Put the token's value into the policy, if it \
             may have the role."
        }
        _ => return None,
    })
}

fn of_principal(reason: &MismatchReason) -> Option<&'static str> {
    Some(match reason {
        MismatchReason::ProviderOfAnotherAccount => {
            "trusts the right identity provider of another account or partition, and a role can trust those of its own account \
             only. Name the one below; if it is not there, create it in IAM."
        }
        MismatchReason::OtherProvider => {
            "trusts another identity provider than the one that issued the token. Name the one below; if it is not there, \
             create it in IAM."
        }
        MismatchReason::NotFederated => {
            "is for accounts or services, not for the token of an identity provider. Add a statement with the provider as its \
             Federated principal."
        }
        MismatchReason::NoPrincipal => {
            "has no Principal, as all statements of a trust policy have. Check that this is the role's trust policy, not what \
             the role itself may do."
        }
        MismatchReason::WildcardPrincipal => {
            "is for everyone, and IAM wants the principals of a trust policy by name. Name the one below."
        }
        MismatchReason::NotPrincipal => "has a NotPrincipal, which IAM does not accept in a trust policy. Use Principal.",
        _ => return None,
    })
}

fn of_key(reason: &MismatchReason, element: &Element) -> Option<String> {
    let what = what(element);
    Some(match reason {
        MismatchReason::MissingClaim if what == "environment" => {
            "wants an environment, and the job names none. Name it with `environment:` in the job.".to_owned()
        }
        MismatchReason::MissingClaim => {
            format!("wants the claim {what}, and the token has none. Remove the condition, or use one on another claim.")
        }
        MismatchReason::ClaimNotPassed => format!(
            "has a condition on {what}, and AWS makes no condition key of that claim. Use one on sub, or on another that AWS \
             lists for this identity provider."
        ),
        MismatchReason::KeyOfAnotherProvider => format!(
            "has a condition on {}, which does not exist: keys begin with the token's issuer without https://, and a colon. Correct \
             the key.",
            key(element)
        ),
        _ => return None,
    })
}

fn of_doubt(reason: &MismatchReason, element: &Element) -> String {
    match reason {
        MismatchReason::KeyOfRequest => {
            format!("has a condition on {}, which is about the request, not the token.", key(element))
        }
        MismatchReason::PolicyVariable => "has a condition with a policy variable.".to_owned(),
        _ => format!("has a condition with an operator that is not known here, on {}.", key(element)),
    }
}

/// What follows from a condition that can't be judged.
fn consequence(difference: &Difference) -> &'static str {
    match difference.statement.as_ref().map(|label| label.effect) {
        Some(Effect::Deny) => " Whether it holds can't be told here; where it does, the statement denies.",
        _ => " Whether it holds can't be told here; only where it does, the statement allows.",
    }
}

/// What an element is about: the claim of a condition's key.
fn what(element: &Element) -> String {
    match element {
        Element::Statement => "statement".to_owned(),
        Element::Principal => "principal".to_owned(),
        Element::Action => "action".to_owned(),
        Element::Condition { key, .. } => text::line(key.rsplit(':').next().unwrap_or(key), LENGTH).into(),
    }
}

fn key(element: &Element) -> String {
    match element {
        Element::Condition { key, .. } => text::line(key, LENGTH).into(),
        other => what(other),
    }
}
