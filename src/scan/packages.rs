//! The packages in an image as a scanner lists them, and what one list has that the other lacks.
//!
//! trivy and syft look for the same packages, each in its own way. What the SBOM lists and trivy has not looked up is handed
//! to trivy by name (`trivy::listed`), or is not judged.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use percent_encoding::percent_decode_str;

/// How trivy comes to judge a type of package.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Judged {
    /// By the list of the image's distribution. Handed over by name, one would be looked up as if it were of that
    /// distribution, and a list that stands elsewhere in the image, or is read in two ways, may be of any.
    InItsList,
    /// By its name and version, wherever it was found.
    ByName,
    /// Not at all: it has no advisories for these, and a whole image may be made of them.
    Never,
}

/// The types of package URLs (purl-spec, "PURL types") that count.
///
/// What syft lists besides is no package that an ecosystem has advisories for in trivy's database: what a program says of
/// itself in its bytes (`generic`: nginx, node, the JDK, Linux), the image (`oci`), models (`huggingface`), workflows
/// (`github`), and packages of Lua, R, Haskell, OCaml, Prolog, Terraform, `WordPress`, PEAR, snap and Homebrew.
const TYPES: [(&str, Judged); 21] = [
    ("deb", Judged::InItsList),
    ("apk", Judged::InItsList),
    ("rpm", Judged::InItsList),
    ("pypi", Judged::ByName),
    ("npm", Judged::ByName),
    ("gem", Judged::ByName),
    ("golang", Judged::ByName),
    ("cargo", Judged::ByName),
    ("composer", Judged::ByName),
    ("maven", Judged::ByName),
    ("nuget", Judged::ByName),
    ("conan", Judged::ByName),
    ("swift", Judged::ByName),
    ("cocoapods", Judged::ByName),
    ("hex", Judged::ByName),
    ("pub", Judged::ByName),
    ("bitnami", Judged::ByName),
    ("alpm", Judged::Never),
    ("ebuild", Judged::Never),
    ("nix", Judged::Never),
    ("conda", Judged::Never),
];

/// The types whose lists are those of a distribution.
pub(crate) const OF_DISTRIBUTIONS: [&str; 3] = ["deb", "apk", "rpm"];

/// The types whose package managers install nothing without a version. Elsewhere what has none is no release that an advisory
/// could be about: a project's own `package.json`, program or jar.
const ALWAYS_WITH_VERSION: [&str; 6] = ["deb", "apk", "rpm", "pypi", "gem", "cargo"];

/// What syft writes where it found no version (its `cataloging.UnknownStubValue`).
const NO_VERSION: &str = "UNKNOWN";

/// One in so many that the SBOM lacks of a distribution's list is a clear shortfall.
const CLEARLY: usize = 10;

/// So many packages of a type are told one by one, so that each can be accepted by itself.
const SINGLY: usize = 10;

/// How many packages are named where there are more.
const NAMED: usize = 3;

/// A package that a scanner lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    kind: &'static str,
    /// The name that advisories are looked up by.
    name: String,
    /// Its version; empty where it has none.
    version: String,
    /// The file that it was found in, where the scanner says.
    file: Option<String>,
}

/// What tells packages apart: two ways to write one of them have one key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    kind: &'static str,
    name: String,
    version: String,
}

/// A list of packages, each of them once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Packages(BTreeMap<Key, Package>);

/// What trivy has not looked up of the packages that the SBOM lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Missing {
    /// What can't be handed to it.
    pub(crate) unjudged: Vec<Shortfall>,
    /// What can be, by name and version.
    pub(crate) by_name: Packages,
}

/// Packages that were not judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shortfall {
    /// A package (`pypi pyyaml 5.3`), or a type of package where there are many (`pypi`).
    pub(crate) name: String,
    /// Why, in words.
    pub(crate) why: String,
}

impl Package {
    /// A package that the SBOM lists; `None` where it is of no type that counts. What has no URL has its type as one:
    /// `pkg:deb/tar`.
    pub(crate) fn listed(url: &str, name: &str, version: &str, file: Option<String>) -> Option<Self> {
        // The scheme and the type have no case, and slashes after the scheme say nothing (purl specification, "How to parse").
        let (scheme, path) = url.split_once(':')?;
        let (kind, path) = path.trim_start_matches('/').split_once('/').filter(|_| scheme.eq_ignore_ascii_case("pkg"))?;
        let (kind, _) = TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(kind))?;
        let name = match *kind {
            // trivy takes these by their URL, and a Maven package has its group there alone.
            "maven" | "cocoapods" | "bitnami" => name_in_url(kind, path),
            _ => name.to_owned(),
        };
        let version = if version == NO_VERSION { "" } else { version };
        Self::new(kind, &name, version, file)
    }

    /// A package that trivy has looked up. It goes by what was looked up, not by the URL beside it, which an SBOM in the
    /// image may give to any name.
    pub(crate) fn looked_up(kind: &'static str, name: &str, version: &str) -> Option<Self> {
        Self::new(kind, name, version, None)
    }

    fn new(kind: &'static str, name: &str, version: &str, file: Option<String>) -> Option<Self> {
        let (name, version) = (name.trim(), version.trim());
        let version = if (kind, name) == ("golang", "stdlib") { of_go(version) } else { version.to_owned() };
        (!name.is_empty()).then(|| Self { kind, name: name.to_owned(), version, file })
    }

    fn key(&self) -> Key {
        let name = match self.kind {
            "pypi" => normalized(&self.name),
            // Their advisories go by the name as it is.
            "golang" | "cocoapods" | "deb" | "apk" | "rpm" => self.name.clone(),
            _ => self.name.to_lowercase(),
        };
        let version = match self.kind {
            "golang" => self.version.trim_start_matches('v'),
            // No epoch is the epoch zero (deb-version(7)).
            "deb" | "rpm" => self.version.strip_prefix("0:").unwrap_or(&self.version),
            _ => &self.version,
        };
        Key { kind: self.kind, name, version: version.to_owned() }
    }

    fn judged(&self) -> Judged {
        TYPES.iter().find(|(kind, _)| *kind == self.kind).map_or(Judged::Never, |(_, judged)| *judged)
    }

    /// The type of its URL.
    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    /// The names that its advisories may stand under. The SBOM has those of Python's packages with hyphens throughout
    /// (`PyPA`, "Name normalization"), and trivy looks up `zope.interface` under no other name: so each hyphen may be a dot.
    pub(crate) fn names(&self) -> Vec<String> {
        let hyphens: Vec<_> = self.name.match_indices('-').map(|(at, _)| at).collect();
        if self.kind != "pypi" || hyphens.is_empty() {
            return vec![self.name.clone()];
        }
        let with_dots = |mask: usize| {
            let is_dot = |at: usize| hyphens.binary_search(&at).is_ok_and(|index| mask & (1 << index.min(MAX_HYPHENS)) != 0);
            self.name.char_indices().map(|(at, character)| if is_dot(at) { '.' } else { character }).collect()
        };
        (0..1 << hyphens.len().min(MAX_HYPHENS + 1)).map(with_dots).collect()
    }

    /// Its version.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// The file that it was found in.
    pub(crate) fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }
}

/// So many hyphens of a name are each taken for a dot, and the rest together.
const MAX_HYPHENS: usize = 2;

/// The name in a package URL, without its version, qualifiers and subpath.
fn name_in_url(kind: &str, path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let path = path.rsplit_once('@').map_or(path, |(path, _)| path);
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    match path.rsplit_once('/') {
        Some((group, artifact)) if kind == "maven" => format!("{}:{}", decoded(group), decoded(artifact)),
        _ => decoded(path),
    }
}

/// `PyPA`, "Name normalization": runs of `-`, `_` and `.` are one hyphen.
fn normalized(name: &str) -> String {
    let mut normalized = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            '-' | '_' | '.' if normalized.ends_with('-') => {}
            '-' | '_' | '.' => normalized.push('-'),
            character => normalized.extend(character.to_lowercase()),
        }
    }
    normalized
}

/// The version of Go that built a program: `go1.26.1 X:nodwarf5`, `v1.26.1`.
fn of_go(version: &str) -> String {
    let version = version.trim_start_matches("go");
    let end = [" X:", "-X:"].iter().filter_map(|mark| version.find(mark)).min().unwrap_or(version.len());
    version[..end].to_owned()
}

impl Packages {
    /// Adds a package, unless it is there.
    pub(crate) fn add(&mut self, package: Package) {
        self.0.entry(package.key()).or_insert(package);
    }

    /// Whether there are none.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The packages.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Package> {
        self.0.values()
    }

    /// Those that can be judged by their name and version alone.
    #[must_use]
    pub(crate) fn by_name(&self) -> Self {
        let by_name = self.0.iter().filter(|(_, package)| package.judged() == Judged::ByName && !package.version.is_empty());
        Self(by_name.map(|(key, package)| (key.clone(), package.clone())).collect())
    }

    /// Whether both lists have packages of the same kind of distribution.
    #[must_use]
    pub(crate) fn shares_distribution(&self, other: &Self) -> bool {
        let has = |packages: &Self, kind: &str| packages.iter().any(|package| package.kind == kind);
        OF_DISTRIBUTIONS.iter().any(|kind| has(self, kind) && has(other, kind))
    }

    /// What trivy, whose list this is, lacks of `listed`, and what of a distribution's list it has beyond it. Types that are
    /// `told` and what was found in one of the `unread` files are known to be missing, and are left out.
    #[must_use]
    pub(crate) fn missing(&self, listed: &Self, unread: &BTreeSet<&str>, told: &[&str]) -> Missing {
        let is_known = |package: &Package| {
            told.contains(&package.kind)
                || package.file().is_some_and(|file| unread.contains(file))
                || self.is_unversioned(package)
        };
        let mut missing = Missing::default();
        let mut others: BTreeMap<&'static str, (Vec<&Package>, Vec<&Package>)> = BTreeMap::new();
        for package in listed.0.iter().filter(|(key, _)| !self.0.contains_key(key)).map(|(_, package)| package) {
            let (unseen, unversioned) = others.entry(package.kind).or_default();
            match package.judged() {
                _ if is_known(package) => {}
                Judged::Never => unseen.push(package),
                _ if package.version.is_empty() && ALWAYS_WITH_VERSION.contains(&package.kind) => unversioned.push(package),
                _ if package.version.is_empty() => {}
                Judged::InItsList => unseen.push(package),
                Judged::ByName => missing.by_name.add(package.clone()),
            }
        }
        for (kind, (unseen, unversioned)) in others {
            let why = if OF_DISTRIBUTIONS.contains(&kind) { Why::Unseen } else { Why::WithoutAdvisories };
            missing.unjudged.extend(why.shortfalls(kind, &unseen));
            missing.unjudged.extend(Why::WithoutVersion.shortfalls(kind, &unversioned));
        }
        let of_distributions = OF_DISTRIBUTIONS.iter().filter(|kind| !told.contains(kind));
        missing.unjudged.extend(of_distributions.filter_map(|kind| self.beyond(listed, kind)));
        missing
    }

    /// What of these packages trivy, whose list this is, does not take although it was handed them.
    #[must_use]
    pub(crate) fn refused(&self, handed: &Self) -> Vec<Shortfall> {
        let mut refused: BTreeMap<&'static str, Vec<&Package>> = BTreeMap::new();
        for (_, package) in handed.0.iter().filter(|(key, _)| !self.0.contains_key(key)) {
            refused.entry(package.kind).or_default().push(package);
        }
        refused.into_iter().flat_map(|(kind, packages)| Why::Unseen.shortfalls(kind, &packages)).collect()
    }

    /// What of a distribution's list trivy has clearly beyond `listed`: both read that list, and one of them read it wrong.
    fn beyond(&self, listed: &Self, kind: &'static str) -> Option<Shortfall> {
        let of_kind = |packages: &Self| packages.iter().filter(|package| package.kind == kind).count();
        let (ours, theirs) = (of_kind(self), of_kind(listed));
        let beyond = self.0.iter().filter(|(key, package)| package.kind == kind && !listed.0.contains_key(key));
        let beyond: Vec<_> = beyond.map(|(_, package)| package).collect();
        let is_clear = !beyond.is_empty() && (theirs == 0 || beyond.len() * CLEARLY >= ours);
        is_clear.then(|| Shortfall {
            name: kind.to_owned(),
            why: format!(
                "trivy sees {} that the SBOM does not list, so the list has two readings: {}",
                number(&beyond),
                named(&beyond)
            ),
        })
    }

    /// Whether a package is a Go program that was built from a checkout: trivy says that it has no version, and syft makes
    /// one up of the commit's time (`v0.0.0-…`), which is older than all that advisories speak of.
    fn is_unversioned(&self, package: &Package) -> bool {
        let key = package.key();
        key.kind == "golang" && key.version.starts_with("0.0.0-") && self.0.contains_key(&Key { version: String::new(), ..key })
    }
}

/// Why packages that the SBOM lists are not judged.
#[derive(Clone, Copy)]
enum Why {
    Unseen,
    WithoutVersion,
    WithoutAdvisories,
}

impl Why {
    /// The packages of a type one by one, or all in one where they are many or where it is the type that can't be judged.
    fn shortfalls(self, kind: &'static str, packages: &[&Package]) -> Vec<Shortfall> {
        match packages {
            [] => Vec::new(),
            packages if packages.len() <= SINGLY && !matches!(self, Self::WithoutAdvisories) => {
                let one = |package: &&Package| Shortfall { name: format!("{kind} {package}"), why: self.of_one().to_owned() };
                packages.iter().map(one).collect()
            }
            packages => vec![Shortfall { name: kind.to_owned(), why: self.of_many(packages) }],
        }
    }

    fn of_one(self) -> &'static str {
        match self {
            Self::Unseen => "the SBOM lists it, and trivy did not see it",
            Self::WithoutVersion => "the SBOM lists it without a version, and trivy did not see it",
            Self::WithoutAdvisories => "the SBOM lists it, and trivy knows no advisories for packages of this type",
        }
    }

    fn of_many(self, packages: &[&Package]) -> String {
        let (number, named) = (number(packages), named(packages));
        match self {
            Self::Unseen => format!("the SBOM lists {number} that trivy did not see: {named}"),
            Self::WithoutVersion => format!("the SBOM lists {number} without a version that trivy did not see: {named}"),
            Self::WithoutAdvisories => {
                format!("trivy knows no advisories for packages of this type, and the SBOM lists {number}")
            }
        }
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

#[cfg(test)]
mod tests;
