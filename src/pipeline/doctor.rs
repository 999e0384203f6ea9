//! Whether AWS lets a run deliver, looked at step by step: what a delivery's preflight does, and no more. Nothing is built,
//! created or written.

use std::fmt;
use std::path::Path;

use iam_policy::{Document, trust};
use jiff::Timestamp;

use super::{amazon, fixed_tags};
use crate::config::{Ecr, RequestedDestination};
use crate::diagnosis::{Diagnosis, Explanation};
use crate::error::Error;
use crate::github::Event;
use crate::github::oidc::{Claims, TokenSource};
use crate::publish::ExistingTag;
use crate::setup::PolicyInputs;
use crate::tags::PlannedTag;
use crate::variables;

/// The clock difference, in seconds, from which it is reported.
const CLOCK_TOLERANCE: i64 = 60;

/// What was found.
pub(crate) struct DoctorReport {
    checks: Vec<(&'static str, Result<String, Diagnosis>)>,
}

impl DoctorReport {
    /// Whether AWS would let a delivery in.
    #[must_use]
    pub(crate) fn is_well(&self) -> bool {
        self.checks.iter().all(|(_, check)| check.is_ok())
    }
}

/// Looks at all that stands between a run and its repository.
pub(crate) async fn examine(
    inputs: &PolicyInputs<'_>,
    event: Option<&Event>,
    trust_policy: Option<&Path>,
    tags: &[PlannedTag],
) -> DoctorReport {
    let mut checks = Vec::new();
    let RequestedDestination::Ecr(ecr) = &inputs.config.destination else {
        let nothing = "there is nothing to check: no ecr-repository is given".to_owned();
        return DoctorReport { checks: vec![("destination", Ok(nothing))] };
    };
    let mut claims = None;
    if let Some(event) = event.filter(|_| ecr.identity.role.is_some()) {
        let token = token(event, ecr).await;
        claims = token.as_ref().ok().cloned();
        checks.push(("token", token.map(|claims| shown(&claims)).map_err(|error| Diagnosis::from(&error))));
        checks.extend(claims.as_ref().and_then(clock).map(|clock| ("clock", clock)));
    }
    if let Some(path) = trust_policy {
        checks.push(("trust policy", compare(inputs, claims.as_ref(), path)));
    }
    if claims.is_none() && event.is_some() && ecr.identity.role.is_some() {
        return DoctorReport { checks };
    }
    checks.extend(sign_in(ecr, event, tags).await);
    DoctorReport { checks }
}

async fn token(event: &Event, ecr: &Ecr) -> Result<Claims, crate::github::oidc::Error> {
    let source = TokenSource::find(variables::text, event.fork)?;
    let token = source.token(&ecr.identity.audience).await?;
    crate::github::commands::mask(&token.token);
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
fn compare(inputs: &PolicyInputs<'_>, claims: Option<&Claims>, path: &Path) -> Result<String, Diagnosis> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let what = format!("{} can't be read", path.display());
        Diagnosis::new(what, error.to_string(), "Give a file with the role's trust policy to `--trust-policy`.")
    })?;
    let document = Document::parse(&text).map_err(|error| Diagnosis::from(&error))?;
    let caller = inputs.caller().map_err(|problems| Diagnosis::from(&Error::Inputs(problems)))?;
    let claimed = |subject: &String| claims.cloned().unwrap_or_else(|| caller.claims(subject));
    let compared: Vec<_> =
        caller.subjects.iter().map(|subject| trust::compare(&document, &claimed(subject), &caller.role)).collect();
    let Some(nearest) = compared.iter().min_by_key(|differences| differences.len()).filter(|nearest| !nearest.is_empty()) else {
        return Ok("accepts this run".to_owned());
    };
    let words: Vec<String> = nearest.iter().map(|difference| Explanation::from(difference).to_string()).collect();
    let remedy = "Correct the role's trust policy. This one accepts exactly this run:";
    let what = format!("The trust policy in {} does not accept this run", path.display());
    Err(Diagnosis::new(what, words.join("\n"), remedy).with_copy(&caller.trust_policy().to_json()))
}

async fn sign_in(ecr: &Ecr, event: Option<&Event>, tags: &[PlannedTag]) -> Vec<(&'static str, Result<String, Diagnosis>)> {
    let ecr = Ecr { create: false, ..ecr.clone() };
    let signed_in = match amazon::sign_in(&ecr, event).await {
        Ok(signed_in) => signed_in,
        Err(error) => return vec![("sign-in", Err(Diagnosis::from(&error)))],
    };
    let rule = match signed_in.mutability {
        crate::aws::ecr::Mutability::Unknown => "which tags may not move is unknown (ecr:DescribeRepositories)",
        crate::aws::ecr::Mutability::Mutable(_) => "tags may move, except those that a filter names",
        crate::aws::ecr::Mutability::Immutable(_) => "tags may not move, except those that a filter names",
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
    vec![
        ("identity", Ok(format!("{} in {}", signed_in.session.arn, signed_in.session.region))),
        ("repository", Ok(format!("{}: {rule}", signed_in.target.destination()))),
        ("tags", tags),
        ("fixed tags", Ok(held)),
    ]
}

impl fmt::Display for DoctorReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, check) in &self.checks {
            match check {
                Ok(detail) => write_lines(f, &format!("  ok    {name:<14}"), detail)?,
                Err(diagnosis) => {
                    write_lines(f, &format!("  FAIL  {name:<14}"), &diagnosis.what)?;
                    write_lines(f, &" ".repeat(22), &diagnosis.why)?;
                    write_lines(f, &format!("  {:<20}", "      what to do"), &diagnosis.remedy)?;
                    diagnosis.to_copy.iter().try_for_each(|line| writeln!(f, "{line}"))?;
                }
            }
        }
        Ok(())
    }
}

/// Lines below each other, the first after `head`.
fn write_lines(f: &mut fmt::Formatter<'_>, head: &str, text: &str) -> fmt::Result {
    let indent = " ".repeat(head.len());
    text.lines().enumerate().try_for_each(|(index, line)| writeln!(f, "{}{line}", if index == 0 { head } else { &indent }))
}
