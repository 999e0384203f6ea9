//! How the images of a whole registry are scanned, as it is wanted and in words.

use serde::Deserialize;

use crate::aws::ecr::{Frequency, RegistryScanning, ScanningRule, SigningRule};
use crate::inputs::Problem;
use crate::text;

/// The most characters of a filter (Amazon ECR API reference, `ScanningRepositoryFilter`).
const MAX_FILTER: usize = 256;
const INPUT: &str = "registry-scanning";

/// How the images of all repositories of a registry are scanned.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Scanning"))]
pub(crate) struct SaidScanning {
    /// By whom: `basic` by Amazon ECR, `enhanced` by Amazon Inspector, which has a price.
    r#type: SaidType,
    /// Which repositories, and how often. What no rule names is scanned when somebody asks for it.
    rules: Vec<SaidRule>,
}

/// By whom images are scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Type"))]
enum SaidType {
    Basic,
    Enhanced,
}

/// How often the images of some repositories are scanned.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Rule"))]
struct SaidRule {
    /// How often; `continuous-scan` for enhanced scanning alone.
    frequency: SaidFrequency,
    /// Names of repositories, with `*` for any characters.
    filters: Vec<String>,
}

/// How often images are scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Frequency"))]
enum SaidFrequency {
    ScanOnPush,
    ContinuousScan,
    Manual,
}

impl SaidScanning {
    /// The same, made sense of.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(super) fn wanted(&self) -> Result<RegistryScanning, Vec<Problem>> {
        let mut problems = Vec::new();
        for rule in &self.rules {
            if rule.frequency == SaidFrequency::ContinuousScan && self.r#type == SaidType::Basic {
                problems.push(problem(INPUT, "continuous-scan", "type: enhanced is expected beside it"));
            }
            if rule.filters.is_empty() {
                problems.push(problem(INPUT, "", "at least one filter is expected in each rule"));
            }
            let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/*".contains(c);
            let sound = |filter: &&String| (1..=MAX_FILTER).contains(&filter.len()) && filter.chars().all(known);
            let unsound = rule.filters.iter().filter(|filter| !sound(filter));
            problems.extend(unsound.map(|filter| {
                problem(INPUT, filter, "the name of a repository is expected, with * for any characters, 256 at most")
            }));
        }
        let rules = self.rules.iter().map(|rule| ScanningRule {
            frequency: match rule.frequency {
                SaidFrequency::ScanOnPush => Frequency::ScanOnPush,
                SaidFrequency::ContinuousScan => Frequency::Continuous,
                SaidFrequency::Manual => Frequency::Manual,
            },
            filters: rule.filters.clone(),
        });
        let scanning = RegistryScanning { enhanced: self.r#type == SaidType::Enhanced, rules: rules.collect() };
        if problems.is_empty() { Ok(scanning) } else { Err(problems) }
    }
}

fn problem(input: &'static str, value: &str, expected: &str) -> Problem {
    Problem { input, value: value.to_owned(), expected: expected.to_owned() }
}

/// AWS need not keep the order of rules, nor that of their filters.
pub(super) fn is_same(one: &RegistryScanning, other: &RegistryScanning) -> bool {
    let sorted = |scanning: &RegistryScanning| {
        let mut rules = scanning.rules.clone();
        rules.iter_mut().for_each(|rule| rule.filters.sort());
        rules.sort();
        (scanning.enhanced, rules)
    };
    sorted(one) == sorted(other)
}

/// How images are scanned, in words.
pub(super) fn said_of_scanning(scanning: &RegistryScanning) -> String {
    let kind = if scanning.enhanced { "enhanced" } else { "basic" };
    let rule = |rule: &ScanningRule| {
        let filters: Vec<_> = rule.filters.iter().map(|filter| text::words(filter).to_string()).collect();
        let when = match rule.frequency {
            Frequency::ScanOnPush => "when an image is pushed",
            Frequency::Continuous => "continuously",
            Frequency::Manual => "when somebody asks for it",
        };
        format!("{} {when}", text::list(&filters))
    };
    let rules: Vec<_> = scanning.rules.iter().map(rule).collect();
    if rules.is_empty() { format!("{kind}; no rule") } else { format!("{kind}; {}", rules.join("; ")) }
}

/// What ECR signs itself, in words.
pub(super) fn said_of_signing(rules: &[SigningRule]) -> String {
    let rule = |SigningRule { profile, filters }: &SigningRule| {
        if filters.is_empty() { format!("all by {profile}") } else { format!("{} by {profile}", text::list(filters)) }
    };
    let rules: Vec<_> = rules.iter().map(rule).collect();
    if rules.is_empty() { "no rule".to_owned() } else { rules.join("; ") }
}
