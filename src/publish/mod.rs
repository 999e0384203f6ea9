//! A cleared image goes to its destination: under all of its tags, or under none.
//!
//! What is sent is the layout that was scanned, byte for byte. Content comes first and names last: whoever sees a tag may
//! rely on all that it names.

mod destination;
mod error;
mod event;
mod folder;
mod registry;
mod standing;
mod tagging;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use destination::{Destination, InvalidDestination};
pub use error::{Error, Leftover};
pub use event::{Event, Listener};
pub use standing::{Standing, StandingTag, TakenTag};

use crate::oci::reference::Repository;
use crate::oci::registry::{Client, Manifest, Selector, Store};
use crate::oci::{Image, Tag};
use crate::policy::Cleared;
use crate::record::Publication;
use crate::tags::PlannedTag;

/// A destination that was looked at and may be written.
#[derive(Clone)]
pub struct Target {
    place: Place,
    siblings: Vec<Repository>,
    hold: Option<watch::Receiver<bool>>,
    replaces: bool,
    remover: Option<Arc<dyn TagRemover>>,
}

/// Takes tags away where the registry's own protocol does not.
pub trait TagRemover: Send + Sync {
    /// Takes a tag away, and leaves what other tags name; or says why not.
    fn remove<'a>(&'a self, tag: &'a Tag) -> BoxFuture<'a, Result<(), String>>;

    /// The command by which a person does the same.
    fn command(&self, tag: &Tag) -> String;
}

#[derive(Clone)]
enum Place {
    Folder(PathBuf),
    Repository(Client),
}

impl Target {
    /// A repository that was looked at by other means than [`preflight`].
    #[must_use]
    pub fn of_repository(client: Client) -> Self {
        Self { place: Place::Repository(client), siblings: Vec::new(), hold: None, replaces: false, remover: None }
    }

    /// The destination.
    #[must_use]
    pub fn destination(&self) -> Destination {
        match &self.place {
            Place::Folder(path) => Destination::Layout(path.clone()),
            Place::Repository(client) => Destination::Registry(client.repository().clone()),
        }
    }

    /// Names repositories that may hold some of the image's layers, such as those of its base images: a registry that has
    /// them takes the layers from there (distribution-spec, "Mounting a blob from another repository").
    #[must_use]
    pub fn with_siblings(self, siblings: Vec<Repository>) -> Self {
        Self { siblings, ..self }
    }

    /// Holds the tags back until `hold` turns true, so that content may travel while something else is still to be done
    /// before anything is visible. If its sender is dropped before, nothing is published.
    #[must_use]
    pub fn with_hold(self, hold: watch::Receiver<bool>) -> Self {
        Self { hold: Some(hold), ..self }
    }

    /// Lets a fixed tag be set to another image than the one it names. Without this, such a tag ends the publishing.
    #[must_use]
    pub fn with_replacement(self, replaces: bool) -> Self {
        Self { replaces, ..self }
    }

    /// Takes tags away by `remover` when they are put back.
    #[must_use]
    pub fn with_remover(self, remover: Arc<dyn TagRemover>) -> Self {
        Self { remover: Some(remover), ..self }
    }

    async fn released(&self) -> Result<(), Error> {
        match self.hold.clone() {
            Some(mut hold) => hold.wait_for(|released| *released).await.map(drop).map_err(|_| Error::Cancelled),
            None => Ok(()),
        }
    }
}

/// Looks at a destination before anything is built: whether it is there or can be made, takes our credentials and may be
/// written. Nothing is changed.
///
/// # Errors
/// The destination can't be used.
pub async fn preflight(destination: &Destination, credentials: &Store) -> Result<Target, Error> {
    match destination {
        Destination::Layout(path) => {
            folder::look(path)?;
            let place = Place::Folder(path.clone());
            Ok(Target { place, siblings: Vec::new(), hold: None, replaces: true, remover: None })
        }
        Destination::Registry(repository) => {
            let credentials = credentials.find(repository.registry()).await.map_err(crate::oci::registry::Error::from)?;
            let client = Client::new(repository.clone(), credentials)?;
            // Whether it is there does not matter: the question makes the registry look at the right to push.
            let latest: Option<Tag> = "latest".parse().ok();
            if let Some(tag) = latest {
                client.has_manifest(&Selector::Tag(tag)).await?;
            }
            Ok(Target::of_repository(client))
        }
    }
}

/// Publishes `image` at `target` under all of `tags`, fixed ones first, or leaves the tags there as they were.
///
/// To end it early, cancel `cancel` and await the result: it comes within two seconds, when what was begun among the tags
/// is put back. Dropped instead, it puts the tags back only as long as the runtime lives.
///
/// # Errors
/// Nothing is published; [`Error::LeftOver`] says which tags could not be put back.
pub async fn publish(
    cleared: &Cleared,
    image: &Image,
    target: &Target,
    tags: &[PlannedTag],
    cancel: &CancellationToken,
    listener: &Listener,
) -> Result<Publication, Error> {
    if cleared.digest() != image.digest {
        return Err(Error::NotCleared { cleared: cleared.digest(), image: image.digest });
    }
    // A stable sort: beyond that, tags are set in the order in which they were asked for.
    let mut tags: Vec<PlannedTag> = tags.to_vec();
    tags.sort_by_key(|planned| planned.moving);
    match &target.place {
        Place::Repository(client) => registry::publish(client, image, &tags, target, cancel, listener).await,
        Place::Folder(path) => {
            // Content that is only linked takes no time worth saving.
            cancel.run_until_cancelled(target.released()).await.unwrap_or(Err(Error::Cancelled))?;
            folder::publish(path, image, tags, cancel, listener).await
        }
    }
}

/// Sets the tags of an image that is at `target` already, as [`publish`] does.
///
/// # Errors
/// As [`publish`]; in a folder there is nothing to complete.
pub async fn complete(
    cleared: &Cleared,
    manifest: &Manifest,
    target: &Target,
    tags: &[PlannedTag],
    cancel: &CancellationToken,
    listener: &Listener,
) -> Result<Publication, Error> {
    if cleared.digest() != manifest.digest {
        return Err(Error::NotCleared { cleared: cleared.digest(), image: manifest.digest });
    }
    registry::complete(manifest, tags, target, cancel, listener).await
}
