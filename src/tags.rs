//! Tag templates and the tags that come of them.

use std::fmt;

use jiff::Timestamp;
use semver::Version;

use crate::environment::Environment;
use crate::oci::Tag;

/// A tag that is to be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlannedTag {
    /// The tag.
    pub(crate) tag: Tag,
    /// Whether it is meant to name another image after the next delivery (`latest`, `main-latest`). Moving tags are set
    /// after the fixed ones.
    pub(crate) moving: bool,
    /// Whether it follows versions (`1`, `1.2`): it never goes back to an older one.
    pub(crate) of_version: bool,
    /// Whether it names the environment (`dev-a1b2c3d`): another environment's delivery does not set it.
    pub(crate) of_environment: bool,
}

/// A template such as `{env}-{sha}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    text: String,
    parts: Vec<Part>,
    optional: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Value(&'static Variable),
}

/// What a template may name between braces.
pub(crate) struct Variable {
    /// Its name, without the braces.
    pub(crate) name: &'static str,
    /// What it stands for, for `--help` and the documentation.
    pub(crate) what: &'static str,
    /// Whether the value names one delivery and no other.
    pub(crate) fixed: bool,
    /// The value, or why there is none.
    value: fn(&Values<'_>) -> Result<String, &'static str>,
}

/// All variables.
pub(crate) static VARIABLES: [Variable; 8] = [
    Variable {
        name: "sha",
        what: "the first 7 characters of the commit",
        fixed: true,
        value: |values| values.commit(SHORT_COMMIT),
    },
    Variable { name: "sha8", what: "the first 8 characters of the commit", fixed: true, value: |values| values.commit(8) },
    Variable {
        name: ENVIRONMENT,
        what: "the environment",
        fixed: false,
        value: |values| Ok(values.environment.name().to_owned()),
    },
    Variable {
        name: "branch",
        what: "the branch, made safe: feature/x becomes feature-x",
        fixed: false,
        value: |values| values.branch.map(safe).filter(|name| !name.is_empty()).ok_or("the source is on no branch"),
    },
    Variable {
        name: "version",
        what: "the version, from the input or the v* tag",
        fixed: true,
        value: |values| values.version().map(|version| version.to_string().replace('+', BUILD_METADATA)),
    },
    Variable {
        name: "major",
        what: "the version's first number; a pre-release has none",
        fixed: false,
        value: |values| values.released().map(|version| version.major.to_string()),
    },
    Variable {
        name: "minor",
        what: "the version's second number; a pre-release has none",
        fixed: false,
        value: |values| values.released().map(|version| version.minor.to_string()),
    },
    Variable {
        name: "timestamp",
        what: "the time in UTC, as YYYYMMDDHHMMSS",
        fixed: true,
        value: |values| Ok(values.now.strftime("%Y%m%d%H%M%S").to_string()),
    },
];

/// A tag can't hold the '+' before build metadata; `-` would make it a pre-release, so '_' as Helm has it.
const BUILD_METADATA: &str = "_";

/// The version that a tag names, with or without a `v` before it.
#[must_use]
pub(crate) fn version_of(tag: &str) -> Option<Version> {
    tag.strip_prefix('v').unwrap_or(tag).replace(BUILD_METADATA, "+").parse().ok()
}

/// To how many characters git shortens the id of a commit at least (git-config, `core.abbrev`).
const SHORT_COMMIT: usize = 7;

/// The names of the variables that make a moving tag follow versions.
const VERSION_PARTS: [&str; 2] = ["major", "minor"];
/// The name of the variable that makes a tag one of an environment.
const ENVIRONMENT: &str = "env";

impl PartialEq for Variable {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Variable {}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// As a template has it.
impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{{{}}}", self.name))
    }
}

/// The text is not a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidTemplate {
    /// A variable is not known.
    #[error("{{{0}}} is not known; {known} are", known = VARIABLES.each_ref().map(Variable::to_string).join(" "))]
    UnknownVariable(String),
    /// A brace is not closed, or not opened.
    #[error("a brace is not closed, or not opened")]
    Brace,
    /// Whatever the values are, no registry takes it as a tag.
    #[error("letters, digits, '_', '.' and '-' are expected, at most {}, and no '.' or '-' first", Tag::MAX_LENGTH)]
    NoTag,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(crate) fn read(text: &str) -> Result<Self, Vec<InvalidTemplate>> {
        let (mut parts, mut problems) = (Vec::new(), Vec::new());
        // What it gives where each value is one character that a tag may have anywhere.
        let mut shortest = String::new();
        let mut rest = text;
        while let Some(open) = rest.find(['{', '}']) {
            let (literal, braced) = rest.split_at(open);
            let Some((name, after)) = braced.strip_prefix('{').and_then(|inner| inner.split_once('}')) else {
                problems.push(InvalidTemplate::Brace);
                return Err(problems);
            };
            parts.extend((!literal.is_empty()).then(|| Part::Literal(literal.to_owned())));
            match VARIABLES.iter().find(|variable| variable.name == name) {
                Some(variable) => parts.push(Part::Value(variable)),
                None => problems.push(InvalidTemplate::UnknownVariable(name.to_owned())),
            }
            shortest.push_str(literal);
            shortest.push('x');
            rest = after;
        }
        parts.extend((!rest.is_empty()).then(|| Part::Literal(rest.to_owned())));
        shortest.push_str(rest);
        if shortest.parse::<Tag>().is_err() {
            problems.push(InvalidTemplate::NoTag);
        }
        if problems.is_empty() { Ok(Self { text: text.to_owned(), parts, optional: false }) } else { Err(problems) }
    }
}

/// The templates where none is given. That nobody gave a version is not worth a word.
pub(crate) fn usual() -> Vec<Template> {
    let read = |text: &&str| Template::read(text).ok();
    let optional = USUAL_OF_VERSION.iter().filter_map(read).map(Template::optional);
    USUAL.iter().filter_map(read).chain(optional).collect()
}

/// The templates where none is given.
const USUAL: [&str; 2] = ["{sha}", "{env}-{sha}"];
/// The templates besides where there is a version.
const USUAL_OF_VERSION: [&str; 1] = ["{version}"];

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The values that templates may use.
#[derive(Clone, Debug)]
pub(crate) struct Values<'a> {
    /// Where the image is bound for.
    pub(crate) environment: Environment,
    /// The commit's full id.
    pub(crate) commit: Option<&'a str>,
    /// The branch that the source is on.
    pub(crate) branch: Option<&'a str>,
    /// The version.
    pub(crate) version: Option<&'a Version>,
    /// The time of the delivery.
    pub(crate) now: Timestamp,
}

impl Values<'_> {
    fn commit(&self, length: usize) -> Result<String, &'static str> {
        let commit = self.commit.ok_or("the source has no commit")?;
        Ok(commit.chars().take(length).collect())
    }

    /// Whether a tag is the commit's id, or the beginning of it as git would shorten it: it is of this commit, whoever wrote it
    /// out.
    fn names_commit(&self, tag: &Tag) -> bool {
        tag.as_str().len() >= SHORT_COMMIT && self.commit.is_some_and(|commit| commit.starts_with(tag.as_str()))
    }

    fn version(&self) -> Result<&Version, &'static str> {
        self.version.ok_or("there is no version: neither the input nor a v* tag gives one")
    }

    /// The version, where tags that people follow may move to it.
    fn released(&self) -> Result<&Version, &'static str> {
        let version = self.version()?;
        if version.pre.is_empty() {
            Ok(version)
        } else {
            Err("the version is a pre-release, which no {major} or {minor} tag follows")
        }
    }
}

/// The tags that templates give.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Planned {
    /// The tags, each once, fixed ones first.
    pub(crate) tags: Vec<PlannedTag>,
    /// Templates that were left out, each with the reason.
    pub(crate) skipped: Vec<(String, String)>,
}

/// A template gave what no registry takes as a tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the template {template} gives {tag:?}, which is not a tag")]
pub(crate) struct ForbiddenTag {
    /// The template as it was given.
    pub(crate) template: String,
    /// The text that it gave.
    pub(crate) tag: String,
}

/// Fills templates in.
///
/// # Errors
/// All templates that give a forbidden tag.
pub(crate) fn plan(templates: &[Template], values: &Values<'_>) -> Result<Planned, Vec<ForbiddenTag>> {
    let mut planned = Planned::default();
    let mut forbidden = Vec::new();
    for template in templates {
        match template.fill(values) {
            Err(_) if template.optional => {}
            Err(missing) => planned.skipped.push((template.text.clone(), missing.to_owned())),
            Ok(text) => match text.parse::<Tag>() {
                Ok(tag) if planned.tags.iter().any(|planned| planned.tag == tag) => {}
                Ok(tag) => {
                    let of_environment = template.variables().any(|variable| variable.name == ENVIRONMENT);
                    let of_version = template.variables().any(|variable| VERSION_PARTS.contains(&variable.name));
                    let moving = !template.is_fixed() && !values.names_commit(&tag);
                    planned.tags.push(PlannedTag { tag, moving, of_version, of_environment });
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
    fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    fn variables(&self) -> impl Iterator<Item = &'static Variable> {
        self.parts.iter().filter_map(|part| match part {
            Part::Literal(_) => None,
            Part::Value(variable) => Some(*variable),
        })
    }

    /// Whether what it gives moves from image to image, as far as it names no commit.
    pub(crate) fn is_moving(&self) -> bool {
        !self.is_fixed()
    }

    fn is_fixed(&self) -> bool {
        self.variables().any(|variable| variable.fixed)
    }

    /// The tag's text, or which value is not there.
    fn fill(&self, values: &Values<'_>) -> Result<String, &'static str> {
        let parts = self.parts.iter().map(|part| match part {
            Part::Literal(text) => Ok(text.clone()),
            Part::Value(variable) => (variable.value)(values),
        });
        parts.collect()
    }
}

/// Whether a tag may be one that moves, by some delivery of these templates: on any branch, of any version, to any environment
/// that images are delivered to. What a fixed template may give is taken for that: whoever names a branch `a1b2c3d` is not
/// thought of.
pub(crate) fn may_move(templates: &[Template], tag: &str) -> bool {
    let may_give = |fixed: bool| templates.iter().any(|template| template.is_fixed() == fixed && template.may_give(tag));
    may_give(false) && !may_give(true)
}

impl Template {
    /// Whether there are values with which it gives a text.
    fn may_give(&self, text: &str) -> bool {
        let environments = Environment::ALL.into_iter().filter(|environment| *environment != Environment::Local);
        environments.into_iter().any(|environment| {
            // Where what is filled in so far may end.
            let mut ends = vec![0];
            for part in &self.parts {
                let after = |end: usize| {
                    let rest = text.get(end..).unwrap_or_default();
                    let fits = |length: &usize| rest.get(..*length).is_some_and(|value| part.may_be(value, environment));
                    (1..=rest.len()).filter(fits).map(move |length| end + length).collect::<Vec<_>>()
                };
                ends = ends.iter().flat_map(|end| after(*end)).collect();
                ends.sort_unstable();
                ends.dedup();
            }
            ends.contains(&text.len())
        })
    }
}

impl Part {
    /// Whether a text may stand in its place.
    fn may_be(&self, text: &str, environment: Environment) -> bool {
        let commit = |length| text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let digits = || text.bytes().all(|b| b.is_ascii_digit());
        match self {
            Self::Literal(literal) => text == literal,
            Self::Value(variable) => match variable.name {
                "sha" => commit(SHORT_COMMIT),
                "sha8" => commit(8),
                ENVIRONMENT => text == environment.name(),
                "branch" => safe(text) == text,
                "version" => text.replace(BUILD_METADATA, "+").parse::<Version>().is_ok(),
                "timestamp" => text.len() == 14 && digits(),
                // {major} and {minor}.
                _ => digits(),
            },
        }
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

    const COMMIT: &str = "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678";

    fn values(branch: Option<&'static str>) -> Values<'static> {
        let now = "2026-11-21T09:08:07Z".parse().unwrap();
        Values { environment: Environment::Dev, commit: Some(COMMIT), branch, version: None, now }
    }

    fn tags(templates: &[&str], values: &Values<'_>, version: Option<&str>) -> Result<Planned, Vec<ForbiddenTag>> {
        let templates: Vec<Template> = templates.iter().map(|text| Template::read(text).unwrap()).collect();
        let version = version.map(|version| version.parse().unwrap());
        plan(&templates, &Values { version: version.as_ref(), ..values.clone() })
    }

    fn names(planned: &Planned) -> Vec<&str> {
        planned.tags.iter().map(|planned| planned.tag.as_str()).collect()
    }

    #[test]
    fn every_variable_has_its_value() {
        let templates =
            ["{sha}", "{sha8}", "{env}-{sha}", "{branch}", "{version}", "{major}", "{major}.{minor}", "{timestamp}", "latest"];
        let planned = tags(&templates, &values(Some("feature/x")), Some("1.2.3")).unwrap();
        let expected = ["a1b2c3d", "a1b2c3d4", "dev-a1b2c3d", "1.2.3", "20261121090807", "feature-x", "1", "1.2", "latest"];
        assert_eq!(names(&planned), expected);
    }

    #[test]
    fn moving_tags_come_last() {
        let planned = tags(&["latest", "{branch}-latest", "{sha}"], &values(Some("main")), None).unwrap();
        assert_eq!(names(&planned), ["a1b2c3d", "latest", "main-latest"]);
        assert!(!planned.tags[0].moving && planned.tags[1].moving);
    }

    #[test]
    fn a_tag_that_is_the_commits_id_written_out_stays_with_the_commit() {
        let planned = tags(&["latest", "a1b2c3", "a1b2c3d4e", "b1b2c3d", COMMIT], &values(None), None).unwrap();
        let fixed: Vec<_> = planned.tags.iter().filter(|tag| !tag.moving).map(|tag| tag.tag.as_str()).collect();
        assert_eq!(fixed, ["a1b2c3d4e", COMMIT]);
        let elsewhere = Values { commit: None, ..values(None) };
        assert!(tags(&[COMMIT], &elsewhere, None).unwrap().tags[0].moving);
    }

    #[test]
    fn a_template_without_its_value_is_skipped_with_the_reason() {
        let outside_git = Values { commit: None, ..values(None) };
        let planned = tags(&["{sha}", "{branch}", "{version}", "{env}"], &outside_git, None).unwrap();
        assert_eq!(names(&planned), ["dev"]);
        assert_eq!(planned.skipped.len(), 3);
        assert!(planned.skipped[0].1.contains("no commit"));
    }

    #[test]
    fn an_optional_template_without_its_value_is_left_out_without_a_word() {
        let template = Template::read("{version}").unwrap().optional();
        let planned = plan(&[template], &values(None)).unwrap();
        assert_eq!(planned, Planned::default());
    }

    #[test]
    fn without_templates_the_commit_the_environment_and_a_version_are_named() {
        let planned = plan(&usual(), &values(None)).unwrap();
        assert_eq!((names(&planned), planned.skipped.len()), (vec!["a1b2c3d", "dev-a1b2c3d"], 0));
        let version = "1.2.3".parse().unwrap();
        let planned = plan(&usual(), &Values { version: Some(&version), ..values(None) }).unwrap();
        assert_eq!(names(&planned), ["a1b2c3d", "dev-a1b2c3d", "1.2.3"]);
    }

    #[test]
    fn only_a_tag_with_the_environment_in_it_is_the_environments() {
        let planned = tags(&["{sha}", "{env}-{sha}", "dev"], &values(None), None).unwrap();
        let of_environment: Vec<_> = planned.tags.iter().map(|planned| planned.of_environment).collect();
        assert_eq!(of_environment, [false, true, false]);
    }

    #[test]
    fn only_a_moving_tag_with_a_part_of_the_version_in_it_follows_versions() {
        let templates = ["{version}", "latest", "{major}", "{env}-{major}.{minor}"];
        let planned = tags(&templates, &values(None), Some("1.2.3")).unwrap();
        let follow: Vec<_> = planned.tags.iter().map(|planned| (planned.tag.as_str(), planned.of_version)).collect();
        assert_eq!(follow, [("1.2.3", false), ("latest", false), ("1", true), ("dev-1.2", true)]);
    }

    #[test]
    fn a_version_is_read_from_a_tag_as_it_was_written_into_one() {
        for version in ["1.2.3", "1.2.3-rc.1", "1.2.3+build.5"] {
            let planned = tags(&["{version}", "v{version}"], &values(None), Some(version)).unwrap();
            for planned in planned.tags {
                assert_eq!(version_of(planned.tag.as_str()), Some(version.parse().unwrap()), "{}", planned.tag);
            }
        }
        assert_eq!(["latest", "1", "1.2", "a1b2c3d"].map(version_of), [None, None, None, None]);
    }

    #[test]
    fn a_pre_release_moves_no_major_tag() {
        let planned = tags(&["{version}", "{major}", "{major}.{minor}"], &values(None), Some("2.0.0-rc.1")).unwrap();
        assert_eq!(names(&planned), ["2.0.0-rc.1"]);
    }

    #[test]
    fn a_tag_that_no_registry_takes_is_an_error_before_anything_runs() {
        for template in ["-{sha}", ".x", "a b", "a/b", &"x".repeat(129)] {
            assert_eq!(Template::read(template), Err(vec![InvalidTemplate::NoTag]), "{template}");
        }
        let long = "x".repeat(120) + "-{sha8}";
        assert!(tags(&[&long], &values(None), None).is_err());
    }

    #[test]
    fn what_is_no_template_is_refused() {
        let unknown = |name: &str| InvalidTemplate::UnknownVariable(name.to_owned());
        assert_eq!(Template::read("{nope}"), Err(vec![unknown("nope")]));
        assert_eq!(Template::read("{nope} {sha}{none}"), Err(vec![unknown("nope"), unknown("none"), InvalidTemplate::NoTag]));
        for text in ["{sha", "sha}", "{{sha}}"] {
            assert!(Template::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_unknown_variable_is_told_which_there_are() {
        let told = InvalidTemplate::UnknownVariable("nope".to_owned()).to_string();
        assert_eq!(told, "{nope} is not known; {sha} {sha8} {env} {branch} {version} {major} {minor} {timestamp} are");
    }

    #[test]
    fn one_tag_from_two_templates_is_set_once() {
        assert_eq!(names(&tags(&["{sha}", "a1b2c3d"], &values(None), None).unwrap()), ["a1b2c3d"]);
    }

    proptest! {
        #[test]
        fn any_branch_gives_a_tag_or_none(branch in ".*") {
            let planned = tags(&["{branch}"], &Values { branch: Some(&branch), ..values(None) }, None).unwrap();
            prop_assert_eq!(planned.tags.len() + planned.skipped.len(), 1);
        }
    }

    #[test]
    fn a_tag_may_move_if_some_branch_version_or_environment_gives_it_and_no_fixed_template_does() {
        let templates = |texts: &[&str]| texts.iter().map(|text| Template::read(text).unwrap()).collect::<Vec<_>>();
        let usual = templates(&["{sha}", "{env}-{sha}", "{branch}-latest", "{env}", "{major}.{minor}", "{version}"]);
        for tag in ["feature-x-latest", "main-latest", "prod", "1.2", "a.b_c-latest"] {
            assert!(may_move(&usual, tag), "{tag}");
        }
        for tag in ["a1b2c3d", "prod-a1b2c3d", "-latest", "latest", "local", "1.2.3", "v1", "x.-latest", ""] {
            assert!(!may_move(&usual, tag), "{tag}");
        }
        let branch = templates(&["{sha8}", "{branch}-{timestamp}", "{branch}"]);
        for (tag, moves) in
            [("feature-x", true), ("a1b2c3d4", false), ("main-20261128090000", false), ("main-2026112809000", true)]
        {
            assert_eq!(may_move(&branch, tag), moves, "{tag}");
        }
        assert!(!may_move(&[], "latest"));
        assert!(!may_move(&templates(&["{branch}{branch}{branch}{branch}{branch}x"]), &"a".repeat(128)));
    }

    proptest::proptest! {
        #[test]
        fn what_a_moving_template_gives_may_move_unless_a_fixed_one_could_give_it(branch in "[a-z/.-]{1,20}", minor in 0_u64..300) {
            let version = Version::new(3, minor, 1);
            let templates: Vec<_> =
                ["{branch}-latest", "v{major}", "{env}-{branch}", "{minor}"].iter().map(|text| Template::read(text).unwrap()).collect();
            let values = Values {
                environment: Environment::Staging,
                commit: None,
                branch: Some(&branch),
                version: Some(&version),
                now: Timestamp::UNIX_EPOCH,
            };
            for planned in plan(&templates, &values).unwrap_or_default().tags {
                proptest::prop_assert!(may_move(&templates, planned.tag.as_str()), "{planned:?}");
            }
        }
    }
}
