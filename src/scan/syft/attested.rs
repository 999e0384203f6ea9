//! The list of what is in an image, read back from what somebody has signed: the image itself is not at hand.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::{Spdx, SpdxPackage};
use crate::document;
use crate::scan::packages::{OF_DISTRIBUTIONS, Packages};

/// Who has to have made the list: others leave out what syft says of a package, and trivy would find less without a word.
const MAKER: &str = "Tool: syft-";

/// What an SBOM lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attested {
    /// How many packages it lists.
    pub(crate) packages: u32,
    /// What of it trivy should look up.
    pub(crate) list: Packages,
    /// The distribution, with its packages; absent where the list does not say which that is.
    pub(crate) distribution: Option<Distribution>,
}

/// A distribution, as its packages name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Distribution {
    /// The type of its packages: `deb`.
    pub(crate) kind: &'static str,
    /// Its `ID` (os-release(5)): `rhel`.
    pub(crate) id: String,
    /// Its `VERSION_ID`.
    pub(crate) version: String,
    /// Its packages.
    pub(crate) packages: Vec<Installed>,
}

/// A package of a distribution. Its advisories may stand under the name of what it was built from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Installed {
    /// Its name.
    pub(crate) name: String,
    /// Its version, without an epoch where it is rpm's.
    pub(crate) version: String,
    /// What stands before the version of one of rpm's.
    pub(crate) epoch: Option<String>,
    /// The processor that it is for.
    pub(crate) architecture: Option<String>,
    /// What it was built from, where that has another name or version: a name, and a version where there is another.
    pub(crate) source: Option<(String, Option<String>)>,
}

/// SPDX 2.3, "Document Creation Information".
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Creation {
    creation_info: Creators,
}

#[derive(Deserialize)]
struct Creators {
    creators: Vec<String>,
}

impl Attested {
    /// Reads an SPDX document of syft's.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn read(document: &[u8]) -> Result<Self, String> {
        let Creation { creation_info } = document::read(document).map_err(|error| error.to_string())?;
        if !creation_info.creators.iter().any(|creator| creator.starts_with(MAKER)) {
            return Err("it is not one of syft's, and no other is judged by".to_owned());
        }
        let spdx: Spdx = document::read(document).map_err(|error| error.to_string())?;
        let packages = spdx.packages.iter().filter(|package| !package.is_image()).count();
        Ok(Self {
            packages: u32::try_from(packages).unwrap_or(u32::MAX),
            distribution: Distribution::of(&spdx.packages),
            list: super::packages(spdx),
        })
    }
}

impl Distribution {
    /// The distribution that most packages name. What is of another is not handed to trivy, and so not judged.
    fn of(packages: &[SpdxPackage]) -> Option<Self> {
        let mut named: BTreeMap<(&'static str, String), Vec<Installed>> = BTreeMap::new();
        for package in packages {
            let url = package.url();
            let Some((kind, distribution, installed)) = installed(&url, &package.name) else { continue };
            named.entry((kind, distribution)).or_default().push(installed);
        }
        let ((kind, distribution), packages) = named.into_iter().max_by_key(|(_, packages)| packages.len())?;
        let (id, version) = distribution.rsplit_once('-').filter(|(id, version)| !id.is_empty() && !version.is_empty())?;
        Some(Self { kind, id: id.to_owned(), version: version.to_owned(), packages })
    }

    /// What trivy calls it (its `fanal/types.OSType`).
    pub(crate) fn family(&self) -> &str {
        match self.id.as_str() {
            "rhel" => "redhat",
            "almalinux" => "alma",
            "amzn" => "amazon",
            "ol" => "oracle",
            "mariner" => "cbl-mariner",
            "sle-micro" | "sl-micro" => "slem",
            id => id,
        }
    }
}

/// A package of a distribution, with its type and the distribution's name: `pkg:deb/debian/libc6@2.36-9?distro=debian-12`.
/// `None` where it is none, or does not say of which distribution it is.
fn installed(url: &str, name: &str) -> Option<(&'static str, String, Installed)> {
    let (kind, rest) = url.strip_prefix("pkg:")?.split_once('/')?;
    let kind = OF_DISTRIBUTIONS.into_iter().find(|known| *known == kind)?;
    let (path, qualifiers) = rest.split('#').next()?.split_once('?')?;
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let qualifiers: BTreeMap<&str, String> =
        qualifiers.split('&').filter_map(|one| one.split_once('=')).map(|(key, value)| (key, decoded(value))).collect();
    let (_, version) = path.rsplit_once('@')?;
    let upstream = qualifiers.get("upstream").map(|upstream| source(kind, upstream));
    let installed = Installed {
        name: name.to_owned(),
        version: decoded(version),
        epoch: qualifiers.get("epoch").cloned(),
        architecture: qualifiers.get("arch").cloned(),
        source: upstream,
    };
    Some((kind, qualifiers.get("distro")?.clone(), installed))
}

/// What a package was built from: `openssl`, `openssl@3.0.11-1`, and of rpm `openssl-3.0.7-1.el9.src.rpm`.
fn source(kind: &str, upstream: &str) -> (String, Option<String>) {
    if kind == "rpm" {
        let file = upstream.strip_suffix(".src.rpm").unwrap_or(upstream);
        let mut parts = file.rsplitn(3, '-');
        return match (parts.next(), parts.next(), parts.next()) {
            (Some(release), Some(version), Some(name)) => (name.to_owned(), Some(format!("{version}-{release}"))),
            _ => (file.to_owned(), None),
        };
    }
    match upstream.split_once('@') {
        Some((name, version)) => (name.to_owned(), Some(version.to_owned())),
        None => (upstream.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn spdx(creator: &str, packages: &[(&str, &str, &str)]) -> Vec<u8> {
        let package = |(name, version, url): &(&str, &str, &str)| {
            json!({
                "SPDXID": format!("SPDXRef-Package-{name}"), "name": name, "versionInfo": version,
                "externalRefs": [{ "referenceType": "purl", "referenceLocator": url }],
            })
        };
        let packages: Vec<Value> = packages.iter().map(package).collect();
        let document = json!({
            "spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT",
            "creationInfo": { "creators": ["Organization: x", creator] }, "packages": packages,
        });
        document.to_string().into_bytes()
    }

    #[test]
    fn what_a_package_was_built_from_is_known() {
        let made = spdx(
            "Tool: syft-1.52.0",
            &[
                (
                    "libssl3",
                    "3.0.11-1",
                    "pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&upstream=openssl%403.0.11-2&distro=debian-12",
                ),
                ("tar", "1.34", "pkg:deb/debian/tar@1.34?arch=amd64&distro=debian-12"),
                ("six", "1.16.0", "pkg:pypi/six@1.16.0"),
            ],
        );
        let Attested { packages, list, distribution } = Attested::read(&made).unwrap();
        let distribution = distribution.unwrap();
        assert_eq!((packages, list.iter().count(), distribution.family(), &*distribution.version), (3, 3, "debian", "12"));
        let built_from: Vec<_> = distribution.packages.iter().map(|package| package.source.clone()).collect();
        assert_eq!(built_from, [Some(("openssl".to_owned(), Some("3.0.11-2".to_owned()))), None]);
        let of_rpm = installed("pkg:rpm/redhat/a@1-2.el9?epoch=1&upstream=a-b-1.0-2.el9.src.rpm&distro=rhel-9.2", "a").unwrap();
        assert_eq!(of_rpm.2.source, Some(("a-b".to_owned(), Some("1.0-2.el9".to_owned()))));
        assert_eq!((of_rpm.2.version.as_str(), of_rpm.2.epoch.as_deref()), ("1-2.el9", Some("1")));
    }

    #[test]
    fn another_makers_list_is_not_judged_by() {
        for creator in ["Tool: other-1", "Organization: syft", "tool: syft-1"] {
            assert!(Attested::read(&spdx(creator, &[])).is_err(), "{creator}");
        }
    }

    #[test]
    fn packages_of_no_distribution_or_of_a_second_one_are_none_of_it() {
        let tar = |distribution: &str| format!("pkg:deb/debian/tar@1.34?arch=amd64{distribution}");
        let (one, other, unknown) = (tar("&distro=debian-12"), tar("&distro=ubuntu-24.04"), tar(""));
        let listed = [("a", "1", &*one), ("b", "1", &*one), ("c", "1", &*other), ("d", "1", &*unknown)];
        let attested = Attested::read(&spdx("Tool: syft-1", &listed)).unwrap();
        assert_eq!((attested.list.iter().count(), attested.distribution.unwrap().packages.len()), (4, 2));
        let without_version = [("a", "1", "pkg:deb/debian/tar@1.34?distro=debian")];
        assert_eq!(Attested::read(&spdx("Tool: syft-1", &without_version)).unwrap().distribution, None);
    }
}
