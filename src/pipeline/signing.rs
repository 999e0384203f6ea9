//! What is known of an image is signed, and kept beside it, before a tag can be seen: whoever finds the image by a tag finds
//! who delivered it, what is in it, where it came from, and what was decided about it.

mod facts;
mod shelf;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use oci_spec::image::{ANNOTATION_CREATED, Descriptor};

use self::facts::Facts;
use self::shelf::Shelf;
use super::keys::{self, Keys};
use super::preflight::Ready;
use super::vulnerabilities::Vulnerabilities;
use super::{Delivery, Ending, at_github};
use crate::attestation::{Origin, Predicate, Run, Statement};
use crate::cache_writers::CacheWriters;
use crate::config::{Signing, SigningKey};
use crate::coverage::Coverage;
use crate::diagnosis::Diagnosis;
use crate::error::Error;
use crate::evidence::{self, Accepted, Evidence, Pattern, Rule, SignedStatement};
use crate::github::Event;
use crate::github::oidc::{self, IdToken, TokenSource};
use crate::oci::layout::digest_of;
use crate::oci::registry::Artifact;
use crate::oci::{Digest, Image};
use crate::policy::Cleared;
use crate::publish::{Signed, Uploaded};
use crate::record::{self, Attestation, StageLog, StageName};
use crate::secret::Secret;
use crate::sigstore::{self, Bundle, Instance, Owner, Signer, Verifier};
use crate::text;
use crate::variables;

/// For whom the run's token is.
pub(super) const AUDIENCE: &str = "sigstore";
/// For whom it is where it is only read: nobody takes it for anything.
const NOBODY: &str = "gp-deliver";
/// Where GitHub is, if nothing else is said.
const GITHUB: &str = "https://github.com";
/// What a list of referrers says of a bundle, as cosign writes it.
const CONTENT: (&str, &str) = ("dev.sigstore.bundle.content", "dsse-envelope");

/// What a delivery has come to know of its image.
pub(super) struct Known<'a> {
    /// The image.
    pub(super) image: &'a Image,
    /// How it is known that it is of the source.
    pub(super) origin: Origin,
    /// Who may have written the build caches that steps of it were taken from.
    pub(super) cache_writers: CacheWriters,
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
#[derive(Default)]
struct Kept {
    attestations: Vec<Attestation>,
    /// What a folder has to list for that.
    listed: Vec<Descriptor>,
    signer: Option<record::Signer>,
    /// The digest of the record that the verdict names; absent where no verdict is new.
    record: Option<Digest>,
}

/// Signs what is known of an image, where that is asked for.
///
/// # Errors
/// It can't be signed, or not be kept, and the environment's gates block.
pub(super) async fn sign(
    delivery: &Delivery,
    ready: &Ready,
    uploaded: &mut Uploaded,
    known: &Known<'_>,
) -> Result<Signed, Error> {
    let signing = &delivery.config.signing;
    if let Signing::No(why) = signing {
        delivery.recorder.skip(StageName::Signing, why.clone());
        return Ok(Signed::NotAsked);
    }
    let name = delivery.recorder.write(|record| record.name.clone());
    let shelf = Shelf::of(uploaded, &known.image.layout, name);
    let signed = delivery
        .stage(StageName::Signing, async |log| {
            let signed = match signing {
                Signing::Keyless(instance) => keyless(delivery, ready, &shelf, known, instance, &log).await,
                Signing::Key(signing) => by_key(delivery, ready, &shelf, known, signing, &log).await,
                Signing::No(_) => Ok(Kept::default()),
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
    let Some(Kept { attestations, listed, signer, record: digest }) = signed else { return Ok(Signed::Failed) };
    delivery.recorder.write(|record| {
        (record.attestations, record.signer, record.signed) = (attestations, signer, digest);
    });
    uploaded.list(listed);
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

/// Where the run's repository is.
pub(crate) fn server() -> String {
    variables::text(variables::GITHUB_SERVER_URL).unwrap_or_else(|| GITHUB.to_owned())
}

/// Asks for the run's token.
pub(super) async fn token(delivery: &Delivery, audience: &str) -> Result<Token, Error> {
    ask(delivery.event.as_ref(), audience).await
}

/// Whose statements count in a job where nobody is named: those of its own workflow about its own repository. Nobody's, where the
/// job can't prove which that is.
///
/// # Errors
/// The job may ask for a token, and gets none.
pub(crate) async fn own_signer(event: &Event) -> Result<Option<Rule>, Error> {
    match ask(Some(event), NOBODY).await {
        Ok(Token { run, issuer, .. }) => Ok(run.map(|run| own_rule(&run, &issuer))),
        Err(Error::Token(oidc::Error::NotGranted { .. })) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn ask(event: Option<&Event>, audience: &str) -> Result<Token, Error> {
    let fork = event.is_some_and(|event| event.fork);
    let IdToken { token, claims } = TokenSource::find(variables::text, fork)?.token(audience).await?;
    let run = Run::of_claims(&server(), |name| claims.get(name));
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

/// Whether what is signed already need not be signed again. What is assembled has to be of the run that assembles it, and another
/// run may have come to the same image.
fn is_signed_once(delivery: &Delivery) -> bool {
    !delivery.config.untagged
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
    shelf: &Shelf<'_>,
    known: &Known<'_>,
    signing: &SigningKey,
    log: &StageLog,
) -> Result<Kept, Error> {
    let keys = keys::of(delivery, signing).await?;
    // `gh attestation verify` goes by the workflow that a certificate names.
    log.line("not sent to GitHub: it is signed by a key, which names no workflow");
    let run = run(delivery).await?;
    let facts = Facts::of(delivery, ready, known, run.as_ref()).await?;
    let planned = facts.statements(&shelf.name())?;
    let ours = is_signed_once(delivery).then(|| keys.own_rule().into());
    let Found { missing, there } = missing(shelf, &keys.verifier()?, planned, ours.as_ref(), delivery).await?;
    let signer = Some(keys.recorded());
    if missing.is_empty() {
        log.line("all of it is there already");
        return Ok(Kept { listed: there, signer, ..Kept::default() });
    }
    let record = facts.written(&missing, delivery)?;
    log.line(&format!("signed by {}", signing.arn));
    let hand = Hand::Key(keys);
    let sealed = by_subject(missing).into_iter().map(|(beside, statements)| seal(&hand, beside, statements));
    let sealed = try_join_all(sealed).await?;
    let numbered = |sealed: Vec<Sealed>| sealed.into_iter().map(|one| (one, None)).collect::<Vec<_>>();
    let sealed: Vec<_> = sealed.into_iter().map(|(beside, sealed)| (beside, numbered(sealed))).collect();
    keep_all(shelf, &sealed, Kept { listed: there, signer, record, ..Kept::default() }).await
}

/// Signs by a certificate for the run's token.
async fn keyless(
    delivery: &Delivery,
    ready: &Ready,
    shelf: &Shelf<'_>,
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
    let planned = facts.statements(&shelf.name())?;
    let ours = run.as_ref().filter(|_| is_signed_once(delivery)).map(|run| this_ref(run, &issuer).into());
    let Found { missing, there } = missing(shelf, &verifier, planned, ours.as_ref(), delivery).await?;
    if missing.is_empty() {
        log.line("all of it is there already");
        // It is by this workflow, or it would not have counted.
        let signer = run.as_ref().map(|run| recorded(instance, &run.builder(), &issuer));
        return Ok(Kept { listed: there, signer, ..Kept::default() });
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
    keep_all(shelf, &sealed, Kept { listed: there, signer: by, record, ..Kept::default() }).await
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

/// What is signed about one manifest, with the number that each has at GitHub.
type Numbered = (Descriptor, Vec<(Sealed, Option<u64>)>);

/// Keeps all of it there.
async fn keep_all(shelf: &Shelf<'_>, sealed: &[Numbered], mut kept: Kept) -> Result<Kept, Error> {
    let all = sealed.iter().map(|(beside, sealed)| keep(shelf, beside, sealed));
    for (attestations, listed) in try_join_all(all).await? {
        kept.attestations.extend(attestations);
        kept.listed.extend(listed);
    }
    Ok(kept)
}

/// Keeps what is signed about one manifest there. With it what a folder has to list.
async fn keep(
    shelf: &Shelf<'_>,
    beside: &Descriptor,
    sealed: &[(Sealed, Option<u64>)],
) -> Result<(Vec<Attestation>, Vec<Descriptor>), Error> {
    let subject = digest_of(beside).map_err(crate::oci::registry::Error::from)?;
    let artifacts: Vec<_> =
        sealed.iter().map(|(sealed, _)| artifact(&sealed.statement, Timestamp::now(), sealed.bundle.bytes.clone())).collect();
    let (digests, listed) = shelf.keep(beside, &artifacts).await?;
    let kept = sealed.iter().zip(digests).map(|((sealed, github), referrer)| Attestation {
        subject,
        predicate: sealed.predicate().to_owned(),
        referrer,
        github: *github,
    });
    Ok((kept.collect(), listed))
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

/// What is to be signed, and what is there of it.
struct Found {
    missing: Vec<Planned>,
    /// What a folder lists of what is there.
    there: Vec<Descriptor>,
}

/// What of it is not there yet, by this workflow's own word. A verdict is given again once it is too old to be relied on.
async fn missing(
    shelf: &Shelf<'_>,
    verifier: &Verifier,
    planned: Vec<Planned>,
    ours: Option<&Accepted>,
    delivery: &Delivery,
) -> Result<Found, Error> {
    let Some(ours) = ours else { return Ok(Found { missing: planned, there: Vec::new() }) };
    let subjects: BTreeSet<Digest> = planned.iter().filter_map(|planned| digest_of(&planned.beside).ok()).collect();
    let there = subjects.iter().map(async |subject| Ok::<_, Error>((*subject, shelf.gather(subject, verifier).await?)));
    let there: BTreeMap<Digest, Evidence> = try_join_all(there).await?.into_iter().collect();
    let found = |planned: &Planned| {
        let evidence = there.get(&digest_of(&planned.beside).ok()?)?;
        let same = |signed: &&SignedStatement| {
            ours.check(signed).is_ok() && says_the_same(&signed.statement, signed.at, &planned.statement, delivery)
        };
        evidence.statements.iter().find(same).map(|signed| signed.referrer)
    };
    let (mut missing, mut relied) = (Vec::new(), Vec::new());
    for planned in planned {
        match found(&planned) {
            Some(referrer) => relied.push(referrer),
            None => missing.push(planned),
        }
    }
    Ok(Found { missing, there: shelf.entries(&relied)? })
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
                && (there.origin, there.cache_writers, there.builder) == (planned.origin, planned.cache_writers, planned.builder)
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
