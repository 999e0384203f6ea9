//! What is in a repository, as a list: tags, digest, push, size, what Amazon ECR's scan found, and what claims to sign it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;
use serde::Serialize;

use super::table;
use crate::aws::ecr::{self, ImageDetail, ManagedSigning, Repository};
use crate::aws::{self, Failure};
use crate::error::Error;
use crate::oci::Digest;
use crate::text;

/// How many images ECR is asked of at once: it takes some tens of requests a second.
const AT_ONCE: usize = 8;
/// What the types of signatures begin with: Sigstore's bundles, which attestations are too; cosign's; the Notary Project's, which
/// ECR's managed signing makes.
const SIGNATURES: [&str; 3] =
    ["application/vnd.dev.sigstore.bundle", "application/vnd.dev.cosign.", "application/vnd.cncf.notary.signature"];
/// What cosign's signatures and attestations are named by where a registry has no referrers: `sha256-HEX.sig`. It is told as if
/// it were a type.
const BY_TAG: [(&str, &str); 2] =
    [(".sig", "application/vnd.dev.cosign.simplesigning.v1+json"), (".att", "application/vnd.dev.cosign.attestation")];

/// The images of a repository, the newest first.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Listing {
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
        counts: BTreeMap<String, usize>,
        at: Timestamp,
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

impl Listing {
    /// Reads what is there, and asks ECR of the newest `details` images.
    ///
    /// # Errors
    /// There is no such repository, or ECR refuses to list it, or can't be reached.
    pub(super) async fn read(repository: &Repository, details: usize) -> Result<Self, Error> {
        let mut all = repository.images().await?;
        all.sort_by(|one, other| (other.pushed_at, one.digest).cmp(&(one.pushed_at, other.digest)));
        let mut referrers: HashMap<Digest, BTreeMap<String, usize>> = HashMap::new();
        for (subject, kind) in all.iter().flat_map(refers) {
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

/// What an entry refers to, and what it says it is: by its manifest, or by cosign's tags.
fn refers(detail: &ImageDetail) -> Vec<(Digest, String)> {
    let kind = || detail.artifact_type.clone().unwrap_or_else(|| "unknown".to_owned());
    let by_manifest = detail.subject.map(|subject| (subject, kind()));
    let by_tags = detail.tags.iter().filter_map(|tag| named_by_tag(tag));
    let by_tags = by_tags.filter(|(subject, _)| Some(*subject) != detail.subject).map(|(of, kind)| (of, kind.to_owned()));
    by_manifest.into_iter().chain(by_tags).collect()
}

fn named_by_tag(tag: &str) -> Option<(Digest, &'static str)> {
    let hex = tag.strip_prefix("sha256-")?;
    let of_kind = |(end, kind): (&str, &'static str)| Some((format!("sha256:{}", hex.strip_suffix(end)?).parse().ok()?, kind));
    BY_TAG.into_iter().find_map(of_kind)
}

type Answers = (Result<ecr::Scan, aws::Error>, Result<Vec<ManagedSigning>, aws::Error>);

async fn answers(repository: &Repository, detail: &ImageDetail) -> Answers {
    tokio::join!(repository.scan(detail.digest), repository.managed_signing(detail.digest))
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
    fn of(detail: &ImageDetail, scan: Result<ecr::Scan, aws::Error>, unseen: &mut Vec<&'static str>) -> Result<Self, Error> {
        // However old a basic scan is: it is told of when it is.
        Ok(match scan.map(|scan| scan.result(None, Timestamp::now())) {
            Ok(Ok(found)) => {
                let counts = found.counts();
                let each: Vec<_> = counts.iter().map(|(severity, count)| format!("{count} {severity}")).collect();
                let says = if each.is_empty() { "nothing found".to_owned() } else { text::list(&each) };
                let counts = counts.into_iter().map(|(severity, count)| (severity.to_string(), count)).collect();
                Self::Found { enhanced: found.enhanced, counts, at: found.at, says }
            }
            // Each image of an index is scanned by itself.
            Ok(Err(_)) if detail.is_index => Self::None("of its images".to_owned()),
            Ok(Err(missing)) => Self::None(missing.why.to_string()),
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
            let kinds = self.referrers.iter().filter(|(kind, _)| is_signature(kind) == signs);
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

fn is_signature(kind: &str) -> bool {
    SIGNATURES.iter().any(|known| kind.starts_with(known))
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, {}\n", self.repository, text::time(self.at))?;
        let head = ["TAGS", "DIGEST", "PUSHED", "SIZE", "ECR SCAN", "REFERRED TO BY"].map(str::to_owned);
        let line = |image: &Listed| {
            let (pushed, mut size) = (text::time(image.pushed), text::size(image.size));
            if image.archived {
                size.push_str(", archived");
            }
            [table::tags(&image.tags), image.digest.to_string(), pushed, size, image.scanned(), image.signed()]
        };
        table::columns(f, &[head].into_iter().chain(self.images.iter().map(line)).collect::<Vec<_>>())?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_of_cosigns_names_what_it_signs_and_no_other_tag_does() {
        let digest = Digest::of(b"a");
        let hex = digest.to_string().replace("sha256:", "");
        for end in ["sig", "att"] {
            let (subject, kind) = named_by_tag(&format!("sha256-{hex}.{end}")).unwrap();
            assert!(subject == digest && is_signature(kind), "{end}");
        }
        for tag in [&*format!("sha256-{hex}"), &format!("sha256-{hex}.sbom"), "sha256-1.sig", "x.sig"] {
            assert_eq!(named_by_tag(tag), None, "{tag}");
        }
        assert!(is_signature("application/vnd.dev.sigstore.bundle.v0.4+json") && !is_signature("application/spdx+json"));
    }
}
