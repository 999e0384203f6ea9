//! The words for failures at AWS.

use iam_policy::trust::{Caller, provider_arn};

use super::Diagnosis;
use super::pull::pull;
use crate::aws::{Call, Error, Failure, KeyArn, RoleArn};
use crate::github::oidc::{self, Claims};

impl From<&Error> for Diagnosis {
    fn from(error: &Error) -> Self {
        match error {
            Error::Token(error) => error.into(),
            Error::Assume { role, claims, failure } => assume(role, claims, failure),
            Error::NoRegion => Self::new(
                "No AWS region is named",
                "Neither aws-region nor ecr-repository nor AWS_REGION nor a profile names one.",
                "Give the repository's region with `aws-region`.",
            ),
            Error::NoCredentials(reason) => Self::new(
                "There are no AWS credentials",
                reason,
                "In a workflow, give `role-to-assume` and the permission `id-token: write`. On a laptop, log in: `aws sso login`, \
                 or set AWS_PROFILE.",
            ),
            Error::ForeignAccount { arn, account, allowed } => Self::new(
                format!("The AWS account {account} is not one that this delivery may use"),
                format!("The credentials are those of {arn}; allowed are: {}.", list(allowed)),
                "Check `role-to-assume`, or the profile, against `aws-account-id` and `allowed-account-ids`.",
            ),
            Error::Call(failure) => call(failure),
            Error::Malformed { call, missing } => Self::new(
                "AWS does not answer as it should",
                format!("{call} answers without {missing}."),
                "Check AWS_ENDPOINT_URL, and that no proxy answers in AWS's place.",
            ),
            Error::NoRepository(arn) => Self::new(
                format!("There is no repository {} in {}", arn.name, arn.region),
                format!("Its ARN would be {arn}."),
                "Check `ecr-repository`, `aws-region` and `aws-account-id`. If it is new, create it, or set `create-repository` to \
                 true.",
            )
            .with_copy(&format!("aws ecr create-repository --region {} --repository-name {}", arn.region, arn.name)),
            Error::Key { key: named, failure } => key(named, failure),
            Error::UnfitKey { key, usage, spec } => Self::new(
                format!("{key} is not a key that signs here"),
                format!("It is for {usage}, of the kind {spec}; SIGN_VERIFY and ECC_NIST_P256 are expected."),
                "Name another key by `kms-key`. The usage and the kind of a key can't be changed: create one.",
            )
            .with_copy(&format!(
                "aws kms create-key --region {} --key-usage SIGN_VERIFY --key-spec ECC_NIST_P256",
                key.region()
            )),
            Error::OtherRegistry { asked, actual } => Self::new(
                format!("{asked} is not the registry of these credentials"),
                format!("Amazon ECR names {actual} as the registry."),
                "Give `ecr-repository` as a name, or with the address that Amazon ECR names.",
            ),
            Error::Pull { what, name, repository, message, cause } => pull(*what, name, repository, message, cause),
            Error::Renewal(error) => error.as_ref().into(),
        }
    }
}

impl From<&oidc::Error> for Diagnosis {
    fn from(error: &oidc::Error) -> Self {
        match error {
            oidc::Error::NotGranted { fork: true } => Self::new(
                "A fork's pull request gets no OIDC token",
                "GitHub gives the workflow of a fork's pull request no token and no secrets.",
                "Deliver from a branch of this repository. For pull requests set `publish` to false: that builds and scans.",
            ),
            oidc::Error::NotGranted { fork: false } => Self::new(
                "This job may not ask for an OIDC token",
                "GitHub sets ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN for jobs that have the permission, \
                 and this job does not have it.",
                "Give the job the permission `id-token: write`. If the job is in a reusable workflow, the job that calls it must have it too.",
            )
            .with_copy("permissions:\n  contents: read\n  id-token: write"),
            oidc::Error::Address(reason) => Self::new(
                "The address of GitHub's token service is not valid",
                format!("ACTIONS_ID_TOKEN_REQUEST_URL: {reason}."),
                "The runner sets this variable: check the runner, and that no earlier step changes it.",
            ),
            oidc::Error::Refused { status, message } => Self::new(
                "GitHub's token service did not issue a token",
                format!("It answers {status}: {message}."),
                "Run the job again. If it happens again, check `audience`, and GitHub's status page.",
            ),
            oidc::Error::Unreachable(reason) => Self::new(
                "GitHub's token service does not answer",
                format!("{reason}."),
                "Run the job again. On a runner of your own, check that it reaches the service, and HTTPS_PROXY.",
            ),
            oidc::Error::Malformed => Self::new(
                "GitHub's token service did not issue a token",
                "Its answer does not hold a JSON Web Token.",
                "Check that no proxy answers in its place.",
            ),
        }
    }
}

/// STS rejects the token, or does not give the role for it.
fn assume(role: &RoleArn, claims: &Claims, failure: &Failure) -> Diagnosis {
    let said = failure.to_string();
    let issuer = claims.issuer().unwrap_or_default();
    let audience = claims.audience().unwrap_or_default();
    let has = |text: &str| failure.message.contains(text);
    match failure.code.as_deref() {
        Some("AccessDenied") => Diagnosis::new(
            format!("AWS does not let this run assume {role}"),
            format!(
                "{said}\nThere is no such role, or its trust policy does not accept this run, whose token says:\n{}",
                shown(claims)
            ),
            "Let the role's trust policy accept exactly this run; `gp-deliver doctor --trust-policy FILE` says what differs from \
             the one that it has.",
        )
        .with_copy(&Caller::of(claims, role).map(|caller| caller.trust_policy().to_json()).unwrap_or_default()),
        Some("InvalidIdentityToken") if has("No OpenIDConnect provider found") => Diagnosis::new(
            format!("The AWS account {} does not know GitHub as an identity provider", role.account()),
            said,
            "Create the provider in that account, once.",
        )
        .with_copy(&format!("aws iam create-open-id-connect-provider --url {issuer} --client-id-list {audience}")),
        Some("InvalidIdentityToken") if has("audience") => Diagnosis::new(
            format!("The AWS account {} does not accept tokens for {audience}", role.account()),
            said,
            "Add the audience to the account's identity provider, or set `audience` to one that it lists.",
        )
        .with_copy(&format!(
            "aws iam add-client-id-to-open-id-connect-provider --client-id {audience} --open-id-connect-provider-arn \
             {}",
            provider_arn(role, &issuer)
        )),
        Some("ExpiredTokenException") => expired(claims, &said),
        Some("ValidationError") if has("DurationSeconds") => Diagnosis::new(
            format!("{role} does not allow sessions of that length"),
            said,
            "Lower `role-duration-seconds`, or raise the role's maximum session duration. Credentials are renewed as long as a \
             delivery needs them, so a short duration is enough.",
        ),
        Some("MalformedPolicyDocument" | "PackedPolicyTooLarge") => {
            Diagnosis::new("AWS rejects the session policy", said, "Correct `session-policy`, or leave it out.")
        }
        Some("InvalidIdentityToken" | "IDPCommunicationError" | "IDPRejectedClaim") => Diagnosis::new(
            "AWS can't verify this run's token",
            format!("{said}\nThe token says:\n{}", shown(claims)),
            "Run the job again. If it happens again, check that AWS can reach the issuer's keys (those of a GitHub Enterprise Server have to be public).",
        ),
        Some("RegionDisabledException") => Diagnosis::new(
            "AWS STS is not active in this region",
            said,
            "Activate the region in the account, or give another `aws-region`.",
        ),
        _ => call(failure),
    }
}

/// What a token claims, as far as trust policies look at it.
fn shown(claims: &Claims) -> String {
    let shown = ["iss", "aud", "sub", "job_workflow_ref"].into_iter().filter_map(|name| Some((name, claims.get(name)?)));
    shown.map(|(name, value)| format!("  {name}: {value}")).collect::<Vec<_>>().join("\n")
}

/// A token that has expired on arrival: it is good for five minutes, so a clock is wrong.
fn expired(claims: &Claims, said: &str) -> Diagnosis {
    let skew = claims.issued_at().map(|issued| jiff::Timestamp::now().as_second() - issued);
    let (why, remedy) = match skew {
        Some(skew) if skew.abs() > CLOCK_TOLERANCE => (
            format!(
                "{said}\nThis machine's clock is {} s {} GitHub's.",
                skew.abs(),
                if skew > 0 { "ahead of" } else { "behind" }
            ),
            "Set the runner's clock (NTP), and run again.",
        ),
        _ => (said.to_owned(), "Run the job again."),
    };
    Diagnosis::new("This run's token has expired", why, remedy)
}

/// The clock difference, in seconds, from which it is reported.
const CLOCK_TOLERANCE: i64 = 60;

/// A key can't be used.
fn key(named: &KeyArn, failure: &Failure) -> Diagnosis {
    let said = said(failure);
    match failure.code.as_deref() {
        Some("NotFoundException") => Diagnosis::new(
            format!("There is no key {named}"),
            said,
            "Check `kms-key` and `trusted-keys`: account, region, and the key's ID or the alias.",
        ),
        Some("DisabledException") => Diagnosis::new(
            format!("The key {named} is disabled"),
            said,
            "Enable it, or name another key by `kms-key`. If it was disabled because somebody else has used it, what it has signed is \
             no better than unsigned.",
        ),
        Some("KMSInvalidStateException" | "KeyUnavailableException") => Diagnosis::new(
            format!("The key {named} can't be used in the state that it is in"),
            said,
            "See `aws kms describe-key`: a key that is to be deleted signs nothing. Cancel that, or name another by `kms-key`.",
        ),
        Some("InvalidKeyUsageException" | "UnsupportedOperationException") => Diagnosis::new(
            format!("{named} is not a key that signs here"),
            said,
            "Name a key for SIGN_VERIFY of the kind ECC_NIST_P256 by `kms-key`.",
        ),
        Some(_) if failure.is_denied() => super::permission::lacking_of_key(&said, &failure.message, named, failure.call),
        _ => call(failure),
    }
}

/// AWS's words, with the number of the request.
fn said(failure: &Failure) -> String {
    match &failure.request_id {
        Some(id) => format!("{failure}\nAWS's request ID: {id}."),
        None => failure.to_string(),
    }
}

fn call(failure: &Failure) -> Diagnosis {
    let said = said(failure);
    let service = match failure.call.permission().split_once(':') {
        Some(("sts", _)) => "AWS STS",
        Some(("kms", _)) => "AWS KMS",
        _ => "Amazon ECR",
    };
    match failure.code.as_deref() {
        None => Diagnosis::new(
            format!("{service} can't be reached"),
            said,
            "Check the network, `aws-region`, AWS_ENDPOINT_URL, and HTTPS_PROXY where there is a proxy; then run again.",
        ),
        Some(_) if failure.is_denied() => denied(failure, said),
        Some("Throttling" | "ThrottlingException" | "TooManyRequestsException" | "RequestLimitExceeded") => Diagnosis::new(
            format!("{service} wants fewer requests"),
            format!("{said}\nThe request was repeated several times, with pauses."),
            "Run again later. If it happens often, spread the deliveries of the account, or ask AWS for a higher rate.",
        ),
        Some("SignatureDoesNotMatch" | "InvalidSignatureException" | "RequestExpired" | "RequestTimeTooSkewed") => {
            Diagnosis::new(
                format!("{service} rejects the request's signature"),
                said,
                "Most often this machine's clock is wrong: set it (NTP), and run again.",
            )
        }
        Some("ExpiredToken" | "ExpiredTokenException") => Diagnosis::new(
            "The AWS credentials have expired",
            said,
            "Log in again (`aws sso login`). If they are new, this machine's clock is wrong.",
        ),
        Some("InvalidClientTokenId" | "UnrecognizedClientException" | "InvalidAccessKeyId") => Diagnosis::new(
            format!("{service} does not know these credentials"),
            said,
            "Check the profile, and that `aws-region` is active in the account and in its partition.",
        ),
        Some(code) if code.contains("Unavailable") || code.contains("Internal") || code.contains("ServerException") => {
            Diagnosis::new(
                format!("{service} reports an internal error"),
                format!("{said}\nThe request was repeated several times, with pauses."),
                "Run again later; AWS's health page says more.",
            )
        }
        Some(_) => Diagnosis::new(format!("{service} refuses a request"), said, "AWS's message above says what it wants."),
    }
}

fn denied(failure: &Failure, said: String) -> Diagnosis {
    if let Some(diagnosis) = super::permission::lacking(&said, &failure.message) {
        return diagnosis;
    }
    let permission = failure.call.permission();
    let what = match failure.call {
        Call::GetCallerIdentity | Call::AssumeRoleWithWebIdentity => "AWS STS refuses the sign-in".to_owned(),
        _ => format!("The role lacks a permission: {permission}"),
    };
    Diagnosis::new(
        what,
        said,
        format!("Give the role {permission}; `gp-deliver policy` prints the smallest policy that publishing needs."),
    )
}

fn list(items: &[impl ToString]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
