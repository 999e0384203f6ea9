//! What has to be set up once so that a delivery may go to Amazon ECR: the role's trust policy, its permissions, and those of
//! the workflow's job. `gp-deliver policy` prints them.

use std::fmt::Write as _;

use crate::aws::policy::role::{self, Delivery};
use crate::aws::policy::subject::{Account, Context, Job, Subjects};
use crate::aws::policy::trust::{self, Caller};
use crate::aws::{RepositoryArn, RoleArn};
use crate::config::{Config, Destination, Ecr};
use crate::environment::Environment;
use crate::github::oidc::Claims;
use crate::inputs::{self, About, Problem};
use crate::record::Source;
use crate::variables;

/// Who vouches for the runs of github.com; an enterprise of its own has another.
pub const ISSUER: &str = "https://token.actions.githubusercontent.com";

/// What a workflow's job has to be permitted.
pub const WORKFLOW: &str = "permissions:\n  contents: read\n  id-token: write";

/// One of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The role's trust policy.
    Trust,
    /// What the role may do.
    Role,
    /// What the workflow's job may do.
    Workflow,
}

impl Kind {
    /// All.
    pub const ALL: [Self; 3] = [Self::Trust, Self::Role, Self::Workflow];

    /// The word for the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Trust => "trust",
            Self::Role => "role",
            Self::Workflow => "workflow",
        }
    }
}

/// Who delivers, as far as it is known without a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Its owner.
    pub owner: Account,
    /// Its name.
    pub name: Account,
}

impl Repository {
    /// The repository that the Actions runner names in variables, else the one that `origin` (a remote's URL) is of.
    pub fn find(variable: impl Fn(&str) -> Option<String>, origin: Option<&str>) -> Option<Self> {
        let id = |name| variable(name).and_then(|id| id.parse().ok());
        let (ids, full) = match variable(variables::GITHUB_REPOSITORY).filter(|name| !name.is_empty()) {
            Some(name) => ((id(variables::GITHUB_REPOSITORY_OWNER_ID), id(variables::GITHUB_REPOSITORY_ID)), name),
            None => ((None, None), of_remote(origin?)?),
        };
        let (owner, name) = full.split_once('/')?;
        Some(Self { owner: Account { name: owner.to_owned(), id: ids.0 }, name: Account { name: name.to_owned(), id: ids.1 } })
    }
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

/// What is known of a delivery before AWS is asked.
pub struct Known<'a> {
    /// What to do.
    pub config: &'a Config<()>,
    /// From what.
    pub source: &'a Source,
    /// By whom.
    pub repository: Option<Repository>,
    /// What the run's token claims, where there is one.
    pub claims: Option<Claims>,
}

impl Known<'_> {
    /// What to set up, as text to copy.
    ///
    /// # Errors
    /// Inputs that it depends on are missing.
    pub fn text(&self, kind: Option<Kind>) -> Result<String, Vec<Problem>> {
        let Some(kind) = kind else {
            let (role, _) = self.role()?;
            let mut text = String::new();
            // Writing to a string does not fail.
            let _ = writeln!(text, "The trust policy of {role}:\n\n{}\n", self.text(Some(Kind::Trust))?);
            let _ = writeln!(text, "The permissions policy of {role}:\n\n{}\n", self.text(Some(Kind::Role))?);
            let _ = write!(text, "In the workflow's job:\n\n{WORKFLOW}");
            return Ok(text);
        };
        match kind {
            Kind::Trust => Ok(trust::accepting(&self.caller()?).to_json()),
            Kind::Role => Ok(role::sufficient(&self.delivery()?).to_json()),
            Kind::Workflow => Ok(WORKFLOW.to_owned()),
        }
    }

    /// Who wants which role.
    ///
    /// # Errors
    /// No role is named, or it is not known who delivers.
    pub fn caller(&self) -> Result<Caller, Vec<Problem>> {
        let (role, ecr) = self.role()?;
        if let Some(caller) = self.claims.as_ref().and_then(|claims| Caller::of(claims, role)) {
            return Ok(caller);
        }
        let subjects = self.subjects().ok_or_else(|| {
            let expected = "which GitHub repository delivers is not known: run this in a clone of it, or set GITHUB_REPOSITORY";
            missing(&inputs::ROLE_TO_ASSUME, expected)
        })?;
        Ok(Caller {
            role: role.clone(),
            issuer: ISSUER.to_owned(),
            audience: ecr.identity.audience.clone(),
            subjects: subjects.to_vec(),
        })
    }

    fn subjects(&self) -> Option<Subjects> {
        let Repository { owner, name } = self.repository.clone()?;
        // Jobs that deliver name the environment; then nothing else is in the subject.
        let context = match (self.config.environment, &self.source.branch) {
            (Environment::Local, Some(branch)) => Context::Ref(format!("refs/heads/{branch}")),
            (environment, _) => Context::Environment(environment.name().to_owned()),
        };
        Some(Subjects::of(&Job { owner, repository: name, context }))
    }

    fn delivery(&self) -> Result<Delivery, Vec<Problem>> {
        let (role, ecr) = self.role()?;
        let region =
            ecr.identity.region.clone().ok_or_else(|| missing(&inputs::AWS_REGION, "the repository's region is expected"))?;
        let account = ecr.account.clone().unwrap_or_else(|| role.account.clone());
        Ok(Delivery {
            repository: RepositoryArn { region, account, name: ecr.name.clone() },
            create_repository: ecr.create,
            describe_repository: false,
            delete_images: false,
        })
    }

    fn role(&self) -> Result<(&RoleArn, &Ecr), Vec<Problem>> {
        let Destination::Ecr(ecr) = &self.config.destination else {
            return Err(missing(&inputs::ECR_REPOSITORY, "the repository that the image goes to is expected"));
        };
        let role = ecr.identity.role.as_ref();
        role.map(|role| (role, ecr.as_ref()))
            .ok_or_else(|| missing(&inputs::ROLE_TO_ASSUME, "the role that the run assumes is expected"))
    }
}

fn missing(input: &About, expected: &str) -> Vec<Problem> {
    vec![Problem::new(input, "", expected)]
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
        let found = Repository::find(run, Some("https://github.com/other/clone.git")).unwrap();
        assert_eq!((found.owner.name.as_str(), found.owner.id, found.name.id), ("Octo-Org", Some(1), Some(2)));
        for url in ["https://github.com/o/r.git", "git@github.com:o/r.git", "ssh://git@github.com/o/r", "https://github.com/o/r/"]
        {
            let found = Repository::find(|_| None, Some(url)).unwrap();
            assert_eq!((found.owner.name.as_str(), found.name.name.as_str(), found.name.id), ("o", "r", None), "{url}");
        }
        for url in ["", "/srv/r.git", "https://github.com/r", "https://example.com/a/b/c"] {
            assert_eq!(Repository::find(|_| None, Some(url)), None, "{url}");
        }
    }
}
