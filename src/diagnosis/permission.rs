//! The words for a permission that the role does not have.

use super::Diagnosis;
use crate::aws::RepositoryArn;
use crate::aws::policy::permission::{Because, Permission, Policy};
use crate::aws::policy::role::{self, Delivery};

/// What to say of AWS's refusal; none where its words are about something else than a permission. `said` is all that AWS
/// said, `words` the sentence in it.
pub(super) fn lacking(said: &str, words: &str) -> Option<Diagnosis> {
    let permission = Permission::find(words)?;
    let repository: Option<RepositoryArn> = permission.resource.as_deref().and_then(|resource| resource.parse().ok());
    let place = repository.as_ref().map(|repository| format!(" in {}", repository.name)).unwrap_or_default();
    let what = format!("AWS does not allow {}{place}", permission.action);
    let diagnosis = Diagnosis::new(what, said, remedy(&permission));
    let allowed_by_role = matches!(permission.because, Because::NotSaid | Because::NotAllowed(Policy::Identity));
    Some(match repository.filter(|_| allowed_by_role) {
        Some(repository) => diagnosis.with_copy(&role::sufficient(&needed(&permission, repository)).to_json()),
        None => diagnosis,
    })
}

/// The smallest policy, with what was refused if that is more.
fn needed(permission: &Permission, repository: RepositoryArn) -> Delivery {
    Delivery {
        repository,
        create_repository: permission.action == "ecr:CreateRepository",
        describe_repository: permission.action == "ecr:DescribeRepositories",
        delete_images: permission.action == "ecr:BatchDeleteImage",
    }
}

fn remedy(permission: &Permission) -> String {
    let who = permission.principal.as_deref().unwrap_or("the role");
    let (Because::NotAllowed(policy) | Because::Denied { by: policy, .. }) = &permission.because else {
        return format!("Give {who} the permission; this policy is the least that publishing needs.");
    };
    let denied = matches!(permission.because, Because::Denied { .. });
    let verb = if denied { "does not deny" } else { "allows" };
    let see_to = |whose: &str| format!("See to it that {whose} {verb} {} for {who}.", permission.action);
    match policy {
        Policy::Identity if !denied => format!("Give {who} the permission; this policy is the least that publishing needs."),
        Policy::Identity => see_to("a policy of the role"),
        Policy::Resource => see_to("the repository's own policy"),
        Policy::RoleTrust => see_to("the role's trust policy"),
        Policy::Session => see_to("`session-policy`"),
        Policy::PermissionsBoundary => see_to("the role's permissions boundary"),
        Policy::ServiceControl => see_to("the organization's service control policy"),
        Policy::ResourceControl => see_to("the organization's resource control policy"),
        Policy::VpcEndpoint => see_to("the policy of the VPC endpoint that the runner uses"),
        Policy::Other => see_to("the policy that AWS names"),
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
