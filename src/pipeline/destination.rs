//! The destination is looked at while the work begins: who we are there, whether it may be written, what it holds already.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::preflight::Ready;
use super::reuse::{self, Existing};
use super::{Delivery, Ending};
use crate::aws::ecr::{self, Mutability};
use crate::aws::session::Mask;
use crate::aws::{self, Session};
use crate::config::{Destination, Ecr};
use crate::error::Error;
use crate::github::commands;
use crate::github::oidc::TokenSource;
use crate::oci::Tag;
use crate::oci::reference::Repository;
use crate::oci::registry::credentials::{Origin, Passwords, Proof};
use crate::oci::registry::{self, Client, Credentials, Store};
use crate::publish::{self, TagRemover, Target};
use crate::record::{StageName, StageRecorder};
use crate::secret::Secret;

/// A destination that was looked at.
pub(super) struct Landing {
    /// Where the image goes; absent where publishing is not asked for.
    pub target: Option<Target>,
    /// What is there of this delivery.
    pub existing: Existing,
}

pub(super) async fn look(delivery: &Delivery, ready: &Ready) -> Result<Landing, Error> {
    if !delivery.config.publish {
        return Ok(Landing { target: None, existing: Existing::Nothing });
    }
    delivery
        .stage(StageName::Destination, async |stage| {
            let (target, mutability) = match &delivery.config.destination {
                Destination::Named(destination) => {
                    (publish::preflight(destination, &Store::from_env()).await?, Mutability::Unknown)
                }
                Destination::Ecr(ecr) => sign_in(delivery, ecr, stage).await?,
            };
            delivery.recorder.write(|record| record.destination = Some(target.destination().to_string()));
            let replaces = delivery.config.rebuild || target.repository().is_none();
            let target = target.with_replacement(replaces);
            let standing = target.standing(&ready.tags).await?;
            let existing = reuse::find(delivery, ready, &target, &standing, &mutability).await?;
            let detail = format!("{}: {}", target.destination(), existing);
            stage.line(&detail);
            Ok((Landing { target: Some(target), existing }, Ending::Pass(detail)))
        })
        .await
}

/// Proves who we are at AWS, and opens the repository.
async fn sign_in(delivery: &Delivery, ecr: &Ecr, stage: &StageRecorder) -> Result<(Target, Mutability), Error> {
    let variable = |name: &str| std::env::var(name).ok();
    let tokens = || delivery.event.as_ref().map(|event| TokenSource::find(variable, event.fork));
    let session = Session::open(&ecr.identity, tokens, mask(delivery)).await?;
    stage.line(&format!("identity: {}", session.arn));
    let account = ecr.account.clone().unwrap_or_else(|| session.account.clone());
    let repository = ecr::Repository::new(session, account, &ecr.name);
    let (login, mutability) = tokio::try_join!(repository.login(), mutability(delivery, ecr, &repository))?;
    let host = address(ecr, &login.host)?;
    let name = format!("{host}/{}", ecr.name);
    let address: Repository = name.parse().map_err(|_| aws::Error::OtherRegistry { asked: name, actual: login.host })?;
    let passwords = Passwords::new(Arc::new(repository.clone()), login.password);
    let credentials = Credentials { proof: Proof::Issued(passwords), origin: Origin::Given };
    let client = Client::new(address, credentials)?;
    if mutability == Mutability::Unknown {
        stage.line("which tags may not move is unknown: the role lacks ecr:DescribeRepositories, which publishing does not need");
        exists(&client, &repository).await?;
    }
    Ok((Target::of_repository(client).with_remover(Arc::new(Untag(repository))), mutability))
}

/// Asks what the repository allows, and creates it where that is asked for and it is not there.
async fn mutability(delivery: &Delivery, ecr: &Ecr, repository: &ecr::Repository) -> Result<Mutability, aws::Error> {
    match repository.mutability().await {
        Err(aws::Error::NoRepository(arn)) if ecr.create => {
            repository.create().await?;
            delivery.recorder.warn(format!("The repository {arn} was not there and is created, with its registry's defaults."));
            repository.mutability().await
        }
        Ok(Mutability::Unknown) if ecr.create => {
            repository.create().await?;
            Ok(Mutability::Unknown)
        }
        other => other,
    }
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

/// Whether the repository is there, as the registry's own protocol tells it.
async fn exists(client: &Client, repository: &ecr::Repository) -> Result<(), Error> {
    if client.knows_repository().await? { Ok(()) } else { Err(aws::Error::NoRepository(repository.arn.clone()).into()) }
}

/// Tells the runner to keep credentials out of the log. On a laptop nobody reads along.
fn mask(delivery: &Delivery) -> Mask {
    if delivery.event.is_some() { Mask::new(commands::mask) } else { Mask::new(|_: &Secret| ()) }
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

impl From<registry::Error> for Error {
    fn from(error: registry::Error) -> Self {
        publish::Error::from(error).into()
    }
}
