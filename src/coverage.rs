//! What a scan of an image judged, and what it did not: what is not judged is not clean.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::oci::Platform;
use crate::scanner::Tool;

/// By what an image that is there already is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum JudgedBy {
    /// By the image itself, which is fetched and looked through.
    #[default]
    Image,
    /// By the signed list of what is in it.
    Sbom,
}

impl JudgedBy {
    /// Whether it is the image itself.
    #[must_use]
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub(crate) fn is_image(&self) -> bool {
        *self == Self::Image
    }
}

impl FromStr for JudgedBy {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "image" => Ok(Self::Image),
            "sbom" => Ok(Self::Sbom),
            _ => Err(()),
        }
    }
}

/// What a scan that ran to its end has judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Coverage {
    /// All that it should have.
    Complete,
    /// All but this.
    Partial(Vec<Gap>),
}

/// Something in the image that a scan should have judged and did not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Gap {
    /// The scanner that did not judge it.
    pub(crate) tool: Tool,
    /// What kind of thing it is.
    pub(crate) kind: GapKind,
    /// What `accept-unscanned` names it by: a file's path in the image, a distribution (`debian 8.1`), a package
    /// (`pypi pyyaml 5.3`) or, where there are many, their type (`pypi`).
    pub(crate) name: String,
    /// Why it was not judged.
    pub(crate) why: String,
    /// The platform of the image that has it.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(crate) platform: Platform,
    /// The reason that was given for going on without; absent where none was.
    pub(crate) accepted: Option<String>,
}

/// What kind of thing was not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum GapKind {
    /// A list of packages that the scanner can't read, or part of one.
    List,
    /// The packages of a distribution that it has no current advisories for.
    Distribution,
    /// A package that the SBOM lists and the scanner did not look up, or several of a type.
    Packages,
}

impl Coverage {
    /// The coverage that these gaps leave.
    #[must_use]
    pub(crate) fn of(gaps: Vec<Gap>) -> Self {
        if gaps.is_empty() { Self::Complete } else { Self::Partial(gaps) }
    }

    /// What was not judged, whether that is accepted or not.
    #[must_use]
    pub(crate) fn gaps(&self) -> &[Gap] {
        match self {
            Self::Complete => &[],
            Self::Partial(gaps) => gaps,
        }
    }

    /// What was not judged and nobody has accepted.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Gap> {
        self.gaps().iter().filter(|gap| gap.accepted.is_none())
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.name, self.platform, self.why)
    }
}

/// Something that may be in an image without being judged, and the reason for that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acceptance {
    /// The gap's name, or a pattern of paths.
    pub(crate) name: String,
    pattern: glob::Pattern,
    reason: String,
}

/// The text accepts nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidAcceptance;

impl Acceptance {
    /// A star stays within a folder.
    const OPTIONS: glob::MatchOptions =
        glob::MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

    /// What names the registry's own scan, and no file of that name.
    const REGISTRY_SCAN: &str = "ecr-scan";

    fn is_of_registry_scan(&self) -> bool {
        self.name == Self::REGISTRY_SCAN
    }

    fn fits(&self, gap: &Gap) -> bool {
        if self.is_of_registry_scan() {
            return false;
        }
        // A type of package stands for all of them.
        let is_of_type = || gap.kind == GapKind::Packages && gap.name.split(' ').next() == Some(&self.name);
        self.name == gap.name || self.pattern.matches_with(&gap.name, Self::OPTIONS) || is_of_type()
    }
}

/// `NAME: REASON`.
impl FromStr for Acceptance {
    type Err = InvalidAcceptance;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, reason) = text.split_once(": ").ok_or(InvalidAcceptance)?;
        let (name, reason) = (name.trim().trim_start_matches('/'), reason.trim());
        // Wildcards alone would accept whatever comes.
        if reason.is_empty() || !name.contains(char::is_alphanumeric) {
            return Err(InvalidAcceptance);
        }
        let pattern = glob::Pattern::new(name).map_err(|_| InvalidAcceptance)?;
        Ok(Self { name: name.to_owned(), pattern, reason: reason.to_owned() })
    }
}

/// Notes which gaps are accepted, and why; gives the acceptances that fit none.
pub(crate) fn accept<'a>(gaps: &mut [Gap], acceptances: &'a [Acceptance]) -> Vec<&'a Acceptance> {
    for gap in gaps.iter_mut() {
        let fitting = acceptances.iter().find(|acceptance| acceptance.fits(gap));
        gap.accepted = fitting.map(|acceptance| acceptance.reason.clone());
    }
    let is_unused = |acceptance: &&Acceptance| !acceptance.is_of_registry_scan() && !gaps.iter().any(|gap| acceptance.fits(gap));
    acceptances.iter().filter(is_unused).collect()
}

/// Why an image may go out that the registry's own scan can't look at; absent where it may not.
#[must_use]
pub(crate) fn without_registry_scan(acceptances: &[Acceptance]) -> Option<&str> {
    acceptances.iter().find(|acceptance| acceptance.is_of_registry_scan()).map(|acceptance| &*acceptance.reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(name: &str) -> Gap {
        Gap {
            tool: Tool::TRIVY,
            kind: GapKind::List,
            name: name.to_owned(),
            why: "trivy can't read it".to_owned(),
            platform: "linux/amd64".parse().unwrap(),
            accepted: None,
        }
    }

    fn accepted(acceptance: &str, name: &str) -> bool {
        accepts(acceptance, gap(name))
    }

    fn accepts(acceptance: &str, gap: Gap) -> bool {
        let mut gaps = [gap];
        let acceptances = [acceptance.parse().unwrap()];
        let unused = accept(&mut gaps, &acceptances);
        assert_eq!(unused.is_empty(), gaps[0].accepted.is_some());
        gaps[0].accepted.is_some()
    }

    #[test]
    fn an_acceptance_is_a_name_and_a_reason() {
        for text in ["", "pypi", "pypi:", "pypi: ", ": no name", "*: all", "**: all", "**/*: all", "opt/**x: no pattern"] {
            assert_eq!(text.parse::<Acceptance>(), Err(InvalidAcceptance), "{text:?}");
        }
        let acceptance: Acceptance = "opt/a: b.jar: it is data: see the wiki".parse().unwrap();
        assert_eq!((acceptance.name.as_str(), acceptance.reason.as_str()), ("opt/a", "b.jar: it is data: see the wiki"));
    }

    #[test]
    fn a_package_is_accepted_by_its_name_or_with_all_of_its_type() {
        let package = |name: &str| Gap { kind: GapKind::Packages, ..gap(name) };
        for acceptance in ["pypi pyyaml 5.3: x", "pypi pyyaml *: x", "pypi: x"] {
            assert!(accepts(acceptance, package("pypi pyyaml 5.3")), "{acceptance}");
        }
        assert!(accepts("npm: x", package("npm @angular/core 1.0.0")) && accepts("pypi: x", package("pypi")));
        for acceptance in ["pypi pyyaml 5.4: x", "pypi pyyaml: x", "py: x", "npm: x"] {
            assert!(!accepts(acceptance, package("pypi pyyaml 5.3")), "{acceptance}");
        }
        assert!(!accepts("opt: x", gap("opt data.jar")), "a file is no package");
    }

    #[test]
    fn the_registrys_scan_is_accepted_by_its_name_and_no_file_with_it() {
        let acceptances = ["ecr-scan: from scratch", "/ecr-sca?: a file"].map(|text| text.parse().unwrap());
        assert_eq!(without_registry_scan(&acceptances), Some("from scratch"));
        assert_eq!(without_registry_scan(&acceptances[1..]), None);
        let mut gaps = [gap("ecr-scan")];
        assert_eq!((accept(&mut gaps, &acceptances[..1]).len(), gaps[0].accepted.clone()), (0, None));
        assert_eq!((accept(&mut gaps, &acceptances).len(), gaps[0].accepted.as_deref()), (0, Some("a file")));
    }

    #[test]
    fn what_is_accepted_is_what_is_named() {
        for (acceptance, name) in [
            ("opt/a.jar: data", "opt/a.jar"),
            ("/opt/a.jar: data", "opt/a.jar"),
            ("opt/*.jar: data", "opt/a.jar"),
            ("opt/**: data", "opt/x/a.jar"),
            ("**/testdata/*: data", "usr/lib/x/testdata/a.jar"),
            ("debian 8.1: until March", "debian 8.1"),
            ("debian 8*: until March", "debian 8.1"),
            ("app/[id]/package.json: a template", "app/[id]/package.json"),
        ] {
            assert!(accepted(acceptance, name), "{acceptance} {name}");
        }
        for (acceptance, name) in [
            ("opt/*.jar: data", "opt/x/a.jar"),
            ("opt/a: data", "opt/a.jar"),
            ("pypi: x", "npm"),
            ("debian 8.1: x", "debian 8.10"),
        ] {
            assert!(!accepted(acceptance, name), "{acceptance} {name}");
        }
    }
}
