//! Amazon ECR: the registry's address and password, and what a repository allows (Amazon ECR API reference). Images go
//! there by the registry's protocol, as to any registry.

pub(crate) mod findings;
mod images;
mod lifecycle;
mod permissions;
mod registry;
mod repository_policy;
mod resource_tags;
mod settings;
mod state;
mod tag_filter;

use std::time::SystemTime;

use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecr::operation::describe_repositories::DescribeRepositoriesError;
use aws_sdk_ecr::types::{ImageIdentifier, ImageTagMutability};
use aws_smithy_runtime_api::http::Response;
use base64::Engine as _;
use futures_util::future::BoxFuture;

pub(crate) use findings::{FoundPackage, NoResult, Scan, ScanFinding, ScanFindings, findings_policy, findings_statements};
pub(crate) use images::ImageDetail;
pub(crate) use lifecycle::{LifecyclePreview, NoPreview};
pub(crate) use permissions::{
    OF_PREVIEW, OF_SETTINGS, PULL, PUSH, Permissions, cache_statement, images_policy, preview_policy, reading_policy,
    settings_policy,
};
pub(crate) use registry::{Frequency, RegistryScanning, ScanningRule, SigningRule};
pub(crate) use settings::{Encryption, Settings};
pub(crate) use state::ManagedSigning;
pub(crate) use tag_filter::TagFilter;

use super::{AccountId, Call, Error, RepositoryArn, Session, confidential};
use crate::oci::Tag;
use crate::oci::registry::credentials::{self, Issuer, Password};
use crate::secret::Secret;
use crate::text;

/// A repository of Amazon ECR as a session sees it. Clones share connections.
#[derive(Clone, Debug)]
pub(crate) struct Repository {
    ecr: aws_sdk_ecr::Client,
    session: Session,
    /// The repository's ARN.
    pub(crate) arn: RepositoryArn,
}

/// A login to a registry.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    /// The registry's address: `ACCOUNT.dkr.ecr.REGION.amazonaws.com`.
    pub(crate) host: String,
    /// The registry's password.
    pub(crate) password: Password,
}

/// Which tags of a repository may be set to another image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mutability {
    /// All but those that a filter names.
    Mutable(Vec<TagFilter>),
    /// None but those that a filter names.
    Immutable(Vec<TagFilter>),
    /// Not known: the role lacks `ecr:DescribeRepositories`, or AWS answers with an unknown value.
    Unknown,
}

impl Repository {
    /// The repository `name` in the registry of `account`.
    #[must_use]
    pub(crate) fn new(session: Session, account: AccountId, name: impl Into<String>) -> Self {
        let arn = RepositoryArn { region: session.region.clone(), account, name: name.into() };
        Self { ecr: confidential::ecr(&session.config), session, arn }
    }

    /// The error of a call about the repository.
    fn failed<E>(&self, call: Call, error: &SdkError<E, Response>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match call.failed(error) {
            Error::Call(failure) if failure.code.as_deref() == Some("RepositoryNotFoundException") => {
                Error::NoRepository(self.arn.clone())
            }
            error => error,
        }
    }

    /// Gets the address and a password of the registry (`GetAuthorizationToken`).
    ///
    /// # Errors
    /// ECR refuses, or can't be reached.
    pub(crate) async fn login(&self) -> Result<Login, Error> {
        let call = Call::GetAuthorizationToken;
        let answer = self.ecr.get_authorization_token().send().await.map_err(|error| call.failed(&error))?;
        let malformed = |missing| Error::Malformed { call, missing };
        let data = answer.authorization_data.unwrap_or_default().into_iter().next().ok_or_else(|| malformed("a token"))?;
        let token = Secret::new(data.authorization_token.ok_or_else(|| malformed("a token"))?);
        let (username, password) = decode(&token).ok_or_else(|| malformed("a token of the form NAME:PASSWORD in base64"))?;
        let endpoint = data.proxy_endpoint.and_then(|endpoint| endpoint.parse::<url::Url>().ok());
        let host = endpoint.as_ref().and_then(|url| Some((url.host_str()?, url.port())));
        let (host, port) = host.ok_or_else(|| malformed("the registry's address"))?;
        let host = port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        // An expiry in the past means that this machine's clock is wrong, not that the password is.
        let good_for = data.expires_at.and_then(|at| SystemTime::try_from(at).ok()?.duration_since(SystemTime::now()).ok());
        Ok(Login { host: self.of_account(host), password: Password { username, password, good_for } })
    }

    /// The address of the repository's registry. ECR names that of the credentials' account, whose password is valid for
    /// other accounts' registries too, where their policies allow it.
    fn of_account(&self, host: String) -> String {
        match host.strip_prefix(self.session.account.as_str()).filter(|rest| rest.starts_with('.')) {
            Some(rest) => format!("{}{rest}", self.arn.account),
            None => host,
        }
    }

    /// Which tags of the repository may move (`DescribeRepositories`), if the role may ask.
    ///
    /// # Errors
    /// There is no such repository, or ECR can't be asked.
    pub(crate) async fn mutability(&self) -> Result<Mutability, Error> {
        let request = self.ecr.describe_repositories().registry_id(self.arn.account.as_str()).repository_names(&self.arn.name);
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) if error.as_service_error().is_some_and(DescribeRepositoriesError::is_repository_not_found_exception) => {
                return Err(Error::NoRepository(self.arn.clone()));
            }
            Err(error) => match Call::DescribeRepositories.failed(&error) {
                Error::Call(failure) if failure.is_denied() => return Ok(Mutability::Unknown),
                error => return Err(error),
            },
        };
        let Some(repository) = answer.repositories.unwrap_or_default().into_iter().next() else {
            return Err(Error::NoRepository(self.arn.clone()));
        };
        let filters = repository.image_tag_mutability_exclusion_filters.unwrap_or_default();
        let filters = filters.into_iter().map(|filter| TagFilter::new(filter.filter)).collect();
        Ok(match repository.image_tag_mutability {
            Some(ImageTagMutability::Mutable) => Mutability::Mutable(Vec::new()),
            Some(ImageTagMutability::MutableWithExclusion) => Mutability::Mutable(filters),
            Some(ImageTagMutability::Immutable) => Mutability::Immutable(Vec::new()),
            Some(ImageTagMutability::ImmutableWithExclusion) => Mutability::Immutable(filters),
            _ => Mutability::Unknown,
        })
    }

    /// Removes a tag (`BatchDeleteImage`). ECR deletes an image with its last tag.
    ///
    /// # Errors
    /// ECR refuses, or can't be reached.
    pub(crate) async fn untag(&self, tag: &Tag) -> Result<(), Error> {
        let call = Call::BatchDeleteImage;
        let request = self.ecr.batch_delete_image().registry_id(self.arn.account.as_str()).repository_name(&self.arn.name);
        let request = request.image_ids(ImageIdentifier::builder().image_tag(tag.as_str()).build());
        let answer = request.send().await.map_err(|error| call.failed(&error))?;
        let failures = answer.failures.unwrap_or_default();
        let failed = failures
            .into_iter()
            .find(|failure| failure.failure_code.as_ref().is_none_or(|code| code.as_str() != "ImageNotFound"));
        match failed {
            Some(failure) => {
                let code = failure.failure_code.map(|code| text::words(code.as_str()));
                let message = text::words(&failure.failure_reason.unwrap_or_default());
                Err(Error::Call(Box::new(super::Failure { call, code, message, request_id: None })))
            }
            None => Ok(()),
        }
    }
}

impl Issuer for Repository {
    fn issue(&self) -> BoxFuture<'_, Result<Password, credentials::Error>> {
        Box::pin(async {
            let login = self.login().await.map_err(|error| credentials::Error::Issuer(Box::new(error)))?;
            Ok(login.password)
        })
    }
}

impl Mutability {
    /// Whether a tag may be set to another image; `None` if that is not known.
    #[must_use]
    pub(crate) fn may_move(&self, tag: &Tag) -> Option<bool> {
        match self {
            Self::Mutable(filters) => Some(!filters.iter().any(|filter| filter.matches(tag))),
            Self::Immutable(filters) => Some(filters.iter().any(|filter| filter.matches(tag))),
            Self::Unknown => None,
        }
    }
}

/// `NAME:PASSWORD` in base64 (Amazon ECR API reference, `AuthorizationData`).
fn decode(token: &Secret) -> Option<(String, Secret)> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(token.expose()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (username, password) = text.split_once(':')?;
    Some((username.to_owned(), Secret::new(password)))
}
