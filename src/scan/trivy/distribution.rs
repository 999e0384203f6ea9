//! Whether trivy judged the packages of the image's distribution, and by whose advisories.
//!
//! Which distribution an image is of, and in which version, the image says itself. trivy takes the word of one file and
//! looks nothing up where it knows no such distribution, or looks in another's advisories, where nothing is found.

use serde::Deserialize;

use crate::text::plain;

/// Families whose packages are Alpine's kind (trivy's `purl.purlType`).
const APK: [&str; 4] = ["alpine", "wolfi", "chainguard", "minimos"];
/// Families whose packages are Debian's kind.
const DEB: [&str; 3] = ["debian", "ubuntu", "echo"];
/// Families that have no packages, or a list of their own.
const OTHERS: [&str; 2] = ["activestate", "bottlerocket"];
/// What trivy calls a distribution that it can't tell.
const UNKNOWN: &str = "none";

/// What trivy takes a distribution for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Os {
    #[serde(default)]
    pub(super) family: String,
    #[serde(default)]
    pub(super) name: String,
    #[serde(rename = "EOSL", default)]
    pub(super) end_of_life: bool,
}

/// A package that trivy saw.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Packaged {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) version: String,
    /// What rpm has behind the version: `1.el9_3`.
    #[serde(default)]
    pub(super) release: String,
    /// Which part of trivy read the list that it is on: `dpkg`, `apk`, `rpm`.
    #[serde(default)]
    pub(super) analyzed_by: String,
    #[serde(default)]
    pub(super) repository: Repository,
    /// What stands before the version where a distribution has begun to count anew.
    #[serde(default)]
    epoch: u32,
}

/// Whose package it is.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Repository {
    /// `official` or `third-party`.
    #[serde(default)]
    pub(super) class: String,
}

impl Packaged {
    /// Its version with all parts (trivy's `utils.FormatVersion`).
    pub(super) fn full_version(&self) -> String {
        let release = if self.release.is_empty() { String::new() } else { format!("-{}", self.release) };
        let epoch = if self.epoch == 0 { String::new() } else { format!("{}:", self.epoch) };
        format!("{epoch}{}{release}", self.version)
    }

    /// The type of its URL where it is on a distribution's list.
    pub(super) fn kind_of_distribution(&self) -> Option<&'static str> {
        match self.analyzed_by.as_str() {
            "dpkg" => Some("deb"),
            "apk" => Some("apk"),
            "rpm" | "rpmqa" | "rpm-archive" => Some("rpm"),
            _ => None,
        }
    }
}

/// What trivy says of the distribution and of its packages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Distribution<'a> {
    /// What it takes the distribution for.
    pub(super) os: &'a Os,
    /// The packages that it looked up; `None` where it knows no advisories for such.
    pub(super) judged: Option<&'a [Packaged]>,
    /// Whether it has not heard of this version.
    pub(super) is_of_unknown_version: bool,
    /// Whether some list of packages could not be read.
    pub(super) has_unread: bool,
}

impl Distribution<'_> {
    /// What it is called: `debian 12.5`.
    pub(super) fn name(&self) -> String {
        match self.os.family.as_str() {
            UNKNOWN => "unknown distribution".to_owned(),
            family => plain(format!("{family} {}", self.os.name).trim()),
        }
    }

    /// Why its packages are not judged, or not as they should be.
    pub(super) fn reasons(&self) -> Vec<String> {
        let family = self.os.family.as_str();
        if OTHERS.contains(&family) {
            return Vec::new();
        }
        let Some(packages) = self.judged else {
            return vec![match family {
                UNKNOWN => "nothing in the image says which distribution its packages are of (etc/os-release)".to_owned(),
                _ => "trivy knows no advisories for this distribution".to_owned(),
            }];
        };
        let reasons = [
            self.os.end_of_life.then(|| "it no longer gets security updates, so vulnerabilities in it may be unknown".to_owned()),
            self.is_of_unknown_version
                .then(|| "trivy does not know this version, so that there may be no advisories for it".to_owned()),
            (packages.is_empty() && !self.has_unread).then(|| "there is no list of its packages in the image".to_owned()),
            other_kind(family, packages),
            other_release(family, &self.os.name, packages),
            third_parties(packages),
        ];
        reasons.into_iter().flatten().collect()
    }
}

/// The packages are of another distribution's kind: whoever changed the file that names the distribution had trivy look
/// them up where they are not.
fn other_kind(family: &str, packages: &[Packaged]) -> Option<String> {
    let lists = match family {
        family if APK.contains(&family) => ["apk"].as_slice(),
        family if DEB.contains(&family) => &["dpkg"],
        _ => &["rpm", "rpmqa", "rpm-archive"],
    };
    let is_other = |package: &&Packaged| {
        let analyzer = package.analyzed_by.as_str();
        ["apk", "dpkg", "rpm", "rpmqa", "rpm-archive"].contains(&analyzer) && !lists.contains(&analyzer)
    };
    let other = packages.iter().find(is_other)?;
    Some(format!("the image says that it is of this distribution, and its packages are not ({})", other.analyzed_by))
}

/// The packages are of another release than the image says. Debian's `base-files` and Alpine's `alpine-release` have theirs
/// for a version (`12.4+deb12u11` is of Debian 12), and packages of rpm carry a mark of theirs (`1.el9_3`).
fn other_release(family: &str, version: &str, packages: &[Packaged]) -> Option<String> {
    let (name, parts) = match family {
        "debian" => ("base-files", 1),
        "alpine" => ("alpine-release", 2),
        _ => return other_mark(family, version, packages),
    };
    let package = packages.iter().find(|package| package.name == name)?;
    let is_other = numbers(&package.version, parts) != numbers(version, parts) && !numbers(version, parts).is_empty();
    is_other.then(|| format!("the image says that it is of this version, and its {name} is of {}", plain(&package.version)))
}

/// The first numbers of a version.
fn numbers(version: &str, parts: usize) -> Vec<&str> {
    let digits = |part: &'_ str| part.find(|character: char| !character.is_ascii_digit()).unwrap_or(part.len());
    version.split('.').take(parts).map(|part| &part[..digits(part)]).filter(|part| !part.is_empty()).collect()
}

/// Not one package of rpm has the mark of the distribution that the image names.
fn other_mark(family: &str, version: &str, packages: &[Packaged]) -> Option<String> {
    let major = numbers(version, 1).concat();
    let mark = match family {
        "redhat" | "centos" | "rocky" | "alma" | "oracle" => format!(".el{major}"),
        "amazon" => ".amzn".to_owned(),
        "photon" => format!(".ph{major}"),
        "azurelinux" => format!(".azl{major}"),
        _ => return None,
    };
    let mut of_rpm = packages.iter().filter(|package| package.analyzed_by.starts_with("rpm")).peekable();
    let is_other = of_rpm.peek().is_some() && !of_rpm.any(|package| package.release.contains(mark.trim_start_matches('.')));
    is_other.then(|| format!("the image says that it is of this distribution, and none of its packages is ({mark})"))
}

/// trivy does not look up packages whose list says that another than the distribution made them. A few are usual.
fn third_parties(packages: &[Packaged]) -> Option<String> {
    let number = packages.iter().filter(|package| package.repository.class == "third-party").count();
    let all = packages.len();
    (number * 2 > all).then(|| {
        format!("{number} of its {all} packages say that they are not the distribution's, and trivy does not look those up")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str, analyzed_by: &str, class: &str) -> Packaged {
        let json = serde_json::json!({
            "Name": name, "Version": version, "AnalyzedBy": analyzed_by, "Repository": {"Class": class}
        });
        serde_json::from_value(json).unwrap()
    }

    fn reasons(family: &str, version: &str, judged: Option<&[Packaged]>) -> Vec<String> {
        let os = Os { family: family.to_owned(), name: version.to_owned(), end_of_life: false };
        Distribution { os: &os, judged, is_of_unknown_version: false, has_unread: false }.reasons()
    }

    #[test]
    fn a_usual_distribution_is_judged() {
        let dpkg = [package("base-files", "12.4+deb12u11", "dpkg", "official"), package("tar", "1", "dpkg", "official")];
        assert_eq!(reasons("debian", "12.11", Some(&dpkg)), [""; 0]);
        assert_eq!(reasons("ubuntu", "24.04", Some(&[package("base-files", "13ubuntu10", "dpkg", "official")])), [""; 0]);
        for release in ["musl", "alpine-release"] {
            assert_eq!(reasons("alpine", "3.22.1", Some(&[package(release, "3.22.0-r0", "apk", "")])), [""; 0]);
        }
        let bash = |release: &str| Packaged { release: release.to_owned(), ..package("bash", "5", "rpm", "official") };
        for (family, version, release) in [
            ("rocky", "9.3", "8.el9"),
            ("amazon", "2023.6", "1.amzn2023.0.2"),
            ("photon", "5.0", "3.ph5"),
            ("sles", "15.6", "150400.1"),
        ] {
            assert_eq!(reasons(family, version, Some(&[bash(release), package("gpg-pubkey", "1", "rpm", "official")])), [""; 0]);
        }
        assert_eq!(reasons("rocky", "8.9", Some(&[bash("8.el9")])).len(), 1);
        assert_eq!(reasons("photon", "5.0", Some(&[bash("8.el9")])).len(), 1);
        assert_eq!(reasons("wolfi", "20230201", Some(&[package("a", "1", "apk", ""), package("b", "1", "sbom", "")])), [""; 0]);
        assert_eq!(reasons("activestate", "", None), [""; 0]);
    }

    #[test]
    fn a_distribution_that_is_another_than_the_image_says_is_not_judged() {
        let dpkg = [package("base-files", "12.4+deb12u11", "dpkg", "official")];
        for (family, version) in [("alpine", "3.22"), ("wolfi", "20230201"), ("rocky", "9.3"), ("debian", "13.1")] {
            assert_eq!(reasons(family, version, Some(&dpkg)).len(), 1, "{family} {version}");
        }
        assert_eq!(reasons("debian", "12", Some(&[package("musl", "1", "apk", "")])).len(), 1);
        assert_eq!(reasons("alpine", "3.22.1", Some(&[package("alpine-release", "3.14.2-r0", "apk", "")])).len(), 1);
        assert_eq!(reasons("none", "", None).len() + reasons("fedora", "40", None).len(), 2);
        assert_eq!(reasons("debian", "12", Some(&[])).len(), 1);
    }

    #[test]
    fn a_few_packages_of_others_are_usual_and_most_are_not() {
        let package = |class| Packaged { release: "1.el9".to_owned(), ..package("a", "1", "rpm", class) };
        assert_eq!(reasons("rocky", "9", Some(&[package("third-party"), package("official")])), [""; 0]);
        assert_eq!(reasons("rocky", "9", Some(&[package("third-party"), package("third-party"), package("official")])).len(), 1);
    }
}
