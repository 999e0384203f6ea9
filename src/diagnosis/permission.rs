//! The words for a permission that the role does not have.

use iam_policy::{Denial, DenialReason, Document, PolicyKind, Version};

use super::Diagnosis;
use crate::aws::ecr::{OF_PREVIEW, OF_SETTINGS, Permissions, findings_policy, preview_policy, settings_policy};
use crate::aws::{Call, KeyArn, RepositoryArn, cloudwatch, kms};
use crate::metrics;

/// The diagnosis of a refusal by AWS; `None` if it is not about a permission. `said` is AWS's whole message, `words` the
/// sentence in it.
pub(super) fn lacking(said: &str, words: &str) -> Option<Diagnosis> {
    let denial = Denial::parse(words)?;
    let repository: Option<RepositoryArn> = denial.resource.as_deref().and_then(|resource| resource.parse().ok());
    let place = repository.as_ref().map(|repository| format!(" in {}", repository.name)).unwrap_or_default();
    let what = format!("AWS does not allow {}{place}", denial.action);
    let diagnosis = Diagnosis::new(what, said, remedy(&denial));
    let allowed_by_role = matches!(denial.reason, DenialReason::NotSaid | DenialReason::NotAllowed(PolicyKind::Identity));
    if denial.action == Call::PutMetricData.permission() && allowed_by_role {
        return Some(diagnosis.with_copy(&cloudwatch::policy(metrics::NAMESPACE).to_json()));
    }
    Some(match repository.filter(|_| allowed_by_role) {
        Some(repository) if is_of_findings(&denial) => diagnosis.with_copy(&findings_policy(&repository).to_json()),
        Some(repository) if is_of_settings(&denial) => diagnosis.with_copy(&settings_policy(&repository).to_json()),
        Some(repository) if is_of_preview(&denial) => diagnosis.with_copy(&preview_policy(&repository).to_json()),
        Some(repository) => diagnosis.with_copy(&needed(&denial, repository).policy().to_json()),
        None => diagnosis,
    })
}

/// Whether it is about what ECR's own scan found.
fn is_of_findings(denial: &Denial) -> bool {
    denial.action == "ecr:DescribeImageScanFindings"
}

/// Whether no delivery asks for it, but who changes a repository's settings.
fn is_of_settings(denial: &Denial) -> bool {
    denial.action.strip_prefix("ecr:").is_some_and(|action| OF_SETTINGS.contains(&action))
}

/// Whether no delivery asks for it, but who looks at a lifecycle policy.
fn is_of_preview(denial: &Denial) -> bool {
    denial.action.strip_prefix("ecr:").is_some_and(|action| OF_PREVIEW.contains(&action))
}

/// The diagnosis of a refusal by AWS KMS. What is missing may be in the role's policy or in the key's own.
pub(super) fn lacking_of_key(said: &str, words: &str, key: &KeyArn, call: Call) -> Diagnosis {
    let permissions = match call {
        Call::Sign => kms::Permissions { signs: Some(key.clone()), reads: Vec::new() },
        _ => kms::Permissions { signs: None, reads: vec![key.clone()] },
    };
    let document = Document { version: Version::V2012, id: None, statements: permissions.statements() };
    let what = format!("AWS does not allow {} with {key}", call.permission());
    let denial = Denial::parse(words);
    let reason = denial.as_ref().map(|denial| &denial.reason);
    match (denial.as_ref(), reason) {
        (
            Some(denial),
            Some(DenialReason::NotAllowed(PolicyKind::Resource) | DenialReason::Denied { by: PolicyKind::Resource, .. }),
        ) => {
            let who = denial.principal.as_deref().unwrap_or("the role");
            let remedy = format!(
                "Make sure that the key's own policy allows {} for {who}, or the key's account to decide.",
                denial.action
            );
            Diagnosis::new(what, said, remedy)
        }
        (Some(denial), Some(DenialReason::NotSaid | DenialReason::NotAllowed(PolicyKind::Identity))) => {
            let who = denial.principal.as_deref().unwrap_or("the role");
            let remedy =
                format!("Give {who} the permission; the key's own policy has to let its account decide, or name the role.");
            Diagnosis::new(what, said, remedy).with_copy(&document.to_json())
        }
        (Some(denial), _) => Diagnosis::new(what, said, remedy(denial)),
        (None, _) => Diagnosis::new(what, said, "Give the role the permission, in its own policy and in the key's.")
            .with_copy(&document.to_json()),
    }
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
    let needs = match denial {
        denial if is_of_findings(denial) => "reading what Amazon ECR's scan found",
        denial if denial.action == Call::PutMetricData.permission() => "putting figures into Amazon CloudWatch",
        denial if is_of_preview(denial) => "a preview of a lifecycle policy",
        _ => "publishing",
    };
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
