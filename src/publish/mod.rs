//! A cleared image goes to its destination: under all of its tags, or under none.
//!
//! What is sent is the layout that was scanned, byte for byte. Content comes first ([`upload`]) and names last ([`tag`]):
//! whoever sees a tag may rely on all that it names.

mod destination;
mod error;
mod event;
mod folder;
mod referrers;
mod registry;
mod tag_snapshot;
mod tag_write;
mod tagging;
#[cfg(test)]
mod tests;
mod upload;
mod withdrawal;

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

pub(crate) use destination::{Destination, InvalidDestination};
pub(crate) use error::{Error, Leftover, TakenTag};
pub(crate) use event::{Listener, PublishEvent};
pub(crate) use tag_snapshot::{ExistingTag, TagSnapshot};
pub(crate) use upload::{BeforeTags, Listed, Ready, Scanned, Shown, Signed, Uploaded};

use crate::oci::reference::Repository;
use crate::oci::registry::{Client, Manifest, Selector, Store};
use crate::oci::{Image, Layout, Tag};
use crate::policy::Cleared;
use crate::record::Publication;
use crate::tags::PlannedTag;
use registry::{Remote, Sent};
use upload::Content;

/// A destination that was looked at and may be written.
#[derive(Clone)]
pub(crate) struct Target {
    place: Place,
    siblings: Vec<Repository>,
    remover: Option<Arc<dyn TagRemover>>,
}

/// Removes tags where the registry's own protocol can't.
pub(crate) trait TagRemover: Send + Sync {
    /// Removes a tag and keeps what other tags name; the error says why not.
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
    pub(crate) fn of_repository(client: Client) -> Self {
        Self { place: Place::Repository(client), siblings: Vec::new(), remover: None }
    }

    /// The destination.
    #[must_use]
    pub(crate) fn destination(&self) -> Destination {
        match &self.place {
            Place::Folder(path) => Destination::Layout(path.clone()),
            Place::Repository(client) => Destination::Registry(client.repository().clone()),
        }
    }

    /// Names repositories that may hold some of the image's layers, such as those of its base images: a registry that has
    /// them takes the layers from there (distribution-spec, "Mounting a blob from another repository").
    #[must_use]
    pub(crate) fn with_siblings(self, siblings: Vec<Repository>) -> Self {
        Self { siblings, ..self }
    }

    /// Removes tags with `remover` when they are put back.
    #[must_use]
    pub(crate) fn with_remover(self, remover: Arc<dyn TagRemover>) -> Self {
        Self { remover: Some(remover), ..self }
    }

    /// What is in the folder now, where the destination is one and holds a layout of ours.
    #[must_use]
    pub(crate) fn layout(&self) -> Option<Layout> {
        match &self.place {
            Place::Folder(path) => folder::layout(path),
            Place::Repository(_) => None,
        }
    }

    /// The client of the repository, where the destination is one.
    #[must_use]
    pub(crate) fn repository(&self) -> Option<&Client> {
        match &self.place {
            Place::Repository(client) => Some(client),
            Place::Folder(_) => None,
        }
    }
}

/// Looks at a destination before anything is built: whether it exists or can be created, accepts the credentials and may be
/// written. Nothing is changed. `project` are the folders of the project that is delivered: no link of theirs says where the
/// image goes.
///
/// # Errors
/// The destination can't be used.
pub(crate) async fn preflight(destination: &Destination, credentials: &Store, project: &[PathBuf]) -> Result<Target, Error> {
    match destination {
        Destination::Layout(path) => {
            folder::look(path, project)?;
            let place = Place::Folder(path.clone());
            Ok(Target { place, siblings: Vec::new(), remover: None })
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

/// Sends the content of `image` to `target`, where nothing names it yet. Into a folder it goes with its tags.
///
/// # Errors
/// The content is not there; nothing can be seen of what is.
pub(crate) async fn upload(cleared: &Cleared, image: &Image, target: &Target, listener: &Listener) -> Result<Uploaded, Error> {
    if cleared.digest() != image.digest {
        return Err(Error::NotCleared { cleared: cleared.digest(), image: image.digest });
    }
    let content = match &target.place {
        Place::Repository(client) => Content::Remote(registry::upload(client, image, &target.siblings, listener).await?),
        Place::Folder(_) => Content::Local { image: image.clone(), beside: Vec::new() },
    };
    Ok(Uploaded { target: target.clone(), content })
}

/// The image that `manifest` names, which an earlier delivery has uploaded to `target`.
///
/// # Errors
/// Another image is cleared; or `target` is a folder, in which nothing lasts without a tag.
pub(crate) fn uploaded_before(cleared: &Cleared, manifest: &Manifest, target: &Target) -> Result<Uploaded, Error> {
    if cleared.digest() != manifest.digest {
        return Err(Error::NotCleared { cleared: cleared.digest(), image: manifest.digest });
    }
    let Some(client) = target.repository() else {
        return Err(Error::Broken("a folder has no image to complete".to_owned()));
    };
    let remote = Remote { client: client.clone(), root: manifest.clone(), was_there: true, sent: Sent::default() };
    Ok(Uploaded { target: target.clone(), content: Content::Remote(remote) })
}

/// Gives an image all of `tags`, fixed ones first, or leaves the tags there as they were.
///
/// To end it early, cancel `cancel` and await the result: it comes within three seconds, when what was begun among the tags
/// is put back. Dropped instead, it puts the tags back only as long as the runtime lives.
///
/// # Errors
/// Nothing is published; [`Error::LeftOver`] says which tags could not be put back.
pub(crate) async fn tag(
    ready: Ready,
    tags: &[PlannedTag],
    cancel: &CancellationToken,
    listener: &Listener,
) -> Result<Publication, Error> {
    // A stable sort: beyond that, tags are set in the order in which they were asked for.
    let mut tags: Vec<PlannedTag> = tags.to_vec();
    tags.sort_by_key(|planned| planned.moving);
    let Uploaded { target, content } = ready.uploaded;
    match (content, &target.place) {
        (Content::Remote(remote), _) => registry::tag(remote, &tags, &target, cancel, listener).await,
        (Content::Local { image, beside }, Place::Folder(path)) => {
            folder::publish(path, &image, beside, tags, cancel, listener).await
        }
        (Content::Local { .. }, Place::Repository(_)) => Err(Error::Broken("the content was not uploaded".to_owned())),
    }
}
