//! Tags are put back: what was begun and can't be finished is taken away, and what can't be is named.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::tag_write::{TagWrite, TagWriteEnd};
use super::{Error, ExistingTag, Leftover, TagRemover};
use crate::oci::Tag;
use crate::oci::registry::{Client, Manifest, Selector};

/// How many tags are looked at at once.
const PARALLEL: usize = 8;
/// How long to wait before a tag is looked at again, at first and at most.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// What is taken back, and how.
pub(super) struct Withdrawal<'a> {
    pub(super) client: &'a Client,
    /// What the tags were set to.
    pub(super) root: &'a Manifest,
    /// Whether the repository had it before this delivery.
    pub(super) root_was_there: bool,
    pub(super) remover: Option<&'a Arc<dyn TagRemover>>,
}

/// How long things may take.
struct Patience {
    /// Until it is known what became of a request that has no answer.
    answer: Duration,
    /// Until the tags are put back.
    putting_back: Duration,
}

impl Patience {
    /// Someone waits for the program to end.
    const QUICK: Self = Self { answer: Duration::from_millis(1500), putting_back: Duration::from_secs(1) };
    const THOROUGH: Self = Self { answer: Duration::from_secs(10), putting_back: Duration::from_secs(30) };
}

/// What became of a tag whose request has no answer.
enum Fate {
    Set,
    NotSet,
    Unknown,
}

impl Withdrawal<'_> {
    /// Puts back the tags that were `set`, and the one whose request is in `doubt` once it is known what became of it. Returns
    /// the error to report: `cause`, with what is left.
    pub(super) async fn run(&self, set: &[&ExistingTag], doubt: Option<(&ExistingTag, TagWrite)>, cause: Error) -> Error {
        let patience = if matches!(cause, Error::Cancelled) { Patience::QUICK } else { Patience::THOROUGH };
        let now = Instant::now();
        let find_out = async {
            let (tag, write) = doubt?;
            Some((tag, self.fate(&tag.planned.tag, write, now + patience.answer).await))
        };
        let (mut left, doubted) = tokio::join!(self.put_back(set, now + patience.putting_back), find_out);
        let deadline = Instant::now() + patience.putting_back;
        let pending = match doubted {
            Some((tag, Fate::Set)) => {
                left.extend(self.put_back(&[tag], deadline).await);
                None
            }
            Some((tag, Fate::Unknown)) => Some(tag),
            Some((_, Fate::NotSet)) | None => None,
        };
        if self.may_delete_root(&left, deadline).await {
            // Many registries remove no tags but manifests, with their tags.
            let _ = timeout_at(deadline, self.client.delete_manifest(&self.root.digest.into())).await;
            left = self.put_back(&left, deadline).await;
        }
        let leftovers = left.iter().map(|tag| self.leftover(tag, false));
        let leftovers: Vec<_> = leftovers.chain(pending.map(|tag| self.leftover(tag, true))).collect();
        if leftovers.is_empty() {
            return cause;
        }
        let repository = self.client.repository().to_string();
        Error::LeftOver { cause: Box::new(cause), repository, digest: self.root.digest, leftovers }
    }

    fn leftover(&self, tag: &ExistingTag, pending: bool) -> Leftover {
        Leftover {
            tag: tag.planned.tag.clone(),
            before: tag.digest(),
            command: self.remover.map(|remover| remover.command(&tag.planned.tag)),
            pending,
        }
    }

    /// Looks at a tag until it is known whether it was set: the registry says so, or the tag is there. That it is not there
    /// yet says nothing.
    async fn fate(&self, tag: &Tag, mut write: TagWrite, deadline: Instant) -> Fate {
        let (mut pause, longest) = LOOK_AGAIN;
        loop {
            if matches!(timeout_at(deadline, self.client.find_manifest(&tag.into())).await, Ok(Ok(now)) if self.is_root(now.as_ref()))
            {
                return Fate::Set;
            }
            if write.is_over && !write.is_in_doubt() {
                return Fate::NotSet;
            }
            if Instant::now() + pause >= deadline {
                return Fate::Unknown;
            }
            if write.is_over {
                sleep(pause).await;
            } else if let Ok(TagWriteEnd::Taken) = timeout(pause, write.end()).await {
                return Fate::Set;
            }
            pause = (pause * 2).min(longest);
        }
    }

    /// Whether the manifest may go with its tags: it is new, no registry's own way removes a tag, and no other tag needs it.
    async fn may_delete_root(&self, left: &[&ExistingTag], deadline: Instant) -> bool {
        let new: Vec<&Tag> = left.iter().filter(|tag| tag.names.is_none()).map(|tag| &tag.planned.tag).collect();
        if new.is_empty() || self.root_was_there || self.remover.is_some() {
            return false;
        }
        // What can't be found out counts as needed.
        timeout_at(deadline, self.is_needed(&new)).await.is_ok_and(|needed| needed == Some(false))
    }

    /// Whether a tag besides `ours` names the manifest, or an index that names it; `None` if the registry does not say.
    async fn is_needed(&self, ours: &[&Tag]) -> Option<bool> {
        let tags = self.client.tags().await.ok()?;
        let others = tags.into_iter().filter(|tag| !ours.contains(&tag));
        let mut found = stream::iter(others)
            .map(|tag| async move { self.client.find_manifest(&Selector::from(&tag)).await })
            .buffer_unordered(PARALLEL);
        let digest = self.root.digest.to_string();
        while let Some(manifest) = found.next().await {
            let Some(manifest) = manifest.ok()? else { continue };
            if self.is_root(Some(&manifest)) || String::from_utf8_lossy(&manifest.bytes).contains(&digest) {
                return Some(true);
            }
        }
        Some(false)
    }

    /// Puts tags back, and says which could not be.
    async fn put_back<'t>(&self, tags: &[&'t ExistingTag], deadline: Instant) -> Vec<&'t ExistingTag> {
        let attempts = tags.iter().map(|tag| async move {
            let done = timeout_at(deadline, self.put_one_back(tag)).await.unwrap_or(false);
            (*tag, done)
        });
        join_all(attempts).await.into_iter().filter(|(_, done)| !done).map(|(tag, _)| tag).collect()
    }

    /// Puts a tag back and returns whether no trace of this delivery is left.
    async fn put_one_back(&self, tag: &ExistingTag) -> bool {
        let name = &tag.planned.tag;
        if self.is_gone_from(name).await {
            return true;
        }
        let which = Selector::from(name);
        let done = match (&tag.names, self.remover) {
            (Some(before), _) => self.client.put_manifest(&which, before.descriptor.media_type(), &before.bytes).await.is_ok(),
            (None, Some(remover)) => remover.remove(name).await.is_ok(),
            (None, None) => self.client.delete_manifest(&which).await.is_ok(),
        };
        // What failed may have been done all the same: an answer got lost, a manifest went with its last tag.
        done || self.is_gone_from(name).await
    }

    /// Whether a tag is known to name something else: it is put back, or is another delivery's by now.
    async fn is_gone_from(&self, tag: &Tag) -> bool {
        self.client.find_manifest(&tag.into()).await.is_ok_and(|now| !self.is_root(now.as_ref()))
    }

    fn is_root(&self, manifest: Option<&Manifest>) -> bool {
        manifest.is_some_and(|manifest| manifest.digest == self.root.digest)
    }
}
