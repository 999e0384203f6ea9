//! The result of a record in one line.

use super::catalogue::{self, Catalogue, Merged};
use super::phrase::Phrase;
use super::registry_scan;
use super::unjudged;
use crate::coverage::JudgedBy;
use crate::environment::Environment;
use crate::finding::Severity;
use crate::oci::Tag;
use crate::record::{Record, Reuse, RunResult, Stage, StageName, StageOutcome};
use crate::scanner::Tool;
use crate::text;

/// How a delivery ended, as a reader takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Published, and nothing to look at.
    Delivered,
    /// Published, and findings, or a scan that did not happen, would hold it back elsewhere.
    Advised,
    /// Held back by the gate.
    Blocked,
    /// Not judged as a whole: nothing was found that holds it back, and not all was looked at.
    Undecided,
    /// Broken.
    Failed,
    /// Passed, and not published, since that was not asked for.
    Skipped,
    /// Ended by a signal, or never ended.
    Cancelled,
}

impl Verdict {
    /// The verdict on a record.
    #[must_use]
    pub(crate) fn of(record: &Record, catalogue: &Catalogue<'_>) -> Self {
        let advised = !remarks(record, catalogue).is_empty();
        match record.result {
            Some(RunResult::Delivered) if advised => Self::Advised,
            Some(RunResult::Delivered) => Self::Delivered,
            Some(RunResult::Blocked) => Self::Blocked,
            Some(RunResult::Failed) if is_undecided(record) => Self::Undecided,
            Some(RunResult::Failed) => Self::Failed,
            Some(RunResult::Skipped) => Self::Skipped,
            Some(RunResult::Cancelled) | None => Self::Cancelled,
        }
    }

    /// The picture for Markdown.
    #[must_use]
    pub(crate) fn icon(self) -> &'static str {
        match self {
            Self::Delivered => "✅",
            Self::Advised => "⚠️",
            Self::Blocked => "⛔",
            Self::Undecided => "❔",
            Self::Failed => "❌",
            Self::Skipped => "☑️",
            Self::Cancelled => "⏹️",
        }
    }

    /// The word that a line begins with.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Delivered => "Delivered",
            Self::Advised => "Delivered with advice",
            Self::Blocked => "Blocked",
            Self::Undecided => "Undecided",
            Self::Failed => "Failed",
            Self::Skipped => "Passed, not published",
            Self::Cancelled => "Cancelled",
        }
    }
}

/// What follows the verdict's word in one line.
#[must_use]
pub(crate) fn reason(record: &Record, catalogue: &Catalogue<'_>) -> Phrase {
    let bound = record.environment.map(Environment::name).unwrap_or_default();
    let published = published(record);
    match Verdict::of(record, catalogue) {
        Verdict::Delivered => Phrase::new(format!("to {bound}{}", clean(record))),
        Verdict::Skipped => match &*remarks(record, catalogue) {
            [] => {
                let words = format!("for {bound}: nothing found that counts against the gate; ");
                Phrase::new(words).prose(unpublished(record)).words(".")
            }
            remarks => Phrase::new(format!("for {bound}: {}; ", remarks.join("; "))).prose(unpublished(record)).words("."),
        },
        Verdict::Advised => Phrase::new(format!("to {bound}: {}.", remarks(record, catalogue).join("; "))),
        Verdict::Blocked => {
            let mut counted = counted(record, catalogue, |tool| catalogue::is_blocking(record, tool));
            counted.extend(registry_scan::counted(record));
            Phrase::new(format!("for {bound}: {}{published}", text::list(&counted)))
        }
        Verdict::Undecided => {
            let unjudged = unjudged::remark(record).unwrap_or_default();
            Phrase::new(format!("for {bound}: {unjudged}{published}"))
        }
        Verdict::Failed => {
            let what = record.failure.as_ref().map_or("it is not known why", |failure| failure.what.as_str());
            Phrase::new(": ").prose(what).words(&published)
        }
        Verdict::Cancelled => Phrase::new(format!(
            "after {}{}{published}",
            text::duration(record.elapsed_ms),
            during(record).map(|stages| format!(", during {stages}")).unwrap_or_default()
        )),
    }
}

/// Whether it is the decision that failed, since something was not judged.
fn is_undecided(record: &Record) -> bool {
    let failed = |stage: &Stage| stage.name == StageName::Decision && matches!(stage.outcome, StageOutcome::Failed(_));
    record.stages.iter().any(failed) && record.unscanned.iter().any(|gap| gap.accepted.is_none())
}

/// What is said of the destination where the delivery did not come to its end. "Nothing" is said where that is known.
fn published(record: &Record) -> String {
    let left: Vec<_> = record.leftovers.iter().map(Tag::as_str).collect();
    match (&record.publication, &*left) {
        (Some(_), _) => ".".to_owned(),
        (None, []) => ". Nothing was published.".to_owned(),
        (None, [tag]) => format!(". The tag {tag} may name its image all the same."),
        (None, tags) => format!(". The tags {} may name its image all the same.", text::list(tags)),
    }
}

/// Why what passed is not published.
fn unpublished(record: &Record) -> String {
    let mut whys =
        record.stages.iter().filter(|stage| stage.name == StageName::Publish).filter_map(|stage| match &stage.outcome {
            StageOutcome::Skipped(why) => Some(why.as_str()),
            _ => None,
        });
    whys.next().unwrap_or("publish is false").to_owned()
}

/// The findings that count against the gates of some tools: `1 leaked secret`, `3 vulnerabilities of HIGH or over (…)`.
#[must_use]
pub(crate) fn counted(record: &Record, catalogue: &Catalogue<'_>, wanted: impl Fn(Tool) -> bool) -> Vec<String> {
    Tool::all().filter(|tool| wanted(*tool)).flat_map(|tool| counted_of(record, catalogue, tool)).collect()
}

fn counted_of(record: &Record, catalogue: &Catalogue<'_>, tool: Tool) -> impl Iterator<Item = String> {
    let leaks = catalogue.leaks_of(tool).count();
    let leaks = (leaks > 0).then(|| text::count(leaks, tool.noun()));
    let vulnerabilities: Vec<_> = catalogue.counting_of(tool).collect();
    let vulnerabilities = (!vulnerabilities.is_empty()).then(|| {
        let number = text::count(vulnerabilities.len(), tool.noun());
        let threshold = catalogue::threshold(record).severity;
        let over = if threshold == Severity::Critical { threshold.to_string() } else { format!("{threshold} or worse") };
        format!("{number} rated {over} ({})", by_severity(&vulnerabilities))
    });
    leaks.into_iter().chain(vulnerabilities)
}

/// The scans that did not run to their end: what was not looked for is not known to be absent.
#[must_use]
pub(crate) fn missing(record: &Record) -> Option<String> {
    let missing = Tool::all().filter(|tool| !catalogue::is_complete(record, *tool));
    let missing: Vec<_> = missing.filter_map(|tool| tool.finds.as_ref().map(|finds| finds.all)).collect();
    (!missing.is_empty()).then(|| format!("{} were not scanned for", text::list(&missing)))
}

/// What is to be said of a delivery that went well.
fn clean(record: &Record) -> String {
    let nothing = "nothing found that counts against the gate.";
    match record.reuse {
        Some(Reuse::Delivered) => " before: all its tags name this commit's image, and nothing was done.".to_owned(),
        Some(Reuse::Completed) if judged_before(record) => {
            ": this commit's image was there, and the tags that were missing are set.".to_owned()
        }
        Some(Reuse::Completed) => format!(": this commit's image was there and is judged again; {nothing}"),
        Some(Reuse::Promoted { from, judged_by: JudgedBy::Image }) => format!(", the image that {from} has: {nothing}"),
        Some(Reuse::Promoted { from, judged_by: JudgedBy::Sbom }) => {
            format!(", the image that {from} has, judged by its signed SBOM: {nothing}")
        }
        Some(Reuse::Assembled) => format!(", of images that other jobs of this run have signed: {nothing}"),
        None => format!(": {nothing}"),
    }
}

/// Whether nothing was judged because an earlier delivery of the same image was.
fn judged_before(record: &Record) -> bool {
    record.reuse.is_some() && !record.stages.iter().any(|stage| stage.name == StageName::Decision)
}

/// Remarks on a delivery that succeeded.
#[must_use]
pub(crate) fn remarks(record: &Record, catalogue: &Catalogue<'_>) -> Vec<String> {
    let of_registry = registry_scan::remarks(record);
    if judged_before(record) {
        return of_registry;
    }
    let counted = counted(record, catalogue, |_| true);
    let elsewhere = (!counted.is_empty()).then(|| {
        let found = |tool: &Tool| counted_of(record, catalogue, *tool).next().is_some();
        let environments = text::list(&catalogue::blocking_environments(&Tool::all().filter(found).collect::<Vec<_>>()));
        format!("{} would block it at {environments}", text::list(&counted))
    });
    elsewhere.into_iter().chain(missing(record)).chain(unjudged::remark(record)).chain(of_registry).collect()
}

fn by_severity(vulnerabilities: &[&Merged<'_>]) -> String {
    let numbers = Severity::ALL.into_iter().filter_map(|severity| {
        let number = vulnerabilities.iter().filter(|merged| merged.vulnerability.severity == severity).count();
        (number > 0).then(|| format!("{number} {severity}"))
    });
    numbers.collect::<Vec<_>>().join(", ")
}

/// The stages that a signal ended.
fn during(record: &Record) -> Option<String> {
    let unfinished = |stage: &&Stage| matches!(stage.outcome, StageOutcome::Running | StageOutcome::Cancelled);
    let names: Vec<_> = record.stages.iter().filter(unfinished).map(|stage| stage.name.name()).collect();
    (!names.is_empty()).then(|| text::list(&names))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    fn said(record: &Record) -> (Verdict, String) {
        let catalogue = Catalogue::of(record);
        (Verdict::of(record, &catalogue), reason(record, &catalogue).to_plain())
    }

    #[test]
    fn a_scan_that_did_not_happen_is_never_a_clean_result() {
        let mut record = fixture::delivered();
        for stage in record.stages.iter_mut().filter(|stage| stage.name == StageName::Vulnerabilities) {
            stage.outcome = StageOutcome::Skipped("no database".to_owned());
        }
        assert_eq!(said(&record), (Verdict::Advised, "to prod: vulnerabilities were not scanned for.".to_owned()));
    }

    #[test]
    fn what_was_not_judged_is_undecided_where_it_counts_and_advice_where_it_is_accepted() {
        let (verdict, words) = said(&fixture::undecided());
        assert_eq!(verdict, Verdict::Undecided);
        assert!(words.starts_with("for prod: 1 thing in the image was not judged, and"), "{words}");
        assert!(words.ends_with("Nothing was published."), "{words}");
        let expected = "to prod: 1 thing in the image was not judged, which `accept-unscanned` accepts.";
        assert_eq!(said(&fixture::excused()), (Verdict::Advised, expected.to_owned()));
    }

    #[test]
    fn the_severity_threshold_is_in_the_words() {
        let mut record = fixture::blocked();
        record.severity_threshold = Some(Severity::Critical);
        let (_, reason) = said(&record);
        assert!(reason.contains("3 vulnerabilities rated CRITICAL (3 CRITICAL)"), "{reason}");
    }

    #[test]
    fn a_commit_that_was_delivered_before_is_said_to_be() {
        let mut record = fixture::delivered();
        record.reuse = Some(Reuse::Delivered);
        record.stages.retain(|stage| stage.name == StageName::Preflight);
        let expected = "to prod before: all its tags name this commit's image, and nothing was done.";
        assert_eq!(said(&record), (Verdict::Delivered, expected.to_owned()));
    }

    #[test]
    fn an_image_of_another_environment_is_said_to_be_judged_here() {
        let mut record = fixture::delivered();
        record.reuse = Some(Reuse::Promoted { from: Environment::Dev, judged_by: JudgedBy::Image });
        assert!(said(&record).1.starts_with("to prod, the image that dev has: nothing found"), "{:?}", said(&record));
    }

    #[test]
    fn of_tags_that_may_be_there_it_is_not_said_that_nothing_was_published() {
        for result in [RunResult::Failed, RunResult::Cancelled] {
            let mut record = fixture::failed();
            (record.result, record.leftovers) = (Some(result), vec!["v1".parse().unwrap()]);
            let (_, reason) = said(&record);
            assert!(reason.ends_with("The tag v1 may name its image all the same."), "{reason}");
            record.leftovers.push("latest".parse().unwrap());
            assert!(said(&record).1.contains("The tags v1 and latest may"), "{:?}", said(&record));
        }
    }

    #[test]
    fn what_is_published_is_not_said_to_be_unpublished() {
        let mut record = fixture::delivered();
        record.result = Some(RunResult::Failed);
        assert!(!said(&record).1.contains("Nothing was published"));
    }
}
