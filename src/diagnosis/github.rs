//! The words for GitHub's API.

use super::{Diagnosis, sentences};
use crate::github::api::{Call, Error};
use crate::github::attestations;
use crate::github::code_scanning::{self, Missing};
use crate::github::issues;

impl From<&code_scanning::Error> for Diagnosis {
    fn from(error: &code_scanning::Error) -> Self {
        match error {
            code_scanning::Error::Unavailable { status, message, missing } => {
                unavailable(&format!("GitHub answers {status}: {message}"), *missing)
            }
            code_scanning::Error::Impossible(why) => Self::new(
                "The findings can't be shown in the Security tab",
                why.clone(),
                "Check out the commit that the run is of, in a job of GitHub Actions that gives the action its token; or set \
                 `code-scanning: off`, if the findings need not be there.",
            ),
            code_scanning::Error::Rejected(errors) => Self::new(
                "GitHub can't process the findings for the Security tab",
                if errors.is_empty() { "It does not say why.".to_owned() } else { sentences(errors) },
                "The files are in the report's folder sarif/: upload one with github/codeql-action/upload-sarif to see whether \
                 the file is at fault, and report it as a bug here.",
            ),
            code_scanning::Error::Api(error) => Self::from(error),
        }
    }
}

fn unavailable(why: &str, missing: Missing) -> Diagnosis {
    let what = "The findings are not in the Security tab";
    let feature = "switch code scanning on (Settings, Advanced Security; a private repository needs GitHub Code Security)";
    let permission = "give the job `permissions: security-events: write` (the calling job too, for a reusable workflow)";
    let remedy = match missing {
        Missing::Feature => format!("To see them there, {feature}."),
        Missing::Permission => format!("To see them there, {permission}."),
        Missing::Either => format!("To see them there, {permission}, and {feature}."),
    };
    Diagnosis::new(what, why, format!("{remedy} If they need not be there, set `code-scanning: off`."))
}

impl From<&attestations::Error> for Diagnosis {
    fn from(error: &attestations::Error) -> Self {
        let what = "What is signed is not among the repository's attestations at GitHub";
        let off = "If it need not be there, set `github-attestations: off`.";
        match error {
            attestations::Error::Unavailable { status, message } => Self::new(
                what,
                format!("GitHub answers {status}: {message}"),
                format!(
                    "To have it there, give the job `permissions: attestations: write` (the calling job too, for a reusable \
                     workflow); a private repository needs GitHub Enterprise Cloud. {off}"
                ),
            ),
            attestations::Error::Impossible(why) => {
                Self::new(what, *why, format!("Give the action the run's token: leave `github-token` out. {off}"))
            }
            attestations::Error::Secret => Self::new(
                what,
                "A secret of this run is in it, and nothing can be left out of what is signed.",
                "Take the secret out of what is delivered, and revoke it.",
            ),
            attestations::Error::Api(error) => Self::from(error),
        }
    }
}

impl From<&issues::Error> for Diagnosis {
    fn from(error: &issues::Error) -> Self {
        match error {
            issues::Error::Api(error) => Self::from(error),
            issues::Error::NotOurs { author } => Self::new(
                "What was found is in no issue",
                format!("It was made by {author:?}, and the next run would not know it for its own: it is closed again"),
                "Give the action the run's own token: leave `github-token` out, or set it to ${{ github.token }}.",
            ),
            issues::Error::TooMany => Self::new(
                "What was found is in no issue",
                format!("{error}, and one of those that are not looked through may be about it"),
                "Take the label off issues that are closed and not needed any more.",
            ),
        }
    }
}

impl From<&Error> for Diagnosis {
    fn from(error: &Error) -> Self {
        match error {
            Error::Address { address, reason } => Self::new(
                format!("GITHUB_API_URL can't be used: {address:?}"),
                reason.clone(),
                "The runner sets it: remove what overwrites it in the workflow, or give an address that begins with https.",
            ),
            Error::Token => Self::new(
                "A token for GitHub's API can't be used",
                "It has a line end in it, or another character that no token has.",
                "Give `github-token` and `gitops-token` as GitHub shows them, on one line.",
            ),
            Error::App(error) => of_app(error),
            Error::Unsigned => Self::new(
                what_failed(Call::IssueToken),
                "The key in `gitops-app-private-key` does not sign.",
                "Have GitHub make another private key (the App's settings), and give that.",
            ),
            Error::Outlived { call } => Self::new(what_failed(*call), "GitHub answers 401 Unauthorized.", GITOPS_TOKEN),
            Error::Refused { call, limited: true, message, wait, .. } => Self::new(
                what_failed(*call),
                format!("GitHub limits the rate of requests: {message}"),
                match wait {
                    Some(wait) => format!("Run the job again in {} s, or run fewer jobs at once.", wait.as_secs()),
                    None => "Run the job again later, or run fewer jobs at once.".to_owned(),
                },
            ),
            Error::Refused { call, status, message, .. } => Self::new(
                what_failed(*call),
                format!("GitHub answers {status}: {message}"),
                match (status.as_u16(), call) {
                    (403, Call::FindCheckRun | Call::WriteCheckRun) => {
                        "Give the job `permissions: checks: write` (the calling job too, for a reusable workflow)."
                    }
                    (403 | 404, Call::RecordStorage) => {
                        "Give the job `permissions: artifact-metadata: write` (the calling job too, for a reusable workflow). Only \
                         organisations have such records; `github-attestations: off` asks for none."
                    }
                    (403 | 404, Call::FindIssue | Call::WriteIssue) => {
                        "Give the job `permissions: issues: write`. If no issue is wanted, set `issues: off`."
                    }
                    (410, Call::FindIssue | Call::WriteIssue) => {
                        "Switch issues on (Settings, General, Features), or set `issues: off`, if none is wanted."
                    }
                    (401, call) if call.is_of_gitops() => GITOPS_TOKEN,
                    (403 | 404, call) if call.is_of_gitops() => GITOPS_PERMISSIONS,
                    (401, _) => {
                        "Give the action the run's own token: leave `github-token` out, or set it to ${{ github.token }}."
                    }
                    (413, _) => "The file is larger than GitHub takes (10 MB compressed): report that as a bug here.",
                    (500.., _) => "GitHub has an outage (githubstatus.com): run the job again later.",
                    _ => "Look up the message above; if the request itself is wrong, report it as a bug here.",
                },
            ),
            Error::Unreachable { call, reason } => Self::new(
                what_failed(*call),
                format!("GitHub does not answer: {reason}"),
                "Run the job again; on a runner of your own, check whether it reaches the address in GITHUB_API_URL.",
            ),
            Error::Malformed { call, reason } => Self::new(
                what_failed(*call),
                format!("GitHub's answer is not valid: {reason}"),
                "Run the job again; on a runner of your own, check whether a proxy answers in GitHub's place.",
            ),
        }
    }
}

const GITOPS_TOKEN: &str = "Give the action a `gitops-token` that is good: this one is revoked, expired or cut. Then run `gp-deliver gitops`, or the \
                            job, again.";
const GITOPS_PERMISSIONS: &str = "Give `gitops-token`, or the App, the permissions `contents: write` and `pull-requests: write` in that repository, and see \
                                  that it is not archived. Then run `gp-deliver gitops`, or the job, again.";

/// The words for what a GitHub App is refused before it has a token.
fn of_app(error: &Error) -> Diagnosis {
    let Error::Refused { call, status, limited: false, message, .. } = error else { return error.into() };
    let remedy = match (status.as_u16(), call) {
        (401, _) => {
            "Check that `gitops-app-private-key` is a private key of the App that `gitops-app-id` names, and not deleted there, and \
             that the clock of this machine is right."
        }
        (404, Call::FindInstallation) => {
            "Check `gitops-app-id`, and install the App in that repository (the App's settings, Install App)."
        }
        (404, _) => {
            "Leave `gitops-app-installation-id` out, or give the number of this App's installation with the owner of that repository."
        }
        (403, _) => "Have the owner of that repository lift the suspension (Settings, GitHub Apps, Configure).",
        (422, _) => {
            "Give the App the repository permissions `contents: write` and `pull requests: write`, have the owner of that repository \
             accept them, and see that it is among the repositories of the installation."
        }
        _ => return error.into(),
    };
    Diagnosis::new(
        what_failed(Call::IssueToken),
        format!("GitHub answers {status}: {message}"),
        format!("{remedy} Then run `gp-deliver gitops`, or the job, again."),
    )
}

fn what_failed(call: Call) -> &'static str {
    match call {
        Call::UploadAnalysis => "The findings could not be uploaded to the Security tab",
        Call::FollowAnalysis => "GitHub does not say whether the findings reached the Security tab",
        Call::FindCheckRun | Call::WriteCheckRun => "The check run could not be shown",
        Call::ReadEnvironment => "The rules of GitHub's environment could not be read",
        Call::StoreAttestation => "GitHub has not taken an attestation",
        Call::RecordStorage => "GitHub has no record of where the image is kept",
        Call::FindIssue | Call::WriteIssue => "What was found is in no issue",
        Call::ReadBranch | Call::ReadFiles | Call::ReadHistory | Call::CompareCommits => {
            "The repository that a cluster is brought to could not be read"
        }
        Call::WriteCommit | Call::MoveBranch | Call::PullRequest => {
            "The repository that a cluster is brought to could not be written"
        }
        Call::FindInstallation | Call::IssueToken | Call::RevokeToken => {
            "The GitHub App gets no token for the repository that a cluster is brought to"
        }
    }
}
