//! The words for what could not be pulled from Amazon ECR: a base image, or a database.

use super::Diagnosis;
use crate::aws::pull::{PULL, pull_policy};
use crate::aws::{PullFailure, Pulled, RepositoryArn, Withheld};
use crate::text;

/// The diagnosis of a pull that the registry at AWS did not let through, or for which there was no password.
pub(super) fn pull(pulled: Pulled, name: &str, repository: &RepositoryArn, message: &str, cause: &PullFailure) -> Diagnosis {
    let what = match pulled {
        Pulled::BaseImage => format!("The base image {name} can't be pulled"),
        Pulled::Database => format!("The mirror {name} can't be read"),
    };
    // One of several mirrors has a line, and no room for a policy.
    let policy = match pulled {
        Pulled::BaseImage => pull_policy(std::slice::from_ref(repository)).to_json(),
        Pulled::Database => String::new(),
    };
    match cause {
        PullFailure::Denied { caller, foreign } => {
            let why = format!("Amazon ECR does not let {caller} pull from {repository}: {message}");
            let account = &repository.account;
            let foreign = if *foreign {
                format!(" The repository is of the account {account}: its own policy has to allow the same to this role.")
            } else {
                String::new()
            };
            let these = match pulled {
                Pulled::BaseImage => "these permissions".to_owned(),
                Pulled::Database => format!("{} there, as `gp-deliver policy role` prints it", text::list(&PULL)),
            };
            let remedy = format!(
                "Give the role {these}; a pull through a cache also needs ecr:BatchImportUpstreamImage, and \
                     ecr:CreateRepository for the first one.{foreign}"
            );
            Diagnosis::new(what, why, remedy).with_copy(&policy)
        }
        PullFailure::Failed(error) => {
            let Diagnosis { what: failed, why, remedy, to_copy, .. } = Diagnosis::from(error.as_ref());
            let why = format!("There is no password for {repository}: {failed}.\n{why}");
            let to_copy = if to_copy.is_empty() { policy.lines().map(str::to_owned).collect() } else { to_copy };
            Diagnosis { to_copy, ..Diagnosis::new(what, why, remedy) }
        }
        PullFailure::Withheld(withheld) => {
            let (who, (because, remedy)) = match pulled {
                Pulled::BaseImage => ("This build", of_a_build(*withheld)),
                Pulled::Database => ("This run", of_a_run(*withheld)),
            };
            let why = format!("{who} has no credentials of AWS for {repository}: {because}\n{message}");
            Diagnosis::new(what, why, remedy)
        }
    }
}

/// Why a run has no credentials for a database, and what to do.
fn of_a_run(withheld: Withheld) -> (&'static str, &'static str) {
    match withheld {
        Withheld::Event => (
            "the run's event is one that a stranger may cause.",
            "Name a mirror that anyone may read behind this one, or log in to the registry before: `docker login` with a role that \
             may do nothing but pull.",
        ),
        other => of_a_build(other),
    }
}

/// Why a build has no credentials, and what to do.
fn of_a_build(withheld: Withheld) -> (&'static str, &'static str) {
    match withheld {
        Withheld::Event => (
            "the run's event is a pull request, or another one that is not its own repository's to cause.",
            "Have such runs build on an image that anyone may pull (public.ecr.aws, for one), by a build argument of the workflow, \
             or log in to the registry before: `docker login` with a role that may do nothing but pull.",
        ),
        Withheld::NoIdentity => (
            "no input names an identity.",
            "Give `role-to-assume`, or `ecr-repository`, or log in to the registry: `aws ecr get-login-password | docker login`.",
        ),
        Withheld::Frontend => (
            "the Dockerfile's frontend is someone else's program.",
            "Remove its `# syntax=` line, and BUILDKIT_SYNTAX from `build-args`, or name docker/dockerfile:1. Or log in to the \
             registry before, with `docker login`.",
        ),
        Withheld::Exposed => (
            "the builder is on another machine, and what goes there without TLS can be read on the way.",
            "Use a socket, or TLS (`buildkit-certificates`, DOCKER_TLS_VERIFY).",
        ),
        Withheld::SessionPolicy => (
            "`session-policy` can't be read as a policy, and so can't be narrowed.",
            "Correct `session-policy`: only elements that IAM has in a policy are expected.",
        ),
    }
}
