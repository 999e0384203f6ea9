//! Statements about an image, read from where it is kept.

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use oci_spec::image::Descriptor;

use crate::attestation::{PredicateType, Statement};
use crate::oci::Digest;
use crate::oci::registry::{self, Client};
use crate::sigstore::{Attested, Identity, MEDIA_TYPE, SignedBy, Verifier};
use crate::text::{self, Line};

/// The most that is looked at of what is beside an image: a delivery leaves seven for each, and admission controllers read no
/// more than this (Kyverno).
const MAX_REFERRERS: usize = 50;
/// The most that is read of one, in bytes: an SBOM of an image with 20,000 packages has some 40 MB.
const MAX_CONTENT: u64 = 128 << 20;
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
    pub(crate) signer: Identity,
    /// When, by somebody else's word.
    pub(crate) at: Option<Timestamp>,
    /// The digest of the manifest that it is kept by.
    pub(crate) referrer: Digest,
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

/// Reads what is signed about `subject`, of the types that are `wanted`.
///
/// # Errors
/// The registry can't be asked, or does not serve what it lists.
pub(crate) async fn gather(
    client: &Client,
    subject: &Digest,
    verifier: &Verifier,
    wanted: &[PredicateType],
) -> Result<Evidence, registry::Error> {
    let listed = client.referrers(subject, MEDIA_TYPE).await?;
    let mut listed: Vec<_> = listed.into_iter().filter(|listed| may_be_one(listed, wanted)).collect();
    let unread = listed.len().saturating_sub(MAX_REFERRERS);
    // The latest are at the end, where a registry keeps an order.
    listed.drain(..unread);
    let read = stream::iter(listed).map(|listed| async move { read(client, &listed, subject, verifier, wanted).await });
    let read: Vec<_> = read.buffered(PARALLEL).try_collect().await?;
    let mut evidence = Evidence { unread, ..Evidence::default() };
    for one in read.into_iter().flatten() {
        match one {
            Ok(signed) => evidence.statements.push(signed),
            Err(rejected) => evidence.rejected.push(rejected),
        }
    }
    Ok(evidence)
}

/// Whether what is listed may be of a type that is wanted: what says nothing of its type may.
fn may_be_one(listed: &Descriptor, wanted: &[PredicateType]) -> bool {
    let said = listed.annotations().as_ref().and_then(|annotations| annotations.get(PREDICATE_TYPE));
    said.is_none_or(|said| wanted.iter().any(|wanted| wanted.uri() == said))
}

/// Reads one; `None` if it is about something else or of another type.
async fn read(
    client: &Client,
    listed: &Descriptor,
    subject: &Digest,
    verifier: &Verifier,
    wanted: &[PredicateType],
) -> Result<Option<Result<SignedStatement, Rejected>>, registry::Error> {
    let Some(referrer) = client.referrer(listed, subject, MEDIA_TYPE).await? else { return Ok(None) };
    let rejected = |why: &dyn std::fmt::Display| Rejected { referrer: referrer.digest, why: text::words(&why.to_string()) };
    if referrer.content.size() > MAX_CONTENT {
        return Ok(Some(Err(rejected(&format!("it has more than {}", text::size(MAX_CONTENT))))));
    }
    let mut bytes = Vec::new();
    client.pull_blob(&referrer.content, &mut bytes, &|_| ()).await?;
    let Attested { statement, by: SignedBy::Identity(signer), at } = match verifier.verify(&bytes, subject) {
        Ok(attested) => attested,
        Err(error) => return Ok(Some(Err(rejected(&error)))),
    };
    let statement = match Statement::read(&Bytes::from(statement)) {
        Ok(statement) if statement.is_about(*subject) => statement,
        Ok(_) => return Ok(Some(Err(rejected(&"it is about another image")))),
        Err(error) => return Ok(Some(Err(rejected(&error)))),
    };
    let is_wanted = statement.predicate.of_type().is_some_and(|found| wanted.contains(&found));
    Ok(is_wanted.then(|| Ok(SignedStatement { statement, signer: *signer, at, referrer: referrer.digest })))
}
