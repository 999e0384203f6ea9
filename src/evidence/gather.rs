//! Statements about an image, read from where it is kept.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;
use oci_spec::image::{ANNOTATION_CREATED, Descriptor};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::place::Place;
use crate::attestation::{Predicate, PredicateType, Statement};
use crate::document;
use crate::oci::Digest;
use crate::oci::layout::digest_of;
use crate::oci::registry::{self, Referrers};
use crate::sigstore::{Attested, MEDIA_TYPE, SignedBy, Verifier};
use crate::text::{self, Line};

/// The most that is looked at of what is beside an image: a delivery leaves seven for each, and admission controllers read no
/// more than this (Kyverno).
const MAX_REFERRERS: usize = 50;
/// The most that is read of one, in bytes: an SBOM of an image with 20,000 packages has some 40 MB, and a third more in a bundle.
const MAX_CONTENT: u64 = 64 << 20;
/// The most that is read of all of them, in bytes. Whoever may push may have put all of it there.
const MAX_ALL: u64 = 256 << 20;
/// From so many bytes on they are read one by one: checking one takes several times its size of memory.
const LARGE: u64 = 4 << 20;
/// How far a signer's clock may be ahead of this one.
const CLOCK_TOLERANCE: Duration = Duration::from_mins(5);
/// How many are read at once.
const PARALLEL: usize = 6;
/// Where a list says what a bundle's statement says, as cosign writes it. It is a hint: the statement has the last word.
pub(crate) const PREDICATE_TYPE: &str = "dev.sigstore.bundle.predicateType";

/// A statement that holds.
#[derive(Clone, Debug)]
pub(crate) struct SignedStatement {
    /// What it says, and of what.
    pub(crate) statement: Statement,
    /// Who has signed it.
    pub(crate) signer: SignedBy,
    /// When, by somebody else's word; of what a key has signed, by the signer's own too, and then the earlier of both.
    pub(crate) at: Option<Timestamp>,
    /// The digest of the manifest that it is kept by.
    pub(crate) referrer: Digest,
    /// The bundle that it is in.
    pub(crate) bundle: Descriptor,
}

/// Something beside an image that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejected {
    /// The digest of its manifest.
    pub(crate) referrer: Digest,
    /// Why.
    pub(crate) why: Line,
}

/// What is signed about an image.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence {
    /// What holds.
    pub(crate) statements: Vec<SignedStatement>,
    /// What does not.
    pub(crate) rejected: Vec<Rejected>,
    /// How many there are that were not looked at.
    pub(crate) unread: usize,
}

impl Evidence {
    /// The statements of a type.
    pub(crate) fn of_type(&self, predicate: PredicateType) -> impl Iterator<Item = &SignedStatement> {
        self.statements.iter().filter(move |signed| signed.statement.predicate.of_type() == Some(predicate))
    }
}

/// Reads what is signed about `subject`, of the types that are `wanted`. What can't be read is what somebody has put there, and
/// does not hold: it ends nothing.
///
/// # Errors
/// The place can't be asked for a list.
pub(crate) async fn gather<'a>(
    place: impl Into<Place<'a>>,
    subject: &Digest,
    verifier: &Verifier,
    wanted: &[PredicateType],
) -> Result<Evidence, registry::Error> {
    let place = place.into();
    let Referrers { listed, more } = place.referrers(subject, MEDIA_TYPE).await?;
    let (listed, unread) = chosen(listed, wanted);
    let mut evidence = Evidence { unread: unread + usize::from(more), ..Evidence::default() };
    let room = Room { all: Mutex::new(MAX_ALL), large: Semaphore::new(1) };
    let read = stream::iter(listed).map(|listed| {
        let room = &room;
        async move { read(place, &listed, subject, verifier, wanted, room).await }
    });
    let read: Vec<_> = read.buffered(PARALLEL).collect().await;
    for one in read.into_iter().flatten() {
        match one {
            Ok(signed) => evidence.statements.push(signed),
            Err(rejected) => evidence.rejected.push(rejected),
        }
    }
    Ok(evidence)
}

/// What is looked at of a list, and how many are not: each once, and of each type the latest, so that many of one leave room
/// for the others. Registries list in any order, so it goes by the time that a list says; who says it is looked at later.
fn chosen(listed: Vec<Descriptor>, wanted: &[PredicateType]) -> (Vec<Descriptor>, usize) {
    let mut known = HashSet::new();
    let mut listed: Vec<_> = listed.into_iter().filter(|listed| may_be_one(listed, wanted)).collect();
    listed.retain(|listed| known.insert(listed.digest().to_string()));
    let whole = listed.len();
    let created = |listed: &Descriptor| annotation(listed, ANNOTATION_CREATED).and_then(|at| at.parse::<Timestamp>().ok());
    listed.sort_by_cached_key(|listed| std::cmp::Reverse(created(listed)));
    // What says nothing of its type may be of any, and has a share of its own.
    let share = MAX_REFERRERS / (wanted.len() + 1);
    let mut taken: HashMap<Option<String>, usize> = HashMap::new();
    listed.retain(|listed| {
        let of_type = taken.entry(annotation(listed, PREDICATE_TYPE).cloned()).or_default();
        *of_type += 1;
        *of_type <= share
    });
    let unread = whole - listed.len();
    (listed, unread)
}

fn annotation<'a>(listed: &'a Descriptor, name: &str) -> Option<&'a String> {
    listed.annotations().as_ref().and_then(|annotations| annotations.get(name))
}

/// What may still be read.
struct Room {
    all: Mutex<u64>,
    large: Semaphore,
}

impl Room {
    /// Takes so many bytes of it, or says why not.
    fn take(&self, bytes: u64) -> Result<(), String> {
        if bytes > MAX_CONTENT {
            return Err(format!("it has more than {}", text::size(MAX_CONTENT)));
        }
        let mut left = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        *left = left.checked_sub(bytes).ok_or_else(|| format!("all of them have more than {}", text::size(MAX_ALL)))?;
        Ok(())
    }
}

/// Whether what is listed may be of a type that is wanted: what says nothing of its type may.
fn may_be_one(listed: &Descriptor, wanted: &[PredicateType]) -> bool {
    annotation(listed, PREDICATE_TYPE).is_none_or(|said| wanted.iter().any(|wanted| wanted.uri() == said))
}

/// Reads one; `None` if it is about something else or of another type.
async fn read(
    place: Place<'_>,
    listed: &Descriptor,
    subject: &Digest,
    verifier: &Verifier,
    wanted: &[PredicateType],
    room: &Room,
) -> Option<Result<SignedStatement, Rejected>> {
    // A list may name anything, and a name that is no digest names nothing.
    let digest = digest_of(listed).ok()?;
    let rejected = |why: &dyn std::fmt::Display| Some(Err(Rejected { referrer: digest, why: text::words(&why.to_string()) }));
    let bundle = match place.referrer(listed, subject, MEDIA_TYPE).await {
        Ok(content) => content?,
        Err(error) => return rejected(&error),
    };
    if let Err(why) = room.take(bundle.size()) {
        return rejected(&why);
    }
    let _alone = if bundle.size() >= LARGE { room.large.acquire().await.ok() } else { None };
    let mut bytes = Vec::new();
    if let Err(error) = place.read_blob(&bundle, &mut bytes).await {
        return rejected(&error);
    }
    let Attested { statement, by: signer, at } = match verifier.verify(&bytes, subject) {
        Ok(attested) => attested,
        Err(error) => return rejected(&error),
    };
    drop(bytes);
    let statement = match Statement::read(&Bytes::from(statement)) {
        Ok(statement) if statement.is_about(*subject) => statement,
        Ok(_) => return rejected(&"it is about another image"),
        Err(error) => return rejected(&error),
    };
    let at = match &signer {
        SignedBy::Key(_) => earlier(own_time(&statement), at),
        SignedBy::Identity(_) => at,
    };
    // What says that it is of days to come would be fresh until then, and hide what comes before.
    if at.is_some_and(|at| at > Timestamp::now() + CLOCK_TOLERANCE) {
        return rejected(&"it says that it is of a time to come");
    }
    let is_wanted = statement.predicate.of_type().is_some_and(|found| wanted.contains(&found));
    is_wanted.then(|| Ok(SignedStatement { statement, signer, at, referrer: digest, bundle }))
}

/// When a statement was made, by its own word.
fn own_time(statement: &Statement) -> Option<Timestamp> {
    match &statement.predicate {
        Predicate::Verdict(verdict) => Some(verdict.decided_at),
        Predicate::Vulnerabilities(report) => Some(report.scan.finished_at()),
        Predicate::Provenance(provenance) => provenance.run_details.metadata.finished_on,
        Predicate::Spdx(sbom) => document::read::<SpdxTime>(sbom.bytes()).ok().map(|sbom| sbom.creation_info.created),
        Predicate::CycloneDx(sbom) => document::read::<CycloneDxTime>(sbom.bytes()).ok().map(|sbom| sbom.metadata.timestamp),
        Predicate::Signature | Predicate::OtherProvenance { .. } | Predicate::Other { .. } => None,
    }
}

/// SPDX 2.3, "Document Creation Information".
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpdxTime {
    creation_info: SpdxCreation,
}

#[derive(Deserialize)]
struct SpdxCreation {
    created: Timestamp,
}

/// `CycloneDX` 1.6, the BOM's metadata.
#[derive(Deserialize)]
struct CycloneDxTime {
    metadata: CycloneDxMetadata,
}

#[derive(Deserialize)]
struct CycloneDxMetadata {
    timestamp: Timestamp,
}

/// When something was signed by a key. A timestamp says that the signature was there by then, and anyone can have it stamped
/// again; its signer says when it was made, and could say a later time. So neither makes it younger than the other.
fn earlier(own: Option<Timestamp>, stamped: Option<Timestamp>) -> Option<Timestamp> {
    own.into_iter().chain(stamped).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::layout;

    fn listed(number: usize, of: PredicateType, day: usize) -> Descriptor {
        let mut listed = layout::descriptor(oci_spec::image::MediaType::ImageManifest, Digest::of(&number.to_be_bytes()), 1);
        let said = [
            (PREDICATE_TYPE.to_owned(), of.uri().to_owned()),
            (ANNOTATION_CREATED.to_owned(), format!("2026-11-{day:02}T00:00:00Z")),
        ];
        listed.set_annotations(Some(said.into()));
        listed
    }

    #[test]
    fn nobody_makes_what_a_key_has_signed_younger_by_a_timestamp_of_today() {
        let [before, today] = ["2026-05-01T00:00:00Z", "2026-11-28T00:00:00Z"].map(|at| Some(at.parse().unwrap()));
        assert_eq!(earlier(before, today), before);
        assert_eq!(earlier(today, before), before, "nor does its signer, by signing in advance");
        assert_eq!((earlier(before, None), earlier(None, today), earlier(None, None)), (before, today, None));
    }

    #[test]
    fn a_list_of_packages_is_of_the_time_that_it_says() {
        let time = |predicate: &str, document: &str| {
            let digest = Digest::of(b"image").hex();
            let text = format!(
                r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"digest":{{"sha256":"{digest}"}}}}],"predicateType":"{predicate}","predicate":{document}}}"#
            );
            own_time(&Statement::read(&text.into_bytes().into()).unwrap())
        };
        let at = Some("2026-05-01T00:00:00Z".parse().unwrap());
        let spdx = |info: &str| format!(r#"{{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT"{info}}}"#);
        let created = spdx(r#","creationInfo":{"created":"2026-05-01T00:00:00Z","creators":[]}"#);
        assert_eq!(time(PredicateType::Spdx.uri(), &created), at);
        assert_eq!(time(PredicateType::Spdx.uri(), &spdx("")), None);
        let made = r#"{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{"timestamp":"2026-05-01T02:00:00+02:00"}}"#;
        assert_eq!(time(PredicateType::CycloneDx.uri(), made), at);
    }

    #[test]
    fn many_statements_of_one_type_leave_room_for_the_others_and_the_latest_are_read() {
        let wanted = [PredicateType::Signature, PredicateType::Verdict];
        let mut all: Vec<_> = (1..=28).map(|day| listed(day, PredicateType::Verdict, day)).collect();
        all.extend((1..=28).map(|day| listed(day, PredicateType::Verdict, day)));
        all.push(listed(100, PredicateType::Signature, 1));
        all.push(listed(101, PredicateType::Spdx, 1));
        let (chosen, unread) = chosen(all, &wanted);
        assert_eq!((chosen.len(), unread), (17, 12));
        assert_eq!(chosen[0], listed(28, PredicateType::Verdict, 28));
        assert!(chosen.contains(&listed(100, PredicateType::Signature, 1)));
    }
}
