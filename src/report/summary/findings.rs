//! The tables of findings, and what was let through.

use crate::finding::{Leak, Severity, Standing, Suppression};
use crate::record::Record;
use crate::report::advice::short_commit;
use crate::report::catalogue::{self, Catalogue, Merged};
use crate::report::document::Document;
use crate::scanner::Tool;
use crate::text;
use crate::text::markdown::{code, link, prose};

/// Writes what counts against the gates, scanner by scanner: leaks, vulnerabilities with a fix, vulnerabilities without.
pub(crate) fn write(document: &mut Document, catalogue: &Catalogue<'_>) {
    for tool in Tool::all() {
        leaks(document, &catalogue.leaks_of(tool).collect::<Vec<_>>(), tool);
        for (shelf, fix) in [(&catalogue.fixable, "with a fix"), (&catalogue.unfixable, "without a fix")] {
            let merged: Vec<_> = catalogue::of(shelf, tool).collect();
            if !merged.is_empty() {
                document.heading(&format!("{} {fix}", text::count(merged.len(), tool.noun())));
                vulnerabilities(document, &merged);
            }
        }
    }
}

fn leaks(document: &mut Document, leaks: &[&Leak], tool: Tool) {
    let Some(finds) = tool.finds.as_ref().filter(|_| !leaks.is_empty()) else { return };
    document.heading(&text::count(leaks.len(), finds.noun));
    document.table(["Rule", "Where", "Commit", "What it looks like"], leaks.iter().map(|leak| leak_row(leak)));
    // What a layer holds is let through by nothing: the image is another's word.
    let listed: Vec<_> = leaks.iter().filter(|leak| leak.layer.is_none()).collect();
    if listed.is_empty() {
        return;
    }
    let summary = format!("If one of them is not a secret: its line for <code>{}</code>", finds.ignore_file);
    document.paragraph(&format!("<details><summary>{summary}</summary>"));
    document.list("-", listed.iter().map(|leak| code(&leak.fingerprint)));
    document.paragraph("</details>");
}

/// Writes what did not count, and why.
pub(crate) fn let_through(document: &mut Document, record: &Record, catalogue: &Catalogue<'_>) {
    if catalogue.ignored.is_empty() && catalogue.mild.is_empty() && record.suppressions.is_empty() {
        return;
    }
    let (refused, passed): (Vec<_>, Vec<_>) =
        record.suppressions.iter().partition(|suppression| suppression.standing == Standing::Refused);
    if !refused.is_empty() {
        document.heading("Not let through");
        document.paragraph("This came with the change that it would let through, so it does not count (`suppressions`).");
        suppressed(document, &refused);
    }
    if catalogue.ignored.is_empty() && catalogue.mild.is_empty() && passed.is_empty() {
        return;
    }
    document.heading("Let through");
    if !passed.is_empty() {
        suppressed(document, &passed);
    }
    folded(document, &catalogue.ignored.iter().collect::<Vec<_>>(), "without a fix, left out by `ignore-unfixed`");
    let threshold = catalogue::threshold(record).severity;
    folded(document, &catalogue.mild.iter().collect::<Vec<_>>(), &format!("rated below {threshold}"));
}

fn suppressed(document: &mut Document, suppressions: &[&Suppression]) {
    let rows = suppressions.iter().map(|suppression| {
        let reason = suppression.reason.as_deref().map_or_else(|| "_no reason given_".to_owned(), prose);
        let new = if suppression.standing == Standing::New { "**new with this change**; " } else { "" };
        let set_in = suppression.set_in.as_deref().map(|commit| format!("in commit {}", code(&short_commit(commit))));
        let set_in = set_in.unwrap_or_else(|| "not known".to_owned());
        let number = text::count(suppression.count as usize, "finding");
        let (tool, by) = (suppression.tool.name().to_owned(), code(&suppression.by));
        [code(&suppression.id), number, tool, by, set_in, format!("{new}{reason}")]
    });
    document.table(["What", "How many", "Of", "By", "Set", "Reason"], rows);
}

fn folded(document: &mut Document, merged: &[&Merged<'_>], why: &str) {
    if merged.is_empty() {
        return;
    }
    let number = text::count(merged.len(), "vulnerability");
    let why = why.replace("`ignore-unfixed`", "<code>ignore-unfixed</code>");
    document.paragraph(&format!("<details><summary>{number} {why}</summary>"));
    vulnerabilities(document, merged);
    document.paragraph("</details>");
}

fn leak_row(leak: &Leak) -> [String; 4] {
    let commit = match (&leak.layer, &leak.commit) {
        (Some(layer), _) => format!("in the layer {}", code(&layer.to_string())),
        (None, Some(commit)) => code(&short_commit(commit)),
        (None, None) => "in the files".to_owned(),
    };
    let place = format!("{} line {}", code(&leak.file), leak.line);
    [code(&leak.rule), place, commit, prose(&leak.description)]
}

/// A table of vulnerabilities. The platforms have a column only where they differ.
fn vulnerabilities(document: &mut Document, merged: &[&Merged<'_>]) {
    let several = merged.iter().any(|entry| entry.platforms != merged[0].platforms);
    let rows = merged.iter().map(|merged| {
        let [severity, id, package, installed, fixed, place] = vulnerability_row(merged);
        let platforms = merged.platforms.iter().map(|platform| code(platform)).collect::<Vec<_>>().join(", ");
        (platforms, [severity, id, package, installed, fixed, place])
    });
    let heads = ["Severity", "Advisory", "Package", "Installed", "Fixed in", "Brought by"];
    if several {
        let [severity, id, package, installed, fixed, place] = heads;
        let heads = [severity, id, package, installed, fixed, place, "Platforms"];
        let rows = rows.map(|(platforms, [severity, id, package, installed, fixed, place])| {
            [severity, id, package, installed, fixed, place, platforms]
        });
        document.table(heads, rows);
    } else {
        document.table(heads, rows.map(|(_, row)| row));
    }
}

fn vulnerability_row(merged: &Merged<'_>) -> [String; 6] {
    let vulnerability = merged.vulnerability;
    let id = link(&vulnerability.id, vulnerability.url.as_deref());
    let id = if vulnerability.title.is_empty() { id } else { format!("{id}<br>{}", prose(&vulnerability.title)) };
    let package = format!("{}<br>in {}", code(&vulnerability.package), prose(&vulnerability.target));
    let fixed = vulnerability.fixed.as_deref().map_or_else(|| "–".to_owned(), |fixed| format!("**{}**", code(fixed)));
    let place = vulnerability.instruction.as_ref().map_or_else(
        || "–".to_owned(),
        |instruction| format!("{} line {}<br>{}", code(&instruction.file), instruction.line, code(&instruction.text)),
    );
    [severity(vulnerability.severity), id, package, code(&vulnerability.installed), fixed, place]
}

fn severity(severity: Severity) -> String {
    let icon = match severity {
        Severity::Critical => "🔴",
        Severity::High => "🟠",
        Severity::Medium => "🟡",
        Severity::Low => "🔵",
        Severity::Unknown => "⚪",
    };
    format!("{icon} {severity}")
}
