//! What changed since the image of before: in short, and the first of each where somebody looks.

use std::collections::BTreeSet;

use crate::changes::{Advisory, ChangedPackage, Changes, Earlier, Layer, LayerChanges, Since, SourceChange};
use crate::record::Record;
use crate::report::document::Document;
use crate::text;
use crate::text::markdown::{code, prose};

/// How many of each kind are shown.
const SHOWN: usize = 50;

/// Writes it, where an image of before is known, or says why none is.
pub(super) fn write(document: &mut Document, record: &Record) {
    let Some(since) = &record.since else { return };
    let unknown: Vec<_> = since.unknown.iter().map(|why| prose(why)).collect();
    let Some(Earlier { tag, digest, by, advisories_of }) = &since.image else {
        document.paragraph(&format!("What changed since the image of before is not known: {}.", text::list(&unknown)));
        return;
    };
    document.heading(&format!("Changed since {} ({})", code(tag.as_str()), code(&digest.short())));
    let several = since.platforms.len() > 1;
    let lines = since.platforms.iter().map(|changes| {
        let platform = if several { format!("{}: ", code(&changes.platform.to_string())) } else { String::new() };
        format!("{platform}{}", text::list(&counts(changes)))
    });
    document.list(
        "-",
        lines.chain(since.sources.as_ref().map(|sources| match sources.len() {
            0 => "what it is built from is the same".to_owned(),
            number => format!("{} to be built from: {}", text::count(number, "other thing"), names(since)),
        })),
    );
    details(document, since);
    if !by.is_empty() {
        let by: Vec<_> = by.iter().map(|by| code(by)).collect();
        let of = advisories_of
            .map(|at| format!("; its findings are by advisories of {}, so what is new may be the database's", text::time(at)));
        document.paragraph(&format!(
            "What the earlier image had is by the signed word of {}{}.",
            text::list(&by),
            of.unwrap_or_default()
        ));
    }
    if !unknown.is_empty() {
        document.paragraph(&format!("Not known: {}.", text::list(&unknown)));
    }
}

/// What is different, in numbers.
fn counts(changes: &Changes) -> Vec<String> {
    let mut counts = Vec::new();
    if let Some(packages) = &changes.packages {
        let (added, removed, other) = (packages.added.len(), packages.removed.len(), packages.changed.len());
        counts.push(format!("{} added, {removed} removed, {other} in another version", text::count(added, "package")));
    }
    if let Some(findings) = &changes.findings {
        counts.push(format!("{} new, {} gone", text::count(findings.new.len(), "finding"), findings.gone.len()));
    }
    let LayerChanges { added, size, size_before, .. } = &changes.layers;
    let (sign, difference) = if size >= size_before { ("+", size - size_before) } else { ("-", size_before - size) };
    counts.push(format!(
        "{} new, {} in all ({sign}{})",
        text::count(added.len(), "layer"),
        text::size(*size),
        text::size(difference)
    ));
    counts
}

fn names(since: &Since) -> String {
    let names = since.sources.iter().flatten().map(|(name, _)| code(name));
    names.take(3).collect::<Vec<_>>().join(", ")
}

/// The first of each kind, folded.
fn details(document: &mut Document, since: &Since) {
    let mut rows = Vec::new();
    for changes in &since.platforms {
        let platform = code(&changes.platform.to_string());
        let mut row = |what: &str, name: String, change: String| rows.push([what.to_owned(), name, change, platform.clone()]);
        if let Some(findings) = &changes.findings {
            for (what, list) in [("new finding", &findings.new), ("finding gone", &findings.gone)] {
                for Advisory { id, package, severity } in list.iter().take(SHOWN) {
                    row(what, code(id), format!("{severity} in {}", code(package)));
                }
            }
        }
        if let Some(packages) = &changes.packages {
            for ChangedPackage { name, from, to } in packages.changed.iter().take(SHOWN) {
                row("another version", code(name), format!("{} → {}", versions(from), versions(to)));
            }
            for (what, list) in [("package added", &packages.added), ("package removed", &packages.removed)] {
                for package in list.iter().take(SHOWN) {
                    row(what, code(&package.name), code(&package.version));
                }
            }
        }
        for (what, list) in [("layer added", &changes.layers.added), ("layer removed", &changes.layers.removed)] {
            for Layer { diff_id, size } in list.iter().take(SHOWN) {
                row(what, code(&diff_id.short()), text::size(*size));
            }
        }
    }
    for (name, SourceChange { from, to }) in since.sources.iter().flatten().take(SHOWN) {
        let digest = |digest: &Option<String>| digest.as_deref().map_or_else(|| "none".to_owned(), code);
        rows.push(["built from".to_owned(), code(name), format!("{} → {}", digest(from), digest(to)), String::new()]);
    }
    if rows.is_empty() {
        return;
    }
    document.paragraph("<details><summary>The first of each kind; all are in <code>record.json</code></summary>");
    document.table(["What", "Which", "Change", "Of"], rows);
    document.paragraph("</details>");
}

fn versions(versions: &BTreeSet<String>) -> String {
    if versions.is_empty() {
        "none".to_owned()
    } else {
        versions.iter().map(|version| code(version)).collect::<Vec<_>>().join(", ")
    }
}
