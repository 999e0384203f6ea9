//! Leaks: a rule a kind of secret, a result a leak.

use std::collections::BTreeMap;

use serde_json::json;
use serde_sarif::sarif::{
    Message, MultiformatMessageString, PropertyBag, ReportingConfiguration, ReportingDescriptor, Result as Alert, ResultLevel,
};

use super::fingerprint::Fingerprints;
use super::{Alerts, TEXT, location, message_text};
use crate::finding::Leak;
use crate::report::advice::short_commit;
use crate::report::catalogue::Catalogue;
use crate::scanner::{Finds, Tool};
use crate::text::{self, markdown};

/// Over 9.0 GitHub calls critical: whoever reads the repository has the secret.
const SEVERITY: &str = "9.5";
/// The most leaks that a rule's help lists.
const FINGERPRINTS: usize = 20;

/// A tool's results that are leaks.
pub(crate) fn alerts<'a>(catalogue: &Catalogue<'a>, tool: Tool, finds: &'a Finds) -> Alerts<'a> {
    let mut fingerprints = Fingerprints::default();
    let results = catalogue.leaks_of(tool).map(|leak| result(leak, &mut fingerprints)).collect();
    let mut rules: BTreeMap<String, Vec<&'a Leak>> = BTreeMap::new();
    for leak in catalogue.leaks_of(tool) {
        rules.entry(id(leak)).or_default().push(leak);
    }
    Alerts { results, rule: Box::new(move |id| rule(id, rules.get(id)?, tool, finds)) }
}

fn id(leak: &Leak) -> String {
    text::line(&leak.rule, TEXT).into()
}

fn result(leak: &Leak, fingerprints: &mut Fingerprints) -> Alert {
    let place = match (&leak.layer, &leak.commit) {
        (Some(layer), _) => format!(" in the image's layer {layer}"),
        (None, Some(commit)) => format!(" in commit {}", short_commit(commit)),
        (None, None) => String::new(),
    };
    let message =
        format!("A secret is in {} line {}{place}: {}. Revoke it where it was issued.", leak.file, leak.line, leak.description);
    // Not the commit: a delivery that looks at its own push only does not see the commit of before.
    let parts = [leak.tool.name(), &leak.rule, &leak.file];
    Alert::builder()
        .rule_id(id(leak))
        .level(ResultLevel::Error)
        .message(Message::builder().text(message_text(&message)).build())
        .locations(vec![location::lines(&leak.file, leak.line, leak.line)])
        .partial_fingerprints(fingerprints.next(&parts))
        .build()
}

fn rule(id: &str, leaks: &[&Leak], tool: Tool, finds: &Finds) -> Option<ReportingDescriptor> {
    let description = String::from(text::line(&leaks.first()?.description, TEXT));
    let description = if description.is_empty() { format!("A secret of the kind {id}.") } else { description };
    let described = MultiformatMessageString::builder().text(description).build();
    let properties = PropertyBag::builder()
        .tags(["security", "secret"].map(str::to_owned).to_vec())
        .additional_properties(BTreeMap::from([
            ("security-severity".to_owned(), json!(SEVERITY)),
            ("precision".to_owned(), json!("medium")),
        ]))
        .build();
    let rule = ReportingDescriptor::builder()
        .id(id)
        .name("LeakedSecret")
        .short_description(
            MultiformatMessageString::builder().text(text::line(&format!("{}: {id}", tool.heading()), TEXT)).build(),
        )
        .full_description(described)
        .help(help(leaks, finds.ignore_file))
        .help_uri(format!("{}#readme", finds.driver.information_uri))
        .default_configuration(ReportingConfiguration::builder().level("error").build())
        .properties(properties)
        .build();
    Some(rule)
}

fn help(leaks: &[&Leak], ignore_file: &str) -> MultiformatMessageString {
    let step = "Revoke the secret where it was issued, remove it from the file, and give the program a new one when it runs. \
        Git's history goes on holding what a later commit removes.";
    let false_alarm = format!("If it is not a secret, put its fingerprint into {ignore_file}:");
    let fingerprints = || leaks.iter().filter(|leak| leak.layer.is_none()).take(FINGERPRINTS).map(|leak| &leak.fingerprint);
    let listed: Vec<_> = fingerprints().map(|fingerprint| format!("- {}", markdown::code(fingerprint))).collect();
    let plain: Vec<_> = fingerprints().map(|fingerprint| text::line(fingerprint, markdown::LIMIT)).collect();
    if listed.is_empty() {
        return MultiformatMessageString::builder().text(step).markdown(step).build();
    }
    MultiformatMessageString::builder()
        .text(format!("{step} {false_alarm} {}", plain.join(" ")))
        .markdown(format!("{step}\n\n{false_alarm}\n\n{}", listed.join("\n")))
        .build()
}
