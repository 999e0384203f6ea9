//! Whether it is proven where an image came from: a verdict about it, signed by this workflow itself, for this repository and
//! this commit.

use jiff::Timestamp;

use super::Delivery;
use super::signing::{self, Token};
use crate::attestation::{Decision, Origin, Predicate, PredicateType, Verdict};
use crate::config::Signing;
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
    let Signing::Keyless(instance) = &delivery.config.signing else { return None };
    let verifier = Verifier::new(instance.root()).map_err(Error::from);
    let found = async { look(delivery, client, (instance, &verifier?), image, ours).await };
    match found.await {
        Ok(proof) => proof,
        Err(error) => {
            let diagnosis = Diagnosis::from(&error);
            delivery.recorder.warn(format!("It is not known whether {} is proven. {}", image.digest, diagnosis.in_a_row()));
            None
        }
    }
}

async fn look(
    delivery: &Delivery,
    client: &Client,
    (instance, verifier): (&Instance, &Verifier),
    image: &Manifest,
    ours: &Claim,
) -> Result<Option<Proof>, Error> {
    let Token { run: Some(run), issuer, .. } = signing::token(delivery).await? else { return Ok(None) };
    let (rule, same) = (signing::own_rule(&run, &issuer), signing::same_workflow(&run, &issuer));
    let evidence = evidence::gather(client, &image.digest, verifier, &[PredicateType::Verdict]).await?;
    let builder = delivery.config.builder();
    let proofs = evidence.statements.into_iter().filter_map(|signed| proof(signed, instance, image.digest, [&rule, &same], ours));
    // A builder that somebody else has chosen may build something else.
    let proofs = proofs.filter(|proof| proof.verdict.builder == builder);
    // This environment's own says more than another's, and a late one more than an early one.
    let own = delivery.config.environment;
    Ok(proofs.max_by_key(|proof| (proof.environment() == own, proof.same_workflow, proof.at)))
}

/// A statement as a proof, if it is one.
fn proof(found: SignedStatement, instance: &Instance, image: Digest, [rule, same]: [&Rule; 2], ours: &Claim) -> Option<Proof> {
    rule.check(&found.signer).ok()?;
    let Predicate::Verdict(verdict) = found.statement.predicate else { return None };
    let (repository, commit) = (found.signer.repository.as_ref()?, ours.revision.as_ref()?);
    // The certificate has the commit by GitHub's word; the verdict has it by the program's own.
    let certified = found.signer.ran_at(commit);
    let says_so = verdict.is_of(repository, commit, ours.parameters.as_ref()?);
    // Who has taken an image at its word does not know more than the image says.
    let known = verdict.origin != Origin::Claimed;
    (says_so && known && certified).then_some(())?;
    let same_workflow = same.check(&found.signer).is_ok();
    let signer = signing::recorded(instance, &found.signer.subject, &found.signer.issuer);
    Some(Proof { image, verdict: *verdict, signer, at: found.at?, same_workflow })
}
