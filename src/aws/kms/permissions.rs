//! The permissions that a role needs on keys.

use iam_policy::{Condition, Effect, Scope, Statement};

use crate::aws::KeyArn;

/// What a role has to be allowed to do with keys of AWS KMS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Permissions {
    /// The key that it signs with.
    pub(crate) signs: Option<KeyArn>,
    /// Other keys, whose public halves it reads.
    pub(crate) reads: Vec<KeyArn>,
}

impl Permissions {
    /// The smallest statements that give them. IAM takes no alias for a resource: such a key is allowed by the alias that it has
    /// (AWS KMS Developer Guide, "Use aliases to control access to KMS keys").
    #[must_use]
    pub(crate) fn statements(&self) -> Vec<Statement> {
        let signs = self.signs.iter().map(|key| statement("Sign", &["kms:GetPublicKey", "kms:Sign"], key));
        let reads = self.reads.iter().filter(|key| Some(*key) != self.signs.as_ref()).enumerate();
        let reads = reads.map(|(at, key)| statement(&format!("ReadKey{}", at + 1), &["kms:GetPublicKey"], key));
        signs.chain(reads).collect()
    }
}

fn statement(sid: &str, actions: &[&str], key: &KeyArn) -> Statement {
    let conditions = key.alias().map(|alias| Condition {
        operator: "ForAnyValue:StringEquals".to_owned(),
        key: "kms:ResourceAliases".to_owned(),
        values: vec![alias.to_owned()],
    });
    let resource = if key.alias().is_some() { key.keys_beside() } else { key.to_string() };
    Statement {
        sid: Some(sid.to_owned()),
        effect: Effect::Allow,
        principals: None,
        actions: Scope::Only(actions.iter().map(|&action| action.to_owned()).collect()),
        resources: Some(Scope::Only(vec![resource])),
        conditions: conditions.into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use iam_policy::{Document, Version};

    use super::*;

    #[test]
    fn a_role_signs_with_its_own_key_and_reads_the_others() {
        let key = "arn:aws:kms:eu-central-1:012345678901:key/1234abcd-12ab-34cd-56ef-1234567890ab".parse().unwrap();
        let alias = "arn:aws:kms:eu-central-1:012345678901:alias/deliver-test".parse().unwrap();
        let statements = Permissions { signs: Some(key), reads: vec![alias] }.statements();
        insta::assert_snapshot!(Document { version: Version::V2012, id: None, statements }.to_json(), @r#"
        {
          "Version": "2012-10-17",
          "Statement": [
            {
              "Sid": "Sign",
              "Effect": "Allow",
              "Action": [
                "kms:GetPublicKey",
                "kms:Sign"
              ],
              "Resource": "arn:aws:kms:eu-central-1:012345678901:key/1234abcd-12ab-34cd-56ef-1234567890ab"
            },
            {
              "Sid": "ReadKey1",
              "Effect": "Allow",
              "Action": "kms:GetPublicKey",
              "Resource": "arn:aws:kms:eu-central-1:012345678901:key/*",
              "Condition": {
                "ForAnyValue:StringEquals": {
                  "kms:ResourceAliases": "alias/deliver-test"
                }
              }
            }
          ]
        }
        "#);
    }

    #[test]
    fn a_key_that_is_named_twice_is_allowed_once() {
        let key: KeyArn = "arn:aws:kms:eu-central-1:012345678901:key/a".parse().unwrap();
        assert_eq!(Permissions { signs: Some(key.clone()), reads: vec![key] }.statements().len(), 1);
        assert_eq!(Permissions { signs: None, reads: Vec::new() }.statements(), []);
    }
}
