//! What was delivered to an environment, by what is signed beside the images of a repository.
//!
//! A tag only leads to an image. What counts is a verdict for that environment, by the rules of `verify`, and a commit that is
//! proven by the rules of `promote`.

use std::collections::BTreeMap;
use std::fmt;

use futures_util::stream::{self, StreamExt as _};
use serde::Serialize;

use super::delivered::Delivered;
use super::request::{self, Request};
use super::table::{self, Subject, Table};
use super::wanted::Wanted;
use crate::attestation::PredicateType;
use crate::aws::Session;
use crate::environment::Environment;
use crate::error::Error;
use crate::evidence::{Accepted, Place, Rule, gather};
use crate::oci::registry::{self, Client, Manifest, Selector};
use crate::oci::{Digest, Tag};
use crate::sigstore::Verifier;
use crate::text;

/// The most tags that are looked at: those that begin with the environment's name come first.
const MAX_TAGS: usize = 1000;
/// How many are asked for at once.
const PARALLEL: usize = 6;
/// What referrers are found by where a registry does not list them, which names no image.
const OF_REFERRERS: &str = "sha256-";

/// The deliveries of a repository's images to an environment.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Deliveries {
    /// The repository.
    pub(crate) repository: String,
    /// The environment.
    pub(crate) environment: Environment,
    /// The newest first.
    #[serde(rename = "deliveries")]
    pub(crate) proven: Vec<Delivered>,
    /// How many images there are that no such verdict speaks for.
    pub(crate) others: usize,
    /// How many tags and images were not looked at, or could not be.
    pub(crate) unread: usize,
}

/// Looks at a repository's images, by whose word counts.
pub(crate) struct Inspector {
    client: Client,
    environment: Environment,
    verifier: Verifier,
    wanted: Wanted,
}

impl Inspector {
    /// What the command line asks of each image. `own` is whose word counts where it names nobody; `session` asks AWS KMS for keys.
    ///
    /// # Errors
    /// The request makes no sense, names nobody, or a key can't be read.
    pub(crate) async fn new(
        request: &Request,
        own: Option<Rule>,
        environment: Environment,
        client: Client,
        session: Option<&Session>,
    ) -> Result<Self, Error> {
        let request = Request { environment: Some(environment.to_string()), ..request.clone() };
        let mut problems = Vec::new();
        let criteria = request.criteria(&mut problems);
        let Some(mut criteria) = criteria.filter(|_| problems.is_empty()) else { return Err(Error::Inputs(problems)) };
        if criteria.name_nobody() {
            criteria.wanted.signers.extend(own.map(Accepted::from));
        }
        if criteria.name_nobody() {
            return Err(Error::Inputs(vec![request::nobody_in_this_job()]));
        }
        let (verifier, wanted) = criteria.settled(session).await?;
        Ok(Self { client, environment, verifier, wanted })
    }

    /// All that is proven to be delivered.
    ///
    /// # Errors
    /// The registry can't be asked.
    pub(crate) async fn all(&self) -> Result<Deliveries, Error> {
        let own = format!("{}-", self.environment);
        let mut tags: Vec<_> =
            self.client.tags().await?.into_iter().filter(|tag| !tag.as_str().starts_with(OF_REFERRERS)).collect();
        tags.sort_by_key(|tag| !tag.as_str().starts_with(&own));
        let mut unread = tags.len().saturating_sub(MAX_TAGS);
        tags.truncate(MAX_TAGS);
        let found = tags.into_iter().map(async |tag| (self.client.find_manifest(&Selector::Tag(tag.clone())).await, tag));
        let found: Vec<_> = stream::iter(found).buffered(PARALLEL).collect().await;
        let (mut images, mut failed) = (BTreeMap::<Digest, (Manifest, Vec<Tag>)>::new(), None);
        for (found, tag) in found {
            match found {
                Ok(Some(image)) => images.entry(image.digest).or_insert_with(|| (image, Vec::new())).1.push(tag),
                // It was removed meanwhile.
                Ok(None) => {}
                Err(error) => {
                    unread += 1;
                    failed = Some(error);
                }
            }
        }
        let looked = images.into_values().map(async |(image, tags)| self.delivered(&image, tags).await);
        let looked: Vec<_> = stream::iter(looked).buffered(PARALLEL).collect().await;
        let (mut deliveries, mut others) = (Vec::new(), 0);
        for one in looked {
            match one {
                Ok(Some(delivered)) => deliveries.push(delivered),
                Ok(None) => others += 1,
                Err(error) => {
                    unread += 1;
                    failed = Some(error);
                }
            }
        }
        // Whoever may push can put something there that nobody can read. Where nothing else is there, it is said.
        if let Some(error) = failed.filter(|_| deliveries.is_empty()) {
            return Err(error.into());
        }
        deliveries.sort_by_key(|delivered| std::cmp::Reverse(delivered.at));
        let repository = self.client.repository().to_string();
        Ok(Deliveries { repository, environment: self.environment, proven: deliveries, others, unread })
    }

    async fn delivered(&self, image: &Manifest, tags: Vec<Tag>) -> Result<Option<Delivered>, registry::Error> {
        let evidence = gather(&self.client, &image.digest, &self.verifier, &[PredicateType::Verdict]).await?;
        let proven = table::proven(&evidence, &self.wanted, image.digest);
        Ok(proven.map(|proven| proven.named(tags, self.environment)))
    }

    /// Looks at one image as `verify` does: at all that is asked of it, and what it is a delivery of.
    ///
    /// # Errors
    /// The registry can't be asked, or has no such image.
    pub(crate) async fn one(&self, digest: Digest, tags: Vec<Tag>) -> Result<(Table, Option<Delivered>), Error> {
        let manifest = self.client.pull_manifest(&digest.into()).await?;
        let place = Place::Repository(&self.client);
        let delivered = self.delivered(&manifest, tags).await?;
        let name = format!("{}@{digest}", self.client.repository());
        let subject = Subject { place, name, said: digest.to_string(), manifest };
        Ok((Table::of(subject, Vec::new(), &self.verifier, &self.wanted).await?, delivered))
    }
}

impl Deliveries {
    /// The delivery of a commit, or of an image by its digest.
    ///
    /// # Errors
    /// There is none, or there are several.
    pub(crate) fn of_commit(&self, commit: &str) -> Result<&Delivered, String> {
        let found: Vec<_> = self.proven.iter().filter(|delivered| delivered.commit.starts_with(commit)).collect();
        match *found {
            [one] => Ok(one),
            [] => Err(format!("no delivery of it to {} is proven: without a choice all are listed that are", self.environment)),
            _ => {
                let images: Vec<_> = found.iter().map(|delivered| delivered.digest.to_string()).collect();
                Err(format!("several images are of it, so one is to be named by its digest: {}", text::list(&images)))
            }
        }
    }
}

impl fmt::Display for Deliveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { repository, environment, proven, .. } = self;
        writeln!(f, "{} to {environment} in {repository}, the newest first", text::count(proven.len(), "delivery"))?;
        for delivered in proven {
            let at = delivered.at.map(text::time).unwrap_or_default();
            let commit = text::words(delivered.commit.get(..12).unwrap_or(&delivered.commit));
            writeln!(f, "{at}  {commit}  {}", delivered.pinned())?;
        }
        if self.others > 0 {
            writeln!(f, "{} without a verdict that counts", text::count(self.others, "image"))?;
        }
        if self.unread > 0 {
            writeln!(f, "{} could not be looked at", text::count(self.unread, "tag"))?;
        }
        Ok(())
    }
}
