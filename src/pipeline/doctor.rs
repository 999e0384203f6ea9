//! Whether AWS lets a run deliver, looked at step by step: what a delivery's preflight does; and for a blocking environment,
//! whether the rules are there that it rests on; and whether the builders and the mirrors of databases are there. Nothing is built, created or written.

use std::fmt;
use std::path::Path;

use futures_util::future::join_all;
use iam_policy::{Document, trust};
use jiff::Timestamp;

use super::amazon::SignedIn;
use super::check::Check;
use super::{amazon, cache_repository, fixed_tags, ground_rules, mirrors};
use crate::aws::ecr::Mutability;
use crate::aws::kms::Key;
use crate::aws::{self, Session};
use crate::buildkit::Error as BuildError;
use crate::buildkit::builder::Builder;
use crate::buildkit::error::Untaken;
use crate::buildkit::fleet::Fleet;
use crate::config::{Ecr, RequestedDestination, Signing, SigningKey, Trusted};
use crate::diagnosis::{Diagnosis, Explanation};
use crate::error::Error;
use crate::github::Event;
use crate::github::oidc::{Claims, TokenSource};
use crate::oci::Platform;
use crate::publish::ExistingTag;
use crate::setup::{Kind, PolicyInputs};
use crate::tags::PlannedTag;
use crate::text;
use crate::variables;

/// The clock difference, in seconds, from which it is reported.
const CLOCK_TOLERANCE: i64 = 60;

/// What `doctor` prints: a line a check.
pub(crate) struct DoctorReport {
    checks: Vec<(&'static str, Check)>,
    /// Lines of Terraform that mend what is wrong of the rules that a blocking environment rests on at AWS.
    terraform: Option<String>,
}

/// The rules that the lines of Terraform make.
const BY_TERRAFORM: [&str; 3] = ["trust", "immutability", "sharing"];

impl DoctorReport {
    /// Whether AWS would let a delivery in, and the rules that a blocking environment rests on are there. What could not be
    /// read is not known to be.
    #[must_use]
    pub(crate) fn is_well(&self) -> bool {
        self.checks.iter().all(|(_, check)| matches!(check, Check::Well(_) | Check::Note(_)))
    }

    fn new(inputs: &PolicyInputs<'_>, checks: Vec<(&'static str, Check)>) -> Self {
        let is_wrong = |(name, check): &(&str, Check)| BY_TERRAFORM.contains(name) && matches!(check, Check::Wrong(_));
        let terraform = checks.iter().any(is_wrong).then(|| inputs.text(Some(Kind::Terraform)).ok()).flatten();
        Self { checks, terraform }
    }
}

/// Asks each builder that `buildkit-host` names whether it is there, and what it runs.
async fn builders(fleet: Option<&Fleet>, certificates: Option<&Path>) -> Vec<(&'static str, Check)> {
    let addresses = fleet.map(Fleet::addresses).unwrap_or_default();
    let asked = addresses.into_iter().map(async |(address, platforms)| match Builder::buildkitd(address, certificates).await {
        Ok(builder) => there(&builder, &platforms),
        Err(error) => {
            let named: Vec<_> = platforms.into_iter().cloned().collect();
            let address = address.to_string();
            let untaken = |reason| BuildError::NoBuilder { platforms: named, tried: vec![Untaken { address, reason }] };
            Check::Wrong(Diagnosis::from(&error.into_reason().map_or_else(|error| error, untaken)))
        }
    });
    join_all(asked).await.into_iter().map(|check| ("builder", check)).collect()
}

/// A builder that answers, and what it says that it runs.
fn there(builder: &Builder, platforms: &[&Platform]) -> Check {
    let list = |platforms: &[&Platform]| text::list(&platforms.iter().map(ToString::to_string).collect::<Vec<_>>());
    let description = text::words(builder.description()).to_string();
    let missing: Vec<_> = platforms.iter().copied().filter(|platform| !builder.runs(platform)).collect();
    if missing.is_empty() {
        return Check::Well(format!("{description} runs {}", list(&builder.platforms().iter().collect::<Vec<_>>())));
    }
    Check::Note(format!(
        "{description} does not say that it runs {}: it can put files together for it, and run no program of it",
        list(&missing)
    ))
}

/// Looks at all that stands between a run and its repository, and at the builders that its inputs name, with the certificates for
/// them.
pub(crate) async fn examine(
    inputs: &PolicyInputs<'_>,
    event: Option<&Event>,
    trust_policy: Option<&Path>,
    tags: &[PlannedTag],
    (fleet, certificates): (Option<&Fleet>, Option<&Path>),
) -> DoctorReport {
    let mut checks = builders(fleet, certificates).await;
    checks.extend(mirrors::checks(inputs.config, event).await);
    let RequestedDestination::Ecr(ecr) = &inputs.config.destination else {
        let what = if checks.is_empty() { "there is nothing to check" } else { "there is nothing else to check" };
        checks.push(("destination", Check::Well(format!("{what}: no ecr-repository is given"))));
        return DoctorReport::new(inputs, checks);
    };
    let mut claims = None;
    if let Some(event) = event.filter(|_| ecr.identity.role.is_some()) {
        let token = token(event, ecr).await;
        claims = token.as_ref().ok().cloned();
        let token = token.map(|claims| shown(&claims)).map_err(|error| Diagnosis::from(&error));
        checks.push(("token", token.into()));
        checks.extend(claims.as_ref().and_then(clock).map(|clock| ("clock", clock.into())));
    }
    let document = trust_policy.map(|path| (path, read(path)));
    if let Some((path, document)) = &document {
        let compared = document.as_ref().map_err(Clone::clone);
        let compared = compared.and_then(|document| compare(inputs, claims.as_ref(), document, path));
        checks.push(("trust policy", compared.into()));
    }
    let strict = inputs.config.environment.is_blocking();
    if strict {
        checks.push(("environment", ground_rules::environment(inputs).await));
        let document = document.as_ref().and_then(|(_, document)| document.as_ref().ok());
        checks.push(("trust", ground_rules::trust(inputs, claims.as_ref(), document)));
    }
    if claims.is_none() && event.is_some() && ecr.identity.role.is_some() {
        return DoctorReport::new(inputs, checks);
    }
    let (signed_in, repository) = sign_in(inputs, ecr, event, tags).await;
    checks.extend(signed_in);
    if let Some(repository) = repository.filter(|_| strict) {
        checks.push(("immutability", ground_rules::immutability(inputs, &repository.mutability, tags)));
        checks.push(("sharing", ground_rules::sharing(inputs.config, &repository.target).await));
    }
    DoctorReport::new(inputs, checks)
}

/// Reads a trust policy.
fn read(path: &Path) -> Result<Document, Diagnosis> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let what = format!("{} can't be read", path.display());
        Diagnosis::new(what, error.to_string(), "Give a file with the role's trust policy to `--trust-policy`.")
    })?;
    Document::parse(&text).map_err(|error| Diagnosis::from(&error))
}

async fn token(event: &Event, ecr: &Ecr) -> Result<Claims, crate::github::oidc::Error> {
    let source = TokenSource::find(variables::text, event.fork)?;
    let token = source.token(&ecr.identity.audience).await?;
    Ok(token.claims)
}

fn shown(claims: &Claims) -> String {
    let shown = ["iss", "aud", "sub"].into_iter().filter_map(|name| Some((name, claims.get(name)?)));
    shown.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join("\n")
}

/// Whether this machine's clock is close to GitHub's: AWS rejects signatures from a clock that is not.
fn clock(claims: &Claims) -> Option<Result<String, Diagnosis>> {
    let skew = Timestamp::now().as_second() - claims.issued_at()?;
    Some(if skew.abs() <= CLOCK_TOLERANCE {
        Ok("agrees with GitHub's".to_owned())
    } else {
        Err(Diagnosis::new(
            "This machine's clock is wrong",
            format!("It is {} s {} GitHub's.", skew.abs(), if skew > 0 { "ahead of" } else { "behind" }),
            "Set the clock (NTP), and run again.",
        ))
    })
}

/// What differs between a trust policy and this run.
fn compare(inputs: &PolicyInputs<'_>, claims: Option<&Claims>, document: &Document, path: &Path) -> Result<String, Diagnosis> {
    let caller = inputs.caller().map_err(|problems| Diagnosis::from(&Error::Inputs(problems)))?;
    let claimed = |subject: &String| claims.cloned().unwrap_or_else(|| caller.claims(subject));
    let compared: Vec<_> =
        caller.subjects.iter().map(|subject| trust::compare(document, &claimed(subject), &caller.role)).collect();
    let Some(nearest) = compared.iter().min_by_key(|differences| differences.len()).filter(|nearest| !nearest.is_empty()) else {
        return Ok("accepts this run".to_owned());
    };
    let words: Vec<String> = nearest.iter().map(|difference| Explanation::from(difference).to_string()).collect();
    let remedy = "Correct the role's trust policy. This one accepts exactly this run:";
    let what = format!("The trust policy in {} does not accept this run", path.display());
    Err(Diagnosis::new(what, words.join("\n"), remedy).with_copy(&caller.trust_policy().to_json()))
}

async fn sign_in(
    inputs: &PolicyInputs<'_>,
    ecr: &Ecr,
    event: Option<&Event>,
    tags: &[PlannedTag],
) -> (Vec<(&'static str, Check)>, Option<SignedIn>) {
    let ecr = Ecr { create: false, ..ecr.clone() };
    let tokens = || event.map(|event| TokenSource::find(variables::text, event.fork));
    let signed_in = async {
        let session = Session::open(&ecr.identity, tokens).await?;
        Ok::<_, Error>((amazon::sign_in(&ecr, &session, None).await?, session))
    };
    let (signed_in, session) = match signed_in.await {
        Ok(signed_in) => signed_in,
        Err(error) => return (vec![("sign-in", Check::Wrong(Diagnosis::from(&error)))], None),
    };
    let rule = match signed_in.mutability {
        Mutability::Unknown => "which tags may not move is unknown (ecr:DescribeRepositories)",
        Mutability::Mutable(_) => "tags may move, except those that a filter names",
        Mutability::Immutable(_) => "tags may not move, except those that a filter names",
    };
    let held = fixed_tags::held(&signed_in.mutability, tags);
    let snapshot = signed_in.target.snapshot(tags).await;
    let tags = snapshot.map_err(|error| Diagnosis::from(&error)).map(|snapshot| {
        let tag = |tag: &ExistingTag| match tag.digest() {
            Some(digest) => format!("{} names {digest}", tag.planned.tag),
            None => format!("{} is free", tag.planned.tag),
        };
        snapshot.tags.iter().map(tag).collect::<Vec<_>>().join("\n")
    });
    let mut checks = vec![
        ("identity", Check::Well(format!("{} in {}", session.arn, session.region))),
        ("repository", Check::Well(format!("{}: {rule}", signed_in.target.destination()))),
        ("tags", tags.into()),
        ("fixed tags", Check::Note(held)),
    ];
    if let Signing::Key(signing) = &inputs.config.signing {
        checks.extend(keys(&session, signing).await);
    }
    if let Some(cache) = &inputs.cache {
        checks.push(("build cache", cache_repository::look(cache, &ecr, &session).await));
    }
    (checks, Some(signed_in))
}

/// Whether the keys can be read, and whether this run may sign.
async fn keys(session: &Session, signing: &SigningKey) -> Vec<(&'static str, Check)> {
    let others = signing.trusted.iter().filter_map(|(_, trusted)| match trusted {
        Trusted::Arn(arn) => Some(("trusted key", arn)),
        Trusted::Known(..) => None,
    });
    let mut checks = Vec::new();
    let own = async {
        let key = Key::find(session, &signing.arn).await?;
        key.may_sign().await?;
        Ok::<_, aws::Error>(format!("{} signs for this run", key.arn))
    };
    checks.push(("key", own.await.map_err(|error| Diagnosis::from(&error)).into()));
    for (name, arn) in others {
        let found = Key::find(session, arn).await.map(|key| format!("{} can be read", key.arn));
        checks.push((name, found.map_err(|error| Diagnosis::from(&error)).into()));
    }
    checks
}

impl fmt::Display for DoctorReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, check) in &self.checks {
            match check {
                Check::Well(detail) => write_lines(f, &format!("  ok    {name:<14}"), detail)?,
                Check::Note(detail) => write_lines(f, &format!("  note  {name:<14}"), detail)?,
                Check::Unread(detail) => write_lines(f, &format!("  ?     {name:<14}"), detail)?,
                Check::Wrong(diagnosis) => {
                    write_lines(f, &format!("  FAIL  {name:<14}"), &diagnosis.what)?;
                    write_lines(f, &" ".repeat(22), &diagnosis.why)?;
                    write_lines(f, &format!("  {:<20}", "      what to do"), &diagnosis.remedy)?;
                    diagnosis.to_copy.iter().try_for_each(|line| writeln!(f, "{line}"))?;
                }
            }
        }
        let Some(terraform) = &self.terraform else { return Ok(()) };
        writeln!(f, "\nThe same by gp-deliver's Terraform module:\n\n{terraform}")
    }
}

/// Lines below each other, the first after `head`.
fn write_lines(f: &mut fmt::Formatter<'_>, head: &str, text: &str) -> fmt::Result {
    let indent = " ".repeat(head.len());
    text.lines().enumerate().try_for_each(|(index, line)| writeln!(f, "{}{line}", if index == 0 { head } else { &indent }))
}
