//! The permissions that a role needs on a repository.

use iam_policy::{Document, Effect, Scope, Statement, Version};

use crate::aws::RepositoryArn;

/// What a role has to be allowed to do with a repository of Amazon ECR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Permissions {
    /// Where images are pushed to.
    pub(crate) repository: RepositoryArn,
    /// Whether the repository is created where it does not exist.
    pub(crate) create_repository: bool,
    /// Whether the repository is asked which tags may not move.
    pub(crate) describe_repository: bool,
    /// Whether the tags of a delivery that fails are taken back.
    pub(crate) delete_images: bool,
}

/// What is asked of a repository to look at what a lifecycle policy would do, beside what a push asks for.
pub(crate) const OF_PREVIEW: [&str; 4] =
    ["DescribeImages", "GetLifecyclePolicy", "GetLifecyclePolicyPreview", "StartLifecyclePolicyPreview"];

/// What is asked of a repository to see and to change its settings, beside what a delivery asks for.
pub(crate) const OF_SETTINGS: [&str; 8] = [
    "DeleteRepositoryPolicy",
    "GetRepositoryPolicy",
    "ListTagsForResource",
    "PutImageScanningConfiguration",
    "PutImageTagMutability",
    "PutLifecyclePolicy",
    "SetRepositoryPolicy",
    "TagResource",
];

/// What pulling from a repository asks for (Amazon ECR User Guide, "IAM permissions for pushing an image", and for pulling one).
pub(crate) const PULL: [&str; 3] = ["BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer"];
/// What pushing to it asks for. Reading is in it, for what is there already is not sent again.
pub(crate) const PUSH: [&str; 7] = [
    "BatchCheckLayerAvailability",
    "BatchGetImage",
    "CompleteLayerUpload",
    "GetDownloadUrlForLayer",
    "InitiateLayerUpload",
    "PutImage",
    "UploadLayerPart",
];

/// What a build cache in a repository asks for: it is read and written there.
#[must_use]
pub(crate) fn cache_statement(repository: &RepositoryArn) -> Statement {
    statement("KeepBuildCache", &PUSH, &repository.to_string())
}

/// The smallest policy with which `gp-deliver lifecycle preview` sees everything. It changes nothing of a repository.
#[must_use]
pub(crate) fn preview_policy(repository: &RepositoryArn) -> Document {
    let mut actions: Vec<&str> = OF_PREVIEW.into_iter().chain(["BatchGetImage"]).collect();
    actions.sort_unstable();
    let statements = vec![statement("PreviewLifecyclePolicy", &actions, &repository.to_string())];
    Document { version: Version::V2012, id: None, statements }
}

/// The smallest policy with which `gp-deliver images` sees everything. It changes nothing of a repository.
#[must_use]
pub(crate) fn images_policy(repository: &RepositoryArn) -> Document {
    let actions = ["DescribeImages", "DescribeImageScanFindings", "DescribeImageSigningStatus"];
    let statements = vec![statement("ListImages", &actions, &repository.to_string())];
    Document { version: Version::V2012, id: None, statements }
}

/// The smallest policy with which `gp-deliver watch` looks at images; with `lists` also the one with which `gp-deliver rollback` finds
/// them. It changes nothing.
#[must_use]
pub(crate) fn reading_policy(repository: &RepositoryArn, lists: bool) -> Document {
    let actions: Vec<&str> =
        ["BatchGetImage", "GetDownloadUrlForLayer"].into_iter().chain(lists.then_some("ListImages")).collect();
    let statements =
        vec![statement("LogIn", &["GetAuthorizationToken"], "*"), statement("ReadImages", &actions, &repository.to_string())];
    Document { version: Version::V2012, id: None, statements }
}

/// The smallest policy with which `gp-deliver repository ensure` sees and changes everything of a repository, which is enough for
/// `show` and `diff` too. It lets nobody delete an image, but by a lifecycle policy that AWS then acts on, and changes nothing of
/// the registry. Whoever has it can let others push, by the repository's policy.
#[must_use]
pub(crate) fn settings_policy(repository: &RepositoryArn) -> Document {
    let changes: Vec<&str> = ["CreateRepository", "DescribeRepositories"].into_iter().chain(OF_SETTINGS).collect();
    let mut statements = preview_policy(repository).statements;
    statements.push(statement("SetUpRepository", &changes, &repository.to_string()));
    // The registry of an account has no ARN.
    statements.push(statement("ReadRegistry", &["GetRegistryScanningConfiguration", "GetSigningConfiguration"], "*"));
    Document { version: Version::V2012, id: None, statements }
}

impl Permissions {
    /// The smallest policy that gives them (Amazon ECR User Guide, "IAM permissions for pushing an image"). Reading is in it,
    /// for what is there already is not sent again.
    #[must_use]
    pub(crate) fn policy(&self) -> Document {
        let repository = self.repository.to_string();
        let statements = [
            // The registry of an account has no ARN.
            (true, "LogIn", &["GetAuthorizationToken"][..], "*"),
            (true, "PushImages", &PUSH, &repository),
            (self.create_repository, "CreateRepository", &["CreateRepository"], &repository),
            (self.describe_repository, "ReadTagMutability", &["DescribeRepositories"], &repository),
            (self.delete_images, "TakeBackTags", &["BatchDeleteImage"], &repository),
        ];
        let statements = statements.into_iter().filter(|(needed, ..)| *needed);
        let statements = statements.map(|(_, sid, actions, resource)| statement(sid, actions, resource)).collect();
        Document { version: Version::V2012, id: None, statements }
    }
}

pub(super) fn statement(sid: &str, actions: &[&str], resource: &str) -> Statement {
    Statement {
        sid: Some(sid.to_owned()),
        effect: Effect::Allow,
        principals: None,
        actions: Scope::Only(actions.iter().map(|action| format!("ecr:{action}")).collect()),
        resources: Some(Scope::Only(vec![resource.to_owned()])),
        conditions: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permissions() -> Permissions {
        let repository = RepositoryArn {
            region: "eu-central-1".to_owned(),
            account: "012345678901".parse().unwrap(),
            name: "team/app".to_owned(),
        };
        Permissions { repository, create_repository: false, describe_repository: false, delete_images: false }
    }

    fn sids(document: &Document) -> Vec<&str> {
        document.statements.iter().filter_map(|statement| statement.sid.as_deref()).collect()
    }

    #[test]
    fn what_is_not_asked_for_is_not_allowed() {
        insta::assert_snapshot!(permissions().policy().to_json(), @r#"
        {
          "Version": "2012-10-17",
          "Statement": [
            {
              "Sid": "LogIn",
              "Effect": "Allow",
              "Action": "ecr:GetAuthorizationToken",
              "Resource": "*"
            },
            {
              "Sid": "PushImages",
              "Effect": "Allow",
              "Action": [
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:CompleteLayerUpload",
                "ecr:GetDownloadUrlForLayer",
                "ecr:InitiateLayerUpload",
                "ecr:PutImage",
                "ecr:UploadLayerPart"
              ],
              "Resource": "arn:aws:ecr:eu-central-1:012345678901:repository/team/app"
            }
          ]
        }
        "#);
    }

    #[test]
    fn who_only_looks_may_read_and_who_goes_back_may_list_besides() {
        let repository = permissions().repository;
        let actions = |lists: bool| reading_policy(&repository, lists).to_json();
        let (watching, going_back) = (actions(false), actions(true));
        for action in ["BatchGetImage", "GetDownloadUrlForLayer"] {
            assert!(watching.contains(&format!("ecr:{action}\"")) && going_back.contains(&format!("ecr:{action}\"")), "{action}");
        }
        assert!(!watching.contains("ListImages") && going_back.contains("\"ecr:ListImages\""));
        assert!(!going_back.contains("Put") && !going_back.contains("Upload"), "{going_back}");
    }

    #[test]
    fn each_thing_more_is_a_statement_of_its_own_on_the_one_repository() {
        let document =
            Permissions { create_repository: true, describe_repository: true, delete_images: true, ..permissions() }.policy();
        assert_eq!(sids(&document), ["LogIn", "PushImages", "CreateRepository", "ReadTagMutability", "TakeBackTags"]);
        let repository = permissions().repository.to_string();
        for statement in &document.statements[1..] {
            assert_eq!(statement.resources, Some(Scope::Only(vec![repository.clone()])), "{statement:?}");
        }
        assert_eq!(sids(&Permissions { delete_images: true, ..permissions() }.policy()), ["LogIn", "PushImages", "TakeBackTags"]);
    }
}
