//! What is known of an image is signed, and kept beside it, before a tag can be seen: whoever finds the image by a tag finds
//! who delivered it, what is in it, where it came from, and what was decided about it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;

use bytes::Bytes;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use oci_spec::image::{ANNOTATION_CREATED, Descriptor};

use super::keys::{self, Keys};
use super::preflight::Ready;
use super::vulnerabilities::Vulnerabilities;
use super::{Delivery, Ending, at_github};
use crate::attestation::{
    Database, Lists, ListsOf, Origin, Predicate, PredicateType, Program, Provenance, ProvenanceFacts, Run, Scan, Statement,
    Subject, Verdict, VerdictFacts,
};
use crate::config::{Signing, SigningKey, Suppressions};
use crate::coverage::Coverage;
use crate::diagnosis::Diagnosis;
use crate::error::Error;
use crate::evidence::{self, Accepted, Evidence, Pattern, Rule};
use crate::github::oidc::{self, IdToken, TokenSource};
use crate::oci::layout::digest_of;
use crate::oci::reference::Repository;
use crate::oci::registry::{Artifact, Client};
use crate::oci::{Digest, Image, Platform};
use crate::policy::Cleared;
use crate::process;
use crate::provenance::Parameters;
use crate::publish::{Signed, Uploaded};
use crate::record::{self, Attestation, Record, StageLog, StageName};
use crate::report::SignedRecord;
use crate::scan;
use crate::secret::Secret;
use crate::sigstore::{self, Bundle, Instance, Owner, Signer, Verifier};
use crate::text;
use crate::variables;

/// For whom the run's token is.
pub(super) const AUDIENCE: &str = "sigstore";
/// For whom it is where it is only read: nobody takes it for anything.
const NOBODY: &str = "gp-deliver";
/// Where GitHub is, if nothing else is said.
pub(super) const GITHUB: &str = "https://github.com";
/// What a list of referrers says of a bundle, as cosign writes it.
const CONTENT: (&str, &str) = ("dev.sigstore.bundle.content", "dsse-envelope");

/// The most that is read of an SBOM, in bytes.
const MAX_SBOM: u64 = 128 << 20;

/// What a delivery has come to know of its image.
pub(super) struct Known<'a> {
    /// The image.
    pub(super) image: &'a Image,
    /// How it is known that it is of the source.
    pub(super) origin: Origin,
    /// The gate's leave.
    pub(super) cleared: &'a Cleared,
    /// What was found in it; absent where it was not looked for.
    pub(super) vulnerabilities: Option<&'a Vulnerabilities>,
    /// What of it was judged; absent where that is not known.
    pub(super) coverage: Option<&'a Coverage>,
    /// When that was decided.
    pub(super) decided_at: Timestamp,
}

/// A statement, and the manifest that it is kept beside.
struct Planned {
    beside: Descriptor,
    statement: Statement,
}

/// A statement that is signed.
struct Sealed {
    statement: Statement,
    bundle: Bundle,
}

impl Sealed {
    /// The type of what it says, by its address.
    fn predicate(&self) -> &str {
        self.statement.predicate.uri()
    }
}

/// What is beside the image, and by whom.
struct Kept {
    attestations: Vec<Attestation>,
    signer: Option<record::Signer>,
    /// The digest of the record that the verdict names; absent where no verdict is new.
    record: Option<Digest>,
}

/// Signs what is known of an image, where that is asked for.
///
/// # Errors
/// It can't be signed, or not be kept, and the environment's gates block.
pub(super) async fn sign(delivery: &Delivery, ready: &Ready, uploaded: &Uploaded, known: &Known<'_>) -> Result<Signed, Error> {
    let signing = &delivery.config.signing;
    if let Signing::No(why) = signing {
        delivery.recorder.skip(StageName::Signing, why.clone());
        return Ok(Signed::NotAsked);
    }
    let Some(client) = uploaded.target().repository() else {
        delivery.recorder.skip(StageName::Signing, "the image goes to a folder");
        return Ok(Signed::NotAsked);
    };
    let signed = delivery
        .stage(StageName::Signing, async |log| {
            let signed = match signing {
                Signing::Keyless(instance) => keyless(delivery, ready, client, known, instance, &log).await,
                Signing::Key(signing) => by_key(delivery, ready, client, known, signing, &log).await,
                Signing::No(_) => Ok(Kept { attestations: Vec::new(), signer: None, record: None }),
            };
            match signed {
                Ok(kept) => {
                    let detail = text::count(kept.attestations.len(), "statement");
                    Ok((Some(kept), Ending::Pass(detail)))
                }
                Err(Error::Cancelled) => Err(Error::Cancelled),
                Err(error) if delivery.config.environment.is_blocking() => Err(error),
                // Nobody there relies on it.
                Err(error) => {
                    let diagnosis = Diagnosis::from(&error);
                    delivery.recorder.warn(format!("The image is not signed. {}", diagnosis.in_a_row()));
                    Ok((None, Ending::Advise(diagnosis.what)))
                }
            }
        })
        .await?;
    let Some(Kept { attestations, signer, record: digest }) = signed else { return Ok(Signed::Failed) };
    delivery.recorder.write(|record| {
        (record.attestations, record.signer, record.signed) = (attestations, signer, digest);
    });
    Ok(Signed::Written)
}

/// The run's token for Sigstore, and what it says.
pub(super) struct Token {
    /// The token itself.
    pub(super) secret: Secret,
    /// Whom it is of.
    pub(super) subject: String,
    /// Who issued it.
    pub(super) issuer: String,
    /// The run; absent where the token does not say all that one of a job says.
    pub(super) run: Option<Run>,
}

/// Asks for the run's token.
pub(super) async fn token(delivery: &Delivery, audience: &str) -> Result<Token, Error> {
    let fork = delivery.event.as_ref().is_some_and(|event| event.fork);
    let IdToken { token, claims } = TokenSource::find(variables::text, fork)?.token(audience).await?;
    let server = variables::text(variables::GITHUB_SERVER_URL).unwrap_or_else(|| GITHUB.to_owned());
    let run = Run::of_claims(&server, |name| claims.get(name));
    let word = Option::unwrap_or_default;
    Ok(Token { secret: token, subject: word(claims.subject()), issuer: word(claims.issuer()), run })
}

/// The run, where a token says it; a job that may not ask for one is of no run that is known.
pub(super) async fn run(delivery: &Delivery) -> Result<Option<Run>, Error> {
    match token(delivery, NOBODY).await {
        Ok(token) => Ok(token.run),
        Err(Error::Token(oidc::Error::NotGranted { .. })) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Who signs.
enum Hand<'a> {
    /// Whoever has a certificate.
    Certified(Box<Signer>),
    /// Whoever keeps a key.
    Key(&'a Keys),
}

impl Hand<'_> {
    async fn sign(&self, statement: &[u8], subject: &Digest) -> Result<Bundle, Error> {
        match self {
            Self::Certified(signer) => Ok(signer.sign(statement, subject).await?),
            Self::Key(keys) => keys.sign(statement, subject).await,
        }
    }
}

/// Signs by a key.
async fn by_key(
    delivery: &Delivery,
    ready: &Ready,
    client: &Client,
    known: &Known<'_>,
    signing: &SigningKey,
    log: &StageLog,
) -> Result<Kept, Error> {
    let keys = keys::of(delivery, signing).await?;
    at_github::not_by_key(delivery, log)?;
    let run = run(delivery).await?;
    let facts = Facts::of(delivery, ready, known, run.as_ref()).await?;
    let planned = facts.statements(client.repository())?;
    let missing = missing(client, &keys.verifier()?, planned, Some(&keys.own_rule().into()), delivery).await?;
    let signer = Some(keys.recorded());
    if missing.is_empty() {
        log.line("all of it is there already");
        return Ok(Kept { attestations: Vec::new(), signer, record: None });
    }
    let record = facts.written(&missing, delivery)?;
    log.line(&format!("signed by {}", signing.arn));
    let hand = Hand::Key(keys);
    let sealed = by_subject(missing).into_iter().map(|(beside, statements)| seal(&hand, beside, statements));
    let sealed = try_join_all(sealed).await?;
    let numbered = |sealed: Vec<Sealed>| sealed.into_iter().map(|one| (one, None)).collect::<Vec<_>>();
    let sealed: Vec<_> = sealed.into_iter().map(|(beside, sealed)| (beside, numbered(sealed))).collect();
    let kept = sealed.iter().map(|(beside, sealed)| keep(client, beside, sealed));
    Ok(Kept { attestations: try_join_all(kept).await?.into_iter().flatten().collect(), signer, record })
}

/// Signs by a certificate for the run's token.
async fn keyless(
    delivery: &Delivery,
    ready: &Ready,
    client: &Client,
    known: &Known<'_>,
    instance: &Instance,
    log: &StageLog,
) -> Result<Kept, Error> {
    let verifier = Verifier::new(instance.root())?;
    let Token { secret, subject, issuer, run } = token(delivery, AUDIENCE).await?;
    if let Some(host) = instance.log_host().filter(|_| instance.is_public()) {
        log.line(&format!("what is signed can be read by anyone at {host}, for good"));
    }
    let facts = Facts::of(delivery, ready, known, run.as_ref()).await?;
    let planned = facts.statements(client.repository())?;
    let ours = run.as_ref().map(|run| this_ref(run, &issuer).into());
    let missing = missing(client, &verifier, planned, ours.as_ref(), delivery).await?;
    if missing.is_empty() {
        log.line("all of it is there already");
        // It is by this workflow, or it would not have counted.
        let signer = run.as_ref().map(|run| recorded(instance, &run.builder(), &issuer));
        return Ok(Kept { attestations: Vec::new(), signer, record: None });
    }
    let record = facts.written(&missing, delivery)?;
    let signer = Hand::Certified(Box::new(Signer::keyless(instance.clone(), verifier, &secret, &subject).await?));
    if let Some(run) = &run {
        log.line(&format!("signed as {}", run.builder()));
    }
    let sealed = by_subject(missing).into_iter().map(|(beside, statements)| seal(&signer, beside, statements));
    let sealed = try_join_all(sealed).await?;
    let by = sealed.iter().flat_map(|(_, sealed)| sealed).find_map(|sealed| sealed.bundle.by.identity());
    let by = by.map(|by| recorded(instance, &by.subject, &by.issuer));
    // What is in the registry is taken for done by the next delivery: so that comes last.
    let all = sealed.iter().flat_map(|(_, sealed)| sealed).map(|sealed| (sealed.predicate(), &sealed.bundle.bytes));
    let all: Vec<_> = all.collect();
    let mut numbers = at_github::store(delivery, &all, log).await?.into_iter();
    let sealed: Vec<_> = sealed
        .into_iter()
        .map(|(beside, sealed)| (beside, sealed.into_iter().map(|one| (one, numbers.next().flatten())).collect::<Vec<_>>()))
        .collect();
    let kept = sealed.iter().map(|(beside, sealed)| keep(client, beside, sealed));
    let attestations = try_join_all(kept).await?.into_iter().flatten().collect();
    Ok(Kept { attestations, signer: by, record })
}

/// The signer as the record has it.
pub(super) fn recorded(instance: &Instance, identity: &str, issuer: &str) -> record::Signer {
    record::Signer::Certificate(record::Certified {
        identity: identity.to_owned(),
        issuer: issuer.to_owned(),
        sigstore: match instance.owner() {
            Owner::Public => record::Sigstore::Public,
            Owner::GitHub => record::Sigstore::GitHub,
            Owner::Private => record::Sigstore::Private,
        },
        log: instance.log_host(),
        certificate_log: instance.logs_certificates(),
        trusted_root: instance.root_file().map(|path| path.display().to_string()),
    })
}

/// Whose statements are this delivery's own: the same workflow at the same ref, for the same repository.
pub(super) fn own_rule(run: &Run, issuer: &str) -> Rule {
    Rule {
        issuer: Pattern::exactly(issuer),
        repository_id: Some(Pattern::exactly(run.repository_id())),
        ..Rule::of(Pattern::exactly(run.builder()))
    }
}

/// Whose statements about an earlier image are this workflow's own. A run of a change is of another ref than the deliveries of the
/// branch that it is for (`base`), and deliveries of tags are of a tag each; where the workflow's file is the caller's own, the
/// signer's name has that ref.
pub(super) fn rule_of_before(run: &Run, issuer: &str, base: Option<&str>) -> Rule {
    let rule = own_rule(run, issuer);
    let builder = run.builder();
    let Some(file) = builder.strip_suffix(&format!("@{}", run.reference())) else { return rule };
    let identity = match base {
        Some(base) => Some(Pattern::exactly(format!("{file}@refs/heads/{base}"))),
        None if run.reference().starts_with("refs/tags/") && !file.contains('*') => format!("{file}@refs/tags/*").parse().ok(),
        None => None,
    };
    Rule { identity: identity.unwrap_or(Pattern::exactly(builder)), ..rule }
}

/// The same for a run of the team's very workflow for this very ref: whoever asks for that ref is not told of another's.
fn this_ref(run: &Run, issuer: &str) -> Rule {
    Rule {
        workflow: Some(Pattern::exactly(run.workflow_address())),
        reference: Some(Pattern::exactly(run.reference())),
        ..own_rule(run, issuer)
    }
}

/// The same for a run that was started in the same way: its file says what is let pass. A run that somebody starts by hand may
/// be told more.
pub(super) fn same_workflow(run: &Run, issuer: &str) -> Rule {
    Rule { event: Some(Pattern::exactly(run.event())), ..this_ref(run, issuer) }
}

/// Signs what is to be kept beside one manifest.
async fn seal(signer: &Hand<'_>, beside: Descriptor, statements: Vec<Statement>) -> Result<(Descriptor, Vec<Sealed>), Error> {
    let subject = digest_of(&beside).map_err(crate::oci::registry::Error::from)?;
    let sealed = statements.into_iter().map(|statement| async move {
        let bytes = statement.to_bytes().map_err(|error| Error::Statement(error.to_string()))?;
        let bundle = signer.sign(&bytes, &subject).await?;
        Ok::<_, Error>(Sealed { statement, bundle })
    });
    let sealed = try_join_all(sealed).await?;
    Ok((beside, sealed))
}

/// Keeps it there. With each the number that it has at GitHub.
async fn keep(client: &Client, beside: &Descriptor, sealed: &[(Sealed, Option<u64>)]) -> Result<Vec<Attestation>, Error> {
    let subject = digest_of(beside).map_err(crate::oci::registry::Error::from)?;
    let artifacts: Vec<_> =
        sealed.iter().map(|(sealed, _)| artifact(&sealed.statement, Timestamp::now(), sealed.bundle.bytes.clone())).collect();
    let digests = client.push_referrers(beside, &artifacts).await?;
    let kept = sealed.iter().zip(digests).map(|((sealed, github), referrer)| Attestation {
        subject,
        predicate: sealed.predicate().to_owned(),
        referrer,
        github: *github,
    });
    Ok(kept.collect())
}

/// A bundle as it is kept beside an image.
pub(super) fn artifact(statement: &Statement, at: Timestamp, content: Bytes) -> Artifact {
    let annotations = [
        (ANNOTATION_CREATED, at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        (CONTENT.0, CONTENT.1.to_owned()),
        (evidence::PREDICATE_TYPE, statement.predicate.uri().to_owned()),
    ];
    let annotations = annotations.map(|(key, value)| (key.to_owned(), value)).into();
    Artifact { media_type: sigstore::MEDIA_TYPE, annotations, content }
}

/// What of it is not there yet, by this workflow's own word. A verdict is given again once it is too old to be relied on.
async fn missing(
    client: &Client,
    verifier: &Verifier,
    planned: Vec<Planned>,
    ours: Option<&Accepted>,
    delivery: &Delivery,
) -> Result<Vec<Planned>, Error> {
    let Some(ours) = ours else { return Ok(planned) };
    let subjects: BTreeSet<Digest> = planned.iter().filter_map(|planned| digest_of(&planned.beside).ok()).collect();
    let there = subjects.iter().map(async |subject| {
        let there = evidence::gather(client, subject, verifier, &PredicateType::ALL).await?;
        Ok::<_, Error>((*subject, there))
    });
    let there: BTreeMap<Digest, Evidence> = try_join_all(there).await?.into_iter().collect();
    let is_there = |planned: &Planned| {
        let evidence = digest_of(&planned.beside).ok().and_then(|subject| there.get(&subject));
        evidence.is_some_and(|evidence| {
            evidence.statements.iter().any(|signed| {
                ours.check(signed).is_ok() && says_the_same(&signed.statement, signed.at, &planned.statement, delivery)
            })
        })
    };
    Ok(planned.into_iter().filter(|planned| !is_there(planned)).collect())
}

/// Whether a statement that is there makes another one needless.
fn says_the_same(there: &Statement, at: Option<Timestamp>, planned: &Statement, delivery: &Delivery) -> bool {
    let fresh = at.is_some_and(|at| {
        delivery.config.database_max_age.is_none_or(|limit| Timestamp::now().duration_since(at) <= limit.into())
    });
    match (&there.predicate, &planned.predicate) {
        (Predicate::Verdict(there), Predicate::Verdict(planned)) => {
            fresh
                && (there.environment, there.decision) == (planned.environment, planned.decision)
                && there.demands == planned.demands
                && (there.origin, there.builder) == (planned.origin, planned.builder)
                && (&there.source, &there.build) == (&planned.source, &planned.build)
        }
        (Predicate::Vulnerabilities(_), Predicate::Vulnerabilities(_)) => fresh,
        (there, planned) => there.of_type() == planned.of_type(),
    }
}

fn by_subject(planned: Vec<Planned>) -> Vec<(Descriptor, Vec<Statement>)> {
    let mut subjects: Vec<(Descriptor, Vec<Statement>)> = Vec::new();
    for Planned { beside, statement } in planned {
        match subjects.iter_mut().find(|(known, _)| known.digest() == beside.digest()) {
            Some((_, statements)) => statements.push(statement),
            None => subjects.push((beside, vec![statement])),
        }
    }
    subjects
}

/// What the statements are made of.
struct Facts<'a> {
    delivery: &'a Delivery,
    ready: &'a Ready,
    known: &'a Known<'a>,
    run: Option<&'a Run>,
    tools: Vec<Program>,
    record: Record,
    /// The same in the bytes that the verdict names.
    signed: SignedRecord,
}

impl<'a> Facts<'a> {
    /// Writes the record that a verdict among the statements names, so that it is there before the verdict is; gives its digest.
    fn written(&self, missing: &[Planned], delivery: &Delivery) -> Result<Option<Digest>, Error> {
        if !missing.iter().any(|planned| matches!(planned.statement.predicate, Predicate::Verdict(_))) {
            return Ok(None);
        }
        self.signed.write(&delivery.config.report_dir)?;
        Ok(Some(self.signed.digest()))
    }

    async fn of(delivery: &'a Delivery, ready: &'a Ready, known: &'a Known<'a>, run: Option<&'a Run>) -> Result<Self, Error> {
        let versions = scan::versions(&delivery.launcher).await.into_iter();
        let tools = versions.filter_map(|(name, version)| Some(Program { name: name.to_owned(), version: version.ok()? }));
        let record = delivery.recorder.write(|record| record.clone());
        let signed = SignedRecord::of(&record);
        Ok(Self { delivery, ready, known, run, tools: tools.collect(), record, signed })
    }

    /// All that is said, each with what it is kept beside.
    fn statements(&self, repository: &Repository) -> Result<Vec<Planned>, Error> {
        let image = self.known.image;
        let of = |beside: &Descriptor, digest: Digest, predicate: Predicate| Planned {
            beside: beside.clone(),
            statement: Statement { subjects: vec![Subject { name: Some(repository.to_string()), digest }], predicate },
        };
        let parameters =
            self.ready.claim.parameters.as_ref().ok_or_else(|| Error::Statement("it is not known what was built".to_owned()))?;
        let mut planned = vec![
            of(&image.root, image.digest, Predicate::Signature),
            of(&image.root, image.digest, Predicate::Verdict(Box::new(self.verdict(parameters)?))),
        ];
        // Whoever takes an image that was built elsewhere has not seen where it came from: its builder has said that.
        if self.built_here() {
            let provenance = self.provenance(parameters).map(|provenance| Predicate::Provenance(Box::new(provenance)));
            planned.extend(provenance.map(|provenance| of(&image.root, image.digest, provenance)));
        }
        for platform in &image.platforms {
            if platform.digest != image.digest {
                planned.push(of(&platform.manifest, platform.digest, Predicate::Signature));
            }
            for sbom in self.sboms(&platform.platform)? {
                planned.push(of(&platform.manifest, platform.digest, sbom));
            }
            if let Some(report) = self.report(&platform.platform)? {
                planned.push(of(&platform.manifest, platform.digest, report));
            }
        }
        Ok(planned)
    }

    fn built_here(&self) -> bool {
        self.record.reuse.is_none()
    }

    fn verdict(&self, parameters: &Parameters) -> Result<Verdict, Error> {
        // Of an image that is promoted the run is another's: who delivered it has said what it is of.
        let (repository, reference) = match &self.ready.origin {
            Some(origin) => (origin.verdict.source.repository.clone(), origin.verdict.source.reference.clone()),
            None => (self.run.map(Run::repository), self.run.map(|run| run.reference().to_owned())),
        };
        let facts = VerdictFacts {
            decided_at: self.known.decided_at,
            repository,
            reference,
            parameters,
            origin: self.known.origin,
            builder: self.delivery.config.builder(),
            tools: self.tools.clone(),
            databases: self.database().into_iter().collect(),
            lists: lists(&self.delivery.config.suppressions),
            inputs: self.delivery.config.leniency(),
            coverage: self.known.coverage,
            record_digest: self.signed.digest(),
        };
        Verdict::of(self.known.cleared, &self.record, facts).map_err(|error| Error::Statement(error.to_string()))
    }

    fn provenance(&self, parameters: &Parameters) -> Option<Provenance> {
        let materials: Vec<_> =
            self.record.image.iter().flat_map(|image| &image.platforms).filter_map(|one| one.materials.clone()).collect();
        let facts = ProvenanceFacts {
            run: self.run,
            source: self.record.source.as_ref()?,
            environment: self.delivery.config.environment,
            parameters,
            materials: &materials,
            started_on: self.record.started_at,
            finished_on: self.known.decided_at,
        };
        Some(Provenance::of(&facts))
    }

    /// The lists of what is in the image of a platform.
    fn sboms(&self, platform: &Platform) -> Result<Vec<Predicate>, Error> {
        let recorded = self.record.image.iter().flat_map(|image| &image.platforms);
        let files = recorded.filter(|recorded| recorded.platform == *platform).flat_map(|recorded| &recorded.sboms);
        let read = files.filter_map(|file| {
            let of = format_of(file)?;
            let path = self.delivery.config.report_dir.join(file);
            Some(sbom(of, &path))
        });
        read.collect()
    }

    /// What trivy has found in the image of a platform.
    fn report(&self, platform: &Platform) -> Result<Option<Predicate>, Error> {
        let scanned = self.known.vulnerabilities.and_then(|found| found.platforms.iter().find(|one| one.platform == *platform));
        let (Some(scanned), Some(database)) = (scanned, self.database()) else { return Ok(None) };
        let version = self.tools.iter().find(|tool| tool.name == "trivy").map_or("", |tool| &tool.version);
        let scan = Scan::by_trivy(version, &database, self.run, scanned.times);
        let report = crate::attestation::Vulnerabilities::of(scan, scanned.report.clone());
        let report = report.map_err(|error| Error::Statement(error.to_string()))?;
        Ok(Some(Predicate::Vulnerabilities(Box::new(report))))
    }

    fn database(&self) -> Option<Database> {
        let database = self.record.database.as_ref()?;
        Some(Database {
            name: "trivy-db".to_owned(),
            version: 2,
            repository: database.repository.clone(),
            digest: database.digest,
            updated_at: database.updated_at,
        })
    }
}

/// Which list a file of the report is.
fn format_of(file: &str) -> Option<PredicateType> {
    if file.ends_with(".spdx.json") {
        Some(PredicateType::Spdx)
    } else {
        file.ends_with(".cdx.json").then_some(PredicateType::CycloneDx)
    }
}

fn sbom(of: PredicateType, path: &Path) -> Result<Predicate, Error> {
    let mut bytes = Vec::new();
    let read = process::open_report(path, MAX_SBOM).and_then(|mut file| file.read_to_end(&mut bytes));
    read.map_err(|source| Error::Io { path: path.to_owned(), source })?;
    Predicate::sbom(of, Bytes::from(bytes)).map_err(|error| Error::Statement(error.to_string()))
}

fn lists(suppressions: &Suppressions) -> Lists {
    match suppressions {
        Suppressions::Head(commit) => Lists { of: ListsOf::Head, commit: commit.clone() },
        Suppressions::Base(commit) => Lists { of: ListsOf::Base, commit: Some(commit.clone()) },
        Suppressions::Unproven => Lists { of: ListsOf::Nobody, commit: None },
    }
}
