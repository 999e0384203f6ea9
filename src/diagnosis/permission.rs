//! The words for a permission that the role does not have.

use iam_policy::{Denial, DenialReason, PolicyKind};

use super::Diagnosis;
use crate::aws::RepositoryArn;
use crate::aws::ecr::{OF_PREVIEW, Permissions, preview_policy};

/// The diagnosis of a refusal by AWS; `None` if it is not about a permission. `said` is AWS's whole message, `words` the
/// sentence in it.
pub(super) fn lacking(said: &str, words: &str) -> Option<Diagnosis> {
    let denial = Denial::parse(words)?;
    let repository: Option<RepositoryArn> = denial.resource.as_deref().and_then(|resource| resource.parse().ok());
    let place = repository.as_ref().map(|repository| format!(" in {}", repository.name)).unwrap_or_default();
    let what = format!("AWS does not allow {}{place}", denial.action);
    let diagnosis = Diagnosis::new(what, said, remedy(&denial));
    let allowed_by_role = matches!(denial.reason, DenialReason::NotSaid | DenialReason::NotAllowed(PolicyKind::Identity));
    Some(match repository.filter(|_| allowed_by_role) {
        Some(repository) if is_of_preview(&denial) => diagnosis.with_copy(&preview_policy(&repository).to_json()),
        Some(repository) => diagnosis.with_copy(&needed(&denial, repository).policy().to_json()),
        None => diagnosis,
    })
}

/// Whether no delivery asks for it, but who looks at a lifecycle policy.
fn is_of_preview(denial: &Denial) -> bool {
    denial.action.strip_prefix("ecr:").is_some_and(|action| OF_PREVIEW.contains(&action))
}

/// The smallest policy, with what was refused if that is more.
fn needed(denial: &Denial, repository: RepositoryArn) -> Permissions {
    Permissions {
        repository,
        create_repository: denial.action == "ecr:CreateRepository",
        describe_repository: denial.action == "ecr:DescribeRepositories",
        delete_images: denial.action == "ecr:BatchDeleteImage",
    }
}

fn remedy(denial: &Denial) -> String {
    let who = denial.principal.as_deref().unwrap_or("the role");
    let needs = if is_of_preview(denial) { "a preview of a lifecycle policy" } else { "publishing" };
    let give = || format!("Give {who} the permission; this policy is the least that {needs} needs.");
    let (DenialReason::NotAllowed(policy) | DenialReason::Denied { by: policy, .. }) = &denial.reason else {
        return give();
    };
    let denied = matches!(denial.reason, DenialReason::Denied { .. });
    let verb = if denied { "does not deny" } else { "allows" };
    let see_to = |whose: &str| format!("Make sure that {whose} {verb} {} for {who}.", denial.action);
    match policy {
        PolicyKind::Identity if !denied => give(),
        PolicyKind::Identity => see_to("a policy of the role"),
        PolicyKind::Resource => see_to("the repository's own policy"),
        PolicyKind::RoleTrust => see_to("the role's trust policy"),
        PolicyKind::Session => see_to("`session-policy`"),
        PolicyKind::PermissionsBoundary => see_to("the role's permissions boundary"),
        PolicyKind::ServiceControl => see_to("the organization's service control policy"),
        PolicyKind::ResourceControl => see_to("the organization's resource control policy"),
        PolicyKind::VpcEndpoint => see_to("the policy of the VPC endpoint that the runner uses"),
        PolicyKind::Other => see_to("the policy that AWS names"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUT: &str = "User: arn:aws:sts::012345678901:assumed-role/deliver/run is not authorized to perform: ecr:PutImage on \
                       resource: arn:aws:ecr:eu-central-1:012345678901:repository/team/app because no identity-based policy \
                       allows the ecr:PutImage action";

    #[test]
    fn a_missing_permission_is_named_with_the_policy_that_gives_it() {
        let diagnosis = lacking(PUT, PUT).unwrap();
        assert_eq!(diagnosis.what, "AWS does not allow ecr:PutImage in team/app");
        assert!(diagnosis.to_copy.iter().any(|line| line.contains("arn:aws:ecr:eu-central-1:012345678901:repository/team/app")));
    }

    #[test]
    fn a_policy_of_the_organization_is_not_mended_by_one_of_the_role() {
        let words = PUT.replace(
            "because no identity-based policy allows the ecr:PutImage action",
            "with an explicit deny in a service control policy",
        );
        let diagnosis = lacking(&words, &words).unwrap();
        assert!(
            diagnosis.remedy.contains("the organization's service control policy does not deny ecr:PutImage"),
            "{diagnosis:?}"
        );
        assert!(diagnosis.to_copy.is_empty());
    }

    #[test]
    fn a_refusal_about_something_else_is_left_alone() {
        assert_eq!(lacking("no", "The image tag 'x' already exists"), None);
    }
}
