//! The commit point of a delivery to a registry: the tags, all or none.
//!
//! A registry knows no transactions. What comes nearest: everything the tags will name is there before the first is set,
//! what each tag named is kept at hand, and a failure puts it back.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{Error, Leftover, Listener, PublishEvent, TagRemover, TakenTag, Target};
use crate::oci::Tag;
use crate::oci::registry::{Client, Manifest, Selector};
use crate::provenance::Provenance;
use crate::tags::PlannedTag;

/// How long a tag that is being set may still take after a cancel: cut off, it could be set after it was put back.
const LAST_WORD: Duration = Duration::from_millis(400);
/// How long putting back may take after a cancel, when someone waits for the program to end.
const QUICK: Duration = Duration::from_millis(1100);
/// How long it may take after a failure.
const THOROUGH: Duration = Duration::from_secs(30);

/// Tags about to be set.
pub(super) struct Tagging {
    client: Client,
    root: Manifest,
    root_was_there: bool,
    tags: Vec<TagState>,
    remover: Option<Arc<dyn TagRemover>>,
    listener: Listener,
}

/// A tag and what it named.
struct TagState {
    planned: PlannedTag,
    before: Option<Manifest>,
}

impl Tagging {
    /// Looks at what each tag names now: right before it is set, so that little can come in between.
    pub(super) async fn prepare(
        client: Client,
        (root, root_was_there): (Manifest, bool),
        tags: &[PlannedTag],
        target: &Target,
        listener: Listener,
    ) -> Result<Self, Error> {
        let snapshot = target.snapshot(tags).await?;
        let tags = snapshot.tags.into_iter().map(|tag| TagState { planned: tag.planned, before: tag.names }).collect();
        let tagging = Self { client, root, root_was_there, tags, remover: target.remover.clone(), listener };
        let taken = tagging.taken();
        if taken.is_empty() || target.replaces {
            return Ok(tagging);
        }
        let commit = Provenance::annotated(&tagging.root).revision;
        Err(Error::Taken {
            repository: tagging.client.repository().to_string(),
            commit,
            digest: Some(tagging.root.digest),
            taken,
        })
    }

    /// The fixed tags that name other images.
    fn taken(&self) -> Vec<TakenTag> {
        let fixed = self.tags.iter().filter(|state| !state.planned.moving);
        let others = fixed.filter_map(|state| Some((&state.planned.tag, state.before.as_ref()?)));
        let others = others.filter(|(_, before)| before.digest != self.root.digest);
        others.map(|(tag, before)| TakenTag::new(tag, before)).collect()
    }

    /// Sets the tags one by one; a failure or a cancel puts them back.
    pub(super) async fn run(self, cancel: CancellationToken) -> Result<Vec<Tag>, Error> {
        for (index, state) in self.tags.iter().enumerate() {
            // Setting what is set would be refused where tags are immutable.
            if self.is_root(state.before.as_ref()) {
                (self.listener)(PublishEvent::Kept(state.planned.tag.clone()));
                continue;
            }
            if cancel.is_cancelled() {
                return Err(self.undo(index, Error::Cancelled, QUICK).await);
            }
            let set = self.set(&state.planned.tag);
            tokio::pin!(set);
            let result = tokio::select! {
                result = &mut set => result,
                () = cancel.cancelled() => {
                    let _ = timeout(LAST_WORD, set).await;
                    return Err(self.undo(index + 1, Error::Cancelled, QUICK).await);
                }
            };
            if let Err(cause) = result {
                return Err(self.undo(index + 1, cause, THOROUGH).await);
            }
            self.tell(state);
        }
        Ok(self.tags.into_iter().map(|state| state.planned.tag).collect())
    }

    /// Sets a tag and reads it back: the registry's answer alone is not believed.
    async fn set(&self, tag: &Tag) -> Result<(), Error> {
        self.client.put_manifest(&tag.into(), self.root.descriptor.media_type(), &self.root.bytes).await?;
        let actual = self.client.find_manifest(&tag.into()).await?.map(|manifest| manifest.digest);
        if actual == Some(self.root.digest) {
            return Ok(());
        }
        let repository = self.client.repository().to_string();
        Err(Error::ReadBack { repository, tag: tag.clone(), expected: self.root.digest, actual })
    }

    fn tell(&self, state: &TagState) {
        let tag = state.planned.tag.clone();
        match &state.before {
            Some(before) if !state.planned.moving => (self.listener)(PublishEvent::Replaced { tag, before: before.digest }),
            _ => (self.listener)(PublishEvent::Tagged(tag)),
        }
    }

    fn is_root(&self, manifest: Option<&Manifest>) -> bool {
        manifest.is_some_and(|manifest| manifest.digest == self.root.digest)
    }

    /// Puts back the first `count` tags, and returns the error to report.
    async fn undo(&self, count: usize, cause: Error, limit: Duration) -> Error {
        let deadline = Instant::now() + limit;
        let set: Vec<&TagState> = self.tags[..count].iter().filter(|state| !self.is_root(state.before.as_ref())).collect();
        let mut left = self.put_back(&set, deadline).await;
        let new = left.iter().any(|state| state.before.is_none());
        let removable = new && !self.root_was_there && self.remover.is_none();
        if removable {
            // Many registries remove no tags but manifests, with their tags. This one is new, so nothing else uses it.
            let _ = timeout_at(deadline, self.client.delete_manifest(&self.root.digest.into())).await;
            left = self.put_back(&left, deadline).await;
        }
        if left.is_empty() {
            return cause;
        }
        let leftovers = left.iter().map(|state| Leftover {
            tag: state.planned.tag.clone(),
            before: state.before.as_ref().map(|before| before.digest),
            command: self.remover.as_ref().map(|remover| remover.command(&state.planned.tag)),
        });
        let leftovers = leftovers.collect();
        let repository = self.client.repository().to_string();
        Error::LeftOver { cause: Box::new(cause), repository, digest: self.root.digest, leftovers }
    }

    /// Puts tags back, and says which could not be.
    async fn put_back<'a>(&self, states: &[&'a TagState], deadline: Instant) -> Vec<&'a TagState> {
        let attempts = states.iter().map(|state| async move {
            let done = timeout_at(deadline, self.put_one_back(state)).await.unwrap_or(false);
            (*state, done)
        });
        join_all(attempts).await.into_iter().filter(|(_, done)| !done).map(|(state, _)| state).collect()
    }

    /// Puts a tag back and returns whether no trace of this delivery is left.
    async fn put_one_back(&self, state: &TagState) -> bool {
        if self.is_gone_from(&state.planned.tag).await {
            return true;
        }
        let which = Selector::from(&state.planned.tag);
        let done = match (&state.before, &self.remover) {
            (Some(before), _) => self.client.put_manifest(&which, before.descriptor.media_type(), &before.bytes).await.is_ok(),
            (None, Some(remover)) => remover.remove(&state.planned.tag).await.is_ok(),
            (None, None) => self.client.delete_manifest(&which).await.is_ok(),
        };
        // What failed may have been done all the same: an answer got lost, a manifest went with its last tag.
        done || self.is_gone_from(&state.planned.tag).await
    }

    /// Whether a tag is known to name something else: it was never set, is put back, or is another delivery's by now.
    async fn is_gone_from(&self, tag: &Tag) -> bool {
        self.client.find_manifest(&tag.into()).await.is_ok_and(|now| !self.is_root(now.as_ref()))
    }
}
