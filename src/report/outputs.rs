//! The outputs of the action, in the format of `GITHUB_OUTPUT`.
//!
//! GitHub Docs, "Workflow commands for GitHub Actions", "Multiline strings"; read by actions/runner in
//! `FileCommandManager.cs`. An output without a value is left out: a later step then reads an empty text.

use std::collections::BTreeMap;
use std::path::Path;

use rand::Rng as _;

use super::catalogue::{Catalogue, Merged};
use crate::record::Record;
use crate::scanner::Tool;

/// The names and values of the outputs, in the order in which they are documented.
pub(crate) type Outputs = Vec<(&'static str, String)>;

/// All outputs of the action, and what each is.
#[cfg(test)]
pub(crate) const ALL: [(&str, &str); 14] = [
    ("result", "How it ended: delivered, blocked, failed, skipped (passed, and not to be published) or cancelled"),
    ("environment", "Where the image is bound for"),
    ("image", "The published image by its digest: HOST/NAME@sha256:…; empty where nothing was published"),
    ("digest", "The digest of what was published; empty if nothing was"),
    ("tags", "The tags that were set, as a JSON array; empty if none was"),
    ("findings", "The number of findings by tool and severity, as JSON"),
    ("sbom-path", "The folder with the SBOM files; empty where there are none"),
    ("sarif-path", "The folder with the SARIF files; empty where there are none"),
    ("summary-path", "The report for people, in Markdown"),
    ("record-path", "The report for programs, as JSON"),
    (
        "signed-record-path",
        "The report for programs as it was when the verdict was signed, which names its digest; empty where no verdict was",
    ),
    (
        "verify-command",
        "A command that checks what was published: of a signed image its signature, by cosign; else that the registry holds it, by docker. Empty for a folder",
    ),
    (
        "gitops-result",
        "What became of gitops-repository: updated, unchanged, pull-request, failed (the image is out all the same; exit code 4) or skipped (a newer delivery is there, or nothing was published); empty where none is named",
    ),
    ("matrix", "With the command plan and the input matrix: the jobs, as JSON for strategy.matrix"),
];

/// The outputs of a record whose report is in `folder`.
///
/// `image`, `digest` and `tags` are there only where something was published, so that no later step can deploy what the
/// gate held back. `findings` counts what was found after suppressions, by tool and severity, a vulnerability once
/// whatever the number of platforms: `{"gitleaks":{"total":1},"trivy":{"total":2,"CRITICAL":2}}`.
#[must_use]
pub(crate) fn of(record: &Record, folder: &Path) -> Outputs {
    let path = |name: &str| folder.join(name).display().to_string();
    let mut outputs = vec![("result", record.result.map_or("cancelled", crate::record::RunResult::name).to_owned())];
    outputs.extend(record.environment.map(|environment| ("environment", environment.name().to_owned())));
    if let Some(publication) = &record.publication {
        let tags: Vec<_> = publication.tags.iter().map(crate::oci::Tag::as_str).collect();
        outputs.push(("image", format!("{}@{}", publication.destination, publication.digest)));
        outputs.push(("digest", publication.digest.to_string()));
        outputs.push(("tags", serde_json::json!(tags).to_string()));
        outputs.extend(super::verify::command(record).map(|command| ("verify-command", command)));
    }
    outputs.push(("findings", findings(record)));
    outputs.extend(sbom_folder(record).map(|sboms| ("sbom-path", path(sboms))));
    if Tool::judging().any(|tool| super::catalogue::is_complete(record, tool)) {
        outputs.push(("sarif-path", path("sarif")));
    }
    outputs.push(("summary-path", path("summary.md")));
    outputs.push(("record-path", path("record.json")));
    outputs.extend(record.signed.map(|_| ("signed-record-path", path(super::SIGNED))));
    outputs.extend(record.gitops.as_ref().map(|gitops| ("gitops-result", gitops.result.name().to_owned())));
    outputs
}

/// The outputs as the runner reads them. Each value stands between two delimiters that it does not contain.
#[must_use]
pub(crate) fn render(outputs: &Outputs) -> String {
    let rendered = outputs.iter().map(|(name, value)| {
        let delimiter = delimiter(value);
        format!("{name}<<{delimiter}\n{value}\n{delimiter}\n")
    });
    rendered.collect()
}

/// A delimiter that the author of the value could not know.
fn delimiter(value: &str) -> String {
    loop {
        let delimiter = format!("gp-deliver-{:032x}", rand::rng().random::<u128>());
        if !value.contains(&delimiter) {
            return delimiter;
        }
    }
}

fn findings(record: &Record) -> String {
    let catalogue = Catalogue::of(record);
    let mut counts: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for tool in Tool::judging() {
        let vulnerabilities = catalogue.vulnerabilities().filter(|merged| merged.vulnerability.tool == tool);
        let total = catalogue.leaks_of(tool).count() + vulnerabilities.count();
        if total > 0 || super::catalogue::is_complete(record, tool) {
            counts.entry(tool.name()).or_default().insert("total", total);
        }
    }
    for Merged { vulnerability, .. } in catalogue.vulnerabilities() {
        *counts.entry(vulnerability.tool.name()).or_default().entry(vulnerability.severity.name()).or_default() += 1;
    }
    if let Some(scan) = record.registry_scan.as_ref().filter(|scan| scan.is_complete()) {
        let of_registry = counts.entry(super::sarif::REGISTRY_SCAN).or_default();
        of_registry.insert("total", scan.findings.len());
        for finding in &scan.findings {
            *of_registry.entry(finding.severity.name()).or_default() += 1;
        }
    }
    serde_json::json!(counts).to_string()
}

/// The folder of the SBOM files, relative to the report's.
fn sbom_folder(record: &Record) -> Option<&str> {
    let mut files = record.image.iter().flat_map(|image| &image.platforms).flat_map(|platform| &platform.sboms);
    files.next().map(|file| file.rsplit_once('/').map_or("", |(folder, _)| folder))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::report::fixture;

    /// Reads as actions/runner 2.336 does (`EnvFileKeyValuePairs` in `FileCommandManager.cs`): a heredoc where `<<` comes
    /// before any `=`, its value all between the first line's end and the delimiter's line, its inner line breaks kept.
    fn read(text: &str) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        let mut lines = text.split('\n');
        while let Some(line) = lines.next() {
            if line.is_empty() {
                continue;
            }
            let (equals, heredoc) = (line.find('=').unwrap_or(usize::MAX), line.find("<<").unwrap_or(usize::MAX));
            if equals < heredoc {
                pairs.push((line[..equals].to_owned(), line[equals + 1..].to_owned()));
                continue;
            }
            assert!(heredoc < usize::MAX, "invalid format: {line:?}");
            let (name, delimiter) = (&line[..heredoc], &line[heredoc + 2..]);
            assert!(!name.is_empty() && !delimiter.is_empty());
            let value: Vec<_> = lines.by_ref().take_while(|line| *line != delimiter).collect();
            pairs.push((name.to_owned(), value.join("\n")));
        }
        pairs
    }

    fn value(outputs: &Outputs, name: &str) -> Option<String> {
        outputs.iter().find(|(output, _)| *output == name).map(|(_, value)| value.clone())
    }

    #[test]
    fn a_delivery_has_all_outputs() {
        let outputs = of(&fixture::delivered(), Path::new("report"));
        let digest = crate::oci::Digest::of(b"image");
        for (name, expected) in [
            ("result", "delivered"),
            ("environment", "prod"),
            ("image", &format!("registry.example/team/hello@{digest}")),
            ("digest", &digest.to_string()),
            ("tags", r#"["a1b2c3d","prod-a1b2c3d"]"#),
            ("findings", r#"{"gitleaks":{"total":0},"trivy":{"total":0}}"#),
            ("sbom-path", "report/sbom"),
            ("sarif-path", "report/sarif"),
            ("summary-path", "report/summary.md"),
            ("record-path", "report/record.json"),
            ("verify-command", &format!("docker buildx imagetools inspect registry.example/team/hello@{digest}")),
        ] {
            assert_eq!(value(&outputs, name).as_deref(), Some(expected), "{name}");
        }
    }

    #[test]
    fn each_output_is_on_the_list() {
        for (name, _) in of(&fixture::delivered(), Path::new("report")) {
            assert!(ALL.iter().any(|(listed, _)| *listed == name), "{name}");
        }
    }

    #[test]
    fn what_was_not_published_has_no_reference_that_could_be_deployed() {
        for record in [fixture::blocked(), fixture::failed(), fixture::cancelled(), fixture::skipped()] {
            let outputs = of(&record, Path::new("report"));
            for name in ["image", "digest", "tags", "verify-command"] {
                assert_eq!(value(&outputs, name), None, "{name}");
            }
        }
    }

    #[test]
    fn findings_are_counted_once_whatever_the_number_of_platforms() {
        let findings = value(&of(&fixture::blocked(), Path::new("")), "findings").unwrap();
        assert_eq!(findings, r#"{"gitleaks":{"total":2},"trivy":{"CRITICAL":3,"HIGH":1,"MEDIUM":1,"total":5}}"#);
    }

    #[test]
    fn a_hostile_value_sets_no_output_of_its_own() {
        let outputs =
            vec![("image", "x\ndigest=sha256:0\ntags<<EOF\nlatest\nEOF\n".to_owned()), ("result", "blocked".to_owned())];
        let expected: Vec<_> = outputs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        assert_eq!(read(&render(&outputs)), expected);
    }

    proptest! {
        #[test]
        fn every_value_reads_back_as_it_was(value in any::<String>(), lines in "[a=<\n\r]{0,30}") {
            let outputs = vec![("image", value.clone()), ("tags", lines.clone())];
            prop_assert_eq!(read(&render(&outputs)), [("image".to_owned(), value), ("tags".to_owned(), lines)]);
        }
    }
}
