//! What must hold of every history, looked at after every step.
//!
//! A registry that lets the last write win gives nobody the means to keep all promises (`publish::tagging`). What can't be
//! kept by any means is let pass here, counted, and named: [`Limit`].

use std::collections::{BTreeMap, BTreeSet};

use super::history::{History, Kind, Run};
use super::registry::{Ask, Named, Registry, Which};
use crate::oci::{Digest, Tag};
use crate::publish::{Error, PublishEvent};
use crate::record::Publication;
use crate::tags::PlannedTag;

/// A promise that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Promise {
    /// A tag names nothing but what was cleared for it.
    Cleared,
    /// What a tag names is there, whole.
    Whole,
    /// Who ends as delivered has seen all of its fixed tags name its image, after the last of them was set and as long again
    /// as the slowest took.
    AllTags,
    /// A fixed tag names one image for good.
    OneImage,
    /// Nothing is overwritten or removed of which was known, or could have been, that it is another delivery's.
    OthersStay,
    /// Who ends otherwise has left nothing, or names it.
    NothingUnnamed,
    /// A moving tag is as it was before, where the delivery fails.
    PutBack,
    /// Where a moving tag has moved on, the report says so.
    Told,
    /// A delivery ends, and soon after it is cancelled.
    Ends,
    /// The delivery that follows makes it whole.
    Healed,
}

/// What a registry gives no means to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Limit {
    /// One fixed tag in common, and a write that was on its way when the other delivery looked for the last time.
    OneTagInCommon,
    /// A fixed tag was taken away by the delivery that gave way, and free when the next one looked.
    Freed,
    /// A write of a delivery that had crashed, or that had named its tag.
    Late,
    /// A manifest that was removed with its tags, and a tag of it that was set after they had been listed.
    Unlisted,
    /// A write that was refused for its credentials, after a long way, and was sent again with new ones.
    Renewed,
}

/// What the judge knows of a delivery.
struct Delivery {
    tags: Vec<PlannedTag>,
    digest: Option<Digest>,
    line: u64,
    cancelled: Option<u64>,
    crashed: bool,
    end: Option<End>,
    events: Vec<PublishEvent>,
    /// What each tag named when this delivery first wrote it.
    before: BTreeMap<Tag, Option<Digest>>,
    /// What it has last seen each tag name, and when that was so.
    seen: BTreeMap<Tag, (Option<Digest>, u64)>,
    /// Since when it knows what each tag names, by the last answers that said the same.
    known: BTreeMap<Tag, (Option<Digest>, u64)>,
    /// The tags that were listed, with what they named, and when.
    listed: Option<(BTreeMap<Tag, Named>, u64)>,
}

struct End {
    at: u64,
    delivered: bool,
    leftovers: BTreeSet<Tag>,
}

/// A request that sets or removes a tag.
struct Write {
    run: usize,
    tag: Tag,
    sets: bool,
    sent: u64,
    answered: Option<u64>,
    /// What the registry has said: nothing, if it was not asked.
    status: u16,
    /// Whether that was lost on its way back.
    is_lost: bool,
}

pub(super) struct Judge {
    kind: Kind,
    pub(super) log: Vec<String>,
    pub(super) broken: Vec<(Promise, String)>,
    pub(super) limits: BTreeMap<Limit, u32>,
    /// How deliveries ended, and how often.
    pub(super) ended: BTreeMap<&'static str, u32>,
    deliveries: BTreeMap<usize, Delivery>,
    allowed: BTreeSet<(Tag, Digest)>,
    /// What each tag has named, and from when on.
    past: BTreeMap<Tag, Vec<(u64, Option<Digest>)>>,
    writes: Vec<Write>,
}

/// How long a cancelled delivery may take, in milliseconds (`publish::tag`).
const CANCELLED: u64 = 3_000;
/// For how long what was seen is relied on, in milliseconds (`publish::tagging`), and a moment.
const FRESH: u64 = 1_050;
/// The longest pause before the fixed tags are looked at for the last time (`publish::tagging`).
const LONGEST_SETTLING: u64 = 10_000;

impl Judge {
    pub(super) fn new(history: &History) -> Self {
        Self {
            kind: history.registry,
            log: Vec::new(),
            broken: Vec::new(),
            limits: BTreeMap::new(),
            ended: BTreeMap::new(),
            deliveries: BTreeMap::new(),
            allowed: BTreeSet::new(),
            past: BTreeMap::new(),
            writes: Vec::new(),
        }
    }

    pub(super) fn note(&mut self, now: u64, run: usize, what: &str) {
        let who = if run == usize::MAX { "-".to_owned() } else { format!("run {run}") };
        self.log.push(format!("{now:>7} ms  {who}: {what}"));
    }

    fn breaks(&mut self, now: u64, run: usize, promise: Promise, how: String) {
        self.note(now, run, &format!("BREAKS {promise:?}: {how}"));
        self.broken.push((promise, how));
    }

    fn lets_pass(&mut self, limit: Limit) {
        *self.limits.entry(limit).or_default() += 1;
    }

    /// A delivery begins.
    pub(super) fn begins(&mut self, now: u64, index: usize, run: &Run, tags: Vec<PlannedTag>) {
        self.note(now, index, &format!("begins: {run:?}"));
        let delivery = Delivery {
            tags,
            digest: None,
            line: run.line,
            cancelled: None,
            crashed: false,
            end: None,
            events: Vec::new(),
            before: BTreeMap::new(),
            seen: BTreeMap::new(),
            known: BTreeMap::new(),
            listed: None,
        };
        self.deliveries.insert(index, delivery);
    }

    /// An image is judged, and may have the tags of its delivery.
    pub(super) fn clears(&mut self, now: u64, run: usize, digest: Digest) {
        self.note(now, run, &format!("clears {}", digest.short()));
        let delivery = self.deliveries.get_mut(&run).unwrap();
        delivery.digest = Some(digest);
        self.allowed.extend(delivery.tags.iter().map(|planned| (planned.tag.clone(), digest)));
    }

    pub(super) fn hears(&mut self, now: u64, run: usize, event: PublishEvent) {
        if !event.is_progress() {
            self.note(now, run, &format!("says: {event}"));
        }
        self.deliveries.get_mut(&run).unwrap().events.push(event);
    }

    pub(super) fn cancelled(&mut self, now: u64, run: usize) {
        self.note(now, run, "is cancelled");
        if let Some(delivery) = self.deliveries.get_mut(&run) {
            delivery.cancelled = Some(now);
        }
    }

    pub(super) fn crashed(&mut self, run: usize) {
        if let Some(delivery) = self.deliveries.get_mut(&run) {
            delivery.crashed = true;
        }
    }

    /// A request goes out; the number of the write, if it is one.
    pub(super) fn sends(&mut self, now: u64, run: usize, ask: &Ask) -> Option<usize> {
        let (tag, sets) = match ask {
            Ask::Put { which: Which::Tag(tag), .. } => (tag, true),
            Ask::Delete(Which::Tag(tag)) | Ask::Untag(tag) => (tag, false),
            _ => return None,
        };
        self.writes.push(Write { run, tag: tag.clone(), sets, sent: now, answered: None, status: 0, is_lost: false });
        Some(self.writes.len() - 1)
    }

    /// An answer comes in.
    pub(super) fn learns(&mut self, now: u64, run: usize, look: Option<(Tag, Option<Digest>, u64)>, write: Option<usize>) {
        if let Some(write) = write {
            self.writes[write].answered = Some(now);
        }
        if let (Some((tag, digest, at)), Some(delivery)) = (look, self.deliveries.get_mut(&run)) {
            let known = delivery.known.entry(tag.clone()).or_insert((digest, now));
            if known.0 != digest {
                *known = (digest, now);
            }
            delivery.seen.insert(tag, (digest, at));
        }
    }

    /// An answer is lost.
    pub(super) fn loses(&mut self, write: usize) {
        self.writes[write].is_lost = true;
    }

    /// The registry does not know who asks.
    pub(super) fn refuses(&mut self, write: usize, status: u16) {
        self.writes[write].status = status;
    }

    /// The registry has done what was asked.
    #[expect(clippy::too_many_arguments, reason = "a step, and what it has changed")]
    pub(super) fn happened(
        &mut self,
        now: u64,
        run: usize,
        ask: &Ask,
        write: Option<usize>,
        before: &BTreeMap<Tag, Named>,
        registry: &Registry,
        status: u16,
    ) {
        if let Some(write) = write {
            self.writes[write].status = status;
        }
        if matches!(ask, Ask::List)
            && status == 200
            && let Some(delivery) = self.deliveries.get_mut(&run)
        {
            delivery.listed = Some((registry.tags.clone(), now));
        }
        let names: BTreeSet<&Tag> = before.keys().chain(registry.tags.keys()).collect();
        let changed: Vec<Tag> = names.into_iter().filter(|tag| before.get(*tag) != registry.tags.get(*tag)).cloned().collect();
        for tag in changed {
            let (was, is) = (before.get(&tag).copied(), registry.tags.get(&tag).copied());
            self.changes(now, run, ask, write, &tag, was, is);
            self.past.entry(tag).or_default().push((now, is.map(|named| named.digest)));
        }
        for tag in registry.broken() {
            self.breaks(now, run, Promise::Whole, format!("{tag} names what is not there, or not whole"));
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a step, and what it has changed")]
    fn changes(
        &mut self,
        now: u64,
        run: usize,
        ask: &Ask,
        write: Option<usize>,
        tag: &Tag,
        was: Option<Named>,
        is: Option<Named>,
    ) {
        self.note(now, run, &format!("{tag}: {} -> {}", shown(was), shown(is)));
        if let Some(is) = is
            && !self.allowed.contains(&(tag.clone(), is.digest))
        {
            self.breaks(now, run, Promise::Cleared, format!("{tag} names {}, which nobody cleared for it", is.digest.short()));
        }
        let Some(delivery) = self.deliveries.get_mut(&run) else { return };
        delivery.before.entry(tag.clone()).or_insert(was.map(|named| named.digest));
        let late = delivery.end.as_ref().filter(|end| !end.delivered).map(|end| end.leftovers.contains(tag));
        let (ours, sets) = (delivery.digest, is.is_some());
        match late {
            Some(false) if sets && is.map(|is| is.digest) == ours => {
                self.breaks(now, run, Promise::NothingUnnamed, format!("{tag} is set after the delivery has ended, unnamed"));
            }
            Some(_) => self.lets_pass(Limit::Late),
            None => {}
        }
        self.asks_first(now, run, ask, write, tag, was);
    }

    /// Whether a delivery that takes a tag from another one could have known better.
    fn asks_first(&mut self, now: u64, run: usize, ask: &Ask, write: Option<usize>, tag: &Tag, was: Option<Named>) {
        let Some(was) = was.filter(|was| was.by != run) else { return };
        let mine = &self.deliveries[&run];
        let fixed = !tag.as_str().ends_with("latest");
        if mine.digest == Some(was.digest) {
            // A refusal that it never heard of may have been a yes.
            let has_set = self.writes.iter().any(|write| {
                write.run == run
                    && write.tag == *tag
                    && write.sets
                    && (write.answered.is_none() || write.is_lost || !(400..500).contains(&write.status))
            });
            let unlisted = matches!(ask, Ask::Delete(Which::Digest(_)))
                && mine
                    .listed
                    .as_ref()
                    .is_some_and(|(listed, at)| !listed.contains_key(tag) && now <= at + 10 * mine.line + FRESH);
            if !has_set && unlisted {
                self.lets_pass(Limit::Unlisted);
            } else if !has_set {
                self.breaks(now, run, Promise::OthersStay, format!("{tag} is of run {} alone, whose image is the same", was.by));
            }
            return;
        }
        if !fixed {
            return;
        }
        let from = self.past[tag].last().map_or(0, |(at, _)| *at);
        let sent = write.map_or(now, |write| self.writes[write].sent);
        // What it learned when the request had gone was too late for this one.
        let seen = mine.known.get(tag).is_some_and(|(digest, since)| *digest == Some(was.digest) && *since <= sent);
        let knows = match ask {
            Ask::Delete(Which::Digest(_)) => mine.listed.as_ref().is_some_and(|(listed, _)| listed.contains_key(tag)),
            _ => {
                // Whoever looks right before knows what was so for this long.
                let could_have = from + 4 * mine.line + FRESH < sent;
                seen || could_have
            }
        };
        if !knows {
            return;
        }
        let last = self.writes.iter().rev().filter(|one| one.run == run && one.tag == *tag).nth(1);
        if !seen && last.is_some_and(|last| matches!(last.status, 401 | 403) && from <= last.sent + 4 * mine.line + FRESH) {
            return self.lets_pass(Limit::Renewed);
        }
        let holder = &self.deliveries[&was.by];
        if holder.end.as_ref().is_some_and(|end| end.delivered) || seen {
            let how = format!("{tag} has named {} of run {} since {from} ms", was.digest.short(), was.by);
            self.breaks(now, run, Promise::OthersStay, how);
        }
    }

    /// A delivery has ended.
    pub(super) fn ends(&mut self, now: u64, run: usize, outcome: &Result<Publication, Error>, registry: &Registry) {
        let said = outcome
            .as_ref()
            .map_or_else(|error| format!("{error} ({error:?})"), |done| format!("delivered {}", done.digest.short()));
        self.note(now, run, &format!("ends: {said}"));
        *self.ended.entry(kind_of(outcome)).or_default() += 1;
        let leftovers: BTreeSet<Tag> = match outcome {
            Err(Error::LeftOver { leftovers, .. }) => leftovers.iter().map(|left| left.tag.clone()).collect(),
            _ => BTreeSet::new(),
        };
        let delivery = self.deliveries.get_mut(&run).unwrap();
        delivery.end = Some(End { at: now, delivered: outcome.is_ok(), leftovers: leftovers.clone() });
        if let Some(cancelled) = delivery.cancelled.filter(|cancelled| *cancelled + CANCELLED + 50 < now) {
            self.breaks(now, run, Promise::Ends, format!("it was cancelled at {cancelled} ms"));
        }
        if let Err(error @ Error::Broken(_)) = outcome {
            self.breaks(now, run, Promise::Ends, error.to_string());
        }
        match outcome {
            Ok(publication) => self.is_delivered(now, run, publication),
            Err(_) => self.left(now, run, &leftovers, registry),
        }
    }

    fn is_delivered(&mut self, now: u64, run: usize, publication: &Publication) {
        let digest = publication.digest;
        let fixed: Vec<Tag> = self.fixed(run).into_iter().filter(|tag| publication.tags.contains(tag)).collect();
        if fixed.len() != self.fixed(run).len() {
            self.breaks(now, run, Promise::AllTags, format!("{:?} is not all that it set out to set", publication.tags));
        }
        let from = self.settled(run);
        for tag in &fixed {
            let seen = self.deliveries[&run].seen.get(tag).copied();
            if !seen.is_some_and(|(named, at)| named == Some(digest) && at >= from) {
                let how =
                    format!("{tag} has last been looked at {seen:?}, and all its fixed tags were set and settled at {from} ms");
                self.breaks(now, run, Promise::AllTags, how);
            }
            self.is_the_only_one(now, run, tag, digest);
        }
        let moving: Vec<Tag> = publication.tags.iter().filter(|tag| !fixed.contains(tag)).cloned().collect();
        for tag in moving {
            let told = self.deliveries[&run]
                .events
                .iter()
                .any(|event| matches!(event, PublishEvent::MovedOn { tag: one, .. } if *one == tag));
            let set = self.writes.iter().filter(|write| write.run == run && write.tag == tag && write.sets);
            let set = set.filter_map(|write| write.answered).max().unwrap_or(0);
            if !told && !self.named_within(&tag, digest, set, now) {
                self.breaks(now, run, Promise::Told, format!("{tag} has not named {} since it was set", digest.short()));
            }
        }
    }

    fn fixed(&self, run: usize) -> Vec<Tag> {
        let tags = self.deliveries[&run].tags.iter();
        tags.filter(|planned| !planned.moving).map(|planned| planned.tag.clone()).collect()
    }

    /// From when on the fixed tags of a delivery are to be looked at for the last time.
    fn settled(&self, run: usize) -> u64 {
        let (mut slowest, mut last) = (0, 0);
        for tag in self.fixed(run) {
            let writes: Vec<_> = self.writes.iter().filter(|write| write.run == run && write.tag == tag && write.sets).collect();
            let (Some(first), Some(answered)) =
                (writes.first().map(|write| write.sent), writes.iter().filter_map(|write| write.answered).max())
            else {
                continue;
            };
            slowest = slowest.max(answered.saturating_sub(first));
            last = last.max(answered);
        }
        last + slowest.min(LONGEST_SETTLING)
    }

    fn named_within(&self, tag: &Tag, digest: Digest, from: u64, to: u64) -> bool {
        let Some(past) = self.past.get(tag) else { return false };
        let at_first = past.iter().rev().find(|(at, _)| *at <= from).and_then(|(_, named)| *named);
        at_first == Some(digest) || past.iter().any(|(at, named)| (from..=to).contains(at) && *named == Some(digest))
    }

    /// Of deliveries that share a fixed tag, the images of two that ended as delivered are the same.
    fn is_the_only_one(&mut self, now: u64, run: usize, tag: &Tag, digest: Digest) {
        // Who has found it set has not set it: that was looked at when it was.
        if !self.writes.iter().any(|write| write.run == run && write.tag == *tag && write.sets) {
            return;
        }
        let others: Vec<usize> = self
            .deliveries
            .iter()
            .filter(|(other, delivery)| {
                let delivered = delivery.end.as_ref().is_some_and(|end| end.delivered);
                **other != run
                    && delivered
                    && delivery.digest != Some(digest)
                    && delivery.tags.iter().any(|planned| planned.tag == *tag)
            })
            .map(|(other, _)| *other)
            .collect();
        for other in others {
            let theirs = self.fixed(other);
            let shared = self.fixed(run).iter().filter(|tag| theirs.contains(tag)).count();
            if self.was_free(tag, other, run) {
                self.lets_pass(Limit::Freed);
            } else if shared == 1
                && !matches!(self.kind, Kind::EcrImmutable | Kind::KnowsConditions)
                && self.was_on_its_way(tag, other, run)
            {
                self.lets_pass(Limit::OneTagInCommon);
            } else {
                self.breaks(now, run, Promise::OneImage, format!("{tag} is an image of run {other} too, as that one says"));
            }
        }
    }

    /// Whether a tag named nothing between the end of one delivery and the last write of another.
    fn was_free(&self, tag: &Tag, one: usize, other: usize) -> bool {
        let end = self.deliveries[&one].end.as_ref().map_or(0, |end| end.at);
        let sent = self
            .writes
            .iter()
            .filter(|write| write.run == other && write.tag == *tag && write.sets)
            .map(|write| write.sent)
            .max();
        sent.is_some_and(|sent| self.past[tag].iter().any(|(at, named)| named.is_none() && (end..=sent).contains(at)))
    }

    /// Whether each of two deliveries has sent its write before it could know of the other's.
    fn was_on_its_way(&self, tag: &Tag, one: usize, other: usize) -> bool {
        let of = |run: usize| {
            let writes = || self.writes.iter().filter(move |write| write.run == run && write.tag == *tag && write.sets);
            // What follows a refusal of the credentials is the same write (`Limit::Renewed`).
            let renews = [false].into_iter().chain(writes().map(|write| matches!(write.status, 401 | 403)));
            let sent = writes().zip(renews).filter(|(_, renews)| !renews).map(|(write, _)| write.sent).max()?;
            Some((sent, writes().filter_map(|write| write.answered).max()?))
        };
        let slack = |run: usize| 4 * self.deliveries[&run].line + FRESH;
        match (of(one), of(other)) {
            (Some((sent, answered)), Some((sent_too, answered_too))) => {
                sent <= answered_too + slack(one) && sent_too <= answered + slack(other)
            }
            _ => false,
        }
    }

    /// What a delivery that has failed leaves.
    fn left(&mut self, now: u64, run: usize, leftovers: &BTreeSet<Tag>, registry: &Registry) {
        let delivery = &self.deliveries[&run];
        let mut broken = Vec::new();
        for planned in &delivery.tags {
            let tag = &planned.tag;
            let Some(named) = registry.tags.get(tag).filter(|named| named.by == run) else { continue };
            if leftovers.contains(tag) {
                continue;
            }
            let before = delivery.before.get(tag).copied().flatten();
            if Some(named.digest) == delivery.digest && before != delivery.digest {
                broken.push((
                    Promise::NothingUnnamed,
                    format!("{tag} names {}, and the report does not say so", named.digest.short()),
                ));
            } else if Some(named.digest) != before {
                broken.push((Promise::PutBack, format!("{tag} names {}, and not what it did", named.digest.short())));
            }
        }
        broken.into_iter().for_each(|(promise, how)| self.breaks(now, run, promise, how));
    }

    /// All is over, and nothing is on its way: a tag is there because someone says so.
    pub(super) fn is_over(&mut self, now: u64, registry: &Registry) {
        let unnamed: Vec<_> = registry
            .tags
            .iter()
            .filter(|(tag, named)| {
                let Some(holder) = self.deliveries.get(&named.by) else { return true };
                let end = holder.end.as_ref();
                let answers_for_it = holder.crashed || end.is_some_and(|end| end.delivered || end.leftovers.contains(*tag));
                let put_back = holder.before.get(*tag).copied().flatten() == Some(named.digest);
                !answers_for_it && !put_back
            })
            .map(|(tag, named)| (named.by, tag.to_string()))
            .collect();
        for (run, tag) in unnamed {
            self.breaks(now, run, Promise::NothingUnnamed, format!("{tag} is left, and nobody says so"));
        }
    }

    /// A delivery that nothing has happened to ends well, unless the tags are those of images that differ, and then it says so.
    pub(super) fn follows(&mut self, now: u64, run: usize, outcome: &Result<Publication, Error>, registry: &Registry) {
        let fixed = self.fixed(run);
        let names = |tag: &Tag| registry.tags.get(tag).map(|named| named.digest);
        match outcome {
            Ok(done) => {
                for tag in fixed.iter().filter(|tag| names(tag) != Some(done.digest)) {
                    self.breaks(now, run, Promise::Healed, format!("{tag} is not set, though nothing went wrong"));
                }
            }
            Err(Error::Taken { taken, .. }) => {
                let true_words = taken.iter().all(|taken| names(&taken.tag) == Some(taken.digest));
                let images: BTreeSet<_> = fixed.iter().filter_map(names).collect();
                if !true_words || images.len() < 2 {
                    self.breaks(now, run, Promise::Healed, format!("it is refused, and should not be: {taken:?}"));
                }
            }
            Err(error) => self.breaks(now, run, Promise::Healed, error.to_string()),
        }
    }

    /// The delivery has not ended.
    pub(super) fn hangs(&mut self, now: u64) {
        self.breaks(now, usize::MAX, Promise::Ends, "not all deliveries have ended".to_owned());
    }
}

fn shown(named: Option<Named>) -> String {
    named.map_or_else(|| "nothing".to_owned(), |named| named.digest.short())
}

fn kind_of(outcome: &Result<Publication, Error>) -> &'static str {
    match outcome {
        Ok(_) => "delivered",
        Err(Error::Cancelled) => "cancelled",
        Err(Error::LeftOver { .. }) => "left over",
        Err(Error::Overtaken { .. }) => "overtaken",
        Err(Error::Taken { .. }) => "taken",
        Err(Error::Registry(_)) => "registry",
        Err(Error::NotCleared { .. }) => "not cleared",
        Err(Error::ReadBack { .. }) => "read back",
        Err(_) => "other",
    }
}
