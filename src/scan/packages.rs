//! The packages in an image as a scanner lists them, and how two lists compare.
//!
//! trivy and syft read the same lists of packages, each in its own way. Where one of them reads clearly less than the other,
//! something in the image was not read, though neither says so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use percent_encoding::percent_decode_str;

/// A package, as its package URL names it (purl-spec, "Package URL specification").
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Package {
    /// The type of its URL: `deb`, `pypi`.
    kind: String,
    /// Its name as its type compares names, with its namespace where that is part of the name.
    name: String,
    /// Its version, where its type's versions are written in one way alone.
    version: String,
}

/// A list of packages, each with the file that it was found in, where the scanner says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Packages(BTreeMap<Package, Option<String>>);

/// How the lists of a type of package compare.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    /// Both scanners read the same files: nearly all must be in both.
    Closely,
    /// They find and name these in different ways: only one that reads none at all has missed something.
    Loosely,
    /// trivy has no advisories for these, and they are what a distribution is made of.
    Uncovered,
}

/// The types of packages that are compared. What is not here (single binaries, models, plugins) has no advisories in trivy.
const COMPARED: [(&str, Comparison); 14] = [
    ("deb", Comparison::Closely),
    ("apk", Comparison::Closely),
    ("rpm", Comparison::Closely),
    ("pypi", Comparison::Closely),
    ("npm", Comparison::Closely),
    ("gem", Comparison::Closely),
    ("golang", Comparison::Closely),
    ("cargo", Comparison::Closely),
    ("composer", Comparison::Closely),
    ("maven", Comparison::Loosely),
    ("nuget", Comparison::Loosely),
    ("alpm", Comparison::Uncovered),
    ("ebuild", Comparison::Uncovered),
    ("nix", Comparison::Uncovered),
];

/// The types whose lists are those of a distribution.
pub(crate) const OF_DISTRIBUTIONS: [&str; 3] = ["deb", "apk", "rpm"];

/// One in so many that one list lacks is a clear shortfall.
const CLEARLY: usize = 10;

/// So many of a type that is compared loosely have to be missed.
const LOOSELY: usize = 5;

/// How many packages are named.
const NAMED: usize = 3;

/// Packages of one type that one scanner lists and the other does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shortfall {
    /// The type: `pypi`.
    pub(crate) kind: &'static str,
    /// What is missing, in words.
    pub(crate) why: String,
}

impl Packages {
    /// Adds a package by its URL; what is no such URL is left out. `file` is where it was found.
    pub(crate) fn add(&mut self, url: &str, file: Option<String>) {
        if let Some(package) = Package::of(url) {
            self.0.entry(package).or_insert(file);
        }
    }

    /// Whether there are none.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether both lists have packages of the same kind of distribution.
    #[must_use]
    pub(crate) fn shares_distribution(&self, other: &Self) -> bool {
        let has = |packages: &Self, kind: &str| packages.0.keys().any(|package| package.kind == kind);
        OF_DISTRIBUTIONS.iter().any(|kind| has(self, kind) && has(other, kind))
    }

    /// What trivy, whose list this is, clearly lacks of `listed`, or has beyond it in the lists of a distribution, which
    /// both read. What was found in one of the `unread` files is known to be missing and is not counted.
    #[must_use]
    pub(crate) fn shortfalls(&self, listed: &Self, unread: &BTreeSet<&str>) -> Vec<Shortfall> {
        COMPARED.iter().filter_map(|(kind, comparison)| self.shortfall(listed, unread, kind, *comparison)).collect()
    }

    fn shortfall(&self, listed: &Self, unread: &BTreeSet<&str>, kind: &'static str, comparison: Comparison) -> Option<Shortfall> {
        if unread.contains(kind) {
            return None;
        }
        let is_known = |file: &Option<String>| file.as_deref().is_some_and(|file| unread.contains(file));
        let (ours, theirs) = (self.of(kind, |_| true), listed.of(kind, |file| !is_known(file)));
        let missing: Vec<_> = theirs.difference(&ours).copied().collect();
        let beyond: Vec<_> = ours.difference(&theirs).copied().collect();
        let is_short =
            |missing: &[&Package], of: usize, rest: usize| !missing.is_empty() && (rest == 0 || missing.len() * CLEARLY >= of);
        let why = match comparison {
            Comparison::Closely if is_short(&missing, theirs.len(), ours.len()) => {
                format!("the SBOM lists {} that trivy did not see: {}", number(&missing), named(&missing))
            }
            Comparison::Closely if OF_DISTRIBUTIONS.contains(&kind) && is_short(&beyond, ours.len(), theirs.len()) => {
                format!(
                    "trivy sees {} that the SBOM does not list, so the list has two readings: {}",
                    number(&beyond),
                    named(&beyond)
                )
            }
            Comparison::Loosely if ours.is_empty() && missing.len() >= LOOSELY => {
                format!("the SBOM lists {}, and trivy saw none: {}", number(&missing), named(&missing))
            }
            Comparison::Uncovered if !theirs.is_empty() => {
                format!("trivy knows no advisories for packages of this type, and the SBOM lists {}", number(&missing))
            }
            _ => return None,
        };
        Some(Shortfall { kind, why })
    }

    fn of(&self, kind: &str, wanted: impl Fn(&Option<String>) -> bool) -> BTreeSet<&Package> {
        self.0.iter().filter(|(package, file)| package.kind == kind && wanted(file)).map(|(package, _)| package).collect()
    }
}

fn number(packages: &[&Package]) -> String {
    crate::text::count(packages.len(), "package")
}

fn named(packages: &[&Package]) -> String {
    let named: Vec<_> = packages.iter().take(NAMED).map(ToString::to_string).collect();
    let more = packages.len().saturating_sub(NAMED);
    if more > 0 { format!("{} and {more} more", named.join(", ")) } else { named.join(", ") }
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{} {}", self.name, self.version);
        f.write_str(&crate::text::plain(text.trim()))
    }
}

impl Package {
    /// The package of a URL `pkg:TYPE/NAMESPACE/NAME@VERSION?QUALIFIERS#SUBPATH`.
    fn of(url: &str) -> Option<Self> {
        let (kind, rest) = url.strip_prefix("pkg:")?.split_once('/')?;
        let rest = rest.split(['?', '#']).next()?;
        let (name, version) = rest.rsplit_once('@').unwrap_or((rest, ""));
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let name = decoded(name);
        // The namespace of a distribution's package is the distribution, which each scanner tells for itself.
        let name = if OF_DISTRIBUTIONS.contains(&kind) { name.rsplit('/').next().unwrap_or_default() } else { &name };
        // Go's own library has a version that each writes in its way; without a version, npm has not installed a package, and a
        // `package.json` is somebody's fixture.
        if name.is_empty() || (kind, name) == ("golang", "stdlib") || (kind == "npm" && version.is_empty()) {
            return None;
        }
        let name = name.to_lowercase();
        let (name, version) = match kind {
            // PyPA, "Name normalization".
            "pypi" => (name.replace(['_', '.'], "-"), decoded(version)),
            "npm" | "golang" | "cargo" => (name, decoded(version)),
            _ => (name, String::new()),
        };
        Some(Self { kind: kind.to_owned(), name, version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages(urls: &[&str]) -> Packages {
        let mut packages = Packages::default();
        urls.iter().for_each(|url| packages.add(url, None));
        packages
    }

    fn numbered(kind: &str, number: usize) -> Packages {
        let mut packages = Packages::default();
        (0..number).for_each(|index| packages.add(&format!("pkg:{kind}/name-{index}@1"), None));
        packages
    }

    fn kinds(read: &Packages, listed: &Packages) -> Vec<&'static str> {
        read.shortfalls(listed, &BTreeSet::new()).iter().map(|shortfall| shortfall.kind).collect()
    }

    #[test]
    fn two_ways_to_write_a_package_are_one_package() {
        for (one, other) in [
            ("pkg:deb/debian/tar@1.34%2Bdfsg-1?arch=amd64&distro=debian-12.15", "pkg:deb/ubuntu/tar@1.34"),
            ("pkg:pypi/PyYAML@5.3", "pkg:pypi/pyyaml@5.3#src"),
            ("pkg:pypi/zope.interface@1", "pkg:pypi/zope_interface@1"),
            ("pkg:npm/%40angular/core@1.0.0", "pkg:npm/@angular/core@1.0.0"),
            ("pkg:gem/nokogiri@1.15.0", "pkg:gem/nokogiri@1.15.0-x86_64-linux"),
        ] {
            assert_eq!(Package::of(one), Package::of(other), "{one}");
        }
        assert_ne!(Package::of("pkg:pypi/pyyaml@5.3"), Package::of("pkg:pypi/pyyaml@5.4"));
        for url in ["", "pkg:", "pkg:deb", "pkg:deb/", "tar", "pkg:golang/stdlib@1.26.8", "pkg:npm/fixture"] {
            assert_eq!(Package::of(url), None, "{url}");
        }
    }

    #[test]
    fn a_clear_shortfall_is_told_and_a_small_difference_is_not() {
        let all = numbered("npm", 100);
        assert_eq!(kinds(&all, &all), [""; 0]);
        assert_eq!(kinds(&numbered("npm", 91), &all), [""; 0]);
        assert_eq!(kinds(&numbered("npm", 90), &all), ["npm"]);
        assert_eq!(kinds(&packages(&[]), &numbered("pypi", 1)), ["pypi"]);
        assert_eq!(kinds(&packages(&["pkg:pypi/pyyaml@5.4"]), &packages(&["pkg:pypi/pyyaml@5.3"])), ["pypi"]);
    }

    #[test]
    fn a_distribution_s_list_must_be_read_by_both() {
        assert_eq!(kinds(&numbered("apk", 3), &packages(&[])), ["apk"]);
        assert_eq!(kinds(&numbered("npm", 3), &packages(&[])), [""; 0], "the SBOM may leave out what is no installed package");
    }

    #[test]
    fn types_that_are_named_in_different_ways_are_missed_only_as_a_whole() {
        assert_eq!(kinds(&numbered("maven", 1), &numbered("maven", 100)), [""; 0]);
        assert_eq!(kinds(&packages(&[]), &numbered("maven", 4)), [""; 0]);
        assert_eq!(kinds(&packages(&[]), &numbered("nuget", 5)), ["nuget"]);
    }

    #[test]
    fn a_distribution_without_advisories_is_told_and_other_types_are_nothing_to_judge() {
        assert_eq!(kinds(&packages(&[]), &numbered("alpm", 3)), ["alpm"]);
        assert_eq!(kinds(&packages(&[]), &packages(&["pkg:generic/nginx@1.25", "pkg:huggingface/x@1"])), [""; 0]);
    }

    #[test]
    fn what_is_known_to_be_unread_is_told_once() {
        let mut listed = numbered("npm", 0);
        listed.add("pkg:pypi/pyyaml@5.3", Some("app/METADATA".to_owned()));
        assert!(packages(&[]).shortfalls(&listed, &BTreeSet::from(["app/METADATA"])).is_empty());
        assert!(packages(&[]).shortfalls(&numbered("rpm", 9), &BTreeSet::from(["rpm"])).is_empty());
        assert_eq!(packages(&[]).shortfalls(&listed, &BTreeSet::new()).len(), 1);
    }

    #[test]
    fn a_shortfall_names_packages_and_how_many_more() {
        let told = packages(&[]).shortfalls(&numbered("pypi", 5), &BTreeSet::new());
        assert_eq!(told[0].why, "the SBOM lists 5 packages that trivy did not see: name-0 1, name-1 1, name-2 1 and 2 more");
    }
}
