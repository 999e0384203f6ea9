//! Vulnerabilities that are known today, by the signed list of what is in the image: the image itself is not fetched.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use futures_util::future::try_join_all;
use jiff::Timestamp;
use serde::Deserialize;

use super::row::Row;
use crate::attestation::{Decision, LetThrough, Verdict, Written};
use crate::document::yaml;
use crate::finding::{Severity, Suppression, Vulnerability};
use crate::oci::registry::Store;
use crate::oci::{Digest, Platform};
use crate::policy::Threshold;
use crate::process::{Demand, Launcher};
use crate::scan::database::{self, Database, Kind, MaxAge, Mirror};
use crate::scan::syft::Attested;
use crate::scan::trivy::ignore::Lists;
use crate::scan::{self, DEADLINE, trivy};
use crate::scanner::Tool;
use crate::text;
use crate::user_cache;

/// What the row is called.
pub(crate) const CHECK: &str = "today";
/// How many are named of the same kind.
const NAMED: usize = 3;

/// What is asked of an image today.
#[derive(Clone, Debug)]
pub(crate) struct Today {
    /// What may not be in it; absent where it is only to be told.
    pub(crate) threshold: Option<Threshold>,
    /// Where the database is.
    pub(crate) mirrors: Vec<Mirror>,
    /// How old it may be.
    pub(crate) max_age: MaxAge,
    /// What whoever asks lets through.
    pub(crate) ignored: Lists,
    /// What trivy is shut in.
    pub(crate) sandbox: Demand,
}

/// The same in a policy.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Asked {
    /// The lowest severity that may not be in it.
    #[serde(default, deserialize_with = "yaml::given")]
    pub(crate) severity_threshold: Option<Severity>,
    /// Whether what has no fix does not count.
    #[serde(default)]
    pub(crate) ignore_unfixed: bool,
}

impl From<Asked> for Today {
    fn from(Asked { severity_threshold, ignore_unfixed }: Asked) -> Self {
        Self {
            threshold: severity_threshold.map(|severity| Threshold { severity, ignore_unfixed }),
            mirrors: Mirror::DATABASES.iter().filter_map(|text| text.parse().ok()).collect(),
            max_age: MaxAge::BLOCKING,
            ignored: Lists::default(),
            sandbox: Demand::Auto,
        }
    }
}

/// The image of a platform, and what somebody whose word counts has signed of it.
pub(super) struct Listed<'a> {
    pub(super) platform: Platform,
    pub(super) image: Digest,
    /// What is in it; absent where nobody has said it.
    pub(super) sbom: Option<&'a Written>,
}

/// What came of one.
struct Judged {
    platform: Platform,
    packages: u32,
    findings: Vec<Vulnerability>,
    /// What was not judged and nobody has accepted.
    gaps: Vec<String>,
    /// What whoever asks has let through.
    ignored: Vec<Suppression>,
}

/// What is known today of an image.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// When the advisories were gathered.
    pub(crate) updated_at: Timestamp,
    /// All that is known, of all platforms.
    pub(crate) findings: Vec<Found>,
    /// What was let through, and by whom, in a line each.
    pub(crate) let_through: Vec<String>,
    /// What was not judged and nobody has accepted, in a line each.
    pub(crate) gaps: BTreeSet<String>,
    /// How much is known of each platform, in a line each.
    counts: Vec<String>,
}

/// A vulnerability that is known today.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// What it is.
    pub(crate) vulnerability: Vulnerability,
    /// Whether it was accepted by name when the image was delivered.
    pub(crate) accepted: bool,
}

/// What was accepted by name when the image was delivered, by the word of its verdict.
#[derive(Default)]
pub(super) struct Accepted<'a> {
    /// What may be in the image unjudged: its name and platform.
    unjudged: BTreeSet<(String, String)>,
    /// Advisories whose findings were let through.
    advisories: Vec<&'a LetThrough>,
}

impl<'a> Accepted<'a> {
    /// What a verdict accepts. Of advisories, where it is the leave of an environment whose gates block, which a list has opened
    /// under somebody's name, and as long as the entry had to hold.
    pub(super) fn by(verdict: &'a Verdict, now: Timestamp) -> Self {
        let unjudged = verdict.unscanned.iter().filter(|gap| gap.accepted.is_some());
        let unjudged = unjudged.map(|gap| (gap.name.clone(), gap.platform.to_string())).collect();
        let is_leave = verdict.environment.is_blocking() && verdict.decision == Decision::Cleared;
        let holds = |entry: &&LetThrough| {
            is_leave && entry.tool == Tool::TRIVY.name() && entry.expires.is_none_or(|expires| expires > now)
        };
        Self { unjudged, advisories: verdict.suppressions.iter().filter(holds).collect() }
    }

    /// The entries for an advisory that has this many findings today. Which package an entry was for is not in a verdict: where
    /// there are more findings than it has let through, one of them may be another's, and none of them is accepted.
    fn entries(&self, advisory: &str, findings: usize) -> Vec<&'a LetThrough> {
        let entries: Vec<_> = self.advisories.iter().copied().filter(|entry| entry.id == advisory).collect();
        let covered: usize = entries.iter().map(|entry| entry.count as usize).sum();
        if findings <= covered { entries } else { Vec::new() }
    }
}

/// Judges the lists.
///
/// # Errors
/// It can't be told, and why.
pub(super) async fn look(today: &Today, images: &[Listed<'_>], accepted: &Accepted<'_>) -> Result<Known, String> {
    judge(today, images, accepted).await.map(|(database, judged)| Known::of(&database, judged, accepted))
}

/// The row. What can't be told fails.
pub(super) fn row(today: &Today, known: &Result<Known, String>) -> Row {
    match known {
        Ok(known) => known.row(today.threshold),
        Err(why) => Row::fails(CHECK, why.clone()),
    }
}

async fn judge(today: &Today, images: &[Listed<'_>], accepted: &Accepted<'_>) -> Result<(Database, Vec<Judged>), String> {
    let mut lists = Vec::new();
    for Listed { platform, image, sbom } in images {
        let sbom = sbom.ok_or_else(|| format!("nobody whose word counts has signed an SBOM for {platform}"))?;
        let sbom = Attested::read(sbom.bytes()).map_err(|why| format!("the SBOM for {platform} is not understood: {why}"))?;
        lists.push((platform, *image, sbom));
    }
    if lists.is_empty() {
        return Err("the image has no platform".to_owned());
    }
    let launcher = Launcher::of_this_process(today.sandbox);
    // Without a home there is no cache that lasts, and what is unpacked has to last as long as trivy reads it.
    let temporary = tempfile::tempdir().map_err(|error| format!("it can't be told: {error}"))?;
    let cache = user_cache::folder().unwrap_or_else(|| temporary.path().to_owned());
    let database = fetch(today, &cache).await.map_err(|error| words(&error))?;
    let (ignored, folder) = (&today.ignored, database.folder.as_path());
    let judged = lists.iter().map(|(platform, image, sbom)| {
        let request =
            trivy::SbomRequest { sbom, platform, image: *image, database: folder, ignored, deadline: DEADLINE, keep: false };
        let launcher = &launcher;
        async move {
            let found = trivy::judge_sbom(launcher, &request).await.map_err(|error| words(&error))?;
            let open = found.gaps.iter().filter(|gap| !accepted.unjudged.contains(&(gap.name.clone(), gap.platform.to_string())));
            let gaps = open.map(|gap| format!("{}: {}", text::words(&gap.name), text::words(&gap.why))).collect();
            let (platform, packages) = ((*platform).clone(), sbom.packages);
            Ok::<_, String>(Judged { platform, packages, findings: found.findings, gaps, ignored: found.suppressions })
        }
    });
    let judged = try_join_all(judged).await?;
    Ok((database, judged))
}

async fn fetch(today: &Today, cache: &Path) -> Result<Database, scan::Error> {
    let store = Store::from_env();
    let request = database::Request {
        kind: Kind::Vulnerabilities,
        mirrors: &today.mirrors,
        cache,
        keys: database::Keys::of(&store),
        max_age: Some(today.max_age),
        grace: database::GRACE,
    };
    database::fetch(&request, &|_| ()).await
}

/// Why it can't be told.
fn words(error: &scan::Error) -> String {
    let reasons = match error {
        scan::Error::Database { failures, .. } => {
            failures.iter().take(NAMED).map(|(mirror, why)| format!("\n{mirror}: {why}")).collect()
        }
        scan::Error::Failed { last, .. } | scan::Error::InvalidOutput { last, .. } => {
            last.last().map(|last| format!("\n{last}")).into_iter().collect()
        }
        _ => Vec::new(),
    };
    let text = format!("it can't be told: {error}{}", reasons.concat());
    text.lines().map(|line| text::words(line).to_string()).collect::<Vec<_>>().join("\n")
}

impl Known {
    fn of(database: &Database, judged: Vec<Judged>, accepted: &Accepted<'_>) -> Self {
        let mut counts: Vec<String> = judged.iter().map(Judged::line).collect();
        // Most images are the same on all platforms.
        counts.dedup();
        let updated_at = database.record.updated_at;
        if let [first, ..] = &mut *counts {
            *first = format!("{first}, by SBOM, by advisories of {}", text::time(updated_at));
        }
        let gaps = judged.iter().flat_map(|judged| judged.gaps.iter().cloned()).collect();
        let (mut by_advisory, mut ignored): (BTreeMap<String, Vec<Vulnerability>>, Vec<_>) = (BTreeMap::new(), Vec::new());
        for judged in judged {
            for found in judged.findings {
                by_advisory.entry(found.id.clone()).or_default().push(found);
            }
            ignored.extend(judged.ignored);
        }
        let (mut findings, mut let_through) = (Vec::new(), BTreeSet::new());
        for (advisory, found) in by_advisory {
            let entries = accepted.entries(&advisory, found.len());
            let accepted = !entries.is_empty();
            findings.extend(found.into_iter().map(|vulnerability| Found { vulnerability, accepted }));
            let_through.extend(entries.iter().map(|entry| {
                let set_in = entry.set_in.as_ref().map(|commit| format!(", set in {commit}")).unwrap_or_default();
                (advisory.clone(), format!("{}{set_in}", entry.by), entry.reason.clone(), "when it was delivered, ")
            }));
        }
        let_through.extend(ignored.into_iter().map(|one| (one.id, one.by, one.reason, "")));
        let let_through = let_through.into_iter().map(|(advisory, by, reason, when)| {
            let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("accepted {when}by {by}: {advisory}{reason}")
        });
        Self { updated_at, findings, let_through: let_through.collect(), gaps, counts }
    }

    /// One of these vulnerabilities, which nobody has accepted.
    #[cfg(test)]
    pub(crate) fn example(found: Vec<Vulnerability>) -> Self {
        let findings = found.into_iter().map(|vulnerability| Found { vulnerability, accepted: false }).collect();
        let updated_at = Timestamp::UNIX_EPOCH;
        Self { updated_at, findings, let_through: Vec::new(), gaps: BTreeSet::new(), counts: Vec::new() }
    }

    /// What counts from a threshold on, and nobody has accepted.
    pub(crate) fn counting(&self, threshold: Threshold) -> impl Iterator<Item = &Vulnerability> {
        let open = self.findings.iter().filter(|found| !found.accepted).map(|found| &found.vulnerability);
        open.filter(move |found| threshold.counts(found))
    }

    /// The row.
    fn row(&self, threshold: Option<Threshold>) -> Row {
        let mut lines = self.counts.clone();
        let counting: Vec<_> = threshold.into_iter().flat_map(|threshold| self.counting(threshold)).collect();
        if let (Some(threshold), false) = (threshold, counting.is_empty()) {
            let named: BTreeSet<_> =
                counting.iter().map(|found| format!("{} ({} {})", found.id, found.package, found.installed)).collect();
            let named: Vec<_> = named.iter().take(NAMED).map(|name| text::words(name).to_string()).collect();
            lines.push(format!("{} at {} or over: {}", counting.len(), threshold.severity, text::list(&named)));
        }
        lines.extend(first_of(self.let_through.clone(), "accepted"));
        lines.extend(first_of(self.gaps.iter().map(|gap| format!("not judged: {gap}")).collect(), "not judged"));
        let says = lines.join("\n");
        if counting.is_empty() && self.gaps.is_empty() { Row::holds(CHECK, says) } else { Row::fails(CHECK, says) }
    }
}

/// The first lines of a kind, and how many more there are.
fn first_of(mut lines: Vec<String>, kind: &str) -> Vec<String> {
    let more = lines.len().saturating_sub(NAMED);
    lines.truncate(NAMED);
    lines = lines.iter().map(|line| text::words(line).to_string()).collect();
    lines.extend((more > 0).then(|| format!("{kind}: {more} more")));
    lines
}

impl Judged {
    fn line(&self) -> String {
        let mut counts: BTreeMap<Severity, usize> = BTreeMap::new();
        for found in &self.findings {
            *counts.entry(found.severity).or_default() += 1;
        }
        let counts: Vec<_> = counts.iter().rev().map(|(severity, count)| format!("{count} {severity}")).collect();
        let counts = if counts.is_empty() { "nothing".to_owned() } else { text::list(&counts) };
        format!("{}: {counts} known in {}", self.platform, text::count(self.packages, "package"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record;

    fn judged(severities: &[Severity], gaps: &[&str]) -> Judged {
        let found = |severity: &Severity| Vulnerability::example("CVE-2020-14343", "PyYAML", "5.3", *severity);
        Judged {
            platform: "linux/amd64".parse().unwrap(),
            packages: 2,
            findings: severities.iter().map(found).collect(),
            gaps: gaps.iter().map(|&gap| gap.to_owned()).collect(),
            ignored: Vec::new(),
        }
    }

    fn state(severity: Option<Severity>, ignore_unfixed: bool, judged: Judged) -> super::super::row::State {
        let record = record::Database {
            repository: "r".to_owned(),
            digest: Digest::of(b"database"),
            updated_at: "2026-11-27T06:00:00Z".parse().unwrap(),
        };
        let database = Database { record, folder: "/nowhere".into(), warnings: Vec::new() };
        let threshold = severity.map(|severity| Threshold { severity, ignore_unfixed });
        Known::of(&database, vec![judged], &Accepted::default()).row(threshold).state
    }

    #[test]
    fn what_counts_fails_and_so_does_what_was_not_judged() {
        use super::super::row::State::{Fails, Holds};
        assert_eq!(state(None, false, judged(&[Severity::Critical], &[])), Holds);
        assert_eq!(state(Some(Severity::High), false, judged(&[Severity::Medium], &[])), Holds);
        assert_eq!(state(Some(Severity::High), true, judged(&[Severity::Critical], &[])), Holds);
        assert_eq!(state(Some(Severity::High), false, judged(&[Severity::High], &[])), Fails);
        assert_eq!(state(Some(Severity::Critical), false, judged(&[Severity::Unknown], &[])), Fails);
        assert_eq!(state(None, false, judged(&[], &["deb: not seen"])), Fails);
    }

    fn entry(count: u32, expires: Option<&str>) -> LetThrough {
        LetThrough {
            tool: "trivy".to_owned(),
            by: ".trivyignore.yaml".to_owned(),
            id: "CVE-2020-14343".to_owned(),
            reason: Some("not reachable".to_owned()),
            count,
            new: false,
            set_in: None,
            expires: expires.map(|expires| expires.parse().unwrap()),
        }
    }

    /// The leave of prod.
    fn verdict() -> Verdict {
        let digest = Digest::of(b"x").to_string();
        let build = serde_json::json!({
            "context": ".", "dockerfile": "Dockerfile", "dockerfileDigest": digest, "argumentsDigest": digest,
            "platforms": ["linux/amd64"],
        });
        let demands = serde_json::json!({
            "secrets": "blocking", "vulnerabilities": "blocking", "severityThreshold": "HIGH", "ignoreUnfixed": false,
            "inputs": digest,
        });
        let verdict = serde_json::json!({
            "environment": "prod", "decision": "cleared", "decidedAt": "2026-11-20T12:00:00Z", "demands": demands,
            "source": { "dirty": false }, "build": build, "origin": "built", "cacheWriters": "nobody", "builder": digest, "gpDeliver": "0.1.0",
            "tools": [], "databases": [], "scans": [], "lists": { "of": "head" }, "suppressions": [], "unscanned": [], "record": digest,
        });
        serde_json::from_value(verdict).unwrap()
    }

    #[test]
    fn an_entry_covers_no_more_findings_than_it_has_let_through() {
        let entry = entry(2, None);
        let accepted = Accepted { unjudged: BTreeSet::new(), advisories: vec![&entry] };
        let covered = |advisory: &str, findings| accepted.entries(advisory, findings).len();
        assert_eq!([covered("CVE-2020-14343", 2), covered("CVE-2020-14343", 3), covered("CVE-2020-1", 1)], [1, 0, 0]);
    }

    #[test]
    fn what_an_environment_that_only_advises_has_let_through_or_what_has_expired_is_not_accepted() {
        let now = "2026-11-27T12:00:00Z".parse().unwrap();
        let accepted = |change: &dyn Fn(&mut Verdict)| {
            let mut verdict = verdict();
            verdict.suppressions = vec![entry(1, Some("2026-11-28T00:00:00Z"))];
            change(&mut verdict);
            Accepted::by(&verdict, now).advisories.len()
        };
        assert_eq!(accepted(&|_| ()), 1);
        assert_eq!(accepted(&|verdict| verdict.suppressions = vec![entry(1, Some("2026-11-27T00:00:00Z"))]), 0);
        assert_eq!(accepted(&|verdict| verdict.suppressions[0].tool = "gitleaks".to_owned()), 0);
        assert_eq!(accepted(&|verdict| verdict.decision = Decision::Advised), 0);
        assert_eq!(accepted(&|verdict| verdict.environment = crate::environment::Environment::Dev), 0);
    }
}
