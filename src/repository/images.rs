//! What is in a repository, as a list: tags, digest, push, size, what Amazon ECR's scan found, and what claims to sign it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;
use serde::Serialize;

use super::table;
use crate::aws::ecr::{ImageDetail, ManagedSigning, Repository, ScanResult};
use crate::aws::{self, Failure};
use crate::error::Error;
use crate::oci::Digest;
use crate::text;

/// How many images ECR is asked of at once: it takes some tens of requests a second.
const AT_ONCE: usize = 8;
/// What signatures say that they are (Sigstore's bundle, which attestations are too; cosign; Notary Project).
const SIGNATURES: [&str; 3] = [
    "application/vnd.dev.sigstore.bundle.v0.3+json",
    "application/vnd.dev.cosign.artifact.sig.v1+json",
    "application/vnd.cncf.notary.signature",
];

/// The images of a repository, the newest first.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Images {
    /// The repository's ARN.
    repository: String,
    /// When it was looked at.
    at: Timestamp,
    images: Vec<Listed>,
    /// Permissions that the role lacks to see all of it.
    unseen: Vec<&'static str>,
}

/// An image or an index.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Listed {
    digest: Digest,
    tags: Vec<String>,
    pushed: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pulled: Option<Timestamp>,
    /// In bytes.
    size: u64,
    index: bool,
    archived: bool,
    /// What its scan came to.
    scan: Scan,
    /// What it refers to, which is not here.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<Digest>,
    /// What refers to it, by what it says that it is: how many. It is not checked.
    referrers: BTreeMap<String, usize>,
    /// What ECR's own signing came to.
    managed_signing: Signing,
}

/// What Amazon ECR's scan came to. No other state than the first is a result.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Scan {
    /// So many findings of each severity.
    Found {
        enhanced: bool,
        counts: BTreeMap<String, i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
        /// The counts in words, the worst first.
        #[serde(skip)]
        says: String,
    },
    /// There is no result, and why.
    None(String),
    /// It was not asked for: the image is not among the newest.
    NotAsked,
}

/// What ECR's own signing came to.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Signing {
    /// The profiles that had to sign it, each with its status.
    Profiles(BTreeMap<String, String>),
    /// It is not known, and why.
    Unknown(String),
    /// It was not asked for.
    NotAsked,
}

impl Images {
    /// Reads what is there, and asks ECR of the newest `details` images.
    ///
    /// # Errors
    /// There is no such repository, or ECR refuses to list it, or can't be reached.
    pub(super) async fn read(repository: &Repository, details: usize) -> Result<Self, Error> {
        let mut all = repository.images().await?;
        all.sort_by(|one, other| (other.pushed_at, one.digest).cmp(&(one.pushed_at, other.digest)));
        let mut referrers: HashMap<Digest, BTreeMap<String, usize>> = HashMap::new();
        for detail in &all {
            let Some(subject) = detail.subject else { continue };
            let kind = detail.artifact_type.clone().unwrap_or_else(|| "unknown".to_owned());
            *referrers.entry(subject).or_default().entry(kind).or_default() += 1;
        }
        // What refers to an image that is here is listed with that.
        let here: HashSet<Digest> = all.iter().map(|detail| detail.digest).collect();
        all.retain(|detail| detail.subject.is_none_or(|subject| !here.contains(&subject)));
        let asked = stream::iter(all.iter().take(details)).map(|detail| answers(repository, detail));
        let mut asked = asked.buffered(AT_ONCE).collect::<Vec<_>>().await.into_iter();
        let (mut images, mut unseen) = (Vec::new(), Vec::new());
        for detail in &all {
            let (scan, signing) = match asked.next() {
                Some((scan, signing)) => (Scan::of(detail, scan, &mut unseen)?, Signing::of(signing, &mut unseen)?),
                None => (Scan::NotAsked, Signing::NotAsked),
            };
            let referrers = referrers.remove(&detail.digest).unwrap_or_default();
            images.push(Listed::of(detail, scan, referrers, signing));
        }
        Ok(Self { repository: repository.arn.to_string(), at: Timestamp::now(), images, unseen })
    }

    /// Whether the role lacks a permission to see all of it.
    #[must_use]
    pub(crate) fn is_unseen(&self) -> bool {
        !self.unseen.is_empty()
    }
}

type Answers = (Result<ScanResult, aws::Error>, Result<Vec<ManagedSigning>, aws::Error>);

async fn answers(repository: &Repository, detail: &ImageDetail) -> Answers {
    tokio::join!(repository.scan_result(detail.digest), repository.managed_signing(detail.digest))
}

/// A call that the role may not make is a line of its own, and no error.
///
/// # Errors
/// It failed for another reason.
fn denied(error: aws::Error, unseen: &mut Vec<&'static str>) -> Result<String, Error> {
    match error {
        aws::Error::Call(failure) if Failure::is_denied(&failure) => {
            let permission = failure.call.permission();
            if !unseen.contains(&permission) {
                unseen.push(permission);
            }
            Ok(format!("not known: the role lacks {permission}"))
        }
        error => Err(error.into()),
    }
}

impl Scan {
    fn of(detail: &ImageDetail, result: Result<ScanResult, aws::Error>, unseen: &mut Vec<&'static str>) -> Result<Self, Error> {
        Ok(match result {
            Ok(ScanResult::Found { enhanced, counts, at }) => {
                let each: Vec<_> = counts.iter().map(|(severity, count)| format!("{count} {severity}")).collect();
                let says = if each.is_empty() { "nothing found".to_owned() } else { text::list(&each) };
                let counts = counts.into_iter().map(|(severity, count)| (severity.to_string(), count)).collect();
                Self::Found { enhanced, counts, at, says }
            }
            // Each image of an index is scanned by itself.
            Ok(ScanResult::Nothing(_)) if detail.is_index => Self::None("of its images".to_owned()),
            Ok(ScanResult::Nothing(why)) => Self::None(why.to_string()),
            Err(error) => Self::None(denied(error, unseen)?),
        })
    }
}

impl Signing {
    fn of(result: Result<Vec<ManagedSigning>, aws::Error>, unseen: &mut Vec<&'static str>) -> Result<Self, Error> {
        Ok(match result {
            Ok(all) => Self::Profiles(all.into_iter().map(|one| (one.profile.to_string(), one.status.to_string())).collect()),
            Err(error) => Self::Unknown(denied(error, unseen)?),
        })
    }
}

impl Listed {
    fn of(detail: &ImageDetail, scan: Scan, referrers: BTreeMap<String, usize>, managed_signing: Signing) -> Self {
        Self {
            digest: detail.digest,
            tags: detail.tags.clone(),
            pushed: detail.pushed_at,
            pulled: detail.pulled_at,
            size: detail.size,
            index: detail.is_index,
            archived: detail.archived_since.is_some(),
            scan,
            subject: detail.subject,
            referrers,
            managed_signing,
        }
    }

    fn scanned(&self) -> String {
        match &self.scan {
            Scan::Found { enhanced: true, says, .. } => format!("{says} (enhanced)"),
            Scan::Found { says, .. } => says.clone(),
            Scan::None(why) => format!("no result: {}", text::words(why)),
            Scan::NotAsked => "not asked".to_owned(),
        }
    }

    fn signed(&self) -> String {
        let of_kind = |signs: bool| -> usize {
            let kinds = self.referrers.iter().filter(|(kind, _)| SIGNATURES.contains(&kind.as_str()) == signs);
            kinds.map(|(_, count)| count).sum()
        };
        let mut says = Vec::new();
        match of_kind(true) {
            0 => {}
            1 => says.push("1 signature or attestation".to_owned()),
            signatures => says.push(format!("{signatures} signatures or attestations")),
        }
        if of_kind(false) > 0 {
            says.push(format!("{} other", of_kind(false)));
        }
        match &self.managed_signing {
            Signing::Profiles(profiles) => {
                says.extend(
                    profiles.iter().map(|(profile, status)| format!("{} by {}", text::words(status), text::words(profile))),
                );
            }
            Signing::Unknown(why) => says.push(format!("by ECR: {why}")),
            Signing::NotAsked => {}
        }
        if says.is_empty() { "nothing".to_owned() } else { text::list(&says) }
    }
}

impl fmt::Display for Images {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, {}\n", self.repository, text::time(self.at))?;
        let tags: Vec<_> = self.images.iter().map(|image| table::tags(&image.tags)).collect();
        let scans: Vec<_> = self.images.iter().map(Listed::scanned).collect();
        let width = |all: &[String]| all.iter().map(|one| one.chars().count()).max().unwrap_or_default();
        let (of_tags, of_scans) = (width(&tags), width(&scans));
        for ((image, tags), scan) in self.images.iter().zip(&tags).zip(&scans) {
            let (pushed, size) = (text::time(image.pushed), text::size(image.size));
            let archived = if image.archived { "  archived" } else { "" };
            let (digest, signed) = (image.digest, image.signed());
            writeln!(f, "{tags:<of_tags$}  {digest}  {pushed}  {size:>8}  {scan:<of_scans$}  {signed}{archived}")?;
        }
        let unasked = self.images.iter().filter(|image| matches!(image.scan, Scan::NotAsked)).count();
        write!(f, "\n{}.", text::count(self.images.len(), "image"))?;
        if unasked > 0 {
            write!(f, " Scans and ECR's own signing were not asked for of the {unasked} oldest (--details N).")?;
        }
        writeln!(f, " What signs an image is counted and not checked: gp-deliver verify does that.")?;
        for permission in &self.unseen {
            writeln!(f, "The role lacks {permission}.")?;
        }
        Ok(())
    }
}
