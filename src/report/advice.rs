//! What to do about a record's findings, the most urgent first.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::catalogue::{self, Catalogue, Merged};
use super::phrase::Phrase;
use crate::finding::{Instruction, Leak};
use crate::scanner::Tool;
use crate::text;

/// The most leaks, and the most packages, that get a line of their own.
const LINES: usize = 10;
/// The most names in one line.
const NAMES: usize = 5;

/// What to do, one phrase a step. Empty where nothing counts against the gate.
#[must_use]
pub(crate) fn steps(catalogue: &Catalogue<'_>) -> Vec<Phrase> {
    let mut steps: Vec<_> = catalogue.leaks.iter().take(LINES).map(|leak| revoke(leak)).collect();
    if let Some(more) = catalogue.leaks.len().checked_sub(LINES).filter(|more| *more > 0) {
        steps.push(Phrase::new(format!("Do the same for {} more, listed below.", text::count(more, "leak"))));
    }
    let (base, own): (Vec<_>, Vec<_>) =
        catalogue.fixable.iter().partition(|merged| is_from(merged.vulnerability.instruction.as_ref()));
    steps.extend(update_bases(&base));
    steps.extend(upgrade_packages(&own));
    steps.extend(Tool::all().filter_map(|tool| live_without_fix(catalogue, tool)));
    steps
}

/// What to do about a leak.
#[must_use]
pub(crate) fn revoke(leak: &Leak) -> Phrase {
    let phrase = Phrase::new("Revoke the secret in ").code(&leak.file).words(format!(" line {}", leak.line));
    let phrase = match (&leak.layer, &leak.commit) {
        (Some(layer), _) => phrase.words(" of the image's layer ").code(layer.to_string()),
        (None, Some(commit)) => phrase.words(" of commit ").code(short_commit(commit)),
        (None, None) => phrase,
    };
    let phrase = phrase.words(" (").code(&leak.rule).words(") where it was issued, ");
    if leak.layer.is_some() {
        return phrase.words("and find out which step of the build brings it: the image that is there goes on holding it.");
    }
    match leak.commit {
        Some(_) => phrase.words("and remove it from the file; git's history still has it, so revoking is what counts."),
        None => phrase.words("remove it from the file, and give the program a new one when it runs."),
    }
}

/// The first seven characters of a commit's id, as git abbreviates it.
#[must_use]
pub(crate) fn short_commit(commit: &str) -> String {
    commit.chars().take(7).collect()
}

/// Whether an instruction brings a base image.
#[must_use]
pub(crate) fn is_from(instruction: Option<&Instruction>) -> bool {
    instruction
        .is_some_and(|instruction| instruction.text.trim_start().get(..5).is_some_and(|word| word.eq_ignore_ascii_case("FROM ")))
}

/// One step a base image: a newer one brings the fixes of all its packages.
fn update_bases(vulnerabilities: &[&Merged<'_>]) -> Vec<Phrase> {
    let mut bases: BTreeMap<Option<&Instruction>, Vec<&Merged<'_>>> = BTreeMap::new();
    for merged in vulnerabilities {
        bases.entry(merged.vulnerability.instruction.as_ref()).or_default().push(merged);
    }
    let steps = bases.into_iter().map(|(instruction, merged)| {
        let packages = distinct(merged.iter().map(|merged| merged.vulnerability.package.as_str()));
        let phrase = Phrase::new("Move to a newer base image").phrase(place(instruction));
        let phrase = phrase.words(", or upgrade in it: ");
        let upgrades: Vec<_> = packages.iter().take(NAMES).map(|package| upgrade(package, &merged)).collect();
        let phrase = upgrades.into_iter().enumerate().fold(phrase, |phrase, (index, upgrade)| {
            if index > 0 { phrase.words("; ").phrase(upgrade) } else { phrase.phrase(upgrade) }
        });
        let more = packages.len().saturating_sub(NAMES);
        if more > 0 { phrase.words(format!("; and {} more.", text::count(more, "package"))) } else { phrase.words(".") }
    });
    steps.collect()
}

/// One step a package that an instruction of the Dockerfile brings.
fn upgrade_packages(vulnerabilities: &[&Merged<'_>]) -> Vec<Phrase> {
    let mut seen = BTreeSet::new();
    let packages = vulnerabilities.iter().map(|merged| merged.vulnerability);
    let packages = packages.map(|vulnerability| (vulnerability.package.as_str(), vulnerability.instruction.as_ref()));
    let packages: Vec<_> = packages.filter(|package| seen.insert(*package)).collect();
    let more = packages.len().saturating_sub(LINES);
    let mut steps: Vec<_> = packages
        .iter()
        .take(LINES)
        .map(|(package, instruction)| {
            Phrase::new("Upgrade ").phrase(upgrade(package, vulnerabilities)).phrase(place(*instruction)).words(".")
        })
        .collect();
    if more > 0 {
        steps.push(Phrase::new(format!("Upgrade {} more, listed below.", text::count(more, "package"))));
    }
    steps
}

/// A package, its version, and the versions that have the fixes. Which of them is the highest depends on whose versions
/// they are, so none is picked.
fn upgrade(package: &str, vulnerabilities: &[&Merged<'_>]) -> Phrase {
    let of =
        || vulnerabilities.iter().map(|merged| merged.vulnerability).filter(|vulnerability| vulnerability.package == package);
    let installed = distinct(of().map(|vulnerability| vulnerability.installed.as_str()));
    let fixed = distinct(of().filter_map(|vulnerability| vulnerability.fixed.as_deref()));
    let ids = distinct(of().map(|vulnerability| vulnerability.id.as_str()));
    let phrase = Phrase::default().code(package).words(" ").codes(&installed, 2);
    let to = match fixed.as_slice() {
        // An advisory may name a version for each line of releases.
        [several] if several.contains(',') => " to one of ",
        [_] => " to ",
        _ => " to the highest of ",
    };
    let phrase = phrase.words(to).codes(&fixed, NAMES);
    phrase.words(" (").codes(&ids, NAMES).words(")")
}

fn live_without_fix(catalogue: &Catalogue<'_>, tool: Tool) -> Option<Phrase> {
    let finds = tool.finds.as_ref()?;
    let vulnerabilities: Vec<_> = catalogue::of(&catalogue.unfixable, tool).collect();
    if vulnerabilities.is_empty() {
        return None;
    }
    let names: Vec<_> = distinct(vulnerabilities.iter().map(|merged| merged.vulnerability.package.as_str()));
    let number = text::count(vulnerabilities.len(), tool.noun());
    let phrase = Phrase::new(format!("No fix exists for {number} in "))
        .codes(&names, NAMES)
        .words(": remove the package, or let the advisory through in ")
        .code(finds.ignore_file)
        .words(" with a reason, or set ")
        .code("ignore-unfixed")
        .words(" for all of them.");
    Some(phrase)
}

/// Where an instruction is.
fn place(instruction: Option<&Instruction>) -> Phrase {
    match instruction {
        Some(instruction) => Phrase::new(" (")
            .code(&instruction.file)
            .words(format!(" line {}: ", instruction.line))
            .code(&instruction.text)
            .words(")"),
        None => Phrase::default(),
    }
}

/// The words in their order, each once.
pub(crate) fn distinct<'a>(words: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = HashSet::new();
    words.filter(|word| seen.insert(*word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn each_step_names_the_thing_the_place_and_the_version() {
        let record = fixture::blocked();
        let steps: Vec<_> = steps(&Catalogue::of(&record)).iter().map(Phrase::to_plain).collect();
        insta::assert_snapshot!(steps.join("\n"));
    }

    #[test]
    fn a_thousand_findings_are_still_few_steps() {
        let record = fixture::many(1000);
        let steps = steps(&Catalogue::of(&record));
        assert!(steps.len() <= 2 * LINES + 4, "{}", steps.len());
        assert!(steps.iter().any(|step| step.to_plain().contains("more, listed below")));
    }
}
