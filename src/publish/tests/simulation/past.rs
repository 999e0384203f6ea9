//! What has happened to the tags of a repository: who has asked for what, and what each tag has named.

use std::collections::BTreeMap;

use super::registry::{Ask, Which};
use crate::oci::{Digest, Tag};

/// A request that sets or removes a tag.
pub(super) struct Write {
    pub(super) run: usize,
    pub(super) tag: Tag,
    pub(super) sets: bool,
    pub(super) sent: u64,
    pub(super) answered: Option<u64>,
    /// What the registry has said: nothing, if it was not asked.
    pub(super) status: u16,
}

/// All of it.
#[derive(Default)]
pub(super) struct Past {
    pub(super) writes: Vec<Write>,
    /// What each tag has named, and from when on.
    named: BTreeMap<Tag, Vec<(u64, Option<Digest>)>>,
}

/// The longest pause before the fixed tags are looked at for the last time (`publish::tagging`).
const LONGEST_SETTLING: u64 = 10_000;

impl Past {
    /// A request goes out; the number of the write, if it is one.
    pub(super) fn sends(&mut self, now: u64, run: usize, ask: &Ask) -> Option<usize> {
        let (tag, sets) = match ask {
            Ask::Put { which: Which::Tag(tag), .. } => (tag, true),
            Ask::Delete(Which::Tag(tag)) | Ask::Untag(tag) => (tag, false),
            _ => return None,
        };
        self.writes.push(Write { run, tag: tag.clone(), sets, sent: now, answered: None, status: 0 });
        Some(self.writes.len() - 1)
    }

    /// A tag names something else from now on.
    pub(super) fn names(&mut self, now: u64, tag: Tag, digest: Option<Digest>) {
        self.named.entry(tag).or_default().push((now, digest));
    }

    /// Since when a tag names what it does.
    pub(super) fn since(&self, tag: &Tag) -> u64 {
        self.named[tag].last().map_or(0, |(at, _)| *at)
    }

    /// The requests of a delivery that set a tag.
    pub(super) fn sets(&self, run: usize, tag: &Tag) -> impl Iterator<Item = &Write> {
        self.writes.iter().filter(move |write| write.run == run && write.tag == *tag && write.sets)
    }

    /// From when on the fixed tags of a delivery, which are these, are to be looked at for the last time.
    pub(super) fn settled(&self, run: usize, fixed: &[Tag]) -> u64 {
        let (mut slowest, mut last) = (0, 0);
        for tag in fixed {
            let first = self.sets(run, tag).next().map(|write| write.sent);
            let (Some(first), Some(answered)) = (first, self.sets(run, tag).filter_map(|write| write.answered).max()) else {
                continue;
            };
            slowest = slowest.max(answered.saturating_sub(first));
            last = last.max(answered);
        }
        last + slowest.min(LONGEST_SETTLING)
    }

    /// Whether a tag named a digest at some time between two.
    pub(super) fn named_within(&self, tag: &Tag, digest: Digest, from: u64, to: u64) -> bool {
        let Some(past) = self.named.get(tag) else { return false };
        let at_first = past.iter().rev().find(|(at, _)| *at <= from).and_then(|(_, named)| *named);
        at_first == Some(digest) || past.iter().any(|(at, named)| (from..=to).contains(at) && *named == Some(digest))
    }

    /// Whether a tag named nothing at some time from then on until a delivery has sent its last write of it.
    pub(super) fn was_free(&self, tag: &Tag, from: u64, run: usize) -> bool {
        let sent = self.sets(run, tag).map(|write| write.sent).max();
        sent.is_some_and(|sent| self.named[tag].iter().any(|(at, named)| named.is_none() && (from..=sent).contains(at)))
    }

    /// When a delivery has sent its last write of a tag, and when it has had the last answer to one.
    pub(super) fn last_set(&self, run: usize, tag: &Tag) -> Option<(u64, u64)> {
        // What follows a refusal of the credentials is the same write (`Limit::Renewed`).
        let renews = [false].into_iter().chain(self.sets(run, tag).map(|write| matches!(write.status, 401 | 403)));
        let sent = self.sets(run, tag).zip(renews).filter(|(_, renews)| !renews).map(|(write, _)| write.sent).max()?;
        Some((sent, self.sets(run, tag).filter_map(|write| write.answered).max()?))
    }
}
