//! A registry, as far as publishing goes: what it holds, what it takes, what it refuses.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde_json::Value;

use super::history::Kind;
use crate::oci::{Digest, Tag};

/// What a request asks for.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    Ping,
    Token,
    HasBlob(Digest),
    BeginUpload,
    PutBlob { session: String, digest: Option<Digest>, content: Bytes },
    Look { which: Which, head: bool },
    Put { which: Which, media_type: String, content: Bytes, only_if_new: bool },
    Delete(Which),
    List,
    Untag(Tag),
}

/// What names a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Tag(Tag),
    Digest(Digest),
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
}

/// What a tag names, and the run that has made it so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) digest: Digest,
    pub(super) by: usize,
}

struct Stored {
    media_type: String,
    content: Bytes,
    /// What it needs: blobs, and the manifests of an index.
    blobs: Vec<Digest>,
    manifests: Vec<Digest>,
}

pub(super) struct Registry {
    kind: Kind,
    blobs: BTreeSet<Digest>,
    uploads: BTreeSet<String>,
    begun: u32,
    manifests: BTreeMap<Digest, Stored>,
    pub(super) tags: BTreeMap<Tag, Named>,
}

impl Answer {
    pub(super) fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new() }
    }

    /// A refusal in the words of the distribution specification.
    pub(super) fn refusal(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({"errors": [{"code": code, "message": message}]}).to_string();
        Self { status, headers: vec![("content-type", "application/json".to_owned())], body: body.into() }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Stored {
    fn read(media_type: &str, content: &Bytes) -> Self {
        let document: Value = serde_json::from_slice(content).unwrap_or_default();
        let digest = |one: &Value| one["digest"].as_str().and_then(|digest| digest.parse().ok());
        let all = |name: &str| document[name].as_array().into_iter().flatten().filter_map(digest).collect::<Vec<Digest>>();
        let mut blobs = all("layers");
        blobs.extend(digest(&document["config"]));
        Self { media_type: media_type.to_owned(), content: content.clone(), blobs, manifests: all("manifests") }
    }
}

impl Registry {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            blobs: BTreeSet::new(),
            uploads: BTreeSet::new(),
            begun: 0,
            manifests: BTreeMap::new(),
            tags: BTreeMap::new(),
        }
    }

    /// Does what is asked. `run` is whose request it is.
    pub(super) fn apply(&mut self, run: usize, ask: &Ask) -> Answer {
        match ask {
            // The line answers these.
            Ask::Ping | Ask::Token => Answer::new(200),
            Ask::HasBlob(digest) => Answer::new(if self.blobs.contains(digest) { 200 } else { 404 }),
            Ask::BeginUpload => {
                self.begun += 1;
                let session = format!("u{}", self.begun);
                self.uploads.insert(session.clone());
                Answer::new(202).with("location", format!("/v2/app/blobs/uploads/{session}?state=x"))
            }
            Ask::PutBlob { session, digest, content } => {
                if !self.uploads.remove(session) {
                    return Answer::refusal(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
                }
                if *digest != Some(Digest::of(content)) {
                    return Answer::refusal(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
                }
                self.blobs.extend(*digest);
                Answer::new(201)
            }
            Ask::Look { which, head } => self.look(which, *head),
            Ask::Put { which, media_type, content, only_if_new } => self.put(run, which, media_type, content, *only_if_new),
            Ask::Delete(which) => self.delete(which),
            Ask::List => {
                let tags: Vec<_> = self.tags.keys().map(Tag::as_str).collect();
                let body = serde_json::json!({"name": "app", "tags": tags}).to_string();
                Answer { body: body.into(), ..Answer::new(200) }
            }
            Ask::Untag(tag) => self.untag(tag),
        }
    }

    fn named(&self, which: &Which) -> Option<Digest> {
        match which {
            Which::Tag(tag) => self.tags.get(tag).map(|named| named.digest),
            Which::Digest(digest) => Some(*digest),
        }
    }

    fn look(&self, which: &Which, head: bool) -> Answer {
        let found = self.named(which).and_then(|digest| Some((digest, self.manifests.get(&digest)?)));
        let Some((digest, stored)) = found else { return Answer::refusal(404, "MANIFEST_UNKNOWN", "manifest unknown") };
        let answer = Answer::new(200).with("content-type", &*stored.media_type).with("docker-content-digest", digest.to_string());
        Answer { body: if head { Bytes::new() } else { stored.content.clone() }, ..answer }
    }

    fn is_immutable(&self, tag: &Tag) -> bool {
        self.kind == Kind::EcrImmutable && tag.as_str() != "latest"
    }

    fn put(&mut self, run: usize, which: &Which, media_type: &str, content: &Bytes, only_if_new: bool) -> Answer {
        let (digest, stored) = (Digest::of(content), Stored::read(media_type, content));
        if let Which::Tag(tag) = which
            && self.tags.contains_key(tag)
        {
            if self.is_immutable(tag) {
                return Answer::refusal(400, "TAG_INVALID", "The image tag already exists and the tag is immutable.");
            }
            if only_if_new && self.kind == Kind::KnowsConditions {
                return Answer::refusal(412, "DENIED", "the tag is there");
            }
        }
        if let Which::Digest(named) = which
            && *named != digest
        {
            return Answer::refusal(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
        }
        if !self.has_all(&stored) {
            return Answer::refusal(404, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry");
        }
        self.manifests.insert(digest, stored);
        if let Which::Tag(tag) = which
            && self.tags.get(tag).is_none_or(|named| named.digest != digest)
        {
            self.tags.insert(tag.clone(), Named { digest, by: run });
        }
        Answer::new(201).with("docker-content-digest", digest.to_string())
    }

    fn has_all(&self, stored: &Stored) -> bool {
        stored.blobs.iter().all(|blob| self.blobs.contains(blob))
            && stored.manifests.iter().all(|manifest| self.manifests.contains_key(manifest))
    }

    fn delete(&mut self, which: &Which) -> Answer {
        match (self.kind, which) {
            (Kind::RemovesTags | Kind::KnowsConditions, Which::Tag(tag)) => {
                Answer::new(if self.tags.remove(tag).is_some() { 202 } else { 404 })
            }
            (Kind::RemovesTags | Kind::RemovesManifests | Kind::KnowsConditions, Which::Digest(digest)) => {
                self.tags.retain(|_, named| named.digest != *digest);
                Answer::new(if self.manifests.remove(digest).is_some() { 202 } else { 404 })
            }
            _ => Answer::refusal(405, "UNSUPPORTED", "The operation is unsupported."),
        }
    }

    /// An image goes with its last tag (Amazon ECR user guide, "Deleting an image").
    fn untag(&mut self, tag: &Tag) -> Answer {
        let Some(named) = self.tags.remove(tag) else { return Answer::new(404) };
        let is_named = self.tags.values().any(|other| other.digest == named.digest);
        if !is_named && !self.manifests.values().any(|stored| stored.manifests.contains(&named.digest)) {
            self.manifests.remove(&named.digest);
        }
        Answer::new(200)
    }

    /// The tags that name what is not there, or not whole.
    pub(super) fn broken(&self) -> Vec<String> {
        let is_whole = |digest: &Digest| {
            self.manifests.get(digest).is_some_and(|stored| {
                self.has_all(stored) && stored.manifests.iter().all(|part| self.has_all(&self.manifests[part]))
            })
        };
        self.tags.iter().filter(|(_, named)| !is_whole(&named.digest)).map(|(tag, _)| tag.to_string()).collect()
    }
}
