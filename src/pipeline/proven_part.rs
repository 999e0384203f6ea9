//! The image of one platform, which another job of this run has built, cleared, signed and left without a tag.

use jiff::Timestamp;

use super::preflight::Ready;
use super::promote::{attested, of_the_same, reasons};
use super::reuse::MAX_CONFIG;
use super::signing::{self, Token};
use super::{Delivery, keys};
use crate::attestation::{Decision, Origin, Predicate, PredicateType, Provenance, Run, Verdict};
use crate::config::Signing;
use crate::coverage::JudgedBy;
use crate::error::Error;
use crate::evidence::{self, Accepted, ProvenSource, SignedStatement, Unproven};
use crate::oci::image::described;
use crate::oci::manifest::Document;
use crate::oci::registry::{Client, Manifest};
use crate::oci::{Digest, Platform};
use crate::policy::{Precedent, Threshold};
use crate::provenance::Parameters;
use crate::scan::syft::Attested;
use crate::sigstore::Verifier;
use crate::text::{self, Line};

/// How many reasons are named.
const NAMED: usize = 4;

/// An image that is proven to be this run's for a platform.
pub(super) struct ProvenPart {
    pub(super) platform: Platform,
    pub(super) manifest: Manifest,
    /// What was decided about it.
    pub(super) verdict: Verdict,
    /// How many leaked secrets its delivery found in the source.
    pub(super) leaks: usize,
    /// The commit that it is of.
    pub(super) commit: String,
    /// Who has signed that, and when.
    pub(super) signer: String,
    pub(super) at: Option<Timestamp>,
    /// What is in it.
    pub(super) sbom: Attested,
    /// How it was built.
    pub(super) provenance: Provenance,
}

/// Who assembles, and so what each image has to be of.
pub(super) struct Assembler<'a> {
    delivery: &'a Delivery,
    client: &'a Client,
    verifier: Verifier,
    /// Whose word counts: that of this run's own workflow, or of whoever may use this environment's own key.
    signer: Accepted,
    run: Run,
    commit: &'a str,
    /// What an image of all platforms is built from.
    parameters: &'a Parameters,
}

impl<'a> Assembler<'a> {
    /// The run's own job, for what is checked out.
    ///
    /// # Errors
    /// It is not known which run or commit that is.
    pub(super) async fn of(delivery: &'a Delivery, ready: &'a Ready, client: &'a Client) -> Result<Self, Error> {
        let unknown = |what: &str| Error::Statement(format!("{what} is not known, so no image is known to be of it"));
        let (verifier, signer, run) = match &delivery.config.signing {
            Signing::Keyless(instance) => {
                let Token { run, issuer, .. } = signing::token(delivery, signing::AUDIENCE).await?;
                let run = run.ok_or_else(|| unknown("the run"))?;
                (Verifier::new(instance.root())?, signing::same_workflow(&run, &issuer).into(), run)
            }
            Signing::Key(signing) => {
                let keys = keys::of(delivery, signing).await?;
                let run = signing::run(delivery).await?.ok_or_else(|| unknown("the run"))?;
                (keys.verifier()?, keys.own_rule().into(), run)
            }
            Signing::No(why) => return Err(unknown(&format!("who signs ({why})"))),
        };
        let commit = ready.checkout.source.commit.as_deref().ok_or_else(|| unknown("the commit"))?;
        let parameters = ready.claim.parameters.as_ref().ok_or_else(|| unknown("what is built"))?;
        Ok(Self { delivery, client, verifier, signer, run, commit, parameters })
    }

    /// Looks for the proof that an image is this run's for a platform.
    ///
    /// # Errors
    /// It is not, or the registry can't be asked.
    pub(super) async fn prove(&self, platform: &Platform, image: Digest) -> Result<ProvenPart, Error> {
        let unproven = |reasons| Unproven::Part { image, platform: Box::new(platform.clone()), reasons };
        let Some(manifest) = self.client.find_manifest(&image.into()).await? else {
            let repository = self.client.repository();
            return Err(unproven(vec![text::words(&format!("{repository} has no such image"))]).into());
        };
        self.is_of(platform, &manifest).await?;
        let evidence = evidence::gather(self.client, &image, &self.verifier, &PredicateType::ALL).await?;
        let verdicts = evidence.of_type(PredicateType::Verdict);
        let cleared = verdicts.filter_map(|signed| Some((signed, self.cleared(platform, image, signed).ok()?)));
        // Of several the one with the most leaks, and of those the latest.
        let latest = cleared.max_by_key(|(signed, (_, leaks))| (*leaks, signed.at));
        let (decision, (verdict, leaks)) = latest.ok_or_else(|| {
            unproven(reasons(&evidence, NAMED, PredicateType::Verdict, |signed| self.cleared(platform, image, signed).err()))
        })?;
        let counts = |signed: &SignedStatement| {
            self.is_by_this_run(signed)?;
            of_the_same(decision, signed)
        };
        let built = evidence.of_type(PredicateType::Provenance).filter(|signed| counts(signed).is_ok());
        let built = built.filter_map(|signed| match &signed.statement.predicate {
            Predicate::Provenance(provenance) => Some((signed.at, provenance)),
            _ => None,
        });
        let here = built.filter(|(_, provenance)| provenance.is_of_run(&self.run) && provenance.commit() == Some(self.commit));
        let Some((_, provenance)) = here.max_by_key(|(at, _)| *at) else {
            return Err(unproven(vec!["it is not signed that this run has built it".into()]).into());
        };
        let (_, sbom) = attested(Some(&evidence), image, &counts)?;
        Ok(ProvenPart {
            platform: platform.clone(),
            verdict: verdict.clone(),
            leaks,
            commit: self.commit.to_owned(),
            signer: decision.signer.name(),
            at: decision.at,
            sbom,
            provenance: (**provenance).clone(),
            manifest,
        })
    }

    /// Sees to it that what was found is the image of one platform, and of that one.
    async fn is_of(&self, platform: &Platform, image: &Manifest) -> Result<(), Error> {
        let another = |why: Line| Unproven::Platform { image: image.digest, platform: Box::new(platform.clone()), why };
        let Document::Manifest(manifest) = self.client.document(image)? else {
            return Err(another("It is an index, which may name anything besides".into()).into());
        };
        if manifest.config().size() > MAX_CONFIG {
            return Err(another("Its configuration is larger than that of any image".into()).into());
        }
        let config = self.client.pull_config(manifest.config()).await?;
        match described(&config) {
            Ok((actual, _)) if actual == *platform => Ok(()),
            Ok((actual, _)) => Err(another(text::words(&format!("Its configuration says {actual}"))).into()),
            Err(why) => Err(another(text::words(&format!("Its configuration can't be read: {why}"))).into()),
        }
    }

    /// What was decided about an image by a statement, if that is what has to be decided here, and how many leaks it counts.
    ///
    /// # Errors
    /// Why it is not.
    fn cleared<'s>(&self, platform: &Platform, image: Digest, signed: &'s SignedStatement) -> Result<(&'s Verdict, usize), Line> {
        self.is_by_this_run(signed)?;
        let ProvenSource { verdict, commit, repository } = ProvenSource::of(signed)?;
        let config = &self.delivery.config;
        let differs = |what: &str, actual: &str, expected: &str| {
            Err(text::words(&format!("its {what} is {actual}, and {expected} is expected")))
        };
        let there = self.client.repository().to_string();
        let name =
            signed.statement.subjects.iter().find(|subject| subject.digest == image).and_then(|subject| subject.name.as_deref());
        if name != Some(&*there) {
            return differs("repository of images", name.unwrap_or("not said"), &there);
        }
        if repository != self.run.repository() {
            return differs("repository", repository, &self.run.repository());
        }
        if commit != self.commit {
            return differs("commit", commit, self.commit);
        }
        if verdict.source.reference.as_deref() != Some(self.run.reference()) {
            return differs("ref", verdict.source.reference.as_deref().unwrap_or("not said"), self.run.reference());
        }
        if verdict.environment != config.environment {
            return differs("environment", verdict.environment.name(), config.environment.name());
        }
        if (verdict.origin, verdict.judged_by) != (Origin::Built, JudgedBy::Image) {
            return Err("its delivery has not built it, or not looked into it".into());
        }
        let parameters = Parameters { platforms: vec![platform.to_string()], ..self.parameters.clone() };
        if Parameters::from(&verdict.build) != parameters {
            return Err("it is built from something else than this job's inputs say, or for another platform".into());
        }
        if verdict.builder != config.builder() {
            return Err("it is built by another builder than this job's inputs name".into());
        }
        if !precedent(signed, image, verdict).suffices(config.environment, config.threshold, config.leniency()) {
            return Err(text::words(&format!(
                "what it was judged by is not what {} demands by this job's inputs",
                config.environment
            )));
        }
        let leaks = verdict.leaks_in_source().ok_or("its source was not scanned for secrets")?;
        Ok((verdict, leaks))
    }

    /// Whether a statement is by this very run: its own workflow's, started by the same event for the same ref; of a key, this
    /// environment's own.
    fn is_by_this_run(&self, signed: &SignedStatement) -> Result<(), Line> {
        self.signer.check(signed).map_err(|why| text::words(&why))?;
        let Some(identity) = signed.signer.identity() else { return Ok(()) };
        match identity.run.as_deref() {
            Some(address) if self.run.has_attempt(address) => Ok(()),
            other => Err(text::words(&format!("it is of another run ({})", other.unwrap_or("not said")))),
        }
    }
}

/// The verdict as the policy takes it.
fn precedent(signed: &SignedStatement, image: Digest, verdict: &Verdict) -> Precedent {
    let demands = verdict.demands;
    Precedent {
        image,
        environment: verdict.environment,
        cleared: verdict.decision == Decision::Cleared,
        secrets: demands.secrets,
        vulnerabilities: demands.vulnerabilities,
        threshold: Threshold { severity: demands.severity_threshold, ignore_unfixed: demands.ignore_unfixed },
        inputs: demands.inputs,
        at: signed.at.unwrap_or(verdict.decided_at),
        advisories_of: verdict.oldest_database(),
    }
}
