//! Which call a request is.

use hyper::Method;
use hyper::http::request::Parts;

/// What is asked for, by the name that its service gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Call {
    /// GitHub's id token.
    IdToken,
    /// The issuer's configuration or keys.
    Discovery,
    /// STS: `AssumeRoleWithWebIdentity`.
    AssumeRole,
    /// STS: `GetCallerIdentity`.
    GetCallerIdentity,
    /// CloudWatch: `PutMetricData`, which speaks as STS does.
    PutMetricData,
    /// Another call of STS.
    OtherSts,
    /// ECR: `GetAuthorizationToken`.
    GetAuthorizationToken,
    /// ECR: `DescribeRepositories`.
    DescribeRepositories,
    /// ECR: `CreateRepository`.
    CreateRepository,
    /// ECR: `BatchDeleteImage`.
    BatchDeleteImage,
    /// ECR: `DescribeImages`.
    DescribeImages,
    /// ECR: `BatchGetImage`.
    BatchGetImage,
    /// ECR: `GetLifecyclePolicy`.
    GetLifecyclePolicy,
    /// ECR: `PutLifecyclePolicy`.
    PutLifecyclePolicy,
    /// ECR: `StartLifecyclePolicyPreview`.
    StartLifecyclePolicyPreview,
    /// ECR: `GetLifecyclePolicyPreview`.
    GetLifecyclePolicyPreview,
    /// ECR: `GetRepositoryPolicy`.
    GetRepositoryPolicy,
    /// ECR: `ListTagsForResource`.
    ListTagsForResource,
    /// ECR: `GetRegistryScanningConfiguration`.
    GetRegistryScanning,
    /// ECR: `GetSigningConfiguration`.
    GetSigningConfiguration,
    /// Another call of ECR's API.
    OtherEcr,
    /// KMS: `GetPublicKey`.
    GetPublicKey,
    /// KMS: `Sign`.
    Sign,
    /// KMS: `Sign` as a dry run.
    DrySign,
    /// Another call of KMS.
    OtherKms,
    /// The registry: `GET /v2/`.
    Ping,
    /// The registry: a manifest.
    ManifestGet,
    /// The registry: whether a manifest is there.
    ManifestHead,
    /// The registry: a manifest under its digest alone.
    ManifestPutByDigest,
    /// The registry: a manifest under a tag.
    ManifestPutTag,
    /// The registry: a manifest or a tag is removed, which ECR does not do.
    ManifestDelete,
    /// The registry: whether a blob is there.
    BlobHead,
    /// Its answer says where the content is.
    BlobGet,
    /// The content, from where `BlobGet` said.
    BlobContent,
    /// The registry: an upload begins, or a blob is mounted.
    UploadStart,
    /// The registry: a part of an upload.
    UploadPatch,
    /// The registry: the end of an upload, perhaps with all of its content.
    UploadPut,
    /// The state of an upload, or its end without a blob.
    UploadOther,
    /// The registry: the tags of a repository.
    TagsList,
    /// The registry: what refers to a manifest.
    Referrers,
    /// What no service here answers.
    Unknown,
}

/// Who answers a call, and so in which words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    GitHub,
    Sts,
    Ecr,
    Kms,
    Registry,
    Storage,
}

impl Call {
    /// What a request to the world's address is; `document` is its body where that is a call of STS.
    pub fn of(head: &Parts, document: &[u8]) -> Self {
        let path = head.uri.path();
        if path == "/id-token" {
            return Self::IdToken;
        }
        if path.starts_with("/.well-known/") {
            return Self::Discovery;
        }
        if path == "/" {
            let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
            return target.map_or_else(|| Self::of_sts(document), |target| Self::of_target(target, document));
        }
        match Place::of(path) {
            Some(place) => place.call(&head.method),
            None if path == "/v2/" || path == "/v2" => Self::Ping,
            None => Self::Unknown,
        }
    }

    fn of_target(target: &str, document: &[u8]) -> Self {
        match target.rsplit('.').next() {
            Some("GetPublicKey") => Self::GetPublicKey,
            Some("Sign") => match serde_json::from_slice::<serde_json::Value>(document) {
                Ok(parameters) if parameters["DryRun"] == true => Self::DrySign,
                _ => Self::Sign,
            },
            _ if target.starts_with("TrentService.") => Self::OtherKms,
            Some("GetAuthorizationToken") => Self::GetAuthorizationToken,
            Some("DescribeRepositories") => Self::DescribeRepositories,
            Some("CreateRepository") => Self::CreateRepository,
            Some("BatchDeleteImage") => Self::BatchDeleteImage,
            Some("DescribeImages") => Self::DescribeImages,
            Some("BatchGetImage") => Self::BatchGetImage,
            Some("GetLifecyclePolicy") => Self::GetLifecyclePolicy,
            Some("PutLifecyclePolicy") => Self::PutLifecyclePolicy,
            Some("StartLifecyclePolicyPreview") => Self::StartLifecyclePolicyPreview,
            Some("GetLifecyclePolicyPreview") => Self::GetLifecyclePolicyPreview,
            Some("GetRepositoryPolicy") => Self::GetRepositoryPolicy,
            Some("ListTagsForResource") => Self::ListTagsForResource,
            Some("GetRegistryScanningConfiguration") => Self::GetRegistryScanning,
            Some("GetSigningConfiguration") => Self::GetSigningConfiguration,
            _ => Self::OtherEcr,
        }
    }

    fn of_sts(document: &[u8]) -> Self {
        let action = url::form_urlencoded::parse(document).find(|(name, _)| name == "Action");
        match action.as_ref().map(|(_, action)| &**action) {
            Some("AssumeRoleWithWebIdentity") => Self::AssumeRole,
            Some("GetCallerIdentity") => Self::GetCallerIdentity,
            Some("PutMetricData") => Self::PutMetricData,
            Some(_) => Self::OtherSts,
            None => Self::Unknown,
        }
    }

    /// Who answers it.
    pub fn service(self) -> Service {
        match self {
            Self::IdToken | Self::Discovery | Self::Unknown => Service::GitHub,
            Self::AssumeRole | Self::GetCallerIdentity | Self::PutMetricData | Self::OtherSts => Service::Sts,
            Self::GetAuthorizationToken
            | Self::DescribeRepositories
            | Self::CreateRepository
            | Self::BatchDeleteImage
            | Self::DescribeImages
            | Self::BatchGetImage
            | Self::GetLifecyclePolicy
            | Self::PutLifecyclePolicy
            | Self::StartLifecyclePolicyPreview
            | Self::GetLifecyclePolicyPreview
            | Self::GetRepositoryPolicy
            | Self::ListTagsForResource
            | Self::GetRegistryScanning
            | Self::GetSigningConfiguration
            | Self::OtherEcr => Service::Ecr,
            Self::GetPublicKey | Self::Sign | Self::DrySign | Self::OtherKms => Service::Kms,
            Self::BlobContent => Service::Storage,
            _ => Service::Registry,
        }
    }

    /// The permission that a call of a registry needs.
    pub fn permission(self) -> Option<&'static str> {
        Some(match self {
            Self::ManifestGet | Self::ManifestHead | Self::Referrers => "ecr:BatchGetImage",
            Self::BlobHead => "ecr:BatchCheckLayerAvailability",
            Self::BlobGet => "ecr:GetDownloadUrlForLayer",
            Self::UploadStart => "ecr:InitiateLayerUpload",
            Self::UploadPatch | Self::UploadOther => "ecr:UploadLayerPart",
            Self::UploadPut => "ecr:CompleteLayerUpload",
            Self::ManifestPutByDigest | Self::ManifestPutTag => "ecr:PutImage",
            Self::TagsList => "ecr:ListImages",
            _ => return None,
        })
    }
}

/// What a path below `/v2/` names (OCI distribution specification).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The repository.
    pub repository: &'a str,
    /// `manifests`, `blobs`, `uploads`, `tags` or `referrers`.
    pub kind: &'static str,
    /// The tag, the digest, or the upload.
    pub reference: &'a str,
}

impl<'a> Place<'a> {
    /// Reads a path.
    pub fn of(path: &'a str) -> Option<Self> {
        let path = path.strip_prefix("/v2/")?;
        let kinds = [
            ("/blobs/uploads", "uploads"),
            ("/blobs/", "blobs"),
            ("/manifests/", "manifests"),
            ("/tags/list", "tags"),
            ("/referrers/", "referrers"),
        ];
        kinds.into_iter().find_map(|(mark, kind)| {
            let (repository, reference) = path.rsplit_once(mark)?;
            Some(Self { repository, kind, reference: reference.trim_start_matches('/') })
        })
    }

    fn call(&self, method: &Method) -> Call {
        match (self.kind, method.as_str()) {
            ("manifests", "GET") => Call::ManifestGet,
            ("manifests", "HEAD") => Call::ManifestHead,
            ("manifests", "PUT") if self.reference.contains(':') => Call::ManifestPutByDigest,
            ("manifests", "PUT") => Call::ManifestPutTag,
            ("manifests", "DELETE") => Call::ManifestDelete,
            ("blobs", "HEAD") => Call::BlobHead,
            ("blobs", "GET") => Call::BlobGet,
            ("uploads", "POST") => Call::UploadStart,
            ("uploads", "PATCH") => Call::UploadPatch,
            ("uploads", "PUT") => Call::UploadPut,
            ("uploads", _) => Call::UploadOther,
            ("tags", "GET") => Call::TagsList,
            ("referrers", "GET") => Call::Referrers,
            _ => Call::Unknown,
        }
    }
}
