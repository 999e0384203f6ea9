//! Tag templates and the tags that come of them.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use semver::Version;

use crate::environment::Environment;
use crate::oci::Tag;
use crate::record::Source;

/// A tag that is to be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedTag {
    /// The tag.
    pub tag: Tag,
    /// Whether it is meant to name another image after the next delivery (`latest`, `main-latest`). Moving tags are set
    /// after the fixed ones.
    pub moving: bool,
    /// Whether it names the environment (`dev-a1b2c3d`): another environment's delivery does not set it.
    pub of_environment: bool,
}

/// A template such as `{env}-{sha}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
    optional: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Value(Variable),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Variable {
    Sha,
    Sha8,
    Env,
    Branch,
    Version,
    Major,
    Minor,
    Timestamp,
}

impl Variable {
    const ALL: [(&'static str, Self); 8] = [
        ("sha", Self::Sha),
        ("sha8", Self::Sha8),
        ("env", Self::Env),
        ("branch", Self::Branch),
        ("version", Self::Version),
        ("major", Self::Major),
        ("minor", Self::Minor),
        ("timestamp", Self::Timestamp),
    ];

    /// Whether the value names one delivery and no other.
    fn is_fixed(self) -> bool {
        matches!(self, Self::Sha | Self::Sha8 | Self::Version | Self::Timestamp)
    }
}

/// The text is not a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTemplate {
    /// A variable is not known.
    #[error("{{{0}}} is not known; {{sha}} {{sha8}} {{env}} {{branch}} {{version}} {{major}} {{minor}} {{timestamp}} are")]
    UnknownVariable(String),
    /// A brace has no partner.
    #[error("a brace has no partner")]
    Brace,
}

impl FromStr for Template {
    type Err = InvalidTemplate;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find(['{', '}']) {
            let (literal, braced) = rest.split_at(open);
            let (name, after) = braced.strip_prefix('{').and_then(|inner| inner.split_once('}')).ok_or(InvalidTemplate::Brace)?;
            let variable = Variable::ALL.into_iter().find(|(known, _)| *known == name);
            let (_, variable) = variable.ok_or_else(|| InvalidTemplate::UnknownVariable(name.to_owned()))?;
            parts.extend((!literal.is_empty()).then(|| Part::Literal(literal.to_owned())));
            parts.push(Part::Value(variable));
            rest = after;
        }
        parts.extend((!rest.is_empty()).then(|| Part::Literal(rest.to_owned())));
        Ok(Self { text: text.to_owned(), parts, optional: false })
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The values that templates may use.
#[derive(Clone, Debug)]
pub struct Values<'a> {
    /// For `{env}`.
    pub environment: Environment,
    /// For `{sha}`, `{sha8}` and `{branch}`.
    pub source: &'a Source,
    /// For `{version}`, `{major}` and `{minor}`.
    pub version: Option<&'a Version>,
    /// For `{timestamp}`.
    pub now: Timestamp,
}

/// What templates come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// The tags, each once, fixed ones first.
    pub tags: Vec<PlannedTag>,
    /// Templates that were left out, each with the reason.
    pub skipped: Vec<(String, String)>,
}

/// A template gave what no registry takes as a tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the template {template} gives {tag:?}, which is not a tag")]
pub struct ForbiddenTag {
    /// The template as it was given.
    pub template: String,
    /// What it gave.
    pub tag: String,
}

/// Fills templates in.
///
/// # Errors
/// All templates that give a forbidden tag.
pub fn plan(templates: &[Template], values: &Values<'_>) -> Result<Planned, Vec<ForbiddenTag>> {
    let mut planned = Planned::default();
    let mut forbidden = Vec::new();
    for template in templates {
        match template.fill(values) {
            Err(_) if template.optional => {}
            Err(missing) => planned.skipped.push((template.text.clone(), missing.to_owned())),
            Ok(text) => match text.parse::<Tag>() {
                Ok(tag) if planned.tags.iter().any(|planned| planned.tag == tag) => {}
                Ok(tag) => {
                    let of_environment = template.parts.contains(&Part::Value(Variable::Env));
                    planned.tags.push(PlannedTag { tag, moving: !template.is_fixed(), of_environment });
                }
                Err(_) => forbidden.push(ForbiddenTag { template: template.text.clone(), tag: text }),
            },
        }
    }
    planned.tags.sort_by_key(|planned| planned.moving);
    if forbidden.is_empty() { Ok(planned) } else { Err(forbidden) }
}

impl Template {
    /// The template as one that nobody asked for: where its value is not there, nothing is said.
    #[must_use]
    pub fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    fn is_fixed(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Value(variable) if variable.is_fixed()))
    }

    /// The tag's text, or which value is not there.
    fn fill(&self, values: &Values<'_>) -> Result<String, &'static str> {
        let parts = self.parts.iter().map(|part| match part {
            Part::Literal(text) => Ok(text.clone()),
            Part::Value(variable) => variable.value(values),
        });
        parts.collect()
    }
}

impl Variable {
    fn value(self, values: &Values<'_>) -> Result<String, &'static str> {
        let sha = |length: usize| {
            let commit = values.source.commit.as_ref().ok_or("the source has no commit")?;
            Ok(commit.chars().take(length).collect())
        };
        let version = values.version.ok_or("there is no version: neither the input nor a v* tag gives one");
        match self {
            Self::Sha => sha(7),
            Self::Sha8 => sha(8),
            Self::Env => Ok(values.environment.name().to_owned()),
            Self::Branch => {
                values.source.branch.as_deref().map(safe).filter(|name| !name.is_empty()).ok_or("the source is on no branch")
            }
            // A tag can't hold the '+' before build metadata; `-` would make it a pre-release, so '_' as Helm has it.
            Self::Version => version.map(|version| version.to_string().replace('+', "_")),
            // A pre-release moves no tag that people follow.
            Self::Major => version.and_then(|version| released(version).map(|version| version.major.to_string())),
            Self::Minor => version.and_then(|version| released(version).map(|version| version.minor.to_string())),
            Self::Timestamp => Ok(values.now.strftime("%Y%m%d%H%M%S").to_string()),
        }
    }
}

fn released(version: &Version) -> Result<&Version, &'static str> {
    if version.pre.is_empty() {
        Ok(version)
    } else {
        Err("the version is a pre-release, which no {major} or {minor} tag follows")
    }
}

/// A branch name made safe for a tag: `feature/x` becomes `feature-x`.
fn safe(branch: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let mut name = String::new();
    for c in branch.chars() {
        match (allowed(c), name.ends_with('-')) {
            (true, _) => name.push(c),
            (false, false) => name.push('-'),
            (false, true) => {}
        }
    }
    name.trim_matches(['-', '.']).chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn source(branch: Option<&str>) -> Source {
        let commit = Some("a1b2c3d4e5f60718293a4b5c6d7e8f9012345678".to_owned());
        Source { commit, branch: branch.map(str::to_owned), tag: None, dirty: false }
    }

    fn tags(templates: &[&str], source: &Source, version: Option<&str>) -> Result<Planned, Vec<ForbiddenTag>> {
        let templates: Vec<Template> = templates.iter().map(|text| text.parse().unwrap()).collect();
        let version = version.map(|version| version.parse().unwrap());
        let now = "2026-11-21T09:08:07Z".parse().unwrap();
        plan(&templates, &Values { environment: Environment::Dev, source, version: version.as_ref(), now })
    }

    fn names(planned: &Planned) -> Vec<&str> {
        planned.tags.iter().map(|planned| planned.tag.as_str()).collect()
    }

    #[test]
    fn every_variable_has_its_value() {
        let templates =
            ["{sha}", "{sha8}", "{env}-{sha}", "{branch}", "{version}", "{major}", "{major}.{minor}", "{timestamp}", "latest"];
        let planned = tags(&templates, &source(Some("feature/x")), Some("1.2.3")).unwrap();
        let expected = ["a1b2c3d", "a1b2c3d4", "dev-a1b2c3d", "1.2.3", "20261121090807", "feature-x", "1", "1.2", "latest"];
        assert_eq!(names(&planned), expected);
    }

    #[test]
    fn moving_tags_come_last() {
        let planned = tags(&["latest", "{branch}-latest", "{sha}"], &source(Some("main")), None).unwrap();
        assert_eq!(names(&planned), ["a1b2c3d", "latest", "main-latest"]);
        assert!(!planned.tags[0].moving && planned.tags[1].moving);
    }

    #[test]
    fn a_template_without_its_value_is_skipped_with_the_reason() {
        let outside_git = Source { commit: None, branch: None, tag: None, dirty: false };
        let planned = tags(&["{sha}", "{branch}", "{version}", "{env}"], &outside_git, None).unwrap();
        assert_eq!(names(&planned), ["dev"]);
        assert_eq!(planned.skipped.len(), 3);
        assert!(planned.skipped[0].1.contains("no commit"));
    }

    #[test]
    fn an_optional_template_without_its_value_is_left_out_without_a_word() {
        let template = "{version}".parse::<Template>().unwrap().optional();
        let now = "2026-11-21T09:08:07Z".parse().unwrap();
        let source = source(None);
        let planned = plan(&[template], &Values { environment: Environment::Dev, source: &source, version: None, now }).unwrap();
        assert_eq!(planned, Planned::default());
    }

    #[test]
    fn a_pre_release_moves_no_major_tag() {
        let planned = tags(&["{version}", "{major}", "{major}.{minor}"], &source(None), Some("2.0.0-rc.1")).unwrap();
        assert_eq!(names(&planned), ["2.0.0-rc.1"]);
    }

    #[test]
    fn a_tag_that_no_registry_takes_is_an_error_before_anything_runs() {
        for template in ["-{sha}", ".x", "a b", "a/b", &"x".repeat(129)] {
            assert!(tags(&[template], &source(None), None).is_err(), "{template}");
        }
    }

    #[test]
    fn what_is_no_template_is_refused() {
        assert_eq!("{nope}".parse::<Template>(), Err(InvalidTemplate::UnknownVariable("nope".to_owned())));
        for text in ["{sha", "sha}", "{{sha}}"] {
            assert!(text.parse::<Template>().is_err(), "{text}");
        }
    }

    #[test]
    fn one_tag_from_two_templates_is_set_once() {
        assert_eq!(names(&tags(&["{sha}", "a1b2c3d"], &source(None), None).unwrap()), ["a1b2c3d"]);
    }

    proptest! {
        #[test]
        fn any_branch_gives_a_tag_or_none(branch in ".*") {
            let planned = tags(&["{branch}"], &source(Some(&branch)), None).unwrap();
            prop_assert_eq!(planned.tags.len() + planned.skipped.len(), 1);
        }
    }
}
