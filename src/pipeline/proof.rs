//! Whether it is proven where an image came from: a verdict about it, signed by this workflow itself, for this repository and
//! this commit.

use jiff::Timestamp;

use super::signing::{self, Token};
use super::{Delivery, keys};
use crate::attestation::{Decision, Origin, Predicate, PredicateType, Verdict};
use crate::cache_writers::CacheWriters;
use crate::config::{Signing, SigningKey};
use crate::diagnosis::Diagnosis;
use crate::environment::Environment;
use crate::error::Error;
use crate::evidence::{self, Rule, SignedStatement};
use crate::oci::Digest;
use crate::oci::registry::{Client, Manifest};
use crate::policy::{Precedent, Threshold};
use crate::provenance::{Claim, Trust};
use crate::record;
use crate::sigstore::{Instance, Verifier};
use crate::text::Line;

/// That an image is this commit's: what was decided about it, by this workflow's own word.
#[derive(Clone, Debug)]
pub(super) struct Proof {
    image: Digest,
    verdict: Verdict,
    /// Who has signed it.
    signer: record::Signer,
    at: Timestamp,
    /// Whether it is of this very workflow, run for this very ref: what it was told to let pass is what this one is told.
    same_workflow: bool,
}

impl Proof {
    /// Whether what it says can stand for scans of this delivery's own.
    pub(super) fn is_of_the_same_workflow(&self) -> bool {
        self.same_workflow
    }

    /// The environment that it was judged for.
    pub(super) fn environment(&self) -> Environment {
        self.verdict.environment
    }

    /// Who may have written the build cache that its steps were taken from.
    pub(super) fn cache_writers(&self) -> CacheWriters {
        self.verdict.cache_writers
    }

    /// Who has signed that.
    pub(super) fn signer(&self) -> &record::Signer {
        &self.signer
    }

    /// When that was.
    pub(super) fn at(&self) -> Timestamp {
        self.at
    }

    /// The same as the gate takes it.
    pub(super) fn precedent(&self) -> Precedent {
        let demands = self.verdict.demands;
        Precedent {
            image: self.image,
            environment: self.verdict.environment,
            cleared: self.verdict.decision == Decision::Cleared,
            secrets: demands.secrets,
            vulnerabilities: demands.vulnerabilities,
            threshold: Threshold { severity: demands.severity_threshold, ignore_unfixed: demands.ignore_unfixed },
            inputs: demands.inputs,
            at: self.at,
            advisories_of: self.verdict.oldest_database(),
        }
    }
}

/// Looks for the proof that `image` is what `ours` says: one of this environment, or else of another. Where it can't be told,
/// there is none, and that is said.
pub(super) async fn find(delivery: &Delivery, client: &Client, image: &Manifest, ours: &Claim) -> Option<Proof> {
    if delivery.config.reuse != Trust::Proven {
        return None;
    }
    let found = match &delivery.config.signing {
        Signing::Keyless(instance) => by_certificate(delivery, client, instance, image, ours).await,
        Signing::Key(signing) => by_key(delivery, client, signing, image, ours).await,
        Signing::No(_) => return None,
    };
    match found.map(|proofs| best(delivery, proofs)) {
        Ok(proof) => proof,
        Err(error) => {
            let diagnosis = Diagnosis::from(&error);
            delivery.recorder.warn(format!("It is not known whether {} is proven. {}", image.digest, diagnosis.in_a_row()));
            None
        }
    }
}

/// The proof that says most.
fn best(delivery: &Delivery, proofs: Vec<Proof>) -> Option<Proof> {
    let builder = delivery.config.builder();
    // A builder that somebody else has chosen may build something else.
    let proofs = proofs.into_iter().filter(|proof| proof.verdict.builder == builder);
    let (proofs, of_strangers): (Vec<_>, Vec<_>) =
        proofs.partition(|proof| is_of_no_strangers_cache(delivery, &proof.verdict).is_ok());
    if let Some(passed_over) = of_strangers.first().filter(|_| proofs.is_empty()) {
        let (image, from) = (passed_over.image, passed_over.environment());
        delivery.recorder.warn(format!("{image}, which was delivered to {from}, is not taken: {STRANGERS_CACHE}."));
    }
    // This environment's own says more than another's, and a late one more than an early one.
    let own = delivery.config.environment;
    proofs.into_iter().max_by_key(|proof| (proof.environment() == own, proof.same_workflow, proof.at))
}

/// Why an image is taken at no environment that blocks.
const STRANGERS_CACHE: &str = "steps of its build were taken from a cache that other environments or other jobs may write";

/// Sees to it that nobody else has a say in what is taken where gates block: whoever may write a build cache decides what comes
/// of the steps that are taken from it.
///
/// # Errors
/// Somebody may have had, in words.
pub(super) fn is_of_no_strangers_cache(delivery: &Delivery, verdict: &Verdict) -> Result<(), Line> {
    let is_refused = delivery.config.environment.is_blocking() && verdict.cache_writers == CacheWriters::Others;
    if is_refused { Err(STRANGERS_CACHE.into()) } else { Ok(()) }
}

async fn by_certificate(
    delivery: &Delivery,
    client: &Client,
    instance: &Instance,
    image: &Manifest,
    ours: &Claim,
) -> Result<Vec<Proof>, Error> {
    let verifier = Verifier::new(instance.root())?;
    let Token { run: Some(run), issuer, .. } = signing::token(delivery, signing::AUDIENCE).await? else { return Ok(Vec::new()) };
    let (rule, same) = (signing::own_rule(&run, &issuer), signing::same_workflow(&run, &issuer));
    let evidence = evidence::gather(client, &image.digest, &verifier, &[PredicateType::Verdict]).await?;
    let proofs = evidence.statements.into_iter().filter_map(|signed| proof(signed, instance, image.digest, [&rule, &same], ours));
    Ok(proofs.collect())
}

/// Proofs by keys. Of which commit an image is, is the word of whoever may use the key, and here the source is at hand: so
/// where gates block, only the keys of environments whose gates block stand for a build.
async fn by_key(
    delivery: &Delivery,
    client: &Client,
    signing: &SigningKey,
    image: &Manifest,
    ours: &Claim,
) -> Result<Vec<Proof>, Error> {
    let keys = keys::of(delivery, signing).await?;
    let Some(run) = signing::run(delivery).await? else { return Ok(Vec::new()) };
    let (rules, own) = (keys.rules(Some(&run.repository())), delivery.config.environment);
    let evidence = evidence::gather(client, &image.digest, &keys.verifier()?, &[PredicateType::Verdict]).await?;
    let proofs = evidence.statements.into_iter().filter_map(|signed| {
        rules.iter().find(|rule| rule.check(&signed).is_ok())?;
        let signer = keys.signer_of(&signed)?;
        let Predicate::Verdict(verdict) = signed.statement.predicate else { return None };
        let counts = verdict.environment == own || verdict.environment.is_blocking() || !own.is_blocking();
        (counts && says_so(&verdict, &run.repository(), ours)).then_some(())?;
        let same_workflow = verdict.environment == own && verdict.source.reference.as_deref() == Some(run.reference());
        Some(Proof { image: image.digest, verdict: *verdict, signer, at: signed.at?, same_workflow })
    });
    Ok(proofs.collect())
}

/// Whether a verdict is about what `ours` says, of a repository. Who has taken an image at its word does not know more than
/// the image says.
fn says_so(verdict: &Verdict, repository: &str, ours: &Claim) -> bool {
    let of = ours.revision.as_ref().zip(ours.parameters.as_ref());
    verdict.origin != Origin::Claimed && of.is_some_and(|(commit, parameters)| verdict.is_of(repository, commit, parameters))
}

/// A statement as a proof, if it is one.
fn proof(found: SignedStatement, instance: &Instance, image: Digest, [rule, same]: [&Rule; 2], ours: &Claim) -> Option<Proof> {
    let by = found.signer.identity()?;
    rule.check(by).ok()?;
    let Predicate::Verdict(verdict) = found.statement.predicate else { return None };
    // The certificate has the commit by GitHub's word; the verdict has it by the program's own.
    let certified = by.ran_at(ours.revision.as_ref()?);
    (certified && says_so(&verdict, by.repository.as_ref()?, ours)).then_some(())?;
    let same_workflow = same.check(by).is_ok();
    let signer = signing::recorded(instance, &by.subject, &by.issuer);
    Some(Proof { image, verdict: *verdict, signer, at: found.at?, same_workflow })
}
