//! What came of the looks.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use crate::diagnosis::Diagnosis;
use crate::environment::Environment;
use crate::error::Exit;
use crate::finding::{Severity, Vulnerability};
use crate::oci::Digest;
use crate::policy::Threshold;
use crate::report::sarif;
use crate::text;
use crate::verify::{self, Before, Known, Row, Table};

/// What came of all looks.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Report {
    /// The images.
    #[serde(rename = "images")]
    pub(crate) watched: Vec<Watched>,
    /// What else is to be said.
    pub(crate) warnings: Vec<String>,
    /// Whether it is shown wherever that is required.
    pub(super) is_shown: bool,
}

/// An image, and what came of the look at it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Watched {
    /// The image as it was named.
    pub(super) image: String,
    /// The environment that it is in, by whose gates and signers it is judged.
    pub(super) environment: Environment,
    /// What came of it; else why it could not be looked at.
    #[serde(flatten, serialize_with = "either")]
    pub(super) looked: Result<Judged, Diagnosis>,
    /// What became of its issue; absent where none is kept.
    pub(super) issue: Option<String>,
}

fn either<S: serde::Serializer>(looked: &Result<Judged, Diagnosis>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Failure<'a> {
        failure: &'a Diagnosis,
    }
    match looked {
        Ok(judged) => judged.serialize(serializer),
        Err(failure) => Failure { failure }.serialize(serializer),
    }
}

/// What is known of an image.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Judged {
    /// Its digest.
    pub(super) digest: Digest,
    /// When it was delivered, by the word of those whose word counts.
    pub(super) delivered_at: Option<Timestamp>,
    /// When the advisories were gathered that it is judged by; absent where it can't be told what is known today.
    pub(super) advisories_of: Option<Timestamp>,
    /// Whether it is known what was found when it was delivered.
    pub(super) is_compared: bool,
    /// What is known today and nobody has accepted, the worst first.
    pub(super) findings: Vec<Finding>,
    /// What was let through, and by whom.
    pub(super) let_through: Vec<String>,
    /// What does not hold, or could not be told: what is known today is only as good as that.
    pub(super) failing: Vec<Row>,
}

/// A vulnerability that is known today.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Finding {
    #[serde(flatten)]
    pub(super) vulnerability: Vulnerability,
    /// Whether it became known since the image was delivered.
    pub(super) new: bool,
    /// Whether it counts: it is bad enough, and was not there when the image was delivered with advice.
    pub(super) counts: bool,
}

impl Judged {
    /// What a table says, by what counts.
    pub(super) fn of(table: Table, threshold: Threshold) -> Self {
        let Table { digest, rows, known, before, .. } = table;
        let mut failing: Vec<Row> = rows.into_iter().filter(|row| row.state == verify::State::Fails).collect();
        let known = known.and_then(Result::ok);
        if let Some(known) = &known {
            // What counts is said finding by finding. What was not judged is not clean.
            failing.retain(|row| row.check != verify::TODAY || !known.gaps.is_empty());
        }
        let mut findings: Vec<_> = known.iter().flat_map(|known| open(known, &before, threshold)).collect();
        findings.sort_by(|one, other| {
            let key = |finding: &Finding| (finding.counts, finding.new, rank(finding.vulnerability.severity));
            let name = |finding: &Finding| (finding.vulnerability.id.clone(), finding.vulnerability.package.clone());
            key(other).cmp(&key(one)).then_with(|| name(one).cmp(&name(other)))
        });
        Self {
            digest,
            delivered_at: before.at,
            advisories_of: known.as_ref().map(|known| known.updated_at),
            is_compared: before.found.is_some(),
            findings,
            let_through: known.map(|known| known.let_through).unwrap_or_default(),
            failing,
        }
    }

    /// What counts.
    pub(super) fn counting(&self) -> impl Iterator<Item = &Vulnerability> {
        self.findings.iter().filter(|finding| finding.counts).map(|finding| &finding.vulnerability)
    }

    /// What is for the Security tab: what the delivery has not shown there.
    pub(super) fn news(&self) -> Vec<&Vulnerability> {
        self.findings.iter().filter(|finding| finding.new || finding.counts).map(|finding| &finding.vulnerability).collect()
    }

    /// Whether it is told where the team looks: what counts always is, and that nothing does where that can be relied on.
    pub(super) fn is_told(&self) -> bool {
        let is_judged = self.failing.iter().all(|row| row.check != verify::TODAY);
        self.is_clean() || is_judged && self.counting().next().is_some()
    }

    /// Whether all was looked at, and there is nothing that counts.
    pub(super) fn is_clean(&self) -> bool {
        self.failing.is_empty() && self.counting().next().is_none()
    }
}

/// What is open, held against what was known when the image was delivered.
fn open<'a>(known: &'a Known, before: &'a Before, threshold: Threshold) -> impl Iterator<Item = Finding> + 'a {
    let open = known.findings.iter().filter(|found| !found.accepted);
    open.map(move |found| {
        let vulnerability = found.vulnerability.clone();
        let new = !was_known(&vulnerability, before, threshold);
        // A gate that blocks has let nothing pass that counts.
        let counts = threshold.counts(&vulnerability) && (new || !before.is_advised);
        Finding { vulnerability, new, counts }
    })
}

/// Whether a finding was known then, and as bad. Where nobody says what was known, nothing was.
fn was_known(vulnerability: &Vulnerability, before: &Before, threshold: Threshold) -> bool {
    let counts = |severity: Severity| threshold.counts_rated(severity, None);
    before.found.iter().flatten().any(|known| {
        let is_same = known.id == vulnerability.id && name(&known.package) == name(&vulnerability.package);
        is_same && (counts(known.severity) || !counts(vulnerability.severity))
    })
}

/// A package's name in the form that lists of packages have it: an image's own files may write it in another.
fn name(package: &str) -> String {
    package.to_lowercase().replace(['_', '.'], "-")
}

/// What is not rated may be the worst.
fn rank(severity: Severity) -> usize {
    let worst_first = [Severity::Critical, Severity::Unknown, Severity::High, Severity::Medium, Severity::Low];
    worst_first.len() - worst_first.iter().position(|one| *one == severity).unwrap_or_default()
}

impl Watched {
    /// The digest, where it could be looked at.
    pub(super) fn digest(&self) -> Option<Digest> {
        self.looked.as_ref().ok().map(|judged| judged.digest)
    }

    /// Whether all was looked at, and there is nothing that counts.
    pub(super) fn is_clean(&self) -> bool {
        self.looked.as_ref().is_ok_and(Judged::is_clean)
    }

    /// What was judged, where what is told of it can be relied on.
    pub(super) fn told(&self) -> Option<&Judged> {
        self.looked.as_ref().ok().filter(|judged| judged.is_told())
    }

    /// What came of it, in one line.
    pub(super) fn headline(&self) -> String {
        match &self.looked {
            Err(failure) => format!("not looked at: {}", failure.what),
            Ok(judged) if judged.counting().next().is_some() => {
                let of = if judged.is_compared {
                    "became known since it was delivered"
                } else {
                    "is known, and what was known when it was delivered is not said"
                };
                format!("{} {of}", severities(judged.counting()))
            }
            Ok(judged) if judged.failing.is_empty() => "nothing that counts became known since it was delivered".to_owned(),
            Ok(judged) => {
                let checks: Vec<_> = judged.failing.iter().map(|row| row.check.to_owned()).collect();
                format!("not clean: {} can't be relied on", text::list(&checks))
            }
        }
    }
}

/// How many there are of each severity.
pub(super) fn severities<'a>(found: impl Iterator<Item = &'a Vulnerability>) -> String {
    let all: Vec<_> = sarif::merged(found).into_iter().map(|(vulnerability, _)| vulnerability.severity).collect();
    let of = |severity: &Severity| all.iter().filter(|one| *one == severity).count();
    let counts: Vec<_> =
        Severity::ALL.iter().filter(|severity| of(severity) > 0).map(|severity| format!("{} {severity}", of(severity))).collect();
    text::list(&counts)
}

impl Report {
    /// The exit code: what was found comes before what could not be looked at.
    #[must_use]
    pub(crate) fn exit(&self) -> Exit {
        let is_found = |one: &Watched| one.looked.as_ref().is_ok_and(|judged| !judged.is_clean());
        if self.watched.iter().any(is_found) {
            Exit::Blocked
        } else if !self.is_shown || self.watched.is_empty() || self.watched.iter().any(|one| one.looked.is_err()) {
            Exit::Failed
        } else {
            Exit::Done
        }
    }
}

/// How many findings are named of an image.
const NAMED: usize = 50;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for one in &self.watched {
            let mark = if one.is_clean() { "✓" } else { "✗" };
            writeln!(f, "{mark} {}: {}  {}", one.environment, one.image, one.headline())?;
            match &one.looked {
                Ok(judged) => judged.tell(f)?,
                Err(failure) => writeln!(f, "    {} {}", failure.why, failure.remedy)?,
            }
            one.issue.iter().try_for_each(|issue| writeln!(f, "    {issue}"))?;
        }
        Ok(())
    }
}

impl Judged {
    fn tell(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let delivered = self.delivered_at.map(|at| format!(", delivered {}", text::time(at))).unwrap_or_default();
        let advisories = self.advisories_of.map(|at| format!(", by advisories of {}", text::time(at))).unwrap_or_default();
        writeln!(f, "    {}{delivered}{advisories}", self.digest)?;
        for row in &self.failing {
            row.says.lines().try_for_each(|line| writeln!(f, "    {}: {line}", row.check))?;
        }
        let found = sarif::merged(self.counting());
        for (vulnerability, _) in found.iter().take(NAMED) {
            let Vulnerability { id, severity, package, installed, fixed, .. } = vulnerability;
            let fixed = fixed.as_ref().map(|fixed| format!(", fixed in {fixed}")).unwrap_or_default();
            writeln!(f, "    {}", text::words(&format!("{severity} {id} in {package} {installed}{fixed}")))?;
        }
        let more = found.len().saturating_sub(NAMED);
        if more > 0 {
            writeln!(f, "    and {more} more")?;
        }
        self.let_through.iter().take(NAMED).try_for_each(|line| writeln!(f, "    {}", text::words(line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::changes::Advisory;

    const HIGH: Threshold = Threshold { severity: Severity::High, ignore_unfixed: false };

    fn found(severity: Severity, before: &[(&str, &str, Severity)], is_advised: bool) -> (bool, bool) {
        let advisory = |(id, package, severity): &(&str, &str, Severity)| Advisory {
            id: (*id).to_owned(),
            package: (*package).to_owned(),
            severity: *severity,
        };
        let before = Before { at: None, is_advised, found: Some(before.iter().map(advisory).collect()) };
        let vulnerability = Vulnerability::example("CVE-1", "py_yaml", "5.3", severity);
        let known = Known::example(vec![vulnerability]);
        let finding = open(&known, &before, HIGH).next().unwrap();
        (finding.new, finding.counts)
    }

    #[test]
    fn what_an_environment_that_only_advises_was_delivered_with_does_not_count_again() {
        use Severity::{Critical, High, Low, Unknown};
        let known = |severity| [("CVE-1", "Py.Yaml", severity)];
        assert_eq!(found(High, &[], true), (true, true));
        assert_eq!(found(High, &known(High), true), (false, false));
        // Where gates block, it was not let pass: whatever has changed, it counts.
        assert_eq!(found(High, &known(High), false), (false, true));
        assert_eq!(found(Critical, &known(Low), true), (true, true), "it is rated anew");
        assert_eq!(found(Critical, &known(Unknown), true), (false, false), "what was not rated counted as the worst");
        assert_eq!(found(High, &[("CVE-2", "py_yaml", High), ("CVE-1", "yaml", High)], true), (true, true));
        assert_eq!(found(Low, &[], true), (true, false));
    }
}
