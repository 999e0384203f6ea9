//! What has to be set up once so that a delivery may go to Amazon ECR: which branches and tags may deploy to GitHub's
//! environment, the role's trust policy, its permissions, those of the workflow's job, and which tags may move. `gp-deliver policy` prints them.

mod terraform;

use std::fmt::Write as _;

use iam_policy::Document;
use iam_policy::github::{Context, Job, Repository, RepositoryIds, Subjects};
use iam_policy::trust::Caller;

use crate::aws::ecr::{
    Permissions, cache_statement, findings_statements, images_policy, preview_policy, reading_policy, settings_policy,
};
use crate::aws::pull::pull_statement;
use crate::aws::{Pulled, RepositoryArn, RoleArn, cloudwatch, kms};
use crate::config::{Config, Ecr, Metrics, RequestedDestination, Signing, Trusted};
use crate::environment::{Environment, Trigger};
use crate::github::oidc::Claims;
use crate::inputs::{self, About, Inputs, Problem};
use crate::metrics;
use crate::record::Source;
use crate::registry_scan;
use crate::tags::PlannedTag;
use crate::variables;

/// The issuer of the tokens of github.com's runs. A GitHub Enterprise Server has its own.
pub(crate) const ISSUER: &str = "https://token.actions.githubusercontent.com";

/// The permissions that a workflow's job needs.
pub(crate) const WORKFLOW: &str = "permissions:\n  contents: read\n  id-token: write";

/// A text that `gp-deliver policy` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The role's trust policy.
    Trust,
    /// What the role may do.
    Role,
    /// What the workflow's job may do.
    Workflow,
    /// Which branches and tags may deploy to GitHub's environment.
    Environment,
    /// Which tags of the repository may move.
    Repository,
    /// What a role may do that looks at lifecycle policies. A delivery does not need it, so it is printed where it is asked for
    /// alone.
    Lifecycle,
    /// The role and the repository as lines of the Terraform module; printed where they are asked for alone.
    Terraform,
    /// What a role may do that lists images. No delivery needs it either.
    Images,
    /// What a role may do that brings a repository's settings to what is wanted. No delivery needs it either.
    Settings,
    /// What a role may do that watches images. No delivery needs it either.
    Watch,
    /// What a role may do that lists deliveries and goes back to one. No delivery needs it either.
    Rollback,
}

impl Kind {
    /// All kinds, in the order in which they are printed.
    pub(crate) const ALL: [Self; 11] = [
        Self::Environment,
        Self::Trust,
        Self::Role,
        Self::Workflow,
        Self::Repository,
        Self::Lifecycle,
        Self::Images,
        Self::Settings,
        Self::Watch,
        Self::Rollback,
        Self::Terraform,
    ];

    /// The word for the command line.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Trust => "trust",
            Self::Role => "role",
            Self::Workflow => "workflow",
            Self::Environment => "environment",
            Self::Repository => "repository",
            Self::Lifecycle => "lifecycle",
            Self::Terraform => "terraform",
            Self::Images => "images",
            Self::Settings => "settings",
            Self::Watch => "watch",
            Self::Rollback => "rollback",
        }
    }
}

/// The repository that delivers: the one that the Actions runner names in variables, else the one that `origin` (a remote's
/// URL) is of.
pub(crate) fn find_repository(variable: impl Fn(&str) -> Option<String>, origin: Option<&str>) -> Option<Repository> {
    let id = |name| variable(name).and_then(|id| id.parse().ok());
    let (full, ids) = match variable(variables::GITHUB_REPOSITORY).filter(|name| !name.is_empty()) {
        Some(name) => (name, id(variables::GITHUB_REPOSITORY_OWNER_ID).zip(id(variables::GITHUB_REPOSITORY_ID))),
        None => (of_remote(origin?)?, None),
    };
    let (owner, name) = full.split_once('/')?;
    let ids = ids.map(|(owner, repository)| RepositoryIds { owner, repository });
    Some(Repository { owner: owner.to_owned(), name: name.to_owned(), ids })
}

/// `OWNER/NAME` of `https://github.com/OWNER/NAME.git` or `git@github.com:OWNER/NAME.git`.
fn of_remote(url: &str) -> Option<String> {
    let path = url.split_once("://").map_or_else(|| url.split_once(':'), |(_, rest)| rest.split_once('/'))?.1;
    let path = path.trim_matches('/').trim_end_matches(".git");
    let parts: Vec<&str> = path.split('/').collect();
    match parts[..] {
        [owner, name] if !owner.is_empty() && !name.is_empty() => Some(path.to_owned()),
        _ => None,
    }
}

/// A build cache in a repository of Amazon ECR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CacheRepository {
    /// The repository.
    pub(crate) arn: RepositoryArn,
    /// A tag such as each delivery sets anew there.
    pub(crate) tag: String,
}

impl CacheRepository {
    /// That of the environment; nothing where the cache is elsewhere, or there is none.
    ///
    /// # Errors
    /// The inputs are wrong.
    pub(crate) fn find(inputs: &Inputs, config: &Config<()>) -> Result<Option<Self>, Vec<Problem>> {
        let environment = config.environment;
        let (backend, repositories) = (inputs.get(&inputs::CACHE)?, inputs.get(&inputs::CACHE_REPOSITORY)?);
        let scope = inputs.get(&inputs::CACHE_SCOPE)?.map_or_else(|| "0123456789abcdef".to_owned(), |scope| scope.to_string());
        let repository = repositories.filter(|_| backend.may_be_in_a_registry()).and_then(|all| all.of(environment.name()));
        Ok(repository.and_then(|repository| {
            let arn = config.ecr_registry(repository.registry())?.repository(repository.name());
            Some(Self { arn, tag: format!("{environment}-{scope}-linux-amd64") })
        }))
    }
}

/// What the policies depend on, as far as it is known before AWS is asked.
pub(crate) struct PolicyInputs<'a> {
    /// What the delivery is asked to do.
    pub(crate) config: &'a Config<()>,
    /// The commit and branch that it delivers.
    pub(crate) source: &'a Source,
    /// The GitHub repository that delivers, where it is known.
    pub(crate) repository: Option<Repository>,
    /// The tags that this delivery sets.
    pub(crate) tags: &'a [PlannedTag],
    /// What the run's token claims, where there is one.
    pub(crate) claims: Option<Claims>,
    /// Where the build cache is, where that is in Amazon ECR.
    pub(crate) cache: Option<CacheRepository>,
}

impl PolicyInputs<'_> {
    /// What to set up, as text to copy.
    ///
    /// # Errors
    /// Inputs that it depends on are missing.
    pub(crate) fn text(&self, kind: Option<Kind>) -> Result<String, Vec<Problem>> {
        let Some(kind) = kind else {
            let (role, ecr) = self.role()?;
            let mut text = String::new();
            // Writing to a string does not fail.
            if let Some(commands) = self.environment() {
                let environment = self.config.environment;
                let _ =
                    writeln!(text, "Which branches and tags may deploy to GitHub's environment {environment}:\n\n{commands}\n");
            }
            let _ = writeln!(text, "The trust policy of {role}:\n\n{}\n", self.text(Some(Kind::Trust))?);
            let _ = writeln!(text, "The permissions policy of {role}:\n\n{}\n", self.text(Some(Kind::Role))?);
            let _ = writeln!(text, "In the workflow's job:\n\n{WORKFLOW}\n");
            let _ = write!(text, "Which tags of {} may move:\n\n{}", ecr.name, self.text(Some(Kind::Repository))?);
            return Ok(text);
        };
        match kind {
            Kind::Trust => Ok(self.caller()?.trust_policy().to_json()),
            Kind::Role => Ok(self.role_policy()?.to_json()),
            Kind::Workflow => Ok(WORKFLOW.to_owned()),
            Kind::Environment => self.environment().ok_or_else(unknown_repository),
            Kind::Repository => self.immutability(),
            Kind::Terraform => self.terraform(),
            Kind::Lifecycle => Ok(preview_policy(&self.permissions()?.repository).to_json()),
            Kind::Images => Ok(images_policy(&self.permissions()?.repository).to_json()),
            Kind::Settings => Ok(settings_policy(&self.permissions()?.repository).to_json()),
            Kind::Watch => Ok(self.reading_policy(false)?.to_json()),
            Kind::Rollback => Ok(self.reading_policy(true)?.to_json()),
        }
    }

    /// The name of the role, without its path.
    pub(crate) fn role_name(&self) -> Option<&str> {
        self.role().ok().map(|(role, _)| role.name().rsplit('/').next().unwrap_or_default())
    }

    /// The commands that let only what maps to the environment deploy to it.
    fn environment(&self) -> Option<String> {
        let Repository { owner, name, .. } = self.repository.as_ref()?;
        if !is_plain(owner) || !is_plain(name) {
            return None;
        }
        let environment = self.config.environment;
        let path = format!("repos/{owner}/{name}/environments/{environment}");
        let mut text = format!(
            "gh api --method PUT {path} \\\n  --field 'deployment_branch_policy[protected_branches]=false' \\\n  --field \
             'deployment_branch_policy[custom_branch_policies]=true'"
        );
        let mut names: Vec<_> = environment.triggers().iter().filter_map(Trigger::pattern).collect();
        if names.is_empty() {
            // None maps to it by itself: it is delivered to by hand.
            names.push(("BRANCH".to_owned(), "branch"));
        }
        for (name, kind) in names {
            let _ = write!(
                text,
                "\ngh api --method POST {path}/deployment-branch-policies --field 'name={name}' --field type={kind}"
            );
        }
        Some(text)
    }

    /// The command that keeps tags where they are, but for those that this delivery moves.
    fn immutability(&self) -> Result<String, Vec<Problem>> {
        let RepositoryArn { region, account, name } = self.permissions()?.repository;
        let mut text =
            format!("aws ecr put-image-tag-mutability --region {region} --registry-id {account} --repository-name {name} \\\n  ");
        let moving: Vec<_> = self.tags.iter().filter(|planned| planned.moving).collect();
        if moving.is_empty() {
            text.push_str("--image-tag-mutability IMMUTABLE");
            return Ok(text);
        }
        text.push_str("--image-tag-mutability IMMUTABLE_WITH_EXCLUSION \\\n  --image-tag-mutability-exclusion-filters");
        for planned in moving {
            let _ = write!(text, " filterType=WILDCARD,filter={}", planned.tag);
        }
        Ok(text)
    }

    /// Who asks for which role.
    ///
    /// # Errors
    /// No role is named, or it is not known who delivers.
    pub(crate) fn caller(&self) -> Result<Caller, Vec<Problem>> {
        let (role, ecr) = self.role()?;
        if let Some(caller) = self.claims.as_ref().and_then(|claims| Caller::of(claims, role)) {
            return Ok(caller);
        }
        let subjects = self.subjects().ok_or_else(unknown_repository)?;
        Ok(Caller {
            role: role.clone(),
            issuer: ISSUER.to_owned(),
            audience: ecr.identity.audience.clone(),
            subjects: subjects.to_vec(),
        })
    }

    fn subjects(&self) -> Option<Subjects> {
        // Jobs that deliver name the environment; then nothing else is in the subject.
        let context = match (self.config.environment, &self.source.branch) {
            (Environment::Local, Some(branch)) => Context::Ref(format!("refs/heads/{branch}")),
            (environment, _) => Context::Environment(environment.name().to_owned()),
        };
        Some(Subjects::of(&Job { repository: self.repository.clone()?, context }))
    }

    fn permissions(&self) -> Result<Permissions, Vec<Problem>> {
        let (role, ecr) = self.role()?;
        let region =
            ecr.identity.region.clone().ok_or_else(|| missing(&inputs::AWS_REGION, "the repository's region is expected"))?;
        let account = ecr.account.clone().unwrap_or_else(|| role.account().clone());
        Ok(Permissions {
            repository: RepositoryArn { region, account, name: ecr.name.clone() },
            create_repository: ecr.create,
            describe_repository: false,
            delete_images: false,
        })
    }

    /// All that the role may do: push images, read mirrors, and where it signs by a key, that.
    fn role_policy(&self) -> Result<Document, Vec<Problem>> {
        let permissions = self.permissions()?;
        let mut policy = permissions.policy();
        if let Signing::Key(signing) = &self.config.signing {
            let reads = signing.trusted.iter().filter_map(|(_, trusted)| match trusted {
                Trusted::Arn(arn) => Some(arn.clone()),
                Trusted::Known(..) => None,
            });
            let keys = kms::Permissions { signs: Some(signing.arn.clone()), reads: reads.collect() };
            policy.statements.extend(keys.statements());
        }
        let mirrors = self.mirrors();
        if !mirrors.is_empty() {
            policy.statements.push(pull_statement(Pulled::Database, &mirrors));
        }
        if let Some(CacheRepository { arn, .. }) = self.cache.as_ref().filter(|cache| cache.arn != permissions.repository) {
            policy.statements.push(cache_statement(arn));
        }
        if self.config.registry_scan != registry_scan::Demand::Off {
            policy.statements.extend(findings_statements(&self.permissions()?.repository));
        }
        if let Metrics::CloudWatch(_) = self.config.metrics {
            policy.statements.push(cloudwatch::statement(metrics::NAMESPACE));
        }
        Ok(policy)
    }

    /// The repositories of Amazon ECR that databases are fetched from.
    fn mirrors(&self) -> Vec<RepositoryArn> {
        self.config.ecr_mirrors().map(|(registry, name)| registry.repository(name)).collect()
    }

    /// What a role may do that looks at images by what is signed about them, and at the keys that have signed.
    fn reading_policy(&self, lists: bool) -> Result<Document, Vec<Problem>> {
        let mut policy = reading_policy(&self.permissions()?.repository, lists);
        if let Signing::Key(signing) = &self.config.signing {
            let trusted = signing.trusted.iter().filter_map(|(_, trusted)| match trusted {
                Trusted::Arn(arn) => Some(arn.clone()),
                Trusted::Known(..) => None,
            });
            let keys = kms::Permissions { signs: None, reads: trusted.chain([signing.arn.clone()]).collect() };
            policy.statements.extend(keys.statements());
        }
        Ok(policy)
    }

    fn role(&self) -> Result<(&RoleArn, &Ecr), Vec<Problem>> {
        let RequestedDestination::Ecr(ecr) = &self.config.destination else {
            return Err(missing(&inputs::ECR_REPOSITORY, "the repository that the image goes to is expected"));
        };
        let role = ecr.identity.role.as_ref();
        role.map(|role| (role, ecr.as_ref()))
            .ok_or_else(|| missing(&inputs::ROLE_TO_ASSUME, "the role that the run assumes is expected"))
    }
}

/// Whether a name can be printed to be pasted into a shell or a file: a remote's URL may hold anything.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn unknown_repository() -> Vec<Problem> {
    let expected = "the GitHub repository is not known: run this in a clone of it, or set GITHUB_REPOSITORY";
    missing(&inputs::ROLE_TO_ASSUME, expected)
}

fn missing(input: &About, expected: &str) -> Vec<Problem> {
    vec![input.problem("", expected)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_that_of_the_run_else_of_the_clone() {
        let run = |name: &str| match name {
            "GITHUB_REPOSITORY" => Some("Octo-Org/app".to_owned()),
            "GITHUB_REPOSITORY_ID" => Some("2".to_owned()),
            "GITHUB_REPOSITORY_OWNER_ID" => Some("1".to_owned()),
            _ => None,
        };
        let found = find_repository(run, Some("https://github.com/other/clone.git")).unwrap();
        assert_eq!((found.owner.as_str(), found.ids), ("Octo-Org", Some(RepositoryIds { owner: 1, repository: 2 })));
        for url in ["https://github.com/o/r.git", "git@github.com:o/r.git", "ssh://git@github.com/o/r", "https://github.com/o/r/"]
        {
            let found = find_repository(|_| None, Some(url)).unwrap();
            assert_eq!((found.owner.as_str(), found.name.as_str(), found.ids), ("o", "r", None), "{url}");
        }
        for url in ["", "/srv/r.git", "https://github.com/r", "https://example.com/a/b/c"] {
            assert_eq!(find_repository(|_| None, Some(url)), None, "{url}");
        }
    }
}
