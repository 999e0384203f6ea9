//! The way into a repository of Amazon ECR: from the run's token to a target that may be written.

use std::path::Path;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::aws::ecr::{self, Mutability};
use crate::aws::{self, RepositoryArn, Session};
use crate::config::Ecr;
use crate::error::Error;
use crate::oci::Tag;
use crate::oci::reference::Repository;
use crate::oci::registry::credentials::{Auth, CachedPassword, Origin};
use crate::oci::registry::{Client, Credentials};
use crate::publish::{TagRemover, Target};
use crate::repository::Creation;

/// A repository, signed in to.
pub(super) struct SignedIn {
    /// The repository as a place for an image.
    pub(crate) target: Target,
    /// Which of its tags may move.
    pub(crate) mutability: Mutability,
    /// The repository, if it was created here, and as what.
    pub(crate) created: Option<(RepositoryArn, String)>,
}

/// Opens the repository with an identity at AWS, creating it if that is asked for and it is missing, by what the checkout says.
pub(super) async fn sign_in(ecr: &Ecr, session: &Session, checkout: Option<&Path>) -> Result<SignedIn, Error> {
    let repository = ecr.repository(session.clone());
    let login = async { Ok::<_, Error>(repository.login().await?) };
    let (login, (mutability, created)) = tokio::try_join!(login, mutability(ecr, &repository, checkout))?;
    let client = client(ecr, &repository, login)?;
    // Without the right to describe it, the registry's own protocol tells whether it exists.
    if mutability == Mutability::Unknown && !client.knows_repository().await? {
        return Err(aws::Error::NoRepository(repository.arn).into());
    }
    let created = created.map(|as_what| (repository.arn.clone(), as_what));
    let target = Target::of_repository(client).with_remover(Arc::new(Untag(repository)));
    Ok(SignedIn { target, mutability, created })
}

/// The repository as one that is read alone: nothing is created, and nothing is asked that a reader need not be allowed.
pub(super) async fn reader(ecr: &Ecr, session: &Session) -> Result<Client, Error> {
    let repository = ecr.repository(session.clone());
    let login = repository.login().await?;
    client(ecr, &repository, login)
}

/// A client of the repository, with what it was logged in to.
fn client(ecr: &Ecr, repository: &ecr::Repository, login: ecr::Login) -> Result<Client, Error> {
    let name = format!("{}/{}", address(ecr, &login.host)?, ecr.name);
    let address: Repository = name.parse().map_err(|_| aws::Error::OtherRegistry { asked: name, actual: login.host })?;
    let password = CachedPassword::new(Arc::new(repository.clone()), login.password);
    Ok(Client::new(address, Credentials { auth: Auth::Issued(password), origin: Origin::Given })?)
}

/// Asks what the repository allows; says too whether it was created for that, and as what.
async fn mutability(
    ecr: &Ecr,
    repository: &ecr::Repository,
    checkout: Option<&Path>,
) -> Result<(Mutability, Option<String>), Error> {
    match repository.mutability().await {
        Err(aws::Error::NoRepository(_)) if ecr.create => {
            let created = create(repository, checkout).await?;
            Ok((repository.mutability().await?, created))
        }
        Ok(Mutability::Unknown) if ecr.create => Ok((Mutability::Unknown, create(repository, checkout).await?)),
        other => Ok((other?, None)),
    }
}

/// Creates the repository where it is not there.
async fn create(repository: &ecr::Repository, checkout: Option<&Path>) -> Result<Option<String>, Error> {
    let creation = checkout.map(Creation::read).transpose()?.unwrap_or_default();
    let created = creation.create(repository).await?;
    Ok(created.then(|| creation.says()))
}

/// The registry as the input names it, if that is one that the password is for: the account's own, or another of Amazon ECR
/// in the same region.
fn address(ecr: &Ecr, actual: &str) -> Result<String, aws::Error> {
    match &ecr.host {
        Some(asked) if asked != actual && aws::RegistryHost::parse(asked).is_none() => {
            Err(aws::Error::OtherRegistry { asked: asked.clone(), actual: actual.to_owned() })
        }
        Some(asked) => Ok(asked.clone()),
        None => Ok(actual.to_owned()),
    }
}

/// Amazon ECR removes tags by its own API alone.
struct Untag(ecr::Repository);

impl TagRemover for Untag {
    fn remove<'a>(&'a self, tag: &'a Tag) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move { self.0.untag(tag).await.map_err(|error| error.to_string()) })
    }

    fn command(&self, tag: &Tag) -> String {
        let arn = &self.0.arn;
        format!(
            "aws ecr batch-delete-image --region {} --registry-id {} --repository-name {} --image-ids imageTag={tag}",
            arn.region, arn.account, arn.name
        )
    }
}
