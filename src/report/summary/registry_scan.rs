//! What the registry's own scan found, beside trivy's.

use crate::record::Record;
use crate::registry_scan::{RegistryFinding, RegistryScan, ScanResult, ScannedImage};
use crate::report::document::Document;
use crate::text;
use crate::text::markdown::{code, link, prose};

/// How many advisories are named in a line.
const NAMED: usize = 20;

/// Writes it.
pub(crate) fn write(document: &mut Document, record: &Record) {
    let Some(scan) = &record.registry_scan else { return };
    document.heading(&format!("Amazon ECR's own scan: {}", headline(scan)));
    document.list("-", scan.images.iter().map(image));
    if !scan.is_complete() {
        document.paragraph("What has no result was not looked at: it is not clean.");
    }
    let (open, aside): (Vec<_>, Vec<_>) = scan.findings.iter().partition(|finding| finding.let_through.is_none());
    let (counting, mild): (Vec<_>, Vec<_>) = open.into_iter().partition(|finding| finding.counts);
    table(document, &counting);
    folded(document, &mild, "more, not counted");
    folded(document, &aside, "let through");
    if let Some([_, ..]) = scan.only_trivy.as_deref() {
        document.paragraph(&only_trivy(scan));
    }
}

fn headline(scan: &RegistryScan) -> String {
    let missing = scan.missing().count();
    if missing == scan.images.len() {
        return "no result".to_owned();
    }
    let counting = scan.counting().len();
    let missing = if missing > 0 { format!(", no result for {}", text::count(missing, "image")) } else { String::new() };
    format!("{}, {counting} counted at the gate{missing}", text::count(scan.findings.len(), "finding"))
}

fn image(image: &ScannedImage) -> String {
    let name = format!("{} ({})", code(&image.to_string()), code(&image.digest.short()));
    match &image.result {
        ScanResult::Basic { at } => format!("{name}: basic scan of {}", text::time(*at)),
        ScanResult::Enhanced { at } => format!("{name}: enhanced scan of {}", text::time(*at)),
        ScanResult::None { why, accepted: None, .. } => format!("{name}: **no result**: {}", prose(why)),
        ScanResult::None { why, accepted: Some(reason), .. } => {
            format!("{name}: **no result**: {}; accepted: {}", prose(why), prose(reason))
        }
    }
}

fn table(document: &mut Document, findings: &[&RegistryFinding]) {
    let heads = ["Severity", "Advisory", "Package", "Installed", "Fixed in", "Known to", "In use"];
    document.table(heads, findings.iter().map(|finding| row(finding)));
}

fn folded(document: &mut Document, findings: &[&RegistryFinding], what: &str) {
    if findings.is_empty() {
        return;
    }
    document.paragraph(&format!("<details><summary>{} {what}</summary>", text::count(findings.len(), "finding")));
    table(document, findings);
    document.paragraph("</details>");
}

fn row(finding: &RegistryFinding) -> [String; 7] {
    let rating = if finding.rating == finding.severity.name() {
        finding.rating.clone()
    } else {
        format!("{} ({})", finding.severity, code(&finding.rating))
    };
    let id = link(&finding.id, finding.url.as_deref());
    let id = if finding.title.is_empty() { id } else { format!("{id}<br>{}", prose(&finding.title)) };
    let id = finding.let_through.as_ref().map_or_else(|| id.clone(), |by| format!("{id}<br>let through: {}", prose(by)));
    let package = if finding.package.is_empty() { "–".to_owned() } else { code(&finding.package) };
    let package =
        finding.platform.as_ref().map_or_else(|| package.clone(), |of| format!("{package}<br>in {}", code(&of.to_string())));
    let fixed = match (&finding.fixed, finding.fixable) {
        (Some(version), _) => format!("**{}**", code(version)),
        (None, Some(true)) => "there is a fix".to_owned(),
        (None, Some(false)) => "–".to_owned(),
        (None, None) => "not said".to_owned(),
    };
    let known = match finding.by_trivy {
        Some(true) => "ECR and trivy",
        Some(false) => "**ECR alone**",
        None => "ECR",
    };
    let in_use = finding.in_use.map_or_else(
        || "–".to_owned(),
        |number| match finding.last_in_use_at {
            Some(at) => format!("{number}, last on {}", text::time(at)),
            None => number.to_string(),
        },
    );
    [rating, id, package, code(&finding.installed), fixed, known.to_owned(), in_use]
}

fn only_trivy(scan: &RegistryScan) -> String {
    let only = scan.only_trivy.as_deref().unwrap_or_default();
    let named: Vec<_> = only.iter().take(NAMED).map(|one| format!("{} in {}", code(&one.id), code(&one.package))).collect();
    let more = only.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("Known to trivy alone: {}{more}.", named.join(", "))
}
