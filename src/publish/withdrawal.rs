//! Tags are put back: what was begun and can't be finished is taken away, and what can't be is named.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::tag_write::{TagWrite, TagWriteEnd};
use super::{Error, ExistingTag, Leftover, TagRemover};
use crate::net::Failure as _;
use crate::oci::Tag;
use crate::oci::registry::{self, Client, Manifest, Selector};

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
    /// Ends the patience.
    pub(super) cancel: &'a CancellationToken,
}

/// Tags that a delivery has begun to set.
pub(super) struct BegunTags<'t> {
    /// Those that were set.
    pub(super) set: Vec<&'t ExistingTag>,
    /// One whose request has no answer, or not one that says what became of it.
    pub(super) doubt: Option<(&'t ExistingTag, TagWrite)>,
    /// Those of `set` one of whose requests was lost: it may come yet, when the tag has been put back.
    pub(super) late: Vec<&'t ExistingTag>,
}

/// What became of a request without an answer.
enum Became {
    /// The tag names the image. `may_come` where no answer has said that it was this request: another delivery may have given the
    /// tag to the same image, and the request be on its way.
    Set { may_come: bool },
    /// Nothing, for good.
    Refused,
}

/// How long something may take: until then, or this long once someone waits for the program to end.
struct Patience {
    until: Instant,
    quick: Duration,
    /// Since when someone waits, as far as this is concerned.
    hurried: OnceLock<Instant>,
}

impl Patience {
    fn new(thorough: Duration, quick: Duration) -> Self {
        Self { until: Instant::now() + thorough, quick, hurried: OnceLock::new() }
    }

    /// Until it is known what became of a request that has no answer.
    fn for_an_answer() -> Self {
        Self::new(Duration::from_secs(10), Duration::from_millis(1500))
    }

    /// Until the tags are put back.
    fn for_putting_back() -> Self {
        Self::new(Duration::from_secs(30), Duration::from_secs(1))
    }
}

impl Withdrawal<'_> {
    /// Puts back the tags that were begun, the one in doubt once it is known what became of it. Returns the error to report:
    /// `cause`, with what is left.
    pub(super) async fn run(&self, begun: BegunTags<'_>, cause: Error) -> Error {
        let BegunTags { set, doubt, late } = begun;
        let find_out = async {
            let (tag, write) = doubt?;
            Some((tag, self.within(&Patience::for_an_answer(), self.becomes_of(&tag.planned.tag, write)).await))
        };
        let first = Patience::for_putting_back();
        let (mut left, doubted) = tokio::join!(self.put_back(&set, &first, true), find_out);
        let patience = &Patience::for_putting_back();
        let unknown = match doubted {
            Some((tag, Some(Became::Set { may_come }))) => {
                left.extend(self.put_back(&[tag], patience, true).await);
                Some(tag).filter(|tag| may_come && !left.iter().any(|left| std::ptr::eq(*left, *tag)))
            }
            Some((tag, None)) => Some(tag),
            Some((_, Some(Became::Refused))) | None => None,
        };
        if self.within(patience, self.may_delete_root(&left)).await == Some(true) {
            // Many registries remove no tags but manifests, with their tags.
            let _ = self.within(patience, self.client.delete_once(&self.root.digest.into())).await;
            // What it said of them before was not so.
            left = self.put_back(&left, patience, false).await;
        }
        let pending = late.into_iter().filter(|tag| !left.iter().any(|left| std::ptr::eq(*left, *tag))).chain(unknown);
        let pending = pending.map(|tag| self.leftover(tag, true));
        let leftovers: Vec<_> = left.iter().map(|tag| self.leftover(tag, false)).chain(pending).collect();
        if leftovers.is_empty() {
            return cause;
        }
        let repository = self.client.repository().to_string();
        Error::LeftOver { cause: Box::new(cause), repository, digest: self.root.digest, leftovers }
    }

    /// Does something as long as there is patience.
    async fn within<T>(&self, patience: &Patience, work: impl Future<Output = T>) -> Option<T> {
        let hurried = async {
            self.cancel.cancelled().await;
            sleep_until(*patience.hurried.get_or_init(Instant::now) + patience.quick).await;
        };
        tokio::select! {
            biased;
            done = work => Some(done),
            () = sleep_until(patience.until) => None,
            () = hurried => None,
        }
    }

    fn leftover(&self, tag: &ExistingTag, pending: bool) -> Leftover {
        Leftover {
            tag: tag.planned.tag.clone(),
            before: tag.digest(),
            command: self.remover.map(|remover| remover.command(&tag.planned.tag)),
            pending,
        }
    }

    /// Looks at a tag until it is known what became of the request that sets it: the registry says so, or the tag is there. That
    /// it is not there yet says nothing.
    async fn becomes_of(&self, tag: &Tag, mut write: TagWrite) -> Became {
        let (mut pause, longest) = LOOK_AGAIN;
        loop {
            if self.client.find_manifest(&tag.into()).await.is_ok_and(|now| self.is_root(now.as_ref())) {
                if !write.is_over {
                    // Where it was obeyed, its answer is near.
                    let _ = timeout(longest, write.end()).await;
                }
                return Became::Set { may_come: write.is_in_doubt() };
            }
            if write.is_over && !write.is_in_doubt() {
                return Became::Refused;
            }
            if write.is_over {
                sleep(pause).await;
            } else if let Ok(TagWriteEnd::Taken) = timeout(pause, write.end()).await {
                return Became::Set { may_come: write.is_in_doubt() };
            }
            pause = (pause * 2).min(longest);
        }
    }

    /// Whether the manifest may go with its tags: it is new, no registry's own way removes a tag, and no other tag needs it.
    async fn may_delete_root(&self, left: &[&ExistingTag]) -> bool {
        let new: Vec<&Tag> = left.iter().filter(|tag| tag.names.is_none()).map(|tag| &tag.planned.tag).collect();
        if new.is_empty() || self.root_was_there || self.remover.is_some() {
            return false;
        }
        // What can't be found out counts as needed.
        self.is_needed(&new).await == Some(false)
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

    /// Puts tags back, and says which could not be. `believed`: where no time is left to look, what the registry says counts.
    async fn put_back<'t>(&self, tags: &[&'t ExistingTag], patience: &Patience, believed: bool) -> Vec<&'t ExistingTag> {
        let attempts = tags.iter().map(|tag| async move {
            let told = AtomicBool::new(false);
            let done = self
                .within(patience, self.put_one_back(tag, &told, believed))
                .await
                .unwrap_or_else(|| told.load(Ordering::Relaxed));
            (*tag, done)
        });
        join_all(attempts).await.into_iter().filter(|(_, done)| !done).map(|(tag, _)| tag).collect()
    }

    /// Puts a tag back and returns whether no trace of this delivery is left. It is looked at before each request and after
    /// the last: it may be another delivery's by now, and what failed may have been done all the same. `told` while the
    /// registry says that it is done, and has not said so in vain.
    async fn put_one_back(&self, tag: &ExistingTag, told: &AtomicBool, mut believed: bool) -> bool {
        let (mut pause, longest) = LOOK_AGAIN;
        let (mut refused, mut said) = (false, false);
        loop {
            // What can't be looked at stays as it is, and is named.
            let Ok(now) = self.client.find_manifest(&(&tag.planned.tag).into()).await else { return false };
            if !self.is_root(now.as_ref()) {
                return true;
            }
            if refused {
                return false;
            }
            if std::mem::take(&mut said) {
                // It was not so: its word counts no more.
                believed = false;
                told.store(false, Ordering::Relaxed);
                sleep(pause).await;
                pause = (pause * 2).min(longest);
            }
            match self.undo_once(tag).await {
                Ok(()) => {
                    said = true;
                    told.store(believed, Ordering::Relaxed);
                }
                Err(Some(wait)) => sleep(wait.max(pause)).await,
                Err(None) => refused = true,
            }
        }
    }

    /// Asks for a tag to be put back, once. The error is how long to wait before it is asked for again, if that makes sense.
    async fn undo_once(&self, tag: &ExistingTag) -> Result<(), Option<Duration>> {
        let name = &tag.planned.tag;
        let again = |error: registry::Error| error.is_temporary().then(|| error.retry_after().unwrap_or_default());
        match (&tag.names, self.remover) {
            (Some(before), _) => self.client.tag_once(name, before, false).await.map_err(again),
            // It repeats what passes by itself.
            (None, Some(remover)) => remover.remove(name).await.map_err(|_| None),
            (None, None) => self.client.delete_once(&name.into()).await.map_err(again),
        }
    }

    fn is_root(&self, manifest: Option<&Manifest>) -> bool {
        manifest.is_some_and(|manifest| manifest.digest == self.root.digest)
    }
}
