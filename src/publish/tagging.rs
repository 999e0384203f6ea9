//! The commit point of a delivery to a registry: the tags, all or none, and a fixed tag for one image alone.
//!
//! A registry knows no transactions, and most know no condition on a write: the last one wins. What comes nearest:
//! everything the tags will name is there before the first is set, what each tag named is kept at hand, and a failure puts it
//! back. Against another delivery that sets the same fixed tags at the same time:
//!
//! - A tag that named nothing is set on the condition that it still does, which some registries keep to.
//! - No write goes by a look that is older than a second: looks at several tags take as long as the slowest, and a request that
//!   is repeated goes out long after the first.
//! - Once the first fixed tag is set, the others are looked at, and in the end all of them again. Of deliveries that set the
//!   same two fixed tags, whichever set the first one last finds the second one taken, or the other finds its first one gone:
//!   at most one ends as delivered, however slow the lines are.
//! - Between the last fixed tag and that look, as much time passes as the slowest tag took. With one fixed tag in common, this
//!   is what notices a write that was on its way; one that takes longer is not noticed, by any means that such a registry
//!   has.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::tag_write::{TagWrite, TagWriteEnd};
use super::withdrawal::{BegunTags, Withdrawal};
use super::{Error, ExistingTag, Listener, PublishEvent, TagRemover, TakenTag, Target};
use crate::oci::registry::{self, Client, Manifest};
use crate::oci::{Digest, Tag};
use crate::provenance::Provenance;
use crate::tags::PlannedTag;

/// The longest wait before the fixed tags are read back for the last time.
const LONGEST_SETTLING: Duration = Duration::from_secs(10);

/// How long what a fixed tag was seen to name is gone by.
const FRESH: Duration = Duration::from_secs(1);

/// Tags about to be set.
pub(super) struct Tagging {
    client: Client,
    root: Manifest,
    root_was_there: bool,
    /// The fixed ones first.
    tags: Vec<ExistingTag>,
    /// When they were looked at.
    looked: Instant,
    /// Those with a request that was lost, and may come yet.
    late: Vec<usize>,
    remover: Option<Arc<dyn TagRemover>>,
    listener: Listener,
}

/// Setting the tags ended before its end.
struct Halt {
    /// How many of the tags were set, from the first.
    set: usize,
    /// The next one, where it is not known what became of it.
    doubt: Option<TagWrite>,
    cause: Error,
}

impl Halt {
    fn after(set: usize, cause: impl Into<Error>) -> Self {
        Self { set, doubt: None, cause: cause.into() }
    }
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
        let looked = Instant::now();
        let tags = target.snapshot(tags).await?.tags;
        let (remover, late) = (target.remover.clone(), Vec::new());
        let tagging = Self { client, root, root_was_there, tags, looked, late, remover, listener };
        let taken = tagging.taken();
        if taken.is_empty() {
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
        let fixed = self.tags.iter().filter(|tag| !tag.planned.moving);
        let others = fixed.filter_map(|tag| Some((&tag.planned.tag, tag.names.as_ref()?)));
        let others = others.filter(|(_, before)| before.digest != self.root.digest);
        others.map(|(tag, before)| TakenTag::new(tag, before)).collect()
    }

    /// Sets the tags one by one; a failure or a cancel puts them back.
    pub(super) async fn run(mut self, cancel: CancellationToken) -> Result<Vec<Tag>, Error> {
        if let Err(Halt { set, doubt, cause }) = self.set_all(&cancel).await {
            let doubt = doubt.and_then(|write| Some((self.tags.get(set)?, write)));
            let late = self.late.iter().filter(|index| **index < set).map(|index| &self.tags[*index]).collect();
            let set: Vec<&ExistingTag> = self.tags[..set].iter().filter(|tag| !self.is_root(tag.names.as_ref())).collect();
            let withdrawal = Withdrawal {
                client: &self.client,
                root: &self.root,
                root_was_there: self.root_was_there,
                remover: self.remover.as_ref(),
                cancel: &cancel,
            };
            return Err(withdrawal.run(BegunTags { set, doubt, late }, cause).await);
        }
        Ok(self.tags.into_iter().map(|tag| tag.planned.tag).collect())
    }

    async fn set_all(&mut self, cancel: &CancellationToken) -> Result<(), Halt> {
        let fixed = self.tags.iter().take_while(|tag| !tag.planned.moving).count();
        let (mut slowest, mut looked) = (Duration::ZERO, false);
        for index in 0..fixed {
            // The looks at the other tags may have taken their time, and so may a tag before this one.
            if self.looked.elapsed() > FRESH {
                self.looked = Instant::now();
                self.unless(cancel, index, self.refuse_rivals(index, fixed)).await?;
            }
            let Some(took) = self.set(index, cancel).await? else { continue };
            slowest = slowest.max(took);
            if !std::mem::replace(&mut looked, true) {
                self.looked = Instant::now();
                self.unless(cancel, index + 1, self.refuse_rivals(index + 1, fixed)).await?;
            }
        }
        if looked {
            let settled = async {
                tokio::time::sleep(slowest.min(LONGEST_SETTLING)).await;
                self.refuse_rivals(fixed, fixed).await
            };
            self.unless(cancel, fixed, settled).await?;
        }
        for index in fixed..self.tags.len() {
            self.set(index, cancel).await?;
        }
        if fixed < self.tags.len() {
            self.unless(cancel, self.tags.len(), self.confirm(fixed)).await?;
        }
        Ok(())
    }

    /// Does something that ends early on a cancel, when `set` tags are set.
    async fn unless(
        &self,
        cancel: &CancellationToken,
        set: usize,
        work: impl Future<Output = Result<(), Error>>,
    ) -> Result<(), Halt> {
        let done = cancel.run_until_cancelled(work).await.unwrap_or(Err(Error::Cancelled));
        done.map_err(|cause| Halt::after(set, cause))
    }

    /// Sets a tag and reads it back: the registry's answer alone is not believed. Returns how long the registry took, or
    /// nothing where the tag named the image already.
    async fn set(&mut self, index: usize, cancel: &CancellationToken) -> Result<Option<Duration>, Halt> {
        let tag = &self.tags[index];
        // Setting what is set would be refused where tags are immutable.
        if self.is_root(tag.names.as_ref()) {
            (self.listener)(PublishEvent::Kept(tag.planned.tag.clone()));
            return Ok(None);
        }
        if cancel.is_cancelled() {
            return Err(Halt::after(index, Error::Cancelled));
        }
        let began = Instant::now();
        let only_if_new = !tag.planned.moving && tag.names.is_none();
        let mut write = TagWrite::begin(&self.client, &tag.planned.tag, &self.root, only_if_new, cancel);
        let ended = tokio::select! {
            biased;
            ended = write.end() => ended,
            () = cancel.cancelled() => return Err(Halt { set: index, doubt: Some(write), cause: Error::Cancelled }),
        };
        let took = began.elapsed();
        let may_be_done = write.may_be_done();
        let doubt = Some(write).filter(TagWrite::is_in_doubt);
        match ended {
            TagWriteEnd::Taken => {}
            TagWriteEnd::Stopped => return Err(Halt { set: index, doubt, cause: Error::Cancelled }),
            TagWriteEnd::Rival(digest) => {
                let cause = self.overtaken(vec![(tag.planned.tag.clone(), Some(digest))]);
                return Err(Halt { set: index, doubt, cause });
            }
            TagWriteEnd::Failed(error) => {
                let is_refused = !may_be_done && error.status().is_some_and(|status| status.is_client_error());
                let explained = cancel.run_until_cancelled(self.explain(tag, error)).await;
                if let Err(cause) = explained.unwrap_or(Err(Error::Cancelled)) {
                    let may_be_set = may_be_done || (matches!(cause, Error::Cancelled) && !is_refused);
                    return Err(Halt { set: index + usize::from(may_be_set && doubt.is_none()), doubt, cause });
                }
                if doubt.is_none() && is_refused {
                    // It is another delivery's, of the same image, and stays.
                    self.tags[index].names = Some(self.root.clone());
                }
            }
        }
        if doubt.is_some() {
            self.late.push(index);
        }
        let tag = &self.tags[index];
        self.unless(cancel, index + 1, self.read_back(tag)).await?;
        self.tell(tag);
        Ok(Some(took))
    }

    /// What a refusal means: another delivery was first, and where tags are immutable it may have set what this one sets.
    async fn explain(&self, tag: &ExistingTag, error: registry::Error) -> Result<(), Error> {
        let now = self.client.find_manifest(&(&tag.planned.tag).into()).await.ok().flatten();
        match now.map(|manifest| manifest.digest) {
            Some(digest) if digest == self.root.digest => Ok(()),
            Some(digest) if !tag.planned.moving && tag.digest() != Some(digest) => {
                Err(self.overtaken(vec![(tag.planned.tag.clone(), Some(digest))]))
            }
            _ => Err(error.into()),
        }
    }

    async fn read_back(&self, tag: &ExistingTag) -> Result<(), Error> {
        let actual = self.now(tag).await?;
        if actual == Some(self.root.digest) {
            return Ok(());
        }
        let (repository, planned) = (self.client.repository().to_string(), &tag.planned);
        let tag = planned.tag.clone();
        if actual.is_some() && !planned.moving {
            return Err(self.overtaken(vec![(tag, actual)]));
        }
        Err(Error::ReadBack { repository, tag, expected: self.root.digest, actual })
    }

    /// What a tag names now.
    async fn now(&self, tag: &ExistingTag) -> Result<Option<Digest>, Error> {
        Ok(self.client.find_manifest(&(&tag.planned.tag).into()).await?.map(|manifest| manifest.digest))
    }

    /// Reads the fixed tags again, of which the first `set` are set: none of them may be another delivery's by now.
    async fn refuse_rivals(&self, set: usize, fixed: usize) -> Result<(), Error> {
        let looks = self.tags[..fixed].iter().enumerate().map(async |(index, tag)| {
            let now = self.now(tag).await?;
            let as_it_was = index >= set && now == tag.digest();
            let ours = now == Some(self.root.digest) || as_it_was;
            Ok::<_, Error>((!ours).then(|| (tag.planned.tag.clone(), now)))
        });
        let others: Vec<_> = try_join_all(looks).await?.into_iter().flatten().collect();
        if others.is_empty() { Ok(()) } else { Err(self.overtaken(others)) }
    }

    /// Reads all tags back, when all are set. That a moving tag has moved on is what it is for.
    async fn confirm(&self, fixed: usize) -> Result<(), Error> {
        let moving = self.tags[fixed..].iter().map(|tag| self.now(tag));
        let ((), moving) = tokio::try_join!(self.refuse_rivals(fixed, fixed), try_join_all(moving))?;
        for (tag, names) in self.tags[fixed..].iter().zip(moving).filter(|(_, names)| *names != Some(self.root.digest)) {
            (self.listener)(PublishEvent::MovedOn { tag: tag.planned.tag.clone(), names });
        }
        Ok(())
    }

    fn overtaken(&self, tags: Vec<(Tag, Option<Digest>)>) -> Error {
        Error::Overtaken { repository: self.client.repository().to_string(), digest: self.root.digest, tags }
    }

    fn tell(&self, tag: &ExistingTag) {
        (self.listener)(PublishEvent::Tagged(tag.planned.tag.clone()));
    }

    fn is_root(&self, manifest: Option<&Manifest>) -> bool {
        manifest.is_some_and(|manifest| manifest.digest == self.root.digest)
    }
}
