//! The policy that lets a role deliver.

use super::document::{Document, Effect, Scope, Statement, Version};
use crate::aws::RepositoryArn;

/// What a delivery does with a repository of Amazon ECR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Where the image goes.
    pub repository: RepositoryArn,
    /// Whether it makes the repository where there is none.
    pub create_repository: bool,
    /// Whether it asks which tags may not move.
    pub describe_repository: bool,
    /// Whether it takes back the tags of a delivery that failed.
    pub delete_images: bool,
}

/// The smallest policy that lets a role deliver (Amazon ECR User Guide, "IAM permissions for pushing an image"). Reading is in
/// it, for what is there already is not sent again.
#[must_use]
pub fn sufficient(delivery: &Delivery) -> Document {
    let repository = delivery.repository.to_string();
    let push: &[&str] = &[
        "BatchCheckLayerAvailability",
        "BatchGetImage",
        "CompleteLayerUpload",
        "GetDownloadUrlForLayer",
        "InitiateLayerUpload",
        "PutImage",
        "UploadLayerPart",
    ];
    let statements = [
        // It is about the registry of an account, which has no ARN.
        (true, "LogIn", &["GetAuthorizationToken"][..], "*"),
        (true, "PushImages", push, &repository),
        (delivery.create_repository, "CreateRepository", &["CreateRepository"], &repository),
        (delivery.describe_repository, "ReadTagMutability", &["DescribeRepositories"], &repository),
        (delivery.delete_images, "TakeBackTags", &["BatchDeleteImage"], &repository),
    ];
    let statements = statements.into_iter().filter(|(needed, ..)| *needed);
    let statements = statements.map(|(_, sid, actions, resource)| statement(sid, actions, resource)).collect();
    Document { version: Version::V2012, id: None, statements }
}

fn statement(sid: &str, actions: &[&str], resource: &str) -> Statement {
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

    fn delivery() -> Delivery {
        let repository = RepositoryArn {
            region: "eu-central-1".to_owned(),
            account: "012345678901".parse().unwrap(),
            name: "team/app".to_owned(),
        };
        Delivery { repository, create_repository: false, describe_repository: false, delete_images: false }
    }

    fn sids(document: &Document) -> Vec<&str> {
        document.statements.iter().filter_map(|statement| statement.sid.as_deref()).collect()
    }

    #[test]
    fn what_is_not_asked_for_is_not_allowed() {
        insta::assert_snapshot!(sufficient(&delivery()).to_json(), @r#"
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
    fn each_thing_more_is_a_statement_of_its_own_on_the_one_repository() {
        let document =
            sufficient(&Delivery { create_repository: true, describe_repository: true, delete_images: true, ..delivery() });
        assert_eq!(sids(&document), ["LogIn", "PushImages", "CreateRepository", "ReadTagMutability", "TakeBackTags"]);
        let repository = delivery().repository.to_string();
        for statement in &document.statements[1..] {
            assert_eq!(statement.resources, Some(Scope::Only(vec![repository.clone()])), "{statement:?}");
        }
        assert_eq!(sids(&sufficient(&Delivery { delete_images: true, ..delivery() })), ["LogIn", "PushImages", "TakeBackTags"]);
    }
}
