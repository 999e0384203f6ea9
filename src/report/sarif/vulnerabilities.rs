//! Vulnerabilities: a rule an advisory, a result a package that has it.

use std::collections::{BTreeMap, HashMap};

use serde_json::json;
use serde_sarif::sarif::{
    Location, Message, MultiformatMessageString, PropertyBag, ReportingConfiguration, ReportingDescriptor, Result as Alert,
    ResultLevel,
};

use super::fingerprint::Fingerprints;
use super::{Alerts, TEXT, location, message_text};
use crate::finding::{Severity, Vulnerability};
use crate::report::advice::distinct;
use crate::report::catalogue::{Catalogue, Merged};
use crate::scanner::Tool;
use crate::text::{self, markdown};

/// The most packages that a rule's help lists.
const PACKAGES: usize = 20;

/// A tool's results that are vulnerabilities.
pub(crate) fn alerts<'a>(catalogue: &Catalogue<'a>, tool: Tool) -> Alerts<'a> {
    let found = catalogue.vulnerabilities().filter(|merged| merged.vulnerability.tool == tool);
    let merged: Vec<(&Vulnerability, Vec<String>)> =
        found.map(|Merged { vulnerability, platforms }| (*vulnerability, platforms.clone())).collect();
    alerts_of(&merged)
}

/// The results of vulnerabilities, each with the platforms that have it.
pub(crate) fn alerts_of<'a>(merged: &[(&'a Vulnerability, Vec<String>)]) -> Alerts<'a> {
    let dockerfile = merged.iter().find_map(|(vulnerability, _)| vulnerability.instruction.as_ref());
    let dockerfile = dockerfile.map_or("Dockerfile", |instruction| &instruction.file);
    let mut fingerprints = Fingerprints::default();
    let results =
        merged.iter().map(|(vulnerability, platforms)| result(vulnerability, platforms, dockerfile, &mut fingerprints)).collect();
    let mut rules: HashMap<String, Vec<&'a Vulnerability>> = HashMap::new();
    for (vulnerability, _) in merged {
        rules.entry(id(vulnerability)).or_default().push(*vulnerability);
    }
    Alerts { results, rule: Box::new(move |id| rule(id, rules.get(id)?)) }
}

/// Each once, with all the platforms that have it.
pub(crate) fn merged<'a>(found: impl IntoIterator<Item = &'a Vulnerability>) -> Vec<(&'a Vulnerability, Vec<String>)> {
    let mut merged: Vec<(&Vulnerability, Vec<String>)> = Vec::new();
    for one in found {
        let platform = one.platform.to_string();
        let same =
            |known: &Vulnerability| (&known.id, &known.package, &known.installed) == (&one.id, &one.package, &one.installed);
        match merged.iter_mut().find(|(known, _)| same(known)) {
            Some((_, platforms)) if platforms.contains(&platform) => {}
            Some((_, platforms)) => platforms.push(platform),
            None => merged.push((one, vec![platform])),
        }
    }
    merged
}

fn id(vulnerability: &Vulnerability) -> String {
    text::line(&vulnerability.id, TEXT).into()
}

fn result(vulnerability: &Vulnerability, platforms: &[String], dockerfile: &str, fingerprints: &mut Fingerprints) -> Alert {
    let Vulnerability { id: advisory, package, installed, severity, target, .. } = vulnerability;
    let fix = vulnerability.fixed.as_ref().map_or_else(|| "there is no fix yet".to_owned(), |fixed| format!("fixed in {fixed}"));
    let short = |part: &str| text::line(part, markdown::LIMIT);
    let message = format!(
        "{} {} in {} has {} ({severity}): {}. Platforms: {}.",
        short(package),
        short(installed),
        short(target),
        short(advisory),
        short(&fix),
        platforms.join(", ")
    );
    Alert::builder()
        .rule_id(id(vulnerability))
        .level(level(*severity))
        .message(Message::builder().text(message_text(&message)).build())
        .locations(vec![place(vulnerability, dockerfile)])
        .partial_fingerprints(fingerprints.next(&[vulnerability.tool.name(), advisory, package]))
        .build()
}

/// The instruction that brought the package; the first line of the Dockerfile where it is not known.
fn place(vulnerability: &Vulnerability, dockerfile: &str) -> Location {
    match &vulnerability.instruction {
        Some(instruction) => location::lines(&instruction.file, instruction.line, instruction.end_line),
        None => location::lines(dockerfile, 1, 1),
    }
}

fn rule(id: &str, vulnerabilities: &[&Vulnerability]) -> Option<ReportingDescriptor> {
    let worst = vulnerabilities.iter().max_by_key(|vulnerability| vulnerability.severity)?;
    let title = text::line(&worst.title, TEXT);
    let description = if title.is_empty() { format!("{id} in a package of the image.") } else { title.into() };
    let mut properties = BTreeMap::from([("precision".to_owned(), json!("very-high"))]);
    if let Some(severity) = security_severity(worst.severity) {
        properties.insert("security-severity".to_owned(), json!(severity));
    }
    let tags = ["security", "vulnerability", worst.severity.name()].map(str::to_owned).to_vec();
    let rule = ReportingDescriptor::builder()
        .id(id)
        .name("KnownVulnerability")
        .short_description(MultiformatMessageString::builder().text(text::line(&format!("{id}: {description}"), TEXT)).build())
        .full_description(MultiformatMessageString::builder().text(description).build())
        .help(help(id, vulnerabilities))
        .default_configuration(ReportingConfiguration::builder().level(level(worst.severity).to_string()).build())
        .properties(PropertyBag::builder().tags(tags).additional_properties(properties).build());
    let address = worst.url.as_deref().and_then(markdown::web_address);
    Some(match address {
        Some(address) => rule.help_uri(address).build(),
        None => rule.build(),
    })
}

fn help(id: &str, vulnerabilities: &[&Vulnerability]) -> MultiformatMessageString {
    let fixes = vulnerabilities.iter().take(PACKAGES).map(|vulnerability| {
        let Vulnerability { package, installed, fixed, .. } = vulnerability;
        let fixed_plain = fixed.as_ref().map_or_else(|| "no fix yet".into(), |fixed| text::line(fixed, markdown::LIMIT));
        let fixed = fixed.as_ref().map_or_else(|| "no fix yet".to_owned(), |fixed| markdown::code(fixed));
        let row = format!("| {} | {} | {fixed} |", markdown::code(package), markdown::code(installed));
        let short = |part: &str| text::line(part, markdown::LIMIT);
        (row, format!("{} {}: upgrade to {fixed_plain}", short(package), short(installed)))
    });
    let (rows, lines): (Vec<_>, Vec<_>) = fixes.unzip();
    let addresses = distinct(vulnerabilities.iter().filter_map(|vulnerability| vulnerability.url.as_deref()));
    let link = markdown::link(id, addresses.first().copied());
    let more = match vulnerabilities.len().saturating_sub(PACKAGES) {
        0 => String::new(),
        more => format!("\n\nand {more} more."),
    };
    let table = format!("{link}\n\n| Package | Installed | Fixed in |\n|---|---|---|\n{}{more}", rows.join("\n"));
    let plain = lines.join("; ").replace("upgrade to no fix yet", "no fix yet");
    MultiformatMessageString::builder().text(plain).markdown(table).build()
}

fn level(severity: Severity) -> ResultLevel {
    match severity {
        // An advisory without a severity may be any; the gate takes it for the worst, and so do we.
        Severity::Critical | Severity::High | Severity::Unknown => ResultLevel::Error,
        Severity::Medium => ResultLevel::Warning,
        Severity::Low => ResultLevel::Note,
    }
}

/// A score in the middle of the band that GitHub gives the severity's name; none for one that is not known.
fn security_severity(severity: Severity) -> Option<&'static str> {
    match severity {
        Severity::Critical => Some("9.5"),
        Severity::High => Some("8.0"),
        Severity::Medium => Some("5.5"),
        Severity::Low => Some("2.0"),
        Severity::Unknown => None,
    }
}
