//! The table: an image looked at, row by row.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use futures_util::future::try_join_all;
use jiff::Timestamp;
use oci_spec::image::Descriptor;
use serde::Serialize;

use super::delivered::Delivered;
use super::row::{Row, State};
use super::today::{self, Accepted, Known, Listed, Today};
use super::wanted::Wanted;
use crate::attestation::{Decision, Origin, Predicate, PredicateType, Verdict};
use crate::cache_writers::CacheWriters;
use crate::changes::Advisory;
use crate::coverage::JudgedBy;
use crate::evidence::{Evidence, Place, ProvenSource, SignedStatement, gather, listed_manifests};
use crate::oci::image::described;
use crate::oci::layout::{self, digest_of};
use crate::oci::registry::{self, Manifest};
use crate::oci::{Digest, Reference};
use crate::sigstore::Verifier;
use crate::text;

/// What is read beside an image.
const OF_IMAGE: [PredicateType; 3] = [PredicateType::Signature, PredicateType::Verdict, PredicateType::Provenance];
/// What is read beside the image of each platform. One list of what is in it is enough.
const OF_PLATFORM: [PredicateType; 2] = [PredicateType::Spdx, PredicateType::Vulnerabilities];
/// How many reasons are named of the same kind.
const NAMED: usize = 3;

/// What was seen of an image.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Table {
    /// The image, as it was named.
    pub(crate) image: String,
    /// Its digest.
    pub(crate) digest: Digest,
    /// Whether all holds that was asked for.
    pub(crate) holds: bool,
    /// What was looked at.
    pub(crate) rows: Vec<Row>,
    /// What was cleared, by the verdict that counts.
    #[serde(skip)]
    pub(crate) cleared: Option<Cleared>,
    /// What is known today, or why that can't be told; absent where nobody has asked.
    #[serde(skip)]
    pub(crate) known: Option<Result<Known, String>>,
    /// What was known when it was delivered.
    #[serde(skip)]
    pub(crate) before: Before,
}

/// The source that an image was let pass as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cleared {
    /// The full id of the commit, which was built as it is.
    pub(crate) commit: String,
    /// The build context, relative to the source's root.
    pub(crate) context: String,
}

/// What was known of an image when it was delivered, by the word of those whose word counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Before {
    /// When that was; absent where nobody says it.
    pub(crate) at: Option<Timestamp>,
    /// Whether the gates only advised: then it was delivered with what was found.
    pub(crate) is_advised: bool,
    /// What was found then, on all platforms; absent where that is not known of each.
    pub(crate) found: Option<Vec<Advisory>>,
}

/// What is looked at.
pub(super) struct Subject<'a> {
    pub(super) place: Place<'a>,
    /// The image, as it was named.
    pub(super) name: String,
    /// The same with its digest, in words.
    pub(super) said: String,
    pub(super) manifest: Manifest,
}

impl Table {
    /// Looks at an image. `rows` are what was seen of it besides.
    ///
    /// # Errors
    /// The place can't be asked.
    pub(super) async fn of(
        subject: Subject<'_>,
        rows: Vec<Row>,
        verifier: &Verifier,
        wanted: &Wanted,
    ) -> Result<Table, registry::Error> {
        let Subject { place, name, said, manifest } = subject;
        let images = images(place, &manifest)?;
        let (evidence, lists) = tokio::try_join!(
            gather(place, &manifest.digest, verifier, &OF_IMAGE),
            try_join_all(images.iter().map(async |image| gather(place, &digest_of(image)?, verifier, &OF_PLATFORM).await)),
        )?;
        let seen = Seen { wanted, evidence: &evidence, lists: &lists, now: Timestamp::now() };
        let mut all = vec![Row::holds("image", said)];
        all.extend([seen.signature(), seen.commit(), seen.gates(), seen.provenance(), seen.sbom(), seen.findings()]);
        let known = match &wanted.today {
            Some(today) => {
                let known = seen.today(today, place, &images).await?;
                all.push(today::row(today, &known));
                Some(known)
            }
            None => None,
        };
        all.extend(rows);
        all.extend(seen.others());
        let holds = all.iter().all(|row| row.state != State::Fails);
        Ok(Table {
            image: name,
            digest: manifest.digest,
            holds,
            rows: all,
            cleared: seen.cleared(),
            known,
            before: seen.before(),
        })
    }
}

/// What is proven of a delivery to the environment that is asked for; its image and tags are for the caller to fill in.
pub(super) fn proven(evidence: &Evidence, wanted: &Wanted, image: Digest) -> Option<Delivered> {
    let seen = Seen { wanted, evidence, lists: &[], now: Timestamp::now() };
    let (signed, verdict) = seen.verdict()?;
    let said = (verdict.source.commit.as_deref()?, verdict.source.repository.as_deref()?);
    // Whoever promotes signs in a run of another commit, so it may be another verdict that proves the commit. Where several say
    // several, none is believed.
    let counts = evidence.of_type(PredicateType::Verdict).filter(|signed| wanted.check(signed).is_ok());
    let sources: BTreeSet<_> =
        counts.filter_map(|signed| ProvenSource::of(signed).ok()).map(|of| (of.commit, of.repository)).collect();
    let is_proven = seen.gates().state != State::Fails && !verdict.source.dirty && sources == BTreeSet::from([said]);
    is_proven.then(|| Delivered {
        digest: image,
        tags: Vec::new(),
        commit: said.0.to_owned(),
        source: said.1.to_owned(),
        at: signed.at,
        signer: signed.signer.name(),
    })
}

/// What is looked at, and what is asked of it.
struct Seen<'a> {
    wanted: &'a Wanted,
    evidence: &'a Evidence,
    /// A platform each.
    lists: &'a [Evidence],
    now: Timestamp,
}

impl Seen<'_> {
    /// The latest statement of a type, by someone whose word counts: of those who speak for the environment that is asked for,
    /// if there is one.
    fn latest<'e>(&self, evidence: &'e Evidence, of: PredicateType) -> Option<&'e SignedStatement> {
        let counts = evidence.of_type(of).filter(|signed| self.wanted.check(signed).is_ok());
        counts.max_by_key(|signed| (self.wanted.is_of_environment(signed), signed.at))
    }

    /// The verdict that counts: the latest for the environment that is asked for.
    fn verdict(&self) -> Option<(&SignedStatement, &Verdict)> {
        let verdicts = self.evidence.of_type(PredicateType::Verdict).filter_map(|signed| match &signed.statement.predicate {
            Predicate::Verdict(verdict) => Some((signed, &**verdict)),
            _ => None,
        });
        let counts = verdicts.filter(|(signed, verdict)| {
            self.wanted.check(signed).is_ok()
                && self.wanted.environment.is_none_or(|environment| environment == verdict.environment)
        });
        counts.max_by_key(|(signed, _)| signed.at)
    }

    fn signature(&self) -> Row {
        // An SBOM's signature says that somebody made a list, and nothing of the image.
        let signed = [PredicateType::Signature, PredicateType::Verdict].map(|of| self.latest(self.evidence, of));
        if let Some(signed) = signed.into_iter().flatten().next() {
            let identity = signed.signer.identity();
            let workflow = identity.and_then(|by| by.workflow.as_ref().filter(|workflow| **workflow != by.subject));
            let workflow = workflow.map(|workflow| format!(", called by {}", text::words(workflow))).unwrap_or_default();
            let referrer = signed.referrer.short();
            let run =
                identity.and_then(|by| by.run.as_ref()).map(|run| format!(", run {}", text::words(run))).unwrap_or_default();
            let by = text::words(&signed.signer.name());
            return Row::holds("signature", format!("{by}{workflow}{run}{} ({referrer})", on(signed.at)));
        }
        let strangers = self.evidence.statements.iter().filter_map(|signed| {
            let why = self.wanted.check(signed).err()?;
            Some(format!("one by {}: {}", text::words(&signed.signer.name()), text::words(&why)))
        });
        let strangers: Vec<_> = strangers.take(NAMED).collect();
        let says = if strangers.is_empty() { "there is none that holds".to_owned() } else { strangers.join("\n") };
        Row::fails("signature", says)
    }

    /// The commit that the verdict which counts is of, and whose word that is.
    fn proven(&self) -> Option<(&String, &'static str)> {
        let (signed, verdict) = self.verdict()?;
        let commit = verdict.source.commit.as_ref()?;
        // A certificate has the commit of the run, which nobody but GitHub says; of a key it is the signer's own word.
        let certified = signed.signer.identity().is_none_or(|by| by.commit.as_ref() == Some(commit));
        let whose = if signed.signer.identity().is_some() { "" } else { ", by the word of its key's holder" };
        (certified && !verdict.source.dirty).then_some((commit, whose))
    }

    fn cleared(&self) -> Option<Cleared> {
        let ((commit, _), (_, verdict)) = (self.proven()?, self.verdict()?);
        Some(Cleared { commit: commit.clone(), context: verdict.build.context.clone() })
    }

    fn commit(&self) -> Row {
        match (self.proven(), &self.wanted.commit) {
            (Some((commit, _)), Some(wanted)) if commit != wanted => {
                Row::fails("commit", format!("{}; {} is asked for", text::words(commit), text::words(wanted)))
            }
            (Some((commit, whose)), _) => Row::holds("commit", format!("{}{whose}", text::words(commit))),
            (None, asked) => Row::missing("commit", asked.is_some(), "nobody whose word counts says it"),
        }
    }

    fn gates(&self) -> Row {
        let asked = self.wanted.environment;
        let Some((signed, verdict)) = self.verdict() else {
            let of = asked.map(|environment| format!(" for {environment}")).unwrap_or_default();
            let asked = asked.is_some() || self.wanted.max_age.is_some();
            return Row::missing("gates", asked, format!("there is no verdict{of} by one whose word counts"));
        };
        let database =
            verdict.oldest_database().map(|updated| format!(", by advisories of {}", text::time(updated))).unwrap_or_default();
        let decision = match verdict.decision {
            Decision::Cleared => "cleared",
            Decision::Advised => "let pass with advice",
        };
        let by = match verdict.judged_by {
            JudgedBy::Image => "",
            JudgedBy::Sbom => " by its SBOM",
        };
        let cache = match (verdict.origin, verdict.cache_writers) {
            (Origin::Built | Origin::Proven, CacheWriters::Others) => {
                ", with steps of a build cache that others may have written"
            }
            _ => "",
        };
        let says = format!("{decision} for {}{by}{}{database}{cache}", verdict.environment, on(signed.at));
        if asked.is_some_and(|environment| environment.is_blocking() && verdict.decision != Decision::Cleared) {
            return Row::fails("gates", format!("{says}; it has to be cleared"));
        }
        let too_old = self.wanted.max_age.is_some_and(|limit| signed.at.is_none_or(|at| self.now.duration_since(at) > limit));
        if too_old { Row::fails("gates", format!("{says}; that is too old")) } else { Row::holds("gates", says) }
    }

    fn provenance(&self) -> Row {
        let found = self.latest(self.evidence, PredicateType::Provenance);
        let Some(Predicate::Provenance(provenance)) = found.map(|signed| &signed.statement.predicate) else {
            return Row::missing("provenance", self.wanted.provenance, "there is none by one whose word counts");
        };
        let commit = provenance.commit().map(|commit| format!(", of {}", text::words(commit))).unwrap_or_default();
        Row::holds("provenance", format!("built by {}{commit}", text::words(&provenance.run_details.builder.id)))
    }

    /// What was found when the image was delivered.
    fn findings(&self) -> Row {
        let mut said = Vec::new();
        for evidence in self.lists {
            let found = self.latest(evidence, PredicateType::Vulnerabilities);
            let Some(Predicate::Vulnerabilities(report)) = found.map(|signed| &signed.statement.predicate) else { continue };
            let counts = report.counts().unwrap_or_default();
            let counts: Vec<_> = counts.iter().rev().map(|(severity, count)| format!("{count} {severity}")).collect();
            let counts = if counts.is_empty() { "nothing".to_owned() } else { text::list(&counts) };
            let database = report.scan.database_updated_at();
            let database = database.map(|updated| format!(", by advisories of {}", text::time(updated))).unwrap_or_default();
            let scanned = text::time(report.scan.finished_at());
            said.push(format!("{counts} found on {scanned} by trivy {}{database}", text::words(report.scan.version())));
        }
        said.dedup();
        let says = if said.is_empty() { "there is no report by one whose word counts".to_owned() } else { said.join("\n") };
        Row::note("findings", says)
    }

    /// What is known today of what the lists have.
    async fn today(
        &self,
        today: &Today,
        place: Place<'_>,
        images: &[Descriptor],
    ) -> Result<Result<Known, String>, registry::Error> {
        let accepted = self.verdict().map(|(_, verdict)| Accepted::by(verdict, self.now)).unwrap_or_default();
        let mut listed = Vec::new();
        for (image, evidence) in images.iter().zip(self.lists) {
            let (platform, _) = described(&place.config(image).await?).map_err(|reason| unknown(image, &reason))?;
            let sbom = match self.latest(evidence, PredicateType::Spdx).map(|signed| &signed.statement.predicate) {
                Some(Predicate::Spdx(sbom)) => Some(sbom),
                _ => None,
            };
            listed.push(Listed { platform, image: digest_of(image)?, sbom });
        }
        Ok(today::look(today, &listed, &accepted).await)
    }

    /// What was known when the image was delivered.
    fn before(&self) -> Before {
        let verdict = self.verdict();
        let found = self.lists.iter().map(|evidence| {
            let found = self.latest(evidence, PredicateType::Vulnerabilities)?;
            let Predicate::Vulnerabilities(report) = &found.statement.predicate else { return None };
            report.found().ok()
        });
        let found: Option<Vec<_>> = found.collect();
        Before {
            at: verdict.and_then(|(signed, _)| signed.at),
            is_advised: verdict.is_some_and(|(_, verdict)| verdict.decision == Decision::Advised),
            found: found.map(|found| found.into_iter().flatten().collect()),
        }
    }

    fn sbom(&self) -> Row {
        let listed = self.lists.iter().filter(|evidence| self.latest(evidence, PredicateType::Spdx).is_some()).count();
        let says = format!("{listed} of {} have one", text::count(self.lists.len(), "platform"));
        if listed == self.lists.len() && listed > 0 {
            return Row::holds("SBOM", says);
        }
        Row::missing("SBOM", self.wanted.sbom, says)
    }

    /// What is beside the image and does not hold, or was not looked at.
    fn others(&self) -> Option<Row> {
        let rejected = self.evidence.rejected.iter().chain(self.lists.iter().flat_map(|evidence| &evidence.rejected));
        let mut reasons: Vec<_> = rejected
            .take(NAMED)
            .map(|rejected| format!("{} does not hold: {}", rejected.referrer.short(), rejected.why))
            .collect();
        if self.evidence.unread > 0 {
            reasons.push(format!("{} were not looked at", text::count(self.evidence.unread, "statement")));
        }
        (!reasons.is_empty()).then(|| Row::note("others", reasons.join("\n")))
    }
}

/// The platforms' images; the image itself where it is one. Where an index does not say of which platform one is, its
/// configuration does, and engines take it.
fn images(place: Place<'_>, image: &Manifest) -> Result<Vec<Descriptor>, registry::Error> {
    Ok(listed_manifests(place, image)?.unwrap_or_else(|| vec![image.descriptor.clone()]))
}

/// The digests of the platforms' images.
pub(super) fn platforms(place: Place<'_>, image: &Manifest) -> Result<Vec<Digest>, registry::Error> {
    images(place, image)?.iter().map(|image| digest_of(image).map_err(registry::Error::from)).collect()
}

/// An image and its digest, in words.
pub(super) fn said(reference: &Reference, digest: Digest) -> String {
    match (&reference.tag, reference.digest) {
        (Some(tag), None) => format!("{tag} is {digest}"),
        _ => digest.to_string(),
    }
}

fn unknown(image: &Descriptor, reason: &str) -> registry::Error {
    let path = PathBuf::from(image.digest().to_string());
    layout::Error::invalid(&path, format_args!("its config: {reason}")).into()
}

fn on(at: Option<Timestamp>) -> String {
    at.map(|at| format!(", {}", text::time(at))).unwrap_or_default()
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|row| row.check.len()).max().unwrap_or_default();
        for row in &self.rows {
            let mark = match row.state {
                State::Holds => "✓",
                State::Fails => "✗",
                State::Note => " ",
            };
            let mut lines = row.says.lines();
            writeln!(f, "{mark} {:<width$}  {}", row.check, lines.next().unwrap_or_default())?;
            for line in lines {
                writeln!(f, "  {:<width$}  {line}", "")?;
            }
        }
        let verdict = if self.holds { "holds" } else { "does not hold" };
        writeln!(f, "{} {verdict}", self.image)
    }
}
