//! Base images and databases in repositories of Amazon ECR: which registries a password may be shown to, and the rights that are
//! behind it.

use std::collections::BTreeSet;

use iam_policy::{Document, Effect, ParseError, Scope, Statement, Version};

use super::{AccountId, Error, Partition, Pulled, RegistryHost, RepositoryArn, Session, ecr};
use crate::oci::registry::credentials::Password;

/// The most characters of a session policy (AWS STS API reference, `AssumeRoleWithWebIdentity`, "Policy").
const MAX_SESSION_POLICY: usize = 2048;

/// What pulling an image asks for (Amazon ECR User Guide, "IAM permissions for pulling an image").
pub(crate) const PULL: [&str; 3] = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];
/// What a pull through a cache asks for besides, where the cache does not have the image, or no repository for it yet (Amazon
/// ECR User Guide, "IAM permissions required to sync an upstream registry").
const FILL: [&str; 2] = ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"];
const LOG_IN: &str = "ecr:GetAuthorizationToken";
/// What pushing asks for beside that (Amazon ECR User Guide, "IAM permissions for pushing an image").
const PUSH: [&str; 4] = ["ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"];

/// A registry of Amazon ECR that others name, and that is pulled from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PullRegistry {
    /// Its address, as it is named.
    pub(crate) host: String,
    /// Whose it is.
    pub(crate) account: AccountId,
    /// Where it is.
    pub(crate) region: String,
}

impl PullRegistry {
    /// The registry at `host`, where that is exactly the name of one: a region as AWS has them, in a partition that is known,
    /// under that partition's own domain and without a port. Whoever wrote the name has no word in where a password goes.
    #[must_use]
    pub(crate) fn of(host: &str) -> Option<Self> {
        let RegistryHost { account, region } = RegistryHost::parse(host)?;
        let (_, domain) = host.split_once(&format!(".{region}."))?;
        let domains: &[&str] = match Partition::of_region(&region) {
            Partition::Aws | Partition::GovCloud => &["amazonaws.com", "on.aws"],
            Partition::China => &["amazonaws.com.cn", "on.amazonwebservices.com.cn"],
            Partition::EuropeanSovereign => &["amazonaws.eu"],
        };
        (is_region(&region) && domains.contains(&domain)).then(|| Self { host: host.to_owned(), account, region })
    }

    /// One of its repositories.
    #[must_use]
    pub(crate) fn repository(&self, name: &str) -> RepositoryArn {
        RepositoryArn { region: self.region.clone(), account: self.account.clone(), name: name.to_owned() }
    }

    /// Whether this is the registry that Amazon ECR names with a password. A registry has several addresses.
    fn is(&self, named: &str) -> bool {
        named == self.host || PullRegistry::of(named).is_some_and(|named| named.of_whom() == self.of_whom())
    }

    fn of_whom(&self) -> (&AccountId, &str) {
        (&self.account, &self.region)
    }
}

/// `eu-central-1`, `us-gov-west-1`. The partitions of the United States' services have `iso` in it, and other domains.
fn is_region(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let (Some((number, words)), true) = (parts.split_last(), parts.len() >= 3) else { return false };
    let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    let is_number = !number.is_empty() && number.len() <= 2 && number.bytes().all(|b| b.is_ascii_digit());
    is_number && words.iter().all(is_word) && !words.iter().any(|word| word.starts_with("iso"))
}

impl Session {
    /// Gets a password for a registry that is pulled from (`GetAuthorizationToken`).
    ///
    /// # Errors
    /// ECR refuses, can't be reached, or names another registry with the password.
    pub(crate) async fn pull_password(&self, registry: &PullRegistry) -> Result<Password, Error> {
        let repository = ecr::Repository::new(self.in_region(&registry.region), registry.account.clone(), "");
        let login = repository.login().await?;
        if !registry.is(&login.host) {
            return Err(Error::OtherRegistry { asked: registry.host.clone(), actual: login.host });
        }
        Ok(login.password)
    }
}

/// The smallest policy with which base images are pulled from these repositories.
#[must_use]
pub(crate) fn pull_policy(repositories: &[RepositoryArn]) -> Document {
    document(vec![allow("LogIn", &[LOG_IN], vec!["*".to_owned()]), pull_statement(Pulled::BaseImage, repositories)])
}

/// What pulling from these repositories needs beside a password.
#[must_use]
pub(crate) fn pull_statement(what: Pulled, repositories: &[RepositoryArn]) -> Statement {
    let sid = match what {
        Pulled::BaseImage => "PullBaseImages",
        Pulled::Database => "PullDatabases",
    };
    let repositories: BTreeSet<_> = repositories.iter().map(ToString::to_string).collect();
    allow(sid, &PULL, repositories.into_iter().collect())
}

/// The policy of a session that may pull from these repositories, push to those of them that are `written`, and do nothing else,
/// whatever its role may do. A policy that the session is narrowed by already goes on narrowing it.
///
/// # Errors
/// That policy is none.
pub(crate) fn session_policy(
    given: Option<&str>,
    repositories: &[RepositoryArn],
    written: &[RepositoryArn],
) -> Result<String, ParseError> {
    let given = given.map(Document::parse).transpose()?;
    let written: Vec<_> = written.iter().map(ToString::to_string).collect();
    let policy =
        |resources: BTreeSet<String>| narrowed(given.clone(), resources.into_iter().collect(), written.clone()).to_compact_json();
    let exact = policy(repositories.iter().map(ToString::to_string).collect());
    if exact.len() <= MAX_SESSION_POLICY {
        return Ok(exact);
    }
    let of_registry = |one: &RepositoryArn| RepositoryArn { name: "*".to_owned(), ..one.clone() }.to_string();
    Ok(policy(repositories.iter().map(of_registry).collect()))
}

fn narrowed(given: Option<Document>, repositories: Vec<String>, written: Vec<String>) -> Document {
    let on_repositories: Vec<_> = PULL.into_iter().chain(FILL).collect();
    let pushes = !written.is_empty();
    let Some(given) = given else {
        let pulls = [allow("L", &[LOG_IN], vec!["*".to_owned()]), allow("P", &on_repositories, repositories)];
        return document(pulls.into_iter().chain(pushes.then(|| allow("W", &PUSH, written))).collect());
    };
    // What it denies stays denied, and of what it allows only this is left.
    let push = if pushes { &PUSH[..] } else { &[] };
    let all = on_repositories.iter().copied().chain([LOG_IN]).chain(push.iter().copied()).map(str::to_owned).collect();
    let everything = Some(Scope::Only(vec!["*".to_owned()]));
    let other_calls = deny("GpDeliverPullsAlone", Scope::AllBut(all), everything);
    let elsewhere = Scope::Only(on_repositories.into_iter().map(str::to_owned).collect());
    let elsewhere = deny("GpDeliverBasesAlone", elsewhere, Some(Scope::AllBut(repositories)));
    let not_written = Scope::Only(PUSH.into_iter().map(str::to_owned).collect());
    let not_written = pushes.then(|| deny("GpDeliverCacheAlone", not_written, Some(Scope::AllBut(written))));
    let statements = given.statements.into_iter().chain([other_calls, elsewhere]).chain(not_written).collect();
    Document { statements, ..given }
}

fn document(statements: Vec<Statement>) -> Document {
    Document { version: Version::V2012, id: None, statements }
}

fn allow(sid: &str, actions: &[&str], resources: Vec<String>) -> Statement {
    let actions = Scope::Only(actions.iter().map(|&action| action.to_owned()).collect());
    statement(sid, Effect::Allow, actions, Some(Scope::Only(resources)))
}

fn deny(sid: &str, actions: Scope<Vec<String>>, resources: Option<Scope<Vec<String>>>) -> Statement {
    statement(sid, Effect::Deny, actions, resources)
}

fn statement(sid: &str, effect: Effect, actions: Scope<Vec<String>>, resources: Option<Scope<Vec<String>>>) -> Statement {
    Statement { sid: Some(sid.to_owned()), effect, principals: None, actions, resources, conditions: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(name: &str) -> RepositoryArn {
        RepositoryArn { region: "eu-central-1".to_owned(), account: "012345678901".parse().unwrap(), name: name.to_owned() }
    }

    #[test]
    fn only_what_is_exactly_a_registry_of_a_known_partition_is_one() {
        for host in [
            "012345678901.dkr.ecr.eu-central-1.amazonaws.com",
            "012345678901.dkr.ecr.ap-southeast-2.amazonaws.com",
            "012345678901.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
            "012345678901.dkr.ecr.cn-north-1.amazonaws.com.cn",
            "012345678901.dkr.ecr.eusc-de-east-1.amazonaws.eu",
            "012345678901.dkr-ecr.eu-west-1.on.aws",
        ] {
            assert_eq!(PullRegistry::of(host).unwrap().host, host);
        }
        for host in [
            "",
            "public.ecr.aws",
            "012345678901.dkr.ecr.eu-central-1.amazonaws.com:443",
            "012345678901.dkr.ecr.eu-central-1.amazonaws.com.",
            "012345678901.dkr.ecr.eu-central-1.amazonaws.com.evil.example",
            "evil.example.012345678901.dkr.ecr.eu-central-1.amazonaws.com",
            "x012345678901.dkr.ecr.eu-central-1.amazonaws.com",
            "12345678901.dkr.ecr.eu-central-1.amazonaws.com",
            "012345678901.dkr.ecr.eu-central-1.AMAZONAWS.com",
            // The domain of another partition.
            "012345678901.dkr.ecr.eu-central-1.amazonaws.com.cn",
            "012345678901.dkr.ecr.cn-north-1.amazonaws.com",
            "012345678901.dkr.ecr.eu-central-1.amazonaws.eu",
            // No region of a known partition.
            "012345678901.dkr.ecr.us-iso-east-1.amazonaws.com",
            "012345678901.dkr.ecr.evil-region.amazonaws.com",
            "012345678901.dkr.ecr.a-b-c.amazonaws.com",
            "012345678901.dkr.ecr.eu-central-1x.amazonaws.com",
            "012345678901.dkr.ecr.-central-1.amazonaws.com",
            "012345678901.dkr.s3.eu-central-1.amazonaws.com",
            "127.0.0.1:5000",
        ] {
            assert_eq!(PullRegistry::of(host), None, "{host}");
        }
    }

    #[test]
    fn a_password_is_for_the_registry_that_ecr_names_with_it() {
        let dual = PullRegistry::of("012345678901.dkr-ecr.eu-west-1.on.aws").unwrap();
        assert!(dual.is("012345678901.dkr.ecr.eu-west-1.amazonaws.com"));
        for other in
            ["012345678902.dkr.ecr.eu-west-1.amazonaws.com", "012345678901.dkr.ecr.eu-west-2.amazonaws.com", "127.0.0.1:1"]
        {
            assert!(!dual.is(other), "{other}");
        }
    }

    #[test]
    fn a_session_for_base_images_may_pull_them_and_nothing_else() {
        let policy =
            Document::parse(&session_policy(None, &[repository("team/base"), repository("other")], &[]).unwrap()).unwrap();
        insta::assert_snapshot!(policy.to_json(), @r#"
        {
          "Version": "2012-10-17",
          "Statement": [
            {
              "Sid": "L",
              "Effect": "Allow",
              "Action": "ecr:GetAuthorizationToken",
              "Resource": "*"
            },
            {
              "Sid": "P",
              "Effect": "Allow",
              "Action": [
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:GetDownloadUrlForLayer",
                "ecr:BatchImportUpstreamImage",
                "ecr:CreateRepository"
              ],
              "Resource": [
                "arn:aws:ecr:eu-central-1:012345678901:repository/other",
                "arn:aws:ecr:eu-central-1:012345678901:repository/team/base"
              ]
            }
          ]
        }
        "#);
    }

    #[test]
    fn a_policy_that_narrows_the_session_goes_on_narrowing_it() {
        let given = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}"#;
        let policy = Document::parse(&session_policy(Some(given), &[repository("team/base")], &[]).unwrap()).unwrap();
        insta::assert_snapshot!(policy.to_json(), @r#"
        {
          "Version": "2012-10-17",
          "Statement": [
            {
              "Effect": "Allow",
              "Action": "ecr:*",
              "Resource": "*"
            },
            {
              "Sid": "GpDeliverPullsAlone",
              "Effect": "Deny",
              "NotAction": [
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:GetDownloadUrlForLayer",
                "ecr:BatchImportUpstreamImage",
                "ecr:CreateRepository",
                "ecr:GetAuthorizationToken"
              ],
              "Resource": "*"
            },
            {
              "Sid": "GpDeliverBasesAlone",
              "Effect": "Deny",
              "Action": [
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:GetDownloadUrlForLayer",
                "ecr:BatchImportUpstreamImage",
                "ecr:CreateRepository"
              ],
              "NotResource": "arn:aws:ecr:eu-central-1:012345678901:repository/team/base"
            }
          ]
        }
        "#);
        assert!(session_policy(Some("{}"), &[], &[]).is_err());
    }

    #[test]
    fn a_session_that_writes_a_cache_may_push_to_it_and_to_nothing_else() {
        let (base, cache) = (repository("team/base"), repository("team/cache"));
        let repositories = [base, cache.clone()];
        let given = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}"#;
        let only = vec![cache.to_string()];
        let narrowed = [(None, "W", Scope::Only(only.clone())), (Some(given), "GpDeliverCacheAlone", Scope::AllBut(only))];
        for (given, sid, resources) in narrowed {
            let policy = Document::parse(&session_policy(given, &repositories, std::slice::from_ref(&cache)).unwrap()).unwrap();
            let statement = policy.statements.iter().find(|statement| statement.sid.as_deref() == Some(sid)).unwrap();
            assert_eq!(statement.resources, Some(resources), "{}", policy.to_json());
            assert_eq!(statement.actions, Scope::Only(PUSH.map(str::to_owned).to_vec()));
            assert!(!session_policy(given, &repositories, &[]).unwrap().contains("PutImage"));
        }
    }

    #[test]
    fn the_terraform_module_gives_what_a_refusal_asks_for() {
        let base = RepositoryArn { account: "210987654321".parse().unwrap(), ..repository("team/base") };
        let expected = include_str!("../../terraform/tests/expected/base-image.json");
        assert_eq!(pull_policy(&[base]).to_json() + "\n", expected);
    }

    #[test]
    fn many_repositories_are_named_by_their_registries() {
        let many: Vec<_> = (0..60).map(|number| repository(&format!("team/base-image-{number}"))).collect();
        let policy = session_policy(None, &many, &[]).unwrap();
        assert!(policy.len() <= MAX_SESSION_POLICY && policy.contains(":repository/*\""), "{policy}");
        assert!(!policy.contains("PutImage"));
    }
}
