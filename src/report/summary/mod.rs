//! `summary.md`: the report for a team, as GitHub renders it on the page of a run.
//!
//! The result, what to do and what was published come first; the tables, which may be long, come last.

mod build_cache;
mod facts;
mod findings;
mod registry_scan;
mod since;
mod timeline;

use super::advice;
use super::catalogue::{self, Catalogue};
use super::document::Document;
use super::unjudged::{self, Unjudged};
use super::verdict::{self, Verdict};
use crate::record::Record;
use crate::scanner::Tool;
use crate::text::markdown;

/// The most bytes that GitHub shows; a larger summary it drops as a whole (GitHub Docs, "Workflow commands for GitHub
/// Actions", "Step isolation and limits": 1 MiB a step).
pub(crate) const LIMIT: usize = 1024 * 1024;

/// The most lines of an excerpt.
const EXCERPT: usize = 50;

/// The summary in GitHub-flavoured Markdown, at most `limit` bytes.
#[must_use]
pub(crate) fn render(record: &Record, limit: usize) -> String {
    let catalogue = Catalogue::of(record);
    let mut document = Document::new(limit.min(LIMIT));
    result(&mut document, record, &catalogue);
    failure(&mut document, record);
    what_to_do(&mut document, record, &catalogue);
    not_judged(&mut document, record);
    facts::write(&mut document, record);
    since::write(&mut document, record);
    warnings(&mut document, record);
    timeline::stages(&mut document, record);
    timeline::picture(&mut document, record);
    build_cache::write(&mut document, record);
    findings::write(&mut document, &catalogue);
    registry_scan::write(&mut document, record);
    findings::let_through(&mut document, record, &catalogue);
    document.finish()
}

fn result(document: &mut Document, record: &Record, catalogue: &Catalogue<'_>) {
    let verdict = Verdict::of(record, catalogue);
    let reason = verdict::reason(record, catalogue).to_markdown();
    let blank = if reason.starts_with(':') { "" } else { " " };
    document.paragraph(&format!("## {} {}{blank}{reason}", verdict.icon(), verdict.word()));
}

fn failure(document: &mut Document, record: &Record) {
    let Some(failure) = &record.failure else { return };
    let why = failure.why.lines().filter(|line| !line.trim().is_empty()).take(EXCERPT).map(markdown::prose);
    let why = why.collect::<Vec<_>>().join("<br>");
    document.list("-", [format!("**Why:** {why}"), format!("**What to do:** {}", markdown::prose(&failure.remedy))]);
    if !failure.to_copy.is_empty() {
        document.paragraph(&markdown::block(&failure.to_copy));
    }
    let skipped = failure.excerpt.len().saturating_sub(EXCERPT);
    if !failure.excerpt.is_empty() {
        document.paragraph(if skipped == 0 { "Its last lines:" } else { "The last of its lines:" });
        document.paragraph(&markdown::block(&failure.excerpt[skipped..]));
    }
}

fn what_to_do(document: &mut Document, record: &Record, catalogue: &Catalogue<'_>) {
    let steps = advice::steps(catalogue);
    if steps.is_empty() {
        return;
    }
    let blocking = Tool::all().any(|tool| catalogue::is_blocking(record, tool));
    document.heading(if blocking { "What to do" } else { "What to do before it can go further" });
    document.list("1.", steps.iter().map(super::phrase::Phrase::to_markdown));
}

fn not_judged(document: &mut Document, record: &Record) {
    let all = unjudged::all(record);
    if all.is_empty() {
        return;
    }
    document.heading("Not judged");
    document.paragraph(
        "These are in the image, and vulnerabilities in them would not have been found. `accept-unscanned` says what may go \
         out so, and why.",
    );
    let rows = all.iter().map(|Unjudged { gap, platforms }| {
        let platforms = platforms.iter().map(|platform| markdown::code(platform)).collect::<Vec<_>>().join(", ");
        let accepted = gap.accepted.as_deref().map_or_else(|| "**no**".to_owned(), markdown::prose);
        [format!("{}<br>{}", markdown::code(&gap.name), unjudged::kind(gap)), markdown::prose(&gap.why), platforms, accepted]
    });
    document.table(["What", "Why not", "Of", "Accepted because"], rows);
}

fn warnings(document: &mut Document, record: &Record) {
    if !record.warnings.is_empty() {
        document.heading("Warnings");
        document.list("-", record.warnings.iter().map(|warning| markdown::prose(warning)));
    }
}

#[cfg(test)]
mod tests;
