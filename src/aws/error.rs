//! What can go wrong between here and AWS.

use std::fmt;
use std::sync::Arc;

use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::RequestId as _;
use aws_smithy_runtime_api::http::Response;

use super::pulled::Pulled;
use super::withheld::Withheld;
use super::{AccountId, KeyArn, RepositoryArn, RoleArn};
use crate::github::oidc::{self, Claims};
use crate::net::{causes, chain};
use crate::text::{self, Line};

/// AWS could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The run has no OIDC token.
    #[error(transparent)]
    Token(#[from] oidc::Error),
    /// STS refused to give the role for the token.
    #[error("{role}: {failure}")]
    Assume {
        /// The role that was asked for.
        role: RoleArn,
        /// The token's claims, for a comparison with the trust policy.
        claims: Box<Claims>,
        /// STS's answer.
        failure: Box<Failure>,
    },
    /// No region is named anywhere.
    #[error("no region is named")]
    NoRegion,
    /// No role is named, and the SDK's default chain (environment, profile, SSO, instance) found no credentials.
    #[error("there are no AWS credentials: {0}")]
    NoCredentials(Line),
    /// The credentials are those of an account that is not allowed.
    #[error("{arn} is of an account that is not allowed")]
    ForeignAccount {
        /// The caller's ARN.
        arn: String,
        /// The account of the credentials.
        account: AccountId,
        /// The accounts that are allowed.
        allowed: Vec<AccountId>,
    },
    /// A call failed.
    #[error(transparent)]
    Call(#[from] Box<Failure>),
    /// An answer lacks a part that it must have.
    #[error("{call} answers without {missing}")]
    Malformed {
        /// The call that was answered.
        call: Call,
        /// The field that the answer lacks.
        missing: &'static str,
    },
    /// There is no such repository.
    #[error("there is no repository {0}")]
    NoRepository(RepositoryArn),
    /// A call about a key failed.
    #[error("{key}: {failure}")]
    Key {
        /// The key, as it was named.
        key: Box<KeyArn>,
        /// The call that failed.
        failure: Box<Failure>,
    },
    /// A key is not of the kind that signs here.
    #[error("{key} is for {usage}, of the kind {spec}")]
    UnfitKey {
        /// The key.
        key: Box<KeyArn>,
        /// What it is for, in AWS's word.
        usage: Line,
        /// Its kind, in AWS's word.
        spec: Line,
    },
    /// The repository was named with its registry, and that is not the one that the credentials are for.
    #[error("the registry is {actual}, not {asked}")]
    OtherRegistry {
        /// The registry that the input names.
        asked: String,
        /// The registry that Amazon ECR names.
        actual: String,
    },
    /// What is in a repository besides the destination's could not be pulled.
    #[error("{name}: {message}")]
    Pull {
        /// What it is.
        what: Pulled,
        /// Its reference, as whoever pulls names it.
        name: Line,
        /// Its repository.
        repository: Box<RepositoryArn>,
        /// What the builder, or the registry, says; empty where nobody was asked.
        message: Line,
        /// Why.
        cause: PullFailure,
    },
    /// The credentials could not be renewed.
    #[error(transparent)]
    Renewal(Arc<Error>),
}

/// Why it could not be pulled.
#[derive(Debug)]
pub(crate) enum PullFailure {
    /// The registry refused the password of this identity.
    Denied {
        /// The caller's ARN, or where the password came from.
        caller: String,
        /// Whether the repository is of another account.
        foreign: bool,
    },
    /// There was no password to be had.
    Failed(Arc<Error>),
    /// The build, or the run, was not to have one.
    Withheld(Withheld),
}

/// A call of an AWS service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// `sts:AssumeRoleWithWebIdentity`.
    AssumeRoleWithWebIdentity,
    /// `sts:GetCallerIdentity`.
    GetCallerIdentity,
    /// `ecr:GetAuthorizationToken`.
    GetAuthorizationToken,
    /// `ecr:DescribeRepositories`.
    DescribeRepositories,
    /// `ecr:CreateRepository`.
    CreateRepository,
    /// `ecr:BatchDeleteImage`.
    BatchDeleteImage,
    /// `ecr:PutImageScanningConfiguration`.
    PutImageScanningConfiguration,
    /// `ecr:PutImageTagMutability`.
    PutImageTagMutability,
    /// `ecr:PutLifecyclePolicy`.
    PutLifecyclePolicy,
    /// `ecr:GetRepositoryPolicy`.
    GetRepositoryPolicy,
    /// `ecr:SetRepositoryPolicy`.
    SetRepositoryPolicy,
    /// `ecr:DeleteRepositoryPolicy`.
    DeleteRepositoryPolicy,
    /// `ecr:ListTagsForResource`.
    ListTagsForResource,
    /// `ecr:TagResource`.
    TagResource,
    /// `ecr:GetRegistryScanningConfiguration`.
    GetRegistryScanningConfiguration,
    /// `ecr:PutRegistryScanningConfiguration`.
    PutRegistryScanningConfiguration,
    /// `ecr:GetSigningConfiguration`.
    GetSigningConfiguration,
    /// `ecr:DescribeImages`.
    DescribeImages,
    /// `ecr:BatchGetImage`.
    BatchGetImage,
    /// `ecr:GetLifecyclePolicy`.
    GetLifecyclePolicy,
    /// `ecr:StartLifecyclePolicyPreview`.
    StartLifecyclePolicyPreview,
    /// `ecr:GetLifecyclePolicyPreview`.
    GetLifecyclePolicyPreview,
    /// `ecr:DescribeImageScanFindings`.
    DescribeImageScanFindings,
    /// `ecr:DescribeImageSigningStatus`.
    DescribeImageSigningStatus,
    /// `kms:GetPublicKey`.
    GetPublicKey,
    /// `kms:Sign`.
    Sign,
    /// `cloudwatch:PutMetricData`.
    PutMetricData,
}

/// A call that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The call that failed.
    pub(crate) call: Call,
    /// AWS's own code: `AccessDenied`, `ExpiredTokenException`; absent where no answer came.
    pub(crate) code: Option<Line>,
    /// AWS's own words, shortened; or how the connection ended.
    pub(crate) message: Line,
    /// The request's id, by which AWS's support finds it.
    pub(crate) request_id: Option<Line>,
}

impl Call {
    /// The IAM permission that the call needs.
    #[must_use]
    pub(crate) fn permission(self) -> &'static str {
        match self {
            Self::AssumeRoleWithWebIdentity => "sts:AssumeRoleWithWebIdentity",
            Self::GetCallerIdentity => "sts:GetCallerIdentity",
            Self::GetAuthorizationToken => "ecr:GetAuthorizationToken",
            Self::DescribeRepositories => "ecr:DescribeRepositories",
            Self::CreateRepository => "ecr:CreateRepository",
            Self::BatchDeleteImage => "ecr:BatchDeleteImage",
            Self::PutImageScanningConfiguration => "ecr:PutImageScanningConfiguration",
            Self::PutImageTagMutability => "ecr:PutImageTagMutability",
            Self::PutLifecyclePolicy => "ecr:PutLifecyclePolicy",
            Self::GetRepositoryPolicy => "ecr:GetRepositoryPolicy",
            Self::SetRepositoryPolicy => "ecr:SetRepositoryPolicy",
            Self::DeleteRepositoryPolicy => "ecr:DeleteRepositoryPolicy",
            Self::ListTagsForResource => "ecr:ListTagsForResource",
            Self::TagResource => "ecr:TagResource",
            Self::GetRegistryScanningConfiguration => "ecr:GetRegistryScanningConfiguration",
            Self::PutRegistryScanningConfiguration => "ecr:PutRegistryScanningConfiguration",
            Self::GetSigningConfiguration => "ecr:GetSigningConfiguration",
            Self::DescribeImages => "ecr:DescribeImages",
            Self::BatchGetImage => "ecr:BatchGetImage",
            Self::GetLifecyclePolicy => "ecr:GetLifecyclePolicy",
            Self::StartLifecyclePolicyPreview => "ecr:StartLifecyclePolicyPreview",
            Self::GetLifecyclePolicyPreview => "ecr:GetLifecyclePolicyPreview",
            Self::DescribeImageScanFindings => "ecr:DescribeImageScanFindings",
            Self::DescribeImageSigningStatus => "ecr:DescribeImageSigningStatus",
            Self::GetPublicKey => "kms:GetPublicKey",
            Self::Sign => "kms:Sign",
            Self::PutMetricData => "cloudwatch:PutMetricData",
        }
    }

    /// Makes the error of a failed SDK call.
    pub(super) fn failed<E>(self, error: &SdkError<E, Response>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        if let Some(renewal) = causes(error).find_map(|cause| cause.downcast_ref::<Renewal>()) {
            return Error::Renewal(Arc::clone(&renewal.0));
        }
        if let Some(cause) =
            causes(error).find_map(|cause| cause.downcast_ref::<aws_credential_types::provider::error::CredentialsError>())
        {
            return Error::NoCredentials(outline(cause));
        }
        Error::Call(Box::new(self.failure(error)))
    }

    /// As [`Call::failed`], for a call that shows no credentials.
    pub(super) fn failure<E>(self, error: &SdkError<E, Response>) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let service = error.as_service_error().map(ProvideErrorMetadata::meta);
        let code = service.and_then(|meta| meta.code()).map(text::words);
        let message = service.and_then(|meta| meta.message()).map(text::words);
        Failure {
            call: self,
            message: message.unwrap_or_else(|| outline(error)),
            code,
            request_id: service.and_then(|meta| meta.request_id()).map(text::words),
        }
    }
}

impl Failure {
    /// Whether AWS answered that the caller may not do this.
    #[must_use]
    pub(crate) fn is_denied(&self) -> bool {
        matches!(self.code.as_deref(), Some("AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation"))
    }
}

/// An error of our own credentials provider, wrapped to travel through the SDK.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct Renewal(pub(super) Arc<Error>);

/// An error's chain of causes, without the outermost text if there is more: the SDK's is only `dispatch failure`.
fn outline(error: &(dyn std::error::Error + 'static)) -> Line {
    chain(error.source().unwrap_or(error))
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.permission())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.call)?;
        self.code.iter().try_for_each(|code| write!(f, "{code}: "))?;
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
