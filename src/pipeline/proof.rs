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

/// That an image is this commit's: what was decided about it, by this workflow's own word.
#[derive(Clone, Debug)]
pub(super) struct Proof {
    image: Digest,
    verdict: Verdict,
    /// Who may have written the build cache of any build that came to the image.
    cache_writers: CacheWriters,
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
        self.cache_writers
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
    let proofs: Vec<_> = proofs.into_iter().filter(|proof| proof.verdict.builder == builder).collect();
    if let Err(why) = by_no_strangers_cache(delivery, proofs.iter().map(|proof| &proof.verdict)) {
        let (image, from) = (proofs.first()?.image, proofs.first()?.environment());
        delivery.recorder.warn(format!("{image}, which was delivered to {from}, is not taken: {why}."));
        return None;
    }
    let cache_writers = fewest_writers(proofs.iter().map(|proof| &proof.verdict));
    // This environment's own says more than another's, and a late one more than an early one.
    let own = delivery.config.environment;
    let best = proofs.into_iter().max_by_key(|proof| (proof.environment() == own, proof.same_workflow, proof.at));
    best.map(|best| Proof { cache_writers, ..best })
}

/// Sees to it that nobody else has a say in what is taken where gates block: whoever may write a build cache decides what comes
/// of the steps that are taken from it. One build that has come to the image without such a cache suffices.
///
/// # Errors
/// Somebody may have had, in words.
pub(super) fn by_no_strangers_cache<'a>(
    delivery: &Delivery,
    verdicts: impl Iterator<Item = &'a Verdict>,
) -> Result<(), &'static str> {
    let own = delivery.config.environment;
    let refused = verdicts.map(|verdict| match verdict.cache_writers {
        // What it was told to do itself counts there.
        _ if verdict.environment == own || !own.is_blocking() => Ok(()),
        CacheWriters::Nobody => Ok(()),
        CacheWriters::Environment if verdict.environment.is_blocking() => Ok(()),
        CacheWriters::Environment => {
            Err("steps of its build were taken from the build cache of an environment whose findings only advise")
        }
        CacheWriters::Others => {
            Err("steps of its build were taken from a build cache that other environments or other jobs may write")
        }
    });
    let refused: Vec<_> = refused.collect();
    if refused.iter().any(Result::is_ok) { Ok(()) } else { refused.into_iter().next().unwrap_or(Ok(())) }
}

/// Who may have written the build cache of the build that had the fewest.
pub(super) fn fewest_writers<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> CacheWriters {
    verdicts.map(|verdict| verdict.cache_writers).min().unwrap_or(CacheWriters::Others)
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
        let cache_writers = verdict.cache_writers;
        Some(Proof { image: image.digest, verdict: *verdict, cache_writers, signer, at: signed.at?, same_workflow })
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
    let cache_writers = verdict.cache_writers;
    Some(Proof { image, verdict: *verdict, cache_writers, signer, at: found.at?, same_workflow })
}
