//! The words for a base image of Amazon ECR that could not be pulled.

use super::Diagnosis;
use crate::aws::base_image::pull_policy;
use crate::aws::{PullFailure, RepositoryArn, Withheld};

/// The diagnosis of a pull that the registry at AWS did not let through, or for which there was no password.
pub(super) fn base_image(image: &str, repository: &RepositoryArn, message: &str, cause: &PullFailure) -> Diagnosis {
    let what = format!("The base image {image} can't be pulled");
    let policy = || pull_policy(std::slice::from_ref(repository)).to_json();
    match cause {
        PullFailure::Denied { caller, foreign } => {
            let why = format!("Amazon ECR does not let {caller} pull from {repository}: {message}");
            let account = &repository.account;
            let foreign = if *foreign {
                format!(" The repository is of the account {account}: its own policy has to allow the same to this role.")
            } else {
                String::new()
            };
            let remedy = format!(
                "Give the role these permissions; a pull through a cache also needs ecr:BatchImportUpstreamImage, and \
                     ecr:CreateRepository for the first one.{foreign}"
            );
            Diagnosis::new(what, why, remedy).with_copy(&policy())
        }
        PullFailure::Failed(error) => {
            let Diagnosis { what: failed, why, remedy, to_copy, .. } = Diagnosis::from(error.as_ref());
            let why = format!("There is no password for {repository}: {failed}.\n{why}");
            let to_copy = if to_copy.is_empty() { policy().lines().map(str::to_owned).collect() } else { to_copy };
            Diagnosis { to_copy, ..Diagnosis::new(what, why, remedy) }
        }
        PullFailure::Withheld(withheld) => {
            let (because, remedy) = withheld_words(*withheld);
            Diagnosis::new(what, format!("This build has no credentials of AWS for {repository}: {because}\n{message}"), remedy)
        }
    }
}

/// Why a build has no credentials, and what to do.
fn withheld_words(withheld: Withheld) -> (&'static str, &'static str) {
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
