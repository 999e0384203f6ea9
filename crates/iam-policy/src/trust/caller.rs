//! Who asks for a role.

use super::provider::provider_name;
use super::{ACTION, provider_arn};
use crate::pattern;
use crate::{Claims, Condition, Document, Effect, Principals, RoleArn, Scope, Statement, Version};

/// Who asks for a role with a token, as far as a trust policy tells callers apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The role.
    pub role: RoleArn,
    /// Who issues the token, as a URL: `https://token.actions.githubusercontent.com`.
    pub issuer: String,
    /// The service that the token is meant for: `sts.amazonaws.com`.
    pub audience: String,
    /// The subjects that the token may have, one or several.
    pub subjects: Vec<String>,
}

impl Caller {
    /// The caller that a token speaks for; none where the claims lack an issuer, an audience or a subject.
    #[must_use]
    pub fn of(claims: &Claims, role: &RoleArn) -> Option<Self> {
        let (issuer, audience) = claims.issuer().zip(claims.audience())?;
        Some(Self { role: role.clone(), issuer, audience, subjects: vec![claims.subject()?] })
    }

    /// What the caller's token claims with one of its subjects, as far as that is known without the token.
    #[must_use]
    pub fn claims(&self, subject: &str) -> Claims {
        [("iss", &*self.issuer), ("aud", &*self.audience), ("sub", subject)].into_iter().collect()
    }

    /// The trust policy that accepts this caller and no other.
    #[must_use]
    pub fn trust_policy(&self) -> Document {
        let provider = provider_name(&self.issuer);
        let equals = |claim: &str, texts: &[String]| Condition {
            operator: "StringEquals".to_owned(),
            key: format!("{provider}:{claim}"),
            values: texts.iter().map(|text| pattern::literal(text)).collect(),
        };
        let statement = Statement {
            sid: None,
            effect: Effect::Allow,
            principals: Some(Scope::Only(Principals::federated(provider_arn(&self.role, &self.issuer)))),
            actions: Scope::Only(vec![ACTION.to_owned()]),
            resources: None,
            conditions: vec![equals("aud", std::slice::from_ref(&self.audience)), equals("sub", &self.subjects)],
        };
        Document { version: Version::V2012, id: None, statements: vec![statement] }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::compare;
    use super::*;

    fn claims(subject: &str, audience: &str) -> Claims {
        [("iss", "https://token.actions.githubusercontent.com"), ("sub", subject), ("aud", audience)].into_iter().collect()
    }

    fn role() -> RoleArn {
        "arn:aws:iam::012345678901:role/deliver".parse().unwrap()
    }

    fn caller(subjects: &[&str]) -> Caller {
        let subjects = subjects.iter().map(|subject| (*subject).to_owned()).collect();
        let issuer = "https://token.actions.githubusercontent.com".to_owned();
        Caller { role: role(), issuer, audience: "sts.amazonaws.com".to_owned(), subjects }
    }

    #[test]
    fn a_trust_policy_is_written_as_people_write_it() {
        insta::assert_snapshot!(caller(&["repo:o/r:ref:refs/heads/main"]).trust_policy().to_json(), @r#"
        {
          "Version": "2012-10-17",
          "Statement": [
            {
              "Effect": "Allow",
              "Principal": {
                "Federated": "arn:aws:iam::012345678901:oidc-provider/token.actions.githubusercontent.com"
              },
              "Action": "sts:AssumeRoleWithWebIdentity",
              "Condition": {
                "StringEquals": {
                  "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
                  "token.actions.githubusercontent.com:sub": "repo:o/r:ref:refs/heads/main"
                }
              }
            }
          ]
        }
        "#);
    }

    #[test]
    fn each_of_several_subjects_is_accepted() {
        let subjects = ["repo:o/r:environment:prod", "repo:o@1/r@2:environment:prod"];
        let document = caller(&subjects).trust_policy();
        for subject in subjects {
            assert_eq!(compare(&document, &claims(subject, "sts.amazonaws.com"), &role()), []);
        }
        assert_ne!(compare(&document, &claims("repo:o@1/r@3:environment:prod", "sts.amazonaws.com"), &role()), []);
    }

    #[test]
    fn a_token_without_a_subject_is_no_caller() {
        assert_eq!(Caller::of(&Claims::default(), &role()), None);
        let of_token = Caller::of(&claims("repo:o/r:pull_request", "sts.amazonaws.com"), &role());
        assert_eq!(of_token, Some(caller(&["repo:o/r:pull_request"])));
    }

    proptest! {
        #[test]
        fn the_policy_that_accepts_a_caller_accepts_no_other(
            subject in "(repo:[a-zA-Z0-9-]{1,8}(@[0-9]{1,4})?/[a-zA-Z0-9._-]{1,8}(@[0-9]{1,4})?:(ref:refs/heads/|environment:))?[a-z*?${}@:%/]{1,10}",
            audience in "[a-zA-Z.*?${}]{1,20}",
            at in any::<prop::sample::Index>(),
            other in any::<char>(),
        ) {
            let caller = Caller::of(&claims(&subject, &audience), &role()).unwrap();
            let document = Document::parse(&caller.trust_policy().to_json()).unwrap();
            prop_assert_eq!(compare(&document, &claims(&subject, &audience), &role()), []);

            let changed = |text: &str| -> String {
                let at = at.index(text.chars().count());
                text.chars().enumerate().map(|(index, character)| if index == at { other } else { character }).collect()
            };
            if changed(&subject) != subject {
                prop_assert_ne!(compare(&document, &claims(&changed(&subject), &audience), &role()), []);
            }
            if changed(&audience) != audience {
                prop_assert_ne!(compare(&document, &claims(&subject, &changed(&audience)), &role()), []);
            }
        }
    }
}
